//! All proposals as compact rows, for the table and the labels that the page's script makes.

use crate::chart::mark;
use crate::data::{Data, Trial};
use crate::text;
use serde_json::{Value, json};

/// Beyond so many proposals texts are shortened more, so that the page stays below its size.
const MANY: usize = 2000;

/// With many proposals a title takes no more bytes than that, whatever letters it is of.
const TITLE_BYTES: usize = 48;

/// Cuts a text to so many bytes, between letters.
fn within(text: &mut String, most: usize) {
    if text.len() > most {
        let end = text.floor_char_boundary(most.saturating_sub('…'.len_utf8()));
        text.truncate(end);
        text.push('…');
    }
}

/// A row: number, title, fate, effect, its ends, runs, its share of their seconds, runs of the study by then, reason; and 1
/// where something of it is in the unproven stack of now.
pub(crate) fn row(trial: &Trial, many: bool, stacked: bool) -> Value {
    let (titles, reasons) = if many { (56, 0) } else { (120, 160) };
    let mut title = text::line(&trial.title, titles);
    if many {
        within(&mut title, TITLE_BYTES);
    }
    let fate = mark::FATES.iter().position(|fate| *fate == trial.fate).unwrap_or(2);
    let effect = trial.effect;
    let mut row = json!([
        trial.id,
        title,
        fate,
        effect.map(|e| figures(e.mean)),
        effect.and_then(|e| e.low).map(figures),
        effect.and_then(|e| e.high).map(figures),
        trial.runs,
        figures(trial.share),
        trial.at_run,
        if reasons > 0 { text::line(&trial.reason, reasons) } else { String::new() },
    ]);
    if let (true, Some(row)) = (stacked, row.as_array_mut()) {
        row.push(1.into());
    }
    row
}

/// A number to five figures: what is shown has four.
fn figures(x: f64) -> Value {
    let short: f64 = format!("{x:.4e}").parse().unwrap_or(x);
    json!(short)
}

/// Whether texts are shortened more.
pub(crate) fn many(data: &Data) -> bool {
    data.proposals.len() > MANY
}

/// All rows as JSON that may stand within a script element: whatever is in a text, nothing closes the element or opens a
/// comment.
pub(crate) fn rows(data: &Data) -> String {
    let many = many(data);
    let members = data.stack().map_or(&[][..], |stack| stack.members.as_slice());
    let stacked = |trial: &Trial| members.binary_search(&trial.id).is_ok();
    let rows: Vec<Value> = data.proposals.iter().map(|trial| row(trial, many, stacked(trial))).collect();
    safe(&json!(rows).to_string())
}

/// JSON without the signs that mean something to HTML or to older scripts.
pub(crate) fn safe(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}
