//! Which end of a log is its beginning.

use super::columns::Places;
use super::entries::{Class, Entry};
use super::names;
use super::number::{Cell, number};
use super::table::Table;
use super::wording;
use crate::measure::Direction;
use std::cmp::Ordering;

/// With fewer kept steps than this their direction says nothing.
const STEPS: usize = 3;
/// Columns that count the rows, where they hold whole numbers that only rise or only fall.
const COUNTERS: &[&str] = &[
    "number",
    "index",
    "id",
    "no",
    "nr",
    "n",
    "i",
    "exp",
    "experiment",
    "run",
    "trial",
    "round",
    "iter",
    "iteration",
    "step",
    "_step",
    "unnamed: 0",
    "column 1",
];

/// Puts the rows oldest first, where a column of times or a counter falls from each row to the next; `true` if such a
/// column tells which end is the beginning.
pub(super) fn oldest_first(table: &mut Table, places: &Places) -> bool {
    let free = |at: &usize| *at != places.metric && Some(*at) != places.seed && Some(*at) != places.status;
    let columns: Vec<usize> = (0..table.names.len()).filter(free).collect();
    let times = columns.iter().filter_map(|&at| Some((at, monotone(&times(table, at)?)?)));
    let counts = columns.iter().filter_map(|&at| Some((at, monotone(&counts(table, at)?)?)));
    let Some((at, order)) = times.chain(counts).next() else { return false };
    if order == Ordering::Greater {
        table.rows.reverse();
        let name = &table.names[at];
        table.notes.push(format!("The log is newest first by its column {name}: it is read from its end."));
    }
    true
}

/// Whether keys only rise (`Less`) or only fall (`Greater`); `None` below three of them, and for any other order.
fn monotone<T: PartialOrd>(keys: &[T]) -> Option<Ordering> {
    let steps: Vec<Ordering> = keys.windows(2).filter_map(|w| w[0].partial_cmp(&w[1])).collect();
    let rises = steps.iter().all(|step| *step != Ordering::Greater);
    let falls = steps.iter().all(|step| *step != Ordering::Less);
    match (keys.len() >= 3 && steps.len() + 1 == keys.len(), rises, falls) {
        (true, true, false) => Some(Ordering::Less),
        (true, false, true) => Some(Ordering::Greater),
        _ => None,
    }
}

/// The filled cells of a column, if most are filled and each can be read.
fn keys<T>(table: &Table, at: usize, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let first = table.column(at).find(|cell| number(cell) != Cell::Missing)?;
    read(first)?;
    let filled: Vec<&str> = table.column(at).filter(|cell| number(cell) != Cell::Missing).collect();
    if filled.len() * 10 < table.rows.len() * 8 {
        return None;
    }
    filled.into_iter().map(read).collect()
}

/// Dates and times with the year first, or seconds since 1970 where the name speaks of a time.
fn times(table: &Table, at: usize) -> Option<Vec<Vec<f64>>> {
    const NAMES: &[&str] =
        &["time", "timestamp", "created", "started", "start", "date", "datetime", "updated"];
    let named = names::tokens(&table.names[at]).iter().any(|token| NAMES.contains(&token.as_str()));
    keys(table, at, |cell| match number(cell) {
        Cell::Number(seconds) => (named && seconds > 1e8).then(|| vec![seconds]),
        _ => date(cell),
    })
}

/// `2026-01-05T09:00:00.5Z` as its fields, the fraction of a second as one; `None` where the year does not come first.
fn date(cell: &str) -> Option<Vec<f64>> {
    let cell = cell.trim();
    let (year, rest) = cell.split_at_checked(4)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(year) || !rest.starts_with(['-', '/', '.']) {
        return None;
    }
    let mut fields = Vec::new();
    for part in cell.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).take(7) {
        let text = if fields.len() == 6 { format!("0.{part}") } else { part.to_string() };
        fields.push(text.parse().ok()?);
    }
    fields.resize(7, 0.0);
    Some(fields)
}

/// Whether a text is a date with the year first, and perhaps a time.
pub(super) fn is_date(cell: &str) -> bool {
    date(cell).is_some()
}

/// Whole numbers, no two alike next to each other, under a name that counts.
fn counts(table: &Table, at: usize) -> Option<Vec<f64>> {
    if !COUNTERS.contains(&table.names[at].trim().to_lowercase().as_str()) {
        return None;
    }
    let counts = keys(table, at, |cell| match number(cell) {
        Cell::Number(value) if value.fract() == 0.0 => Some(value),
        _ => None,
    })?;
    counts.windows(2).all(|w| w[0] != w[1]).then_some(counts)
}

/// How the kept rows moved in the order in which they stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    /// Steps that changed the value.
    pub(super) all: usize,
    /// Those that go down.
    pub(super) down: usize,
}

impl Steps {
    pub(super) fn of(all: &[Entry]) -> Self {
        let kept: Vec<f64> = all.iter().filter(|e| e.class == Class::Kept).filter_map(|e| e.value).collect();
        Self {
            all: kept.windows(2).filter(|w| w[0] != w[1]).count(),
            down: kept.windows(2).filter(|w| w[1] < w[0]).count(),
        }
    }

    /// The direction of most steps, and how many they are.
    pub(super) fn moved(&self) -> (Direction, usize) {
        if 2 * self.down >= self.all {
            (Direction::Minimize, self.down)
        } else {
            (Direction::Maximize, self.all - self.down)
        }
    }

    /// Whether four steps of five, and three at the least, go one way.
    pub(super) fn tell(&self) -> bool {
        self.all >= STEPS && self.moved().1 * 10 >= self.all * 8
    }
}

/// What speaks against the order or the direction in which a log is read.
#[derive(Debug, Clone)]
pub(super) struct Suspicion {
    /// What, and what was done about it.
    pub(super) doubt: String,
    /// Whether the entries were turned round.
    pub(super) turned: bool,
    /// Whether it leaves open which way is better, so that there can be no verdicts.
    pub(super) open: bool,
}

/// Turns the entries round where they are newest first: the row that is called the baseline is the last. Where the kept
/// values go the wrong way for the direction that is `known`, and neither a column nor such a row tells the order, either
/// may be wrong: then nothing is decided, unless the direction is `stated`, which leaves only the order.
///
/// `settled`: a column tells the order. `steps` are those in the order of the file.
pub(super) fn suspect(
    all: &mut [Entry],
    steps: Steps,
    known: Option<Direction>,
    stated: bool,
    settled: bool,
) -> Option<Suspicion> {
    let word = |d: Direction| if d == Direction::Minimize { "down" } else { "up" };
    let (moved, with) = steps.moved();
    let wrong = known.is_some_and(|known| steps.tell() && moved != known);
    let right = known.is_some_and(|known| steps.tell() && moved == known);
    let baselines: Vec<usize> = (0..all.len()).filter(|&at| is_baseline(&all[at])).collect();
    let last = all.len() >= 3 && baselines == [all.len() - 1];
    let first = baselines.first() == Some(&0);
    if !wrong && (!last || right || settled) {
        return None;
    }
    let mut why = Vec::new();
    if wrong {
        let better = if known == Some(Direction::Minimize) { "lower" } else { "higher" };
        why.push(format!(
            "{better} is better{}, and yet {with} of {} kept steps go {} in the order of the file",
            if stated { "" } else { " by the name of the metric" },
            steps.all,
            word(moved)
        ));
    }
    if last {
        why.push("the row called baseline is the last".into());
    }
    let why = why.join("; ");
    if wrong && (settled || first) {
        let doubt = format!(
            "Contradiction: {why}, and the log is oldest first. Check which way is better and what was kept, and state it."
        );
        return Some(Suspicion { doubt, turned: false, open: !stated });
    }
    if wrong && !stated && !last {
        let doubt = format!(
            "Contradiction: {why}. Either the log is newest first, or the name misleads: state which way is better."
        );
        return Some(Suspicion { doubt, turned: false, open: true });
    }
    all.reverse();
    let doubt = format!(
        "The log seems to be newest first, and was read from its end: {why}. If it is not, state the direction and give \
         the log a column that counts its rows."
    );
    Some(Suspicion { doubt, turned: true, open: false })
}

/// A row that is called the baseline, and not a repeat of it.
fn is_baseline(entry: &Entry) -> bool {
    let words = entry.description.to_lowercase();
    (words.starts_with("baseline") && wording::repeat(&words, &|_| false).is_none())
        || (words.is_empty() && entry.id.eq_ignore_ascii_case("baseline"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_order() {
        let of = |text: &str| date(text).expect("a date");
        assert!(of("2026-01-05T09:00:00.000Z") < of("2026-01-05 09:00:00.5"));
        assert!(of("2026-01-05 09:00:12") < of("2026-01-05 09:00:12.25"));
        assert!(of("2026/02/01") > of("2026/01/31 23:59"));
        for text in ["12.03.2026", "1810", "today", "", "2026"] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn one_way_or_none() {
        assert_eq!(monotone(&[1.0, 2.0, 2.0, 5.0]), Some(Ordering::Less));
        assert_eq!(monotone(&[3.0, 2.0, 1.0]), Some(Ordering::Greater));
        assert_eq!(monotone(&[1.0, 3.0, 2.0]), None);
        assert_eq!(monotone(&[1.0, 1.0, 1.0]), None);
        assert_eq!(monotone(&[2.0, 1.0]), None);
    }
}
