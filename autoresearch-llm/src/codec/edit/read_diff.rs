//! Unified diffs, as models write them: counts and line numbers are hints, the lines count.

use super::op::{Hunk, Op, Side};
use crate::codec::hint::cut;

/// Whether the diff of a file, or a hunk of one, begins here.
pub(super) fn begins(lines: &[&str], at: usize) -> bool {
    let line = |i: usize| lines.get(i).copied().unwrap_or_default();
    line(at).starts_with("diff --git ") || headers(lines, at) || is_hunk(line(at))
}

/// `--- a` and `+++ b`.
fn headers(lines: &[&str], at: usize) -> bool {
    let starts = |i: usize, with: &str| lines.get(i).is_some_and(|line| line.starts_with(with));
    starts(at, "--- ") && starts(at + 1, "+++ ")
}

pub(super) fn is_hunk(line: &str) -> bool {
    line.starts_with("@@ ") || line.trim_end() == "@@"
}

/// Reads the diff of one file; `unnamed` is the file of hunks without a header.
pub(super) fn file(
    lines: &[&str],
    mut at: usize,
    unnamed: Option<String>,
) -> Result<(Option<Op>, usize), String> {
    let line = |i: usize| lines.get(i).copied().unwrap_or_default();
    let (mut old, mut new) = (None, None);
    if is_hunk(line(at)) {
        let Some(path) = unnamed else {
            return Err(format!(
                "the hunk `{}` belongs to no file: begin its diff with `--- a/path` and `+++ b/path`",
                cut(line(at), 60)
            ));
        };
        (old, new) = (Some(path.clone()), Some(path));
    }
    let git = line(at).starts_with("diff --git ");
    if git {
        (old, new) = git_names(line(at));
        at += 1;
        while at < lines.len() && !headers(lines, at) && !is_hunk(line(at)) {
            match line(at).trim_end() {
                l if l.starts_with("rename from ") => old = l.get(12..).map(Into::into),
                l if l.starts_with("rename to ") => new = l.get(10..).map(Into::into),
                l if l.starts_with("new file") => old = None,
                l if l.starts_with("deleted file") => new = None,
                l if ["index ", "similarity ", "dissimilarity ", "old mode", "new mode"]
                    .iter()
                    .any(|known| l.starts_with(known)) => {}
                _ => break,
            }
            at += 1;
        }
    }
    if headers(lines, at) {
        let (from, to) = (name(line(at), 4), name(line(at + 1), 4));
        // After "rename from" the names are known without their prefixes.
        if !(git && from.is_some() && to.is_some() && old.is_some() && new.is_some() && old != new) {
            (old, new) = unprefixed(from, to);
        }
        at += 2;
    }
    let mut hunks = Vec::new();
    let shown = new.clone().or(old.clone()).unwrap_or_default();
    while is_hunk(line(at)) {
        let (hunk, after) = hunk(lines, at, &shown)?;
        hunks.push(hunk);
        at = after;
        // Blank lines between hunks.
        let next = (at..lines.len()).find(|i| !line(*i).trim().is_empty());
        at = next.filter(|i| is_hunk(line(*i))).unwrap_or(at);
    }
    let renamed = old.is_some() && new.is_some() && old != new;
    if hunks.is_empty() && !renamed && old.is_some() == new.is_some() {
        return Err(format!(
            "the diff of `{shown}` has no hunks; each begins with a line `@@ -line,count +line,count @@`"
        ));
    }
    Ok((Some(Op::Diff { old, new, hunks }), at))
}

/// The path in a header line; `None` for `/dev/null`.
fn name(line: &str, prefix: usize) -> Option<String> {
    let path = line.get(prefix..).unwrap_or_default().split('\t').next().unwrap_or_default().trim();
    let path = path.trim_matches('"');
    (path != "/dev/null").then(|| path.to_string())
}

/// Without `a/` and `b/`, if that is what they begin with.
fn unprefixed(old: Option<String>, new: Option<String>) -> (Option<String>, Option<String>) {
    let strip =
        |path: &Option<String>, with: &str| path.as_ref().map(|p| p.strip_prefix(with).map(String::from));
    match (strip(&old, "a/"), strip(&new, "b/")) {
        (Some(Some(a)), Some(Some(b))) => (Some(a), Some(b)),
        (Some(Some(a)), None) => (Some(a), None),
        (None, Some(Some(b))) => (None, Some(b)),
        _ => {
            let plain = |path: Option<String>| path.map(|p| p.strip_prefix("./").unwrap_or(&p).to_string());
            (plain(old), plain(new))
        }
    }
}

/// The names in `diff --git a/x b/x`: they are the same, or a later line says how they differ.
fn git_names(line: &str) -> (Option<String>, Option<String>) {
    let names = line.trim_start_matches("diff --git ").trim();
    let middle = names.match_indices(' ').map(|(i, _)| (names.get(..i), names.get(i + 1..)));
    let mut halves = middle.filter_map(|(a, b)| Some((a?.trim_matches('"'), b?.trim_matches('"'))));
    let same = halves.find(|(a, b)| a.strip_prefix("a/").is_some_and(|a| b.strip_prefix("b/") == Some(a)));
    let (a, b) = same.or_else(|| names.split_once(' ')).unwrap_or((names, names));
    unprefixed(Some(a.into()), Some(b.into()))
}

/// Lines of the old and the new file that a hunk says to have.
fn counts(header: &str) -> Option<(usize, usize, usize)> {
    let mut words = header.trim_start_matches('@').split_whitespace();
    let range = |word: &str, sign: char| {
        let (start, count) = word.strip_prefix(sign)?.split_once(',').unwrap_or((&word[1..], "1"));
        Some((start.parse::<usize>().ok()?, count.parse::<usize>().ok()?))
    };
    let (start, old) = range(words.next()?, '-')?;
    let (_, new) = range(words.next()?, '+')?;
    Some((start, old, new))
}

fn hunk(lines: &[&str], header: usize, path: &str) -> Result<(Hunk, usize), String> {
    let line = |i: usize| lines.get(i).copied().unwrap_or_default();
    let counted = counts(line(header));
    let mut hunk = Hunk { start: counted.map(|(start, ..)| start), ..Hunk::default() };
    let (mut old, mut new, mut at) = (0, 0, header + 1);
    while at < lines.len() {
        let full = counted.is_some_and(|(_, o, n)| old >= o && new >= n);
        let text = line(at);
        let next_file = headers(lines, at) && (full || is_hunk(line(at + 2)));
        if is_hunk(text) || next_file || text.starts_with("diff --git ") || text.starts_with("```") {
            break;
        }
        let side = match text.chars().next() {
            Some(' ') => Side::Both,
            Some('+') => Side::New,
            Some('-') => Side::Old,
            Some('\\') => {
                match hunk.lines.last() {
                    Some((Side::Old, _)) => hunk.old_open = true,
                    Some((Side::New, _)) => hunk.new_open = true,
                    Some((Side::Both, _)) => (hunk.old_open, hunk.new_open) = (true, true),
                    None => {}
                }
                at += 1;
                continue;
            }
            None => {
                let next = (at..lines.len()).map(line).find(|l| !l.is_empty());
                let goes_on = next.is_some_and(|l| l.starts_with([' ', '+', '-']));
                if full && !goes_on {
                    break;
                }
                Side::Both
            }
            // Prose after the end; before it, a line that lacks its first character.
            Some(_) if full || (counted.is_none() && hunk.doubtful > 0) => break,
            Some(_) => {
                return Err(format!(
                    "in the diff of `{path}`, the line {:?} of the hunk `{}` begins with none of ` `, `+` and `-`",
                    cut(text, 80),
                    cut(line(header), 60)
                ));
            }
        };
        hunk.doubtful = if text.is_empty() { hunk.doubtful + 1 } else { 0 };
        old += usize::from(side != Side::New);
        new += usize::from(side != Side::Old);
        hunk.lines.push((side, text.get(1..).unwrap_or_default().to_string()));
        at += 1;
    }
    // By the count they are no part of it.
    while hunk.doubtful > 0 && counted.is_some_and(|(_, o, _)| old > o) {
        hunk.lines.pop();
        (hunk.doubtful, old) = (hunk.doubtful - 1, old - 1);
    }
    Ok((hunk, at))
}
