//! What was learned that no single trial says, in a few lines.

use super::digest::{effect, signed};
use crate::prompt::quote;
use autoresearch_core::{Lessons, Source};

/// Changes of sign that are told, the latest, and near misses that are due.
const SIGNS: usize = 4;
const DUE: usize = 4;
/// Characters of a title.
const TITLE: usize = 120;
/// Predictions of fewer ideas say little of how right they are.
const PREDICTED: u32 = 5;

/// How right `own` predictions were, what is due for a second look, and what is better here and worse there.
pub(crate) fn lines(lessons: &Lessons, own: &Source) -> Vec<String> {
    let right = lessons.source(own).map(|group| &group.calibration).filter(|c| c.predicted >= PREDICTED);
    let right = right.and_then(|c| Some((c.predicted, c.slope?, c.slope_error?))).map(|(n, slope, error)| {
        format!(
            "- for each 1 that you expected {} ± {error:.2} was measured, in {n} proposals",
            signed(slope)
        )
    });
    let due = lessons.due().take(DUE).map(|miss| {
        let (id, title, effect) = (miss.proposal, quote(&miss.title, TITLE), effect(&miss.effect));
        format!("- {id} {title} was close ({effect}), and what stands has changed since: it may be worth another look")
    });
    let signs = lessons.sign_changes.iter().rev().take(SIGNS).map(|c| {
        let (id, title) = (c.proposal, quote(&c.title, TITLE));
        format!(
            "- {id} {title}: {} at first, {} once other changes were in",
            signed(c.before.0),
            signed(c.after.0)
        )
    });
    right.into_iter().chain(due).chain(signs).collect()
}
