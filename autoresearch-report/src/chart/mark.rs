//! What stands for a proposal: a shape and a colour for each fate, so that neither is needed to read the other.

use super::frame::c;
use autoresearch_core::Fate;
use std::fmt::Write;

/// The fates in the order in which they are drawn and listed, those that matter most last, `None` for those not settled.
pub(crate) const FATES: [Option<Fate>; 9] = [
    Some(Fate::Rejected),
    Some(Fate::SetAside),
    None,
    Some(Fate::Failed),
    Some(Fate::Conflict),
    Some(Fate::Undecided),
    Some(Fate::Revoked),
    Some(Fate::HeldBack),
    Some(Fate::Kept),
];

/// What is drawn around a mark that is part of the unproven stack.
pub(crate) const RING: &str = "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0";

/// A fate in the words of a legend.
pub(crate) fn name(fate: Option<Fate>) -> String {
    fate.map_or_else(|| "open".into(), |fate| fate.to_string())
}

/// A fate's class in the style sheet.
pub(crate) fn class(fate: Option<Fate>) -> &'static str {
    fate.map_or("open", crate::data::word)
}

/// Adds the shape of a fate at a place to a path.
pub(crate) fn draw(path: &mut String, fate: Option<Fate>, x: f64, y: f64) {
    let (x, y) = (c(x), c(y));
    let shape = match fate {
        // A round cap makes a dot of a line without a length.
        Some(Fate::Kept | Fate::Rejected | Fate::SetAside) | None => "h0",
        Some(Fate::Failed) => "m-2.5-2.5l5 5m0-5l-5 5",
        Some(Fate::Conflict) => "m-3 0h6m-3-3v6",
        Some(Fate::HeldBack) => "m0-4l4 4-4 4-4-4z",
        Some(Fate::Undecided) => "m0-4l4 7h-8z",
        _ => "m-3-3h6v6h-6z",
    };
    // Writing to a string cannot fail.
    let _ = write!(path, "M{x} {y}{shape}");
}
