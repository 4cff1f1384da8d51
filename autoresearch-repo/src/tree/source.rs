//! Reading and editing: what makes a git tree a [`SourceTree`].

use super::{GitTree, Known};
use crate::git::{Entry, Mode, TreeChange};
use autoresearch_llm::{SourceTree, path_problem};
use std::collections::BTreeMap;
use std::sync::Arc;

impl SourceTree for GitTree {
    /// The text files that the task shows, in order. None, and a line in the log, where the repository is not open.
    fn paths(&self) -> Vec<String> {
        match self.known() {
            Ok(known) => known.paths(),
            Err(why) => {
                tracing::error!("{why}");
                Vec::new()
            }
        }
    }

    fn text(&self, path: &str) -> Option<Arc<str>> {
        let known = self.known().ok()?;
        known.text(path)
    }

    /// The tree with these files made, replaced or (`None`) taken out: all of them, or none.
    ///
    /// # Errors
    /// A path that leads out of the tree, is protected or may not be edited, is or leads through a symbolic link, is a folder, or
    /// belongs to another repository; a text that is binary or too large; a file to take out that is not there.
    fn with(&self, changes: BTreeMap<String, Option<Arc<str>>>) -> Result<Self, String> {
        let known = self.known()?;
        let mut overlay: TreeChange = (*known.changes).clone();
        let mut edits = TreeChange::new();
        for (path, text) in &changes {
            let before = known.admit(path, text.as_deref())?;
            let entry = match text {
                None => None,
                Some(text) => {
                    let oid =
                        known.repo.git.write_blob(text.as_bytes()).map_err(|e| format!("`{path}`: {e}"))?;
                    known.repo.remember(&oid, Some(Arc::clone(text)));
                    Some(Entry { mode: before.map_or(Mode::File, |entry| entry.mode), oid })
                }
            };
            edits.insert(path.clone(), entry.clone());
            match known.repo.listing.get(path) == entry.as_ref() {
                true => drop(overlay.remove(path)),
                false => drop(overlay.insert(path.clone(), entry)),
            }
        }
        let after = Known { repo: Arc::clone(&known.repo), changes: Arc::new(overlay) };
        for (path, _) in changes.iter().filter(|(_, text)| text.is_some()) {
            after.fits(path)?;
        }
        let tree = known.repo.git.changed(&self.0.tree, &edits).map_err(|e| e.to_string())?;
        Ok(Self::of(&known.repo, tree, Arc::unwrap_or_clone(after.changes)))
    }
}

impl Known {
    /// What is at a path.
    pub(super) fn entry(&self, path: &str) -> Option<&Entry> {
        match self.changes.get(path) {
            Some(changed) => changed.as_ref(),
            None => self.repo.listing.get(path),
        }
    }

    /// Whether all that differs from the task's commit is in the texts of files.
    pub(super) fn changes_text_alone(&self) -> bool {
        self.changes.iter().all(|(path, entry)| {
            let was = self.repo.listing.get(path);
            match (was, entry) {
                (_, None) => was.is_none_or(|was| was.mode.is_file() && self.repo.shows(path)),
                (_, Some(entry)) => was.is_none_or(|was| was.mode == entry.mode) && self.text(path).is_some(),
            }
        })
    }

    fn paths(&self) -> Vec<String> {
        let unchanged = self.repo.shown.iter().filter(|path| !self.changes.contains_key(*path));
        let changed = self.changes.iter().filter(|(path, _)| self.text(path).is_some()).map(|(path, _)| path);
        let mut paths: Vec<String> = unchanged.chain(changed).cloned().collect();
        paths.sort_unstable();
        paths
    }

    fn text(&self, path: &str) -> Option<Arc<str>> {
        let entry = self.entry(path).filter(|entry| entry.mode.is_file() && self.repo.shows(path))?;
        match self.repo.text(&entry.oid) {
            Ok(text) => text,
            Err(why) => {
                tracing::error!("`{path}`: {why}");
                None
            }
        }
    }

    /// Whether a file may become this; what was there before.
    fn admit(&self, path: &str, text: Option<&str>) -> Result<Option<&Entry>, String> {
        if let Some(problem) = path_problem(path) {
            return Err(format!("`{}` is no path of a file here: {problem}", shown(path)));
        }
        if let Some(reason) = self.closed(path) {
            return Err(format!("`{path}` {reason}"));
        }
        let before = self.entry(path);
        let Some(text) = text else {
            return match before {
                None => Err(format!("`{path}` cannot be taken out: there is no such file")),
                Some(_) if !self.repo.scope.delete => Err(format!("`{path}`: files may not be deleted")),
                before => Ok(before),
            };
        };
        if before.is_none() && !self.repo.scope.create {
            return Err(format!("there is no file `{path}`, and new files may not be made"));
        }
        if text.contains('\0') {
            return Err(format!("`{path}`: the new text is binary: it has a zero byte"));
        }
        let most = self.repo.scope.most_bytes;
        let had = || {
            before.and_then(|entry| self.repo.text(&entry.oid).ok().flatten()).map_or(0, |text| text.len())
        };
        if text.len() > most && text.len() > had() {
            return Err(format!("`{path}` would be {} bytes; at most {most} are allowed", text.len()));
        }
        Ok(before)
    }

    /// Why no edit may touch a path, whatever it is; nothing if one may.
    pub(super) fn closed(&self, path: &str) -> Option<String> {
        let scope = &self.repo.scope;
        if !scope.editable.matches(path) {
            return Some(match self.repo.protects(path) {
                true => format!("is protected; what may be edited is {}", scope.editable),
                false => format!("may not be edited; what may is {}", scope.editable),
            });
        }
        if scope.protected.as_ref().is_some_and(|protected| protected.matches(path)) {
            return Some("is protected".into());
        }
        if let Some(data) = self.repo.data_at(path) {
            return Some(format!("is where the task's data stands in each run (`{data}`)"));
        }
        match self.entry(path).map(|entry| entry.mode) {
            Some(Mode::Link) => return Some("is a symbolic link, and those are not edited".into()),
            Some(Mode::Submodule) => return Some("belongs to another repository (a submodule)".into()),
            _ => {}
        }
        if let Some((above, mode)) = self.above(path)
            && !mode.is_file()
        {
            let what = if mode == Mode::Link { "the symbolic link" } else { "the submodule" };
            return Some(format!("leads through {what} `{above}`, out of the tree"));
        }
        let text = self.entry(path).map(|entry| self.repo.text(&entry.oid));
        matches!(text, Some(Ok(None))).then(|| "is binary or too large to be edited".into())
    }

    /// What stands where a folder above a path should be.
    fn above<'p>(&self, path: &'p str) -> Option<(&'p str, Mode)> {
        let folders = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        let mut found = folders.filter_map(|folder| Some((folder, self.entry(folder)?.mode)));
        found.next()
    }

    /// Whether a file can stand at a path beside all others.
    fn fits(&self, path: &str) -> Result<(), String> {
        if let Some((file, _)) = self.above(path) {
            return Err(format!("`{path}`: `{file}` is a file and cannot be a folder too"));
        }
        let below = format!("{path}/");
        let mut of_base = self.repo.listing.range(below.clone()..).take_while(|(p, _)| p.starts_with(&below));
        let mut of_edits = self.changes.range(below.clone()..).take_while(|(p, _)| p.starts_with(&below));
        let stays = of_base.any(|(path, _)| !matches!(self.changes.get(path), Some(None)));
        match stays || of_edits.any(|(_, entry)| entry.is_some()) {
            true => Err(format!("`{path}` is a folder and cannot be a file too")),
            false => Ok(()),
        }
    }
}

/// A path that may be anything.
fn shown(path: &str) -> String {
    path.chars().take(120).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
