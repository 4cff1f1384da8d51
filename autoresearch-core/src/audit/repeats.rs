//! Which rows repeat each other: by their settings and seeds, or by what their descriptions say.

use super::entries::{Class, Entry};
use super::wording::{self, Seed};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// What is known of the seeds of rows that repeat each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedsOfRepeat {
    /// They differ: the spread is that of run noise.
    Differ,
    /// They are the same: the spread leaves out what a seed does.
    Same,
    /// The log does not say.
    Unknown,
}

/// Rows that repeat each other, by their places among the entries.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) rows: Vec<usize>,
    pub(super) seeds: SeedsOfRepeat,
    pub(super) how: &'static str,
    /// Whether the rows are found by columns, so that their mean stands for the configuration.
    pub(super) by_columns: bool,
    /// Further runs of the same configuration on seeds that are among `rows` already.
    pub(super) copies: Vec<usize>,
}

/// Finds the groups. `reference[i]` is the kept row in force before row `i`; `pure[i]` what its description says of
/// being a repeat, which is struck out where the settings say otherwise, with a note.
pub(super) fn find(
    entries: &[Entry],
    reference: &[Option<usize>],
    pure: &mut [Option<wording::Repeat>],
    log: &Log<'_>,
    notes: &mut Vec<String>,
) -> Vec<Group> {
    let mut groups = by_columns(entries, reference, pure, log);
    let grouped: HashSet<usize> =
        groups.iter().flat_map(|g| g.rows.iter().chain(&g.copies).copied()).collect();
    let mut contradicted = Vec::new();
    groups.extend(by_wording(entries, reference, pure, &grouped, log, &mut contradicted));
    if let Some((row, column)) = contradicted.first() {
        let more = if contradicted.len() > 1 {
            format!(" (and {} more)", contradicted.len() - 1)
        } else {
            String::new()
        };
        notes.push(format!(
            "Line {}{more} speaks of a repeat, but differs in the column {column} from what it would repeat: it is taken as a \
             try. If that column is no setting, leave it out with .ignore([\"{column}\"]).",
            entries[*row].line
        ));
    }
    for (row, _) in contradicted {
        pure[row] = None;
    }
    groups
}

/// What is known of the log as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log<'a> {
    /// Whether it says what was kept.
    pub(super) explicit: bool,
    /// Whether the description tells configurations apart that have the same settings.
    pub(super) described: bool,
    /// The columns in which repeats have to agree.
    pub(super) agree: &'a [usize],
    /// Their names.
    pub(super) names: &'a [String],
}

/// The descriptions that speak of a pure repeat.
pub(super) fn pure(entries: &[Entry]) -> Vec<Option<wording::Repeat>> {
    let ids: HashSet<String> = entries.iter().map(|e| e.id.to_lowercase()).filter(|id| is_name(id)).collect();
    entries.iter().map(|e| wording::repeat(&e.description, &|word| ids.contains(word))).collect()
}

/// Whether an identifier is unlike any word or number of prose.
fn is_name(id: &str) -> bool {
    id.len() >= 3 && id.contains(|c: char| c.is_ascii_digit()) && id.contains(|c: char| c.is_alphabetic())
}

fn usable(entry: &Entry) -> bool {
    entry.value.is_some() && matches!(entry.class, Class::Kept | Class::Discarded)
}

fn by_columns(
    entries: &[Entry],
    reference: &[Option<usize>],
    pure: &[Option<wording::Repeat>],
    log: &Log<'_>,
) -> Vec<Group> {
    let explicit = log.explicit;
    let seeded = entries.iter().any(|e| e.seed.is_some());
    let mut open: HashMap<(u8, String), (usize, Vec<usize>)> = HashMap::new();
    let mut closed: Vec<((u8, String), Vec<usize>)> = Vec::new();
    let mut era = 0; // in a log of edits, the same words mean another configuration after each keep
    for (at, entry) in entries.iter().enumerate() {
        let words = || wording::without_seed(&entry.description);
        // A repeat of the baseline under another seed is the baseline.
        let words = || if wording::is_baseline(&words()) { "baseline".into() } else { words() };
        let (mut edit, baseline) = (false, wording::is_baseline(&entry.description));
        let key = if let Some(config) = &entry.config {
            // Edits of code are in the words, settings in the columns: both have to agree. What "re-run" repeats is not
            // in the columns.
            let words = if log.described { words() } else { String::new() };
            edit = explicit && !words.is_empty();
            Some((0, format!("{config}\u{1e}{words}")))
                .filter(|_| !log.described || baseline || pure[at].is_none())
        } else if seeded && !entry.description.is_empty() {
            edit = true;
            Some((1, words())).filter(|key| !key.1.is_empty())
        } else if !seeded && baseline && pure[at].is_none() {
            // Other words that two rows share, such as "tune lr", may stand for two edits.
            edit = true;
            let on = if explicit { None } else { reference[at] };
            let settings: Vec<&str> = log.agree.iter().map(|&at| entry.cell(at)).collect();
            Some((2, format!("{}\u{1e}{on:?}", settings.join("\u{1f}"))))
        } else {
            None
        };
        let kept = explicit && entry.class == Class::Kept;
        let Some(key) = key.filter(|_| usable(entry)) else {
            era += usize::from(kept);
            continue;
        };
        let kind = key.0;
        let group = open.entry(key.clone()).or_insert_with(|| (era, Vec::new()));
        if edit && group.0 != era {
            let rows = std::mem::take(&mut group.1);
            closed.push((key, rows));
            group.0 = era;
        }
        group.1.push(at);
        if kept {
            era += 1;
            // An edit tried again on top of itself is another edit; what names a whole configuration is a repeat.
            if kind != 2 || baseline {
                group.0 = era;
            }
        }
    }
    closed.extend(open.into_iter().map(|(key, (_, rows))| (key, rows)));
    let mut groups: Vec<Group> =
        closed.into_iter().filter_map(|(key, rows)| group(entries, key.0, rows)).collect();
    groups.sort_by_key(|g| g.rows[0]);
    groups
}

fn group(entries: &[Entry], kind: u8, rows: Vec<usize>) -> Option<Group> {
    if rows.len() < 2 {
        return None;
    }
    let how = match kind {
        0 => "the same settings",
        1 => "the same description under several seeds",
        _ => "descriptions that name the baseline, on the same incumbent",
    };
    let by_columns = kind != 2;
    if rows.iter().any(|&at| entries[at].seed.is_none()) {
        return Some(Group { rows, seeds: SeedsOfRepeat::Unknown, how, by_columns, copies: Vec::new() });
    }
    let mut seen = HashSet::new();
    let firsts: Vec<usize> =
        rows.iter().copied().filter(|&at| seen.insert(entries[at].seed.clone())).collect();
    Some(if firsts.len() > 1 {
        let copies = rows.into_iter().filter(|row| !firsts.contains(row)).collect();
        Group { rows: firsts, seeds: SeedsOfRepeat::Differ, how, by_columns, copies }
    } else {
        Group { rows, seeds: SeedsOfRepeat::Same, how, by_columns, copies: Vec::new() }
    })
}

fn by_wording(
    entries: &[Entry],
    reference: &[Option<usize>],
    pure: &[Option<wording::Repeat>],
    grouped: &HashSet<usize>,
    log: &Log<'_>,
    contradicted: &mut Vec<(usize, String)>,
) -> Vec<Group> {
    let ids: HashMap<String, usize> =
        entries.iter().enumerate().rev().map(|(at, e)| (e.id.to_lowercase(), at)).collect();
    let baseline = entries.iter().position(|e| e.class == Class::Kept && e.value.is_some());
    let mut root: Vec<usize> = (0..entries.len()).collect();
    let mut found: HashMap<(usize, u8), Vec<usize>> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let Some(repeat) = pure[at].as_ref().filter(|_| usable(entry) && !grouped.contains(&at)) else {
            continue;
        };
        let named = repeat.names.iter().filter_map(|name| ids.get(name)).copied().find(|&row| row < at);
        let target = match named {
            Some(row) => Some(row),
            None if repeat.baseline => baseline.filter(|&row| row < at),
            None => reference[at],
        };
        let Some(target) = target.filter(|&row| usable(&entries[row])) else { continue };
        let target_row = &entries[root[target]];
        let differs =
            log.agree.iter().zip(log.names).find(|(at, _)| entry.cell(**at) != target_row.cell(**at));
        if let Some((_, column)) = differs {
            contradicted.push((at, column.clone()));
            continue;
        }
        root[at] = root[target];
        // A column of seeds knows better than words.
        let kind = match (&entry.seed, &entries[root[at]].seed, repeat.seed) {
            (Some(a), Some(b), _) => u8::from(a == b),
            (_, _, Seed::Changed) => 0,
            (_, _, Seed::Same) => 1,
            (_, _, Seed::Unsaid) => 2,
        };
        let rows = found.entry((root[at], kind)).or_insert_with(|| vec![root[at]]);
        if kind != 0 || entry.seed.is_none() || rows.iter().all(|&row| entries[row].seed != entry.seed) {
            rows.push(at);
        }
    }
    let mut groups: Vec<Group> = found
        .into_iter()
        .map(|((_, kind), rows)| {
            let (seeds, how) = match kind {
                0 => (SeedsOfRepeat::Differ, "a description that speaks of another seed and of nothing else"),
                1 => (SeedsOfRepeat::Same, "a description that speaks of a repeat on the same seed"),
                _ => (SeedsOfRepeat::Unknown, "a description that speaks of a repeat"),
            };
            Group { rows, seeds, how, by_columns: false, copies: Vec::new() }
        })
        .collect();
    groups.sort_by_key(|g| (g.rows[0], g.seeds as u8));
    groups
}
