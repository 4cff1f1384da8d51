//! References and commits.

use super::{Git, GitError, Oid, text};

/// A commit as it was written: its name, its tree, its parents, and its message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) commit: Oid,
    pub(crate) tree: Oid,
    pub(crate) text: String,
}

impl Git {
    /// Writes a commit.
    pub(crate) fn commit(&self, tree: &Oid, parents: &[&Oid], message: &str) -> Result<Oid, GitError> {
        let mut words = vec!["commit-tree", tree.as_str()];
        for parent in parents {
            words.extend(["-p", parent.as_str()]);
        }
        words.extend(["-F", "-"]);
        // A message is never empty: without one nothing would be read.
        let message = if message.is_empty() { "no message" } else { message };
        Oid::new(&text(self.run(&words, message.as_bytes())?)?)
    }

    /// The commit that a reference names, if it is there.
    pub(crate) fn tip(&self, reference: &str) -> Option<Oid> {
        self.resolve(&format!("{reference}^{{commit}}"))
    }

    /// Moves a reference, if it still is what it was; `None`: it was not there.
    pub(crate) fn move_ref(
        &self,
        reference: &str,
        to: &Oid,
        was: Option<&Oid>,
        why: &str,
    ) -> Result<(), GitError> {
        let none = "0".repeat(to.as_str().len());
        let was = was.map_or(none.as_str(), Oid::as_str);
        self.run(&["update-ref", "-m", why, reference, to.as_str(), was], &[]).map(drop)
    }

    /// Whether a name is fit for a reference.
    pub(crate) fn is_ref_name(&self, reference: &str) -> bool {
        let asked = self.output(&["check-ref-format", reference], &[]);
        asked.is_ok_and(|output| output.status.success())
    }

    /// A reference that keeps one of this name from being made: one that would have to be a folder, or that is in a folder of its name.
    pub(crate) fn in_the_way(&self, reference: &str) -> Option<String> {
        let above = reference.match_indices('/').filter_map(|(end, _)| reference.get(..end));
        let above: Vec<&str> = above.collect();
        let listed =
            self.run(&["for-each-ref", "--format=%(refname)", "refs/heads", "refs/autoresearch"], &[]);
        let listed = listed.and_then(text).unwrap_or_default();
        let below = format!("{reference}/");
        listed.lines().find(|name| above.contains(name) || name.starts_with(&below)).map(String::from)
    }

    /// Whether some working tree stands on a branch.
    pub(crate) fn is_checked_out(&self, reference: &str) -> bool {
        let listed = self.run(&["worktree", "list", "--porcelain"], &[]).and_then(text).unwrap_or_default();
        listed.lines().any(|line| line.strip_prefix("branch ") == Some(reference))
    }

    /// Commits of a line of first parents, newest first, down to `until` (not included).
    pub(crate) fn log(&self, tip: &Oid, until: Option<&Oid>) -> Result<Vec<Message>, GitError> {
        let mut words = vec!["log".to_string(), "--first-parent".into(), "--no-show-signature".into()];
        words.push("--format=%H%n%T%n%B%x00".into());
        words.push(tip.to_string());
        words.extend(until.map(|until| format!("^{until}")));
        words.push("--".into());
        let told = text(self.run(&words, &[])?)?;
        let entries =
            told.split('\0').map(|entry| entry.trim_start_matches('\n')).filter(|entry| !entry.is_empty());
        let read = |entry: &str| {
            let mut lines = entry.splitn(3, '\n');
            let (Some(commit), Some(tree)) = (lines.next(), lines.next()) else {
                return Err(GitError::new(format!("git log said {entry:?}")));
            };
            let text = lines.next().unwrap_or_default().trim_end().to_string();
            Ok(Message { commit: Oid::new(commit)?, tree: Oid::new(tree)?, text })
        };
        entries.map(read).collect()
    }

    /// Which of the two commits comes first: whether the one is an ancestor of the other, or the other itself.
    pub(crate) fn is_ancestor(&self, earlier: &Oid, later: &Oid) -> bool {
        let asked = self.output(&["merge-base", "--is-ancestor", earlier.as_str(), later.as_str()], &[]);
        asked.is_ok_and(|output| output.status.success())
    }
}
