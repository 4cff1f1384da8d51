//! The rows of a log, each with what it says of itself.

use super::columns::Places;
use super::number::{Cell, number};
use super::order;
use super::status::{Flag, Said, begins_with, leading};
use super::table::{Raw, Table};
use std::collections::{BTreeMap, HashMap};

/// What a row is, once everything is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Kept,
    Discarded,
    Crashed,
    /// It has no value, and nothing says why.
    NoValue,
    Unfinished,
    /// A report from the middle of a run whose last report is another row.
    Intermediate,
    /// A repeat of another row, averaged with it.
    Repeat,
}

/// A row that was read.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) line: u64,
    pub(super) id: String,
    pub(super) description: String,
    pub(super) value: Option<f64>,
    pub(super) seed: Option<String>,
    /// All settings in one string, where there are columns of them.
    pub(super) config: Option<String>,
    /// The whole row.
    pub(super) cells: Vec<String>,
    pub(super) class: Class,
}

/// The entries, and whether the log itself says what was kept.
pub(super) struct Entries {
    pub(super) all: Vec<Entry>,
    pub(super) explicit: bool,
    /// Whether a column tells that the rows are oldest first.
    pub(super) ordered: bool,
    /// Whether the description tells configurations apart that have the same settings.
    pub(super) described: bool,
    /// The columns in which repeats have to agree.
    pub(super) agree: Vec<usize>,
}

impl Entry {
    /// A cell of its row; empty where there is none.
    pub(super) fn cell(&self, at: usize) -> &str {
        self.cells.get(at).map_or("", |cell| cell.trim())
    }
}

/// Reads the entries; rows whose metric or status makes no sense go to the table's unreadable ones.
/// `each_row`: none is a report from the middle of a run.
pub(super) fn read(table: &mut Table, places: &Places, kept: Option<&[String]>, each_row: bool) -> Entries {
    let flag = places.status.map_or(Flag::None, |at| Flag::of(&table.names[at]));
    let meaning = |word: &str| match kept {
        Some(kept) => match leading(word, flag) {
            _ if begins_with(word, kept) => Some(Said::Kept),
            Some(other @ (Said::Crashed | Said::Open)) => Some(other),
            _ => Some(Said::Discarded),
        },
        None => leading(word, flag),
    };
    let explicit = places
        .status
        .is_some_and(|at| kept.is_some() || table.column(at).any(|word| meaning(word) == Some(Said::Kept)));
    let ordered = order::oldest_first(table, places);
    // Where the log says of each row whether it was kept, each is a run.
    let intermediate =
        if explicit || each_row { vec![false; table.rows.len()] } else { intermediate(table, places) };
    let rows = std::mem::take(&mut table.rows);
    let mut all = Vec::with_capacity(rows.len());
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    for (at, row) in rows.into_iter().enumerate() {
        let cell = |at: usize| row.cells.get(at).map_or("", |c| c.trim());
        let needed = places.status.filter(|_| explicit).unwrap_or(0).max(places.metric);
        if row.given <= needed {
            let (given, width, name) = (row.given, table.names.len(), &table.names[needed]);
            table.bad(row.line, format!("{given} fields where {width} are expected: {name} is missing"));
            continue;
        }
        let word = places.status.map_or("", cell);
        let status = if word.is_empty() { None } else { meaning(word) };
        let is_unknown = !word.is_empty() && status.is_none();
        let read = number(cell(places.metric));
        let value = match read {
            Cell::Number(value) => Some(value),
            Cell::NotFinite | Cell::Missing => None,
            Cell::Text if status == Some(Said::Crashed) => None,
            Cell::Text => {
                let name = &table.names[places.metric];
                table.bad(
                    row.line,
                    format!("{name} is \"{}\", not a number", shortened(cell(places.metric), 40)),
                );
                continue;
            }
        };
        if is_unknown {
            *unknown.entry(shortened(word, 40)).or_default() += 1;
        }
        let class = match (status, value) {
            _ if intermediate[at] => Class::Intermediate,
            (Some(Said::Crashed), _) => Class::Crashed,
            (Some(Said::Open), _) => Class::Unfinished,
            (Some(Said::Kept), _) => Class::Kept,
            (Some(Said::Stopped | Said::Discarded), _) => Class::Discarded,
            (_, None) if read == Cell::NotFinite => Class::Crashed,
            (_, None) => Class::NoValue,
            // Where the log does not say what was kept, the running best decides later.
            _ => Class::Discarded,
        };
        let value = value.filter(|_| !matches!(status, Some(Said::Stopped | Said::Crashed | Said::Open)));
        all.push(entry(row, places, value, class));
    }
    if let Some(at) = places.status.filter(|_| !unknown.is_empty()) {
        table.notes.push(unknown_words(&table.names[at], &unknown));
    }
    Entries { all, explicit, ordered, described: places.description_counts, agree: places.agree.clone() }
}

/// Which words of the status column were not understood, and what became of their rows.
fn unknown_words(column: &str, unknown: &BTreeMap<String, usize>) -> String {
    let shown: Vec<String> = unknown.iter().take(12).map(|(word, n)| format!("\"{word}\" ({n})")).collect();
    let more = if unknown.len() > 12 { format!(" and {} more", unknown.len() - 12) } else { String::new() };
    format!(
        "Words of the column {column} that are not known, with the number of rows: {}{more}. These rows are counted as not \
         kept; say which words keep if that is wrong.",
        shown.join(", ")
    )
}

fn entry(row: Raw, places: &Places, value: Option<f64>, class: Class) -> Entry {
    let cell = |at: usize| row.cells.get(at).map_or("", |c| c.trim());
    let said = places.description.map_or("", cell);
    let said = if number(said) == Cell::Missing { "" } else { said };
    let description: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let config = (!places.config.is_empty())
        .then(|| places.config.iter().map(|&at| cell(at)).collect::<Vec<_>>().join("\u{1f}"))
        .filter(|config| config.chars().any(|c| c != '\u{1f}'));
    let id = places.id.map_or("", cell).chars().filter(|c| !c.is_control()).collect();
    let seed = places.seed.map(|at| cell(at).to_string()).filter(|seed| !seed.is_empty());
    Entry { line: row.line, id, description, value, seed, config, cells: row.cells, class }
}

/// Which rows are reports from the middle of a run: the log has a column of runs whose values repeat, and one of steps, and
/// nothing else tells the rows of a run apart.
fn intermediate(table: &mut Table, places: &Places) -> Vec<bool> {
    let none = vec![false; table.rows.len()];
    let find = |names: &[&str]| {
        (0..table.names.len())
            .find(|&at| at != places.metric && names.contains(&table.names[at].to_lowercase().as_str()))
    };
    let run = find(&["trial_id", "run_id", "trial", "run"]);
    let step = find(&["training_iteration", "_step", "global_step", "step", "epoch", "iteration", "iter"]);
    let (Some(run), Some(step)) = (run, step) else { return none };
    let mut is = none.clone();
    let mut last: HashMap<&str, (f64, usize)> = HashMap::new();
    let same_run = |a: usize, b: usize| {
        let cell = |row: usize, at: usize| table.rows[row].cells.get(at).map_or("", |c| c.trim());
        places
            .description
            .iter()
            .chain(&places.seed)
            .chain(&places.config)
            .all(|&at| cell(a, at) == cell(b, at))
    };
    for (at, (id, step)) in table.column(run).zip(table.column(step)).enumerate() {
        let (false, Cell::Number(step)) = (id.is_empty(), number(step)) else { continue };
        match last.get(id) {
            // Two runs under one name, not a later step of the same one.
            Some((before, earlier)) if step == *before || !same_run(*earlier, at) => return none,
            Some((before, _)) if step < *before => is[at] = true,
            Some((_, earlier)) => {
                is[*earlier] = true;
                last.insert(id, (step, at));
            }
            None => {
                last.insert(id, (step, at));
            }
        }
    }
    let n = is.iter().filter(|is| **is).count();
    if n > 0 {
        let (run, step) = (&table.names[run], &table.names[step]);
        let note = format!(
            "{n} row(s) are taken as reports from the middle of a run (the column {run} names the run, {step} counts its \
             steps): the last row of each run counts. If each row is a run of its own, say so with .each_row_is_a_run()."
        );
        table.notes.push(note);
    }
    is
}

pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    text.chars().take(most.saturating_sub(1)).chain(['\u{2026}']).collect()
}
