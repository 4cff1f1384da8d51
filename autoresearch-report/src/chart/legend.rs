//! What marks and lines of the chart of progress mean.

use super::frame::c;
use super::mark;
use super::progress::is_shaky;
use crate::data::Data;
use crate::text;
use maud::{Markup, html};

/// A sign, drawn in a box twelve high, and what it means.
pub(crate) struct Key {
    pub(crate) width: f64,
    pub(crate) marks: Markup,
    pub(crate) text: String,
}

/// Those of what is in the chart.
pub(crate) fn keys(data: &Data) -> Vec<Key> {
    let key = |width, marks, text: &str| Key { width, marks, text: text.into() };
    let incumbent =
        html! { path class="band" d="M0 1h24v10h-24z" {} path class="incumbent sure" d="M0 6h24" {} };
    let mut keys = vec![key(24.0, incumbent, "incumbent, 95 % interval")];
    if data.incumbents.iter().any(is_shaky) {
        let dashed = html! { path class="incumbent" d="M0 6h24" {} };
        keys.push(key(24.0, dashed, "dashed: by the runs that chose it, or as claimed"));
    }
    if data.stacks.iter().any(|stack| stack.objective.is_some()) {
        let stack = html! { path class="stack" d="M0 6h24" {} };
        keys.push(key(24.0, stack, "unproven stack: by the runs that chose it"));
    }
    if data.stack().is_some() {
        let ring = html! { path class="ring" d={ "M6 6" (mark::RING) } {} };
        keys.push(key(12.0, ring, "ringed: in the unproven stack of now"));
    }
    for fate in mark::FATES.iter().rev() {
        let n = data.proposals.iter().filter(|trial| trial.fate == *fate).count() as u64;
        if n > 0 {
            let mut path = String::new();
            mark::draw(&mut path, *fate, 6.0, 6.0);
            let dot = html! { path class={ "dot " (mark::class(*fate)) } d=(path) {} };
            keys.push(key(12.0, dot, &format!("{} ({})", mark::name(*fate), text::count(n))));
        }
    }
    keys
}

/// The height of a line.
const LINE: f64 = 18.0;

/// The signs with their meanings, line by line from the top, at most so wide; and how high that is.
pub(crate) fn lines(keys: &[Key], width: f64) -> (Markup, f64) {
    const LEFT: f64 = 6.0;
    let (mut x, mut y) = (LEFT, 0.0);
    let mut placed = Vec::new();
    for key in keys {
        let needed = key.width + 6.0 + text::width(&key.text);
        if x > LEFT && x + needed > width {
            (x, y) = (LEFT, y + LINE);
        }
        placed.push((x, y, key));
        x += needed + 16.0;
    }
    let marks = html! {
        @for (x, y, key) in placed {
            g transform=(format!("translate({} {})", c(x), c(y))) {
                (key.marks)
                text class="label" x=(c(key.width + 6.0)) y="6" dy=".32em" { (key.text) }
            }
        }
    };
    (marks, y + LINE)
}
