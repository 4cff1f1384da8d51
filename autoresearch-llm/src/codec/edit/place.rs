//! Finds what an edit means in a file: one passage, or an error that says why not.

use super::nearest::{self, Effort};
use super::op::{Hunk, Side};
use super::text::Text;
use crate::codec::hint::cut;
use std::ops::Range;

/// A passage of a text (with plain ends of lines) and what it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Where one of the readings of a search/replace edit applies.
pub(super) fn replace(
    text: &Text<'_>,
    readings: &[(String, String)],
    whole_lines: bool,
    effort: &mut Effort,
) -> Result<Splice, String> {
    let mut problem = None;
    let mut found = Vec::new();
    for (search, replace) in readings {
        let (search, replace) = (search.replace("\r\n", "\n"), replace.replace("\r\n", "\n"));
        match one(text, &search, &replace, whole_lines, effort) {
            Ok(splice) => found.push(splice),
            Err(e) => drop(problem.get_or_insert(e)),
        }
    }
    match (found.len(), problem) {
        (0, Some(problem)) => Err(problem),
        (1, _) => found.pop().ok_or_else(String::new),
        _ => Err("the block has several lines `=======`, and more than one of them could be the divider: give the edit as \
                  JSON"
            .into()),
    }
}

fn one(
    text: &Text<'_>,
    search: &str,
    replace: &str,
    whole_lines: bool,
    effort: &mut Effort,
) -> Result<Splice, String> {
    if search.is_empty() {
        return Err("the search text is empty, but the file is not: quote what is to be replaced, or give the whole file".into());
    }
    let mut exact = Vec::new();
    let mut from = 0;
    // Overlapping ones count: "aa" is twice in "aaa".
    while let Some(at) = text.plain.get(from..).and_then(|rest| rest.find(search)).map(|at| from + at) {
        if !whole_lines || text.start(text.line_of(at)) == at {
            exact.push(at);
        }
        from = at + search.chars().next().map_or(1, char::len_utf8);
        if exact.len() > 1000 {
            break;
        }
    }
    match exact.as_slice() {
        [at] => return Ok(Splice { range: *at..at + search.len(), text: replace.into() }),
        [] => {}
        several => return Err(often(several.iter().map(|at| text.line_of(*at)))),
    }
    // The same lines with other white space at their ends, or with no newline at the end of the file.
    let ended = search.ends_with('\n');
    let lines: Vec<&str> = search.strip_suffix('\n').unwrap_or(search).split('\n').collect();
    match loose(text, &lines).as_slice() {
        [at] => {
            let (start, mut end) = (text.start(*at), text.start(at + lines.len()));
            let newline = text.plain.get(..end).is_some_and(|before| before.ends_with('\n'));
            let mut replace = replace.to_string();
            if !ended && newline {
                end -= 1; // the newline was not asked for
            } else if ended && !newline && replace.ends_with('\n') {
                replace.pop(); // the file has none at its end, and keeps it so
            }
            Ok(Splice { range: start..end, text: replace })
        }
        [] => {
            let near =
                nearest::passage(text, &lines, effort).map(|near| format!(". {near}")).unwrap_or_default();
            Err(format!("the search text {} is not in the file{near}", quote(search)))
        }
        several => Err(often(several.iter().copied())),
    }
}

fn quote(text: &str) -> String {
    format!("{:?}", cut(text, 80))
}

fn often(lines: impl Iterator<Item = usize>) -> String {
    let lines: Vec<String> = lines.map(|line| (line + 1).to_string()).collect();
    let shown = lines.get(..lines.len().min(5)).unwrap_or_default().join(", ");
    let more = if lines.len() > 5 { ", ..." } else { "" };
    format!(
        "the text is there {} times, at lines {shown}{more}: give more of the lines around it, so that it is there once",
        lines.len()
    )
}

/// Lines at which these lines begin, whatever white space ends them.
fn loose(text: &Text<'_>, lines: &[&str]) -> Vec<usize> {
    matches(text, lines, |a, b| a.trim_end() == b.trim_end())
}

fn matches(text: &Text<'_>, lines: &[&str], same: impl Fn(&str, &str) -> bool) -> Vec<usize> {
    if lines.is_empty() || lines.len() > text.len() {
        return Vec::new();
    }
    let here = |at: &usize| lines.iter().enumerate().all(|(i, line)| same(text.line(at + i), line));
    (0..=text.len() - lines.len()).filter(here).collect()
}

/// Where a hunk applies: at its own line if it fits there, else at the only place where it does.
pub(super) fn hunk(text: &Text<'_>, hunk: &Hunk, effort: &mut Effort) -> Result<Splice, String> {
    let mut lines = hunk.lines.clone();
    let mut problem = None;
    loop {
        match whole_hunk(text, hunk, &lines, effort) {
            Ok(splice) => return Ok(splice),
            Err(e) => drop(problem.get_or_insert(e)),
        }
        let doubtful = lines.len() + hunk.doubtful > hunk.lines.len();
        if !doubtful || lines.pop().is_none() {
            return Err(problem.unwrap_or_default());
        }
    }
}

fn whole_hunk(
    text: &Text<'_>,
    hunk: &Hunk,
    lines: &[(Side, String)],
    effort: &mut Effort,
) -> Result<Splice, String> {
    let old: Vec<&str> = lines
        .iter()
        .filter(|(side, _)| *side != Side::New)
        .map(|(_, line)| line.trim_end_matches('\r'))
        .collect();
    if old.is_empty() && text.len() > 0 {
        return Err("a hunk has neither context nor removed lines, so that its place is not known: give a line or more of \
                    context"
            .into());
    }
    let exact = matches(text, &old, |a, b| a == b);
    let places = if exact.is_empty() { loose(text, &old) } else { exact };
    let stated = hunk.start.map(|line| line.saturating_sub(1));
    let at = match places.as_slice() {
        [] if old.is_empty() => 0,
        [] => {
            let near =
                nearest::passage(text, &old, effort).map(|near| format!(". {near}")).unwrap_or_default();
            let first = old.iter().find(|line| !line.trim().is_empty()).copied().unwrap_or_default();
            return Err(format!(
                "the context and removed lines of a hunk, from {}, are not in the file{near}",
                quote(first)
            ));
        }
        [one] => *one,
        several => match several.iter().find(|at| Some(**at) == stated) {
            Some(at) => *at,
            None => {
                return Err(format!("the hunk fits in several places: {}", often(several.iter().copied())));
            }
        },
    };
    Ok(splice(text, hunk, lines, at))
}

/// From the first line that changes to the last.
fn splice(text: &Text<'_>, hunk: &Hunk, lines: &[(Side, String)], at: usize) -> Splice {
    let changed = |(side, _): &(Side, String)| *side != Side::Both;
    let first = lines.iter().position(changed).unwrap_or(lines.len());
    let last = lines.iter().rposition(changed).map_or(first, |last| last + 1);
    let core = lines.get(first..last).unwrap_or_default();
    let mut line = at + first;
    let start = text.start(line);
    let mut out = String::new();
    for (side, written) in core {
        match side {
            Side::Old => line += 1,
            Side::New => {
                out.push_str(written.trim_end_matches('\r'));
                out.push('\n');
            }
            Side::Both => {
                out.push_str(text.line(line)); // as the file has it
                out.push('\n');
                line += 1;
            }
        }
    }
    let end = text.start(line);
    let had_newline = text.plain.is_empty() || text.plain.ends_with('\n');
    let mut range = start..end;
    if line >= text.len() {
        // It reaches the end of the file, and may say how that ends; else it ends as before.
        let newline = if hunk.new_open { false } else { hunk.old_open || had_newline };
        let after_last = last == lines.len();
        if !out.is_empty() && after_last && !newline {
            out.pop();
        }
        if start == text.plain.len() && !had_newline && !out.is_empty() {
            out.insert(0, '\n');
        }
        if out.is_empty() && hunk.new_open && text.plain.get(..start).is_some_and(|t| t.ends_with('\n')) {
            range.start -= 1; // the line before it ends the file now, without a newline
        }
    }
    Splice { range, text: out }
}
