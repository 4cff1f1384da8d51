//! Three-way merges of trees.

use super::{Git, GitError, MERGES_TREES, Oid, checked, text};

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Merged {
    /// This tree.
    Clean(Oid),
    /// It does not merge: where (a path, with the line where that is known), and why.
    Conflict { place: String, reason: String },
}

impl Git {
    /// Applies to `ours` what turned `base` into `theirs`.
    pub(crate) fn merge(&self, base: &Oid, ours: &Oid, theirs: &Oid) -> Result<Merged, GitError> {
        let (ours, theirs, base) = if self.version >= MERGES_TREES {
            (ours.clone(), theirs.clone(), Some(base))
        } else {
            // Commits whose one common ancestor is the base.
            let base = self.commit(base, &[], "base")?;
            (self.commit(ours, &[&base], "ours")?, self.commit(theirs, &[&base], "theirs")?, None)
        };
        let mut words =
            vec!["merge-tree".to_string(), "--write-tree".into(), "-z".into(), "--name-only".into()];
        words.push("--messages".into());
        words.extend(base.map(|base| format!("--merge-base={base}")));
        words.extend([ours.to_string(), theirs.to_string()]);
        let output = Self::output_of(self.apart()?, &words, &[])?;
        match output.status.code() {
            Some(0 | 1) => {}
            _ => {
                checked(output, "merge-tree")?;
                return Err(GitError::new("git merge-tree ended without a word"));
            }
        }
        let clean = output.status.success();
        let mut parts = output.stdout.split(|byte| *byte == 0);
        let tree = Oid::new(&text(parts.next().unwrap_or_default().to_vec())?)?;
        if clean {
            return Ok(Merged::Clean(tree));
        }
        let paths: Vec<String> = parts.by_ref().take_while(|part| !part.is_empty()).map(utf8_lossy).collect();
        let path = paths.first().cloned().unwrap_or_else(|| "the merged tree".into());
        let told: Vec<String> = parts.map(utf8_lossy).collect();
        let told = told
            .iter()
            .map(|part| part.trim())
            .find(|part| part.starts_with("CONFLICT") && part.contains("): "));
        let line = self.first_conflict(&tree, &path);
        let others = match paths.len() {
            0 | 1 => String::new(),
            n => format!("; {} more files conflict", n - 1),
        };
        let reason = match (line, told) {
            (Some(_), _) => "both sides change the same or adjoining lines, in different ways".to_string(),
            (None, Some(told)) => {
                let told = told.split_once("): ").map_or(told, |(_, told)| told);
                let told = told.replace(ours.as_str(), "what it is applied to");
                told.replace(theirs.as_str(), "the change").lines().next().unwrap_or_default().to_string()
            }
            (None, None) => "both sides change it".into(),
        };
        let place = line.map_or(path.clone(), |line| format!("{path}:{line}"));
        Ok(Merged::Conflict { place, reason: format!("{reason}{others}") })
    }

    /// The line, from 1, of the first conflict in a file of a merged tree.
    fn first_conflict(&self, tree: &Oid, path: &str) -> Option<usize> {
        let blob = self.resolve(&format!("{tree}:{path}"))?;
        let content = self.read(&blob).ok()?;
        content
            .split(|byte| *byte == b'\n')
            .position(|line| line.starts_with(b"<<<<<<< "))
            .map(|line| line + 1)
    }
}

fn utf8_lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{Entry, Mode, TreeChange};
    use std::process::Command;

    /// Also as with git 2.38 to 2.44, which merge commits alone.
    #[test]
    fn trees_merge_the_same_with_older_gits() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Command::new("git").arg("init").arg("-q").arg(folder.path()).status().unwrap().success());
        let mut git = Git::find(folder.path()).unwrap().git;
        let tree = |git: &Git, text: &str| {
            let entry = Entry { mode: Mode::File, oid: git.write_blob(text.as_bytes()).unwrap() };
            let change = TreeChange::from([("a".to_string(), Some(entry))]);
            git.changed(&Oid::new(git.empty).unwrap(), &change).unwrap()
        };
        let text = |first: &str, last: &str| format!("{first}\n\n\n\n\n{last}\n");
        let all = |git: &Git| {
            let base = tree(git, &text("1", "1"));
            let (ours, theirs) = (tree(git, &text("2", "1")), tree(git, &text("1", "3")));
            let clean = git.merge(&base, &ours, &theirs).unwrap();
            assert_eq!(clean, Merged::Clean(tree(git, &text("2", "3"))));
            let clash = git.merge(&base, &ours, &tree(git, &text("4", "1"))).unwrap();
            assert!(matches!(&clash, Merged::Conflict { place, .. } if place == "a:1"), "{clash:?}");
            (clean, clash)
        };
        let now = all(&git);
        git.version = crate::git::OLDEST;
        assert_eq!(all(&git), now);
    }
}
