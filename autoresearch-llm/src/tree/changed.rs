//! What differs between two trees.

use super::SourceTree;
use similar::{Algorithm, DiffOp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Lines with what ends them.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// How one list of lines becomes the other.
pub(crate) fn steps(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    similar::capture_diff_slices(Algorithm::Histogram, old, new)
}

/// A path, and the text there in two trees.
pub(crate) type Changed = (String, Option<Arc<str>>, Option<Arc<str>>);

/// The paths at which two trees differ, with both texts.
pub(crate) fn changed<T: SourceTree>(from: &T, to: &T) -> Vec<Changed> {
    let paths: BTreeSet<String> = from.paths().into_iter().chain(to.paths()).collect();
    let both = paths.into_iter().map(|path| {
        let (a, b) = (from.text(&path), to.text(&path));
        (path, a, b)
    });
    both.filter(|(_, a, b)| a != b).collect()
}
