//! The passage of a file that a text which is not in it may have meant.

use super::text::Text;
use crate::codec::hint::cut;
use similar::{ChangeTag, TextDiff};
use std::collections::HashMap;
use std::fmt::Write as _;

/// Lines of a passage that are quoted.
const LINES: usize = 16;
/// Characters of a line that are looked at and quoted.
const WIDTH: usize = 160;
/// Passages that are looked for in one answer.
const PASSAGES: usize = 8;
/// Lines that are compared letter by letter for one answer.
const COMPARED: usize = 4000;

/// What may still be done to explain an answer's edits: whoever writes a thousand wrong ones is not told a thousand times.
#[derive(Debug)]
pub(super) struct Effort {
    passages: usize,
    lines: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { passages: PASSAGES, lines: COMPARED }
    }
}

/// Where the nearest passage is and how it differs, or nothing if none is near.
pub(super) fn passage(text: &Text<'_>, wanted: &[&str], effort: &mut Effort) -> Option<String> {
    effort.passages = effort.passages.checked_sub(1)?;
    let first = wanted.iter().position(|line| !line.trim().is_empty())?;
    let wanted = wanted.get(first..(first + LINES).min(wanted.len()))?;
    let start = best(text, wanted, effort)?;
    let found: Vec<String> =
        (start..(start + wanted.len()).min(text.len())).map(|i| cut(text.line(i), WIDTH)).collect();
    let wanted: Vec<String> = wanted.iter().map(|line| cut(line, WIDTH)).collect();
    let (a, b): (Vec<&str>, Vec<&str>) =
        (wanted.iter().map(String::as_str).collect(), found.iter().map(String::as_str).collect());
    let mut out = format!(
        "The nearest passage begins at line {}; lines with - are as you gave them, lines with + as they are in the file:\n",
        start + 1
    );
    let diff = TextDiff::from_slices(&a, &b);
    for change in diff.iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Equal => ' ',
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        let _ = writeln!(out, "{sign}{}", change.value());
    }
    if a.iter().zip(&b).any(|(a, b)| a != b && a.trim() == b.trim()) {
        out.push_str("(Some of these lines differ in white space alone.)\n");
    }
    Some(out.trim_end().to_string())
}

/// The line at which most of what is wanted stands, by whole lines and else by the likeness of its longest line.
fn best(text: &Text<'_>, wanted: &[&str], effort: &mut Effort) -> Option<usize> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, line) in wanted.iter().enumerate().filter(|(_, line)| line.trim().len() > 1) {
        places.entry(line.trim()).or_default().push(i);
    }
    let mut votes: HashMap<usize, usize> = HashMap::new();
    for at in 0..text.len() {
        for i in places.get(text.line(at).trim()).into_iter().flatten() {
            *votes.entry(at.saturating_sub(*i)).or_default() += 1;
        }
    }
    if let Some((start, _)) = votes.into_iter().max_by_key(|(start, votes)| (*votes, usize::MAX - *start)) {
        return Some(start);
    }
    let (i, longest) =
        wanted.iter().enumerate().max_by_key(|(i, line)| (line.trim().len(), usize::MAX - *i))?;
    let compared = text.len().min(effort.lines);
    effort.lines -= compared;
    let lines: Vec<String> = (0..compared).map(|at| cut(text.line(at).trim(), WIDTH)).collect();
    let known: Vec<&str> = lines.iter().map(String::as_str).collect();
    let near = similar::get_close_matches(cut(longest.trim(), WIDTH).as_str(), &known, 1, 0.6);
    let at = known.iter().position(|line| Some(line) == near.first())?;
    Some(at.saturating_sub(i))
}
