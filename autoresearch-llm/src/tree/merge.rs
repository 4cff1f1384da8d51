//! Merging changes of source trees.

use super::SourceTree;
use super::paths::Globs;
use super::{canonical, changed, lines, steps};
use crate::codec::CodecError;
use autoresearch_core::{Compose, Conflict, Unit};
use similar::{DiffOp, DiffTag, TextMerge};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Changes that are fewer unchanged lines apart than this are one unit.
const APART: usize = 3;

/// Three-way merge of source trees by lines, as version control does it: for [`Files`](super::Files) and whatever else is
/// a [`SourceTree`].
///
/// Changes of different lines merge; different changes of the same or adjoining lines are a [`Conflict`]. Units are changes
/// of neighbouring lines, in the order of paths and lines; files that are made or deleted are units as a whole, and one
/// together where a change does both (a renamed file).
///
/// ```
/// use autoresearch_core::Compose;
/// use autoresearch_llm::{Files, TreeMerge};
/// let file = |text: &str| Files::new([("a.py", text)]);
/// let (parent, lr) = (file("lr = 1\n\nwd = 1\n")?, file("lr = 2\n\nwd = 1\n")?);
/// let wd = file("lr = 1\n\nwd = 2\n")?;
/// assert_eq!(TreeMerge::new().apply(&wd, &parent, &lr).unwrap(), file("lr = 2\n\nwd = 2\n")?);
/// let conflict = TreeMerge::new().apply(&file("lr = 3\n\nwd = 1\n")?, &parent, &lr).unwrap_err();
/// assert_eq!(conflict.place, "a.py:1");
/// # Ok::<(), autoresearch_llm::FilesError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TreeMerge {
    editable: Option<Globs>,
}

type Changes = BTreeMap<String, Option<Arc<str>>>;

impl TreeMerge {
    /// Merges all files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, knowing which files may be edited: [`Compose::coverage`] is of their lines. Without, it is of all.
    ///
    /// # Errors
    /// A glob that is none.
    pub fn over<G: Into<String>>(editable: impl IntoIterator<Item = G>) -> Result<Self, CodecError> {
        Ok(Self { editable: Some(Globs::new(editable).map_err(CodecError::new)?) })
    }
}

impl TreeMerge {
    /// As [`over`](Self::over), with globs that were checked already.
    pub(crate) fn within(editable: Globs) -> Self {
        Self { editable: Some(editable) }
    }
}

impl<T: SourceTree> Compose<T> for TreeMerge {
    fn apply(&self, base: &T, parent: &T, edited: &T) -> Result<T, Conflict> {
        let mut changes = Changes::new();
        for (path, was, is) in changed(parent, edited) {
            let here = base.text(&path);
            let merged = match (&here, &was, &is) {
                _ if here == was => is,
                _ if here == is => continue,
                (Some(here), Some(was), Some(is)) => Some(text(&path, here, was, is)?.into()),
                (None, ..) => {
                    return Err(conflict(&path, "one side deletes the file and the other changes it"));
                }
                (_, None, _) => {
                    return Err(conflict(&path, "both sides make the file, with different texts"));
                }
                (_, _, None) => {
                    return Err(conflict(&path, "one side changes the file and the other deletes it"));
                }
            };
            changes.insert(path, merged);
        }
        base.with(changes).map_err(|reason| Conflict { place: "the merged tree".into(), reason })
    }

    fn units(&self, parent: &T, edited: &T) -> Vec<Unit<T>> {
        let mut units: Vec<Changes> = Vec::new();
        let differing = changed(parent, edited);
        let gone = differing.iter().any(|(_, _, is)| is.is_none());
        let made = differing.iter().any(|(_, was, _)| was.is_none());
        let mut moved = Changes::new();
        for (path, was, is) in differing {
            match (was, is) {
                (Some(was), Some(is)) => {
                    units.extend(
                        alone(&was, &is).into_iter().map(|text| Changes::from([(path.clone(), Some(text))])),
                    );
                }
                (_, is) if gone && made => drop(moved.insert(path, is)),
                (_, is) => units.push(Changes::from([(path, is)])),
            }
        }
        if !moved.is_empty() {
            units.push(moved);
        }
        let made: Result<Vec<Unit<T>>, String> =
            units.into_iter().map(|changes| Ok(Unit::new("", parent.with(changes)?))).collect();
        // Files that can be there only together are one unit.
        made.unwrap_or_else(|_| vec![Unit::new("", edited.clone())])
    }

    /// The files that may be edited, without comments and white space where the language is known.
    fn canonical(&self, candidate: &T) -> Option<String> {
        let counts = |path: &String| self.editable.as_ref().is_none_or(|editable| editable.matches(path));
        let mut all = String::new();
        for path in candidate.paths().into_iter().filter(counts) {
            let text = canonical(&path, &candidate.text(&path)?);
            all += &format!("{path}\n{}\n{text}", text.len());
        }
        Some(all)
    }

    fn coverage(&self, incumbent: &T, stack: &T) -> Option<f64> {
        let counts = |path: &str| self.editable.as_ref().is_none_or(|editable| editable.matches(path));
        let total: usize = incumbent
            .paths()
            .iter()
            .filter(|path| counts(path))
            .filter_map(|path| incumbent.text(path))
            .map(|text| lines(&text).len())
            .sum();
        let differing = changed(incumbent, stack).into_iter().filter(|(path, ..)| counts(path));
        let touched: usize = differing
            .map(|(_, was, is)| {
                let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
                hunks(&lines(&was), &lines(&is), 1).iter().map(|(a, b)| a.len().max(b.len())).sum::<usize>()
            })
            .sum();
        (total > 0).then(|| (touched as f64 / total as f64).min(1.0))
    }
}

fn conflict(place: &str, reason: &str) -> Conflict {
    Conflict { place: place.into(), reason: reason.into() }
}

fn text(path: &str, here: &str, was: &str, is: &str) -> Result<String, Conflict> {
    let merge = TextMerge::from_lines(was, here, is);
    match merge.conflicts().next() {
        None => Ok(merge.to_string()),
        Some(region) => {
            let line = region.ours_range().start + 1;
            Err(conflict(
                &format!("{path}:{line}"),
                "both sides change the same or adjoining lines, in different ways",
            ))
        }
    }
}

/// The old text with each of its changes alone.
fn alone(was: &str, is: &str) -> Vec<Arc<str>> {
    let (a, b) = (lines(was), lines(is));
    let all = hunks(&a, &b, APART);
    let one = |(old, new): (Range<usize>, Range<usize>)| {
        let before = a.get(..old.start).unwrap_or_default();
        let between = b.get(new).unwrap_or_default();
        let after = a.get(old.end..).unwrap_or_default();
        [before, between, after].concat().concat().into()
    };
    all.into_iter().map(one).collect()
}

/// The changed passages, those that are close to each other as one.
fn hunks(a: &[&str], b: &[&str], apart: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let mut out: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    for op in steps(a, b).iter().filter(|op| op.tag() != DiffTag::Equal).map(DiffOp::as_tag_tuple) {
        let (_, old, new) = op;
        match out.last_mut() {
            Some((last_old, last_new)) if old.start - last_old.end < apart => {
                (last_old.end, last_new.end) = (old.end, new.end);
            }
            _ => out.push((old, new)),
        }
    }
    out
}
