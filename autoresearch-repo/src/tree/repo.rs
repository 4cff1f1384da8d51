//! A repository as a task sees it: its base, and what is known of objects.

use super::Scope;
use crate::git::{Entry, Git, GitError, Merged, Oid};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// With more files than this, or more bytes, proposers see only what the task names.
const ALL_FILES: usize = 2000;
const ALL_BYTES: u64 = 8 << 20;
/// Larger files are no source files.
pub(super) const MOST_BYTES: usize = 1 << 20;
/// Texts that are remembered.
const TEXTS: usize = 20_000;
/// Merges that are remembered.
const MERGES: usize = 100_000;

/// Three trees, and what came of merging them.
type Merges = HashMap<(Oid, Oid, Oid), Merged>;

/// A repository, opened at a base.
#[derive(Debug)]
pub(crate) struct Repo {
    pub(crate) git: Git,
    /// The commit that candidates are based on.
    pub(crate) base: Oid,
    /// When it was made, in seconds of 1970: the time of all files of runs.
    pub(crate) time: i64,
    /// Its tree.
    pub(crate) base_tree: Oid,
    /// All that is in it.
    pub(crate) listing: BTreeMap<String, Entry>,
    pub(crate) scope: Scope,
    /// Whether proposers see every text file.
    shows_all: bool,
    /// The paths of the base that proposers see.
    pub(super) shown: Vec<String>,
    texts: Mutex<HashMap<Oid, Option<Arc<str>>>>,
    merges: Mutex<Merges>,
}

impl Repo {
    pub(crate) fn open(git: Git, base: Oid, scope: Scope) -> Result<Self, GitError> {
        let none = || GitError::new(format!("the commit {base} has no tree"));
        let base_tree = git.resolve(&format!("{base}^{{tree}}")).ok_or_else(none)?;
        let time = git.time_of(&base)?;
        let listing = git.list(&base_tree)?;
        let (texts, merges) = (Mutex::default(), Mutex::default());
        let mut repo = Self {
            git,
            base,
            time,
            base_tree,
            listing,
            scope,
            shows_all: false,
            shown: Vec::new(),
            texts,
            merges,
        };
        let shows_all = repo.scope.shown.is_none() && repo.few()?;
        repo.shows_all = shows_all;
        let candidates: Vec<(&String, &Entry)> =
            repo.listing.iter().filter(|(path, entry)| entry.mode.is_file() && repo.shows(path)).collect();
        repo.learn(candidates.iter().map(|(_, entry)| &entry.oid))?;
        let is_text = |entry: &Entry| matches!(repo.text(&entry.oid), Ok(Some(_)));
        let shown = candidates.iter().filter(|(_, entry)| is_text(entry)).map(|(path, _)| (*path).clone());
        repo.shown = shown.collect();
        Ok(repo)
    }

    /// Whether the whole tree is small enough to be shown.
    fn few(&self) -> Result<bool, GitError> {
        if self.listing.len() > ALL_FILES {
            return Ok(false);
        }
        let bytes = self.git.bytes(&self.base_tree)?;
        Ok(bytes <= ALL_BYTES)
    }

    /// Whether proposers see a file at this path, if it is a text.
    pub(super) fn shows(&self, path: &str) -> bool {
        self.shows_all || self.scope.always_shows(path)
    }

    /// Whether the base has a file at a path or below it.
    pub(crate) fn has_within(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.listing.contains_key(path)
            || self.listing.range(below.clone()..).next().is_some_and(|(path, _)| path.starts_with(&below))
    }

    /// Data that stands at a path, above it or below it, and is no part of the base.
    pub(super) fn data_at(&self, path: &str) -> Option<&String> {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let meets = |data: &&String| within(path, data) || within(data, path);
        self.scope.data.iter().filter(meets).find(|data| !self.has_within(data))
    }

    /// Whether no run may change this file.
    pub(crate) fn protects(&self, path: &str) -> bool {
        self.scope.protects(path, &self.listing)
    }

    /// Reads texts that will be wanted, all at once.
    fn learn<'a>(&self, names: impl IntoIterator<Item = &'a Oid>) -> Result<(), GitError> {
        let names: Vec<&Oid> = names.into_iter().collect();
        let mut found = Vec::with_capacity(names.len());
        self.git.read_each(names.iter().copied(), |i, content| {
            found.push((names[i].clone(), as_text(content)));
            Ok(())
        })?;
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(())
    }

    /// A blob as text; nothing where it is none, or too large to be a source file.
    pub(crate) fn text(&self, name: &Oid) -> Result<Option<Arc<str>>, GitError> {
        let known = self.texts.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let text = as_text(self.git.read(name)?);
        self.remember(name, text.clone());
        Ok(text)
    }

    pub(super) fn remember(&self, name: &Oid, text: Option<Arc<str>>) {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.len() >= TEXTS {
            texts.clear();
        }
        texts.insert(name.clone(), text);
    }

    /// Applies to `ours` what turned `base` into `theirs`; the same question is answered once.
    pub(crate) fn merge(&self, base: &Oid, ours: &Oid, theirs: &Oid) -> Result<Merged, GitError> {
        if ours == base || ours == theirs {
            return Ok(Merged::Clean(theirs.clone()));
        }
        if theirs == base {
            return Ok(Merged::Clean(ours.clone()));
        }
        let key = (base.clone(), ours.clone(), theirs.clone());
        let known = self.merges.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let merged = self.git.merge(base, ours, theirs)?;
        let mut merges = self.merges.lock().unwrap_or_else(PoisonError::into_inner);
        if merges.len() >= MERGES {
            merges.clear();
        }
        merges.insert(key, merged.clone());
        Ok(merged)
    }
}

/// Texts are UTF-8 without zero bytes, and of a size that people write.
fn as_text(content: Vec<u8>) -> Option<Arc<str>> {
    let plain = content.len() <= MOST_BYTES && !content.contains(&0);
    plain.then(|| String::from_utf8(content).ok()).flatten().map(Into::into)
}
