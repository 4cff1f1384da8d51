//! Which column is what: guessed from names and contents, said, and overridable.

use super::error::AuditError;
use super::names;
use super::number::{Cell, like_a_number, number};
use super::status::{Flag, Said, leading, said};
use super::table::Table;
use crate::measure::Direction;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;

/// How sure a guess is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sureness {
    /// Nothing tells; a default was taken.
    Unsure,
    /// Something speaks for it.
    Likely,
    /// Name and contents agree.
    Clear,
    /// The user said so.
    Stated,
}

impl fmt::Display for Sureness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsure => "unsure",
            Self::Likely => "likely",
            Self::Clear => "clear",
            Self::Stated => "stated",
        })
    }
}

/// What was taken for what, why, and how sure that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Guess<T> {
    /// What was taken.
    pub value: T,
    /// Why, in a few words.
    pub why: String,
    /// How sure.
    pub sure: Sureness,
}

impl<T> Guess<T> {
    pub(super) fn new(value: T, why: impl Into<String>, sure: Sureness) -> Self {
        Self { value, why: why.into(), sure }
    }
}

/// The names of the columns that the audit reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Columns {
    /// The objective.
    pub metric: Guess<String>,
    /// Keep, discard, crash; or how the run ended.
    pub status: Option<Guess<String>>,
    /// What was tried, in words.
    pub description: Option<Guess<String>>,
    /// The seed.
    pub seed: Option<Guess<String>>,
    /// What names the row.
    pub id: Option<Guess<String>>,
    /// The settings, where there are columns of them: rows that agree in all of them repeat each other.
    pub config: Vec<String>,
    /// Columns in which rows have to agree before a description that speaks of a repeat is believed: those of
    /// [`config`](Self::config), and whatever else may be a setting.
    #[serde(default)]
    pub agree: Vec<String>,
}

/// Columns by the user's word; `None` is guessed.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) metric: Option<String>,
    pub(super) status: Option<String>,
    pub(super) description: Option<String>,
    pub(super) seed: Option<String>,
    pub(super) id: Option<String>,
    /// All columns of settings.
    pub(super) settings: Option<Vec<String>>,
    /// Columns that are no settings.
    pub(super) ignored: Vec<String>,
}

/// Their places in the table.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) metric: usize,
    pub(super) status: Option<usize>,
    pub(super) description: Option<usize>,
    pub(super) seed: Option<usize>,
    pub(super) id: Option<usize>,
    pub(super) config: Vec<usize>,
    pub(super) agree: Vec<usize>,
    /// Whether the description tells configurations apart that have the same settings.
    pub(super) description_counts: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Default)]
struct Contents {
    filled: usize,
    numbers: usize,
    fractions: usize,
    distinct: HashSet<u64>,
    texts: HashSet<String>,
    known: usize,
    /// Cells that begin with a word for kept or discarded.
    decides: usize,
    letters: usize,
    /// Different cells of text.
    different: HashSet<u64>,
    /// Whole numbers that rise from row to row, as far as seen.
    counts: bool,
    last: Option<f64>,
    /// The first cell that is text, with its line.
    sample: Option<(u64, String)>,
    /// Cells of text that begin like a number.
    like_numbers: usize,
    /// Texts that look like an identifier, an address or a time.
    opaque: usize,
}

impl Contents {
    fn of(table: &Table, at: usize) -> Self {
        let mut contents = Self { counts: true, ..Self::default() };
        let flag = Flag::of(&table.names[at]);
        for row in &table.rows {
            let cell = row.cells.get(at).map_or("", String::as_str);
            let kind = number(cell);
            match kind {
                Cell::Missing => continue,
                Cell::Number(value) => {
                    contents.numbers += 1;
                    contents.fractions += usize::from(value.fract() != 0.0);
                    contents.distinct.insert(value.to_bits());
                    contents.counts &= value.fract() == 0.0 && contents.last.is_none_or(|last| value > last);
                    contents.last = Some(value);
                }
                Cell::NotFinite => contents.numbers += 1,
                Cell::Text => {
                    contents.letters += cell.chars().count();
                    contents.different.insert(hash(cell.trim()));
                    contents.sample.get_or_insert_with(|| (row.line, cell.trim().to_string()));
                    contents.like_numbers += usize::from(like_a_number(cell));
                    contents.opaque += usize::from(is_opaque(cell.trim()));
                }
            }
            contents.filled += 1;
            if kind == Cell::Text || flag != Flag::None {
                contents.known += usize::from(said(cell, flag).is_some());
                let decides = matches!(leading(cell, flag), Some(Said::Kept | Said::Discarded));
                contents.decides += usize::from(decides);
            }
            if contents.texts.len() < 50 && !contents.texts.contains(cell.trim()) {
                contents.texts.insert(cell.trim().to_string());
            }
        }
        contents
    }

    fn numeric(&self) -> bool {
        self.numbers > 0 && self.numbers * 10 >= self.filled * 7
    }

    /// Whether not all of its cells are the same.
    fn varies(&self) -> bool {
        self.texts.len() > 1
    }

    /// How much it looks like an objective: many different values, with decimals.
    fn variety(&self) -> f64 {
        let n = self.numbers.max(1) as f64;
        self.distinct.len() as f64 / n + self.fractions as f64 / n
    }
}

fn hash(cell: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    cell.hash(&mut hasher);
    hasher.finish()
}

/// An address, a time, or a long identifier of hexadecimal digits.
fn is_opaque(cell: &str) -> bool {
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let hex = cell.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    cell.contains("://") || (hex && cell.len() >= 7 && digits > 0) || super::order::is_date(cell)
}

/// Finds the columns.
pub(super) fn find(table: &Table, wanted: &Wanted) -> Result<(Places, Columns), AuditError> {
    let contents: Vec<Contents> = (0..table.names.len()).map(|at| Contents::of(table, at)).collect();
    let stated = |name: &Option<String>, what: &'static str| match name {
        Some(name) => place(table, name, what).map(|at| Some((at, "stated".to_string(), Sureness::Stated))),
        None => Ok(None),
    };
    let mut taken = HashSet::new();
    let mut claim = |found: Option<(usize, String, Sureness)>| {
        found.inspect(|(at, ..)| {
            taken.insert(*at);
        })
    };
    let metric = claim(stated(&wanted.metric, "metric")?);
    let status = claim(stated(&wanted.status, "status")?);
    let description = claim(stated(&wanted.description, "description")?);
    let seed = claim(stated(&wanted.seed, "seed")?);
    let id = claim(stated(&wanted.id, "id")?);
    let free: Vec<usize> = (0..contents.len()).filter(|at| !taken.contains(at)).collect();
    let status = status.or_else(|| guess_status(table, &contents, &free));
    let is_status = |at: &usize| status.as_ref().is_some_and(|s| s.0 == *at);
    let free: Vec<usize> = free.into_iter().filter(|at| !is_status(at)).collect();
    let metric = match metric {
        Some(stated) => {
            let column = &contents[stated.0];
            if column.numbers == 0 && column.filled > 0 {
                return Err(not_numbers(table, column, stated.0));
            }
            stated
        }
        None => guess_metric(table, &contents, &free)?
            .ok_or_else(|| AuditError::NoMetric { columns: table.names.clone() })?,
    };
    let free: Vec<usize> = free.into_iter().filter(|at| *at != metric.0).collect();
    let seed = seed.or_else(|| {
        let at =
            free.iter().copied().find(|&at| names::is_seed(&table.names[at]) && contents[at].filled > 0)?;
        Some((at, "name".into(), Sureness::Clear))
    });
    let is_seed = |at: &usize| seed.as_ref().is_some_and(|s| s.0 == *at);
    let free: Vec<usize> = free.into_iter().filter(|at| !is_seed(at)).collect();
    let description = description.or_else(|| guess_description(table, &contents, &free));
    let id = id.or_else(|| guess_id(table, &contents, &free));
    let special: HashSet<usize> = [&status, &seed, &description, &id]
        .into_iter()
        .flatten()
        .map(|found| found.0)
        .chain([metric.0])
        .collect();
    let (config, agree) = settings(table, &contents, &special, seed.is_some(), wanted)?;
    let stated = wanted.description.is_some();
    let description_counts = description.as_ref().is_some_and(|(at, ..)| stated || tells_apart(table, *at));
    let named =
        |found: &(usize, String, Sureness)| Guess::new(table.names[found.0].clone(), &found.1, found.2);
    let columns = Columns {
        metric: named(&metric),
        status: status.as_ref().map(named),
        description: description.as_ref().map(named),
        seed: seed.as_ref().map(named),
        id: id.as_ref().map(named),
        config: config.iter().map(|&at| table.names[at].clone()).collect(),
        agree: agree.iter().map(|&at| table.names[at].clone()).collect(),
    };
    let at = |found: Option<(usize, String, Sureness)>| found.map(|found| found.0);
    let (status, description, seed, id) = (at(status), at(description), at(seed), at(id));
    let places =
        Places { metric: metric.0, status, description, seed, id, config, agree, description_counts };
    Ok((places, columns))
}

fn place(table: &Table, name: &str, what: &'static str) -> Result<usize, AuditError> {
    let exact = table.names.iter().position(|n| n == name);
    exact
        .or_else(|| table.names.iter().position(|n| n.eq_ignore_ascii_case(name)))
        .ok_or_else(|| AuditError::NoColumn { what, wanted: name.into(), columns: table.names.clone() })
}

type Found = Option<(usize, String, Sureness)>;

/// Names of columns that say what became of a row: one word for kept or discarded in them is enough.
const DECISIONS: &[&str] =
    &["status", "decision", "outcome", "verdict", "result", "results", "kept", "keep", "accepted", "fate"];
/// Names that agree with the words of a status, and do not stand for them.
const STATES: &[&str] = &["state", "action", "buggy"];

fn guess_status(table: &Table, contents: &[Contents], free: &[usize]) -> Found {
    let called =
        |at: usize, list: &[&str]| names::tokens(&table.names[at]).iter().any(|t| list.contains(&t.as_str()));
    let decides = |at: usize| contents[at].decides > 0;
    let by_name = |at: usize| {
        called(at, DECISIONS) && decides(at) && !contents[at].numeric() && !names::is_config(&table.names[at])
    };
    let by_words = |at: usize| {
        let c = &contents[at];
        c.filled > 0 && c.known * 10 >= c.filled * 8 && c.texts.len() <= 12
    };
    // A column of decisions comes before one of how runs ended, and among those the one with the most known words.
    let at = free.iter().copied().filter(|&at| by_name(at) || by_words(at)).max_by_key(|&at| {
        (by_words(at) && decides(at), decides(at), contents[at].decides, std::cmp::Reverse(at))
    })?;
    if called(at, DECISIONS) || called(at, STATES) {
        Some((at, "name and words".into(), Sureness::Clear))
    } else {
        Some((at, "its words".into(), Sureness::Likely))
    }
}

fn not_numbers(table: &Table, contents: &Contents, at: usize) -> AuditError {
    let (line, cell) = contents.sample.clone().unwrap_or_default();
    AuditError::NotNumbers {
        column: table.names[at].clone(),
        cell: super::entries::shortened(&cell, 40),
        line,
        numbers: contents.numbers,
        filled: contents.filled,
    }
}

/// The metric by its name, else by what it holds. A column that has the name of one and holds something like numbers that
/// cannot be read is an error, rather than a reason to take another column.
fn guess_metric(table: &Table, contents: &[Contents], free: &[usize]) -> Result<Found, AuditError> {
    let score = |at: usize| names::as_metric(&table.names[at]);
    let numeric: Vec<usize> = free.iter().copied().filter(|&at| contents[at].numeric()).collect();
    let first_best = |among: &[usize], key: &dyn Fn(usize) -> f64| {
        among.iter().copied().fold(None, |best, at| match best {
            Some(best) if key(best) >= key(at) => Some(best),
            _ => Some(at),
        })
    };
    let by_name = |among: &[usize]| first_best(among, &|at| f64::from(score(at))).filter(|&at| score(at) > 0);
    let (best, readable) = (by_name(free), by_name(&numeric));
    let unread: Vec<usize> = free
        .iter()
        .copied()
        .filter(|&at| !contents[at].numeric() && contents[at].like_numbers * 2 > contents[at].filled)
        .collect();
    if let Some(at) = by_name(&unread)
        && (Some(at) == best || readable.is_none_or(|readable| score(readable) < score(at)))
    {
        return Err(not_numbers(table, &contents[at], at));
    }
    if let Some(at) = readable {
        let rivals = numeric.iter().filter(|&&other| score(other) == score(at)).count();
        return Ok(Some(match rivals {
            1 => (at, "name".into(), Sureness::Clear),
            n => (at, format!("name; {} other column(s) would do as well", n - 1), Sureness::Likely),
        }));
    }
    // A counter, an identifier or a setting is never taken unasked.
    let plain: Vec<usize> = numeric
        .into_iter()
        .filter(|&at| {
            let name = &table.names[at];
            score(at) == 0
                && !names::is_housekeeping(name)
                && names::as_id(name).is_none()
                && !contents[at].counts
        })
        .collect();
    Ok(first_best(&plain, &|at| contents[at].variety()).map(|at| {
        let why = "no name tells: the first column of numbers with the most different values";
        (at, why.into(), Sureness::Unsure)
    }))
}

/// Whether a description stands for a configuration: it is one by its name, or a name that several rows share and not
/// all. What trackers call every run by anew says nothing.
fn tells_apart(table: &Table, at: usize) -> bool {
    if names::as_description(&table.names[at]).is_some_and(|rank| rank < names::NAMES_FROM) {
        return true;
    }
    let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for cell in table.column(at).filter(|cell| number(cell) != Cell::Missing) {
        *seen.entry(super::wording::without_seed(cell)).or_default() += 1;
    }
    seen.len() > 1 && seen.values().any(|&n| n > 1)
}

fn guess_description(table: &Table, contents: &[Contents], free: &[usize]) -> Found {
    // A column that says the same of every row describes none, unless it says that they are repeats.
    let tells = |at: usize| {
        contents[at].filled == 1
            || contents[at].varies()
            || contents[at].texts.iter().any(|text| {
                super::wording::is_baseline(text) || super::wording::repeat(text, &|_| false).is_some()
            })
    };
    let words = |at: usize| contents[at].filled > 0 && !contents[at].numeric() && tells(at);
    let named = free.iter().copied().filter(|&at| words(at) && !names::is_config(&table.names[at]));
    if let Some(at) =
        named.filter_map(|at| Some((names::as_description(&table.names[at])?, at))).min().map(|x| x.1)
    {
        return Some((at, "name".into(), Sureness::Clear));
    }
    let headless = matches!(table.format, super::table::Format::Delimited { header: false, .. });
    if !headless {
        return None;
    }
    let length = |at: usize| contents[at].letters / contents[at].filled.max(1);
    let at = free.iter().copied().filter(|&at| words(at)).max_by_key(|&at| length(at))?;
    Some((at, "the column with the longest texts".into(), Sureness::Likely))
}

fn guess_id(table: &Table, contents: &[Contents], free: &[usize]) -> Found {
    let named = free.iter().copied().filter(|&at| contents[at].filled > 0);
    if let Some(at) = named.filter_map(|at| Some((names::as_id(&table.names[at])?, at))).min().map(|x| x.1) {
        return Some((at, "name".into(), Sureness::Clear));
    }
    let headless = matches!(table.format, super::table::Format::Delimited { header: false, .. });
    let first = free.first().copied().filter(|&at| {
        headless && at == 0 && contents[at].texts.len() * 10 >= contents[at].filled.min(50) * 9
    })?;
    Some((first, "the first column, and no two rows share it".into(), Sureness::Likely))
}

/// The columns of settings: those marked as such, and texts that vary; else, where there is a seed, all that are neither
/// measurements nor what trackers note of a run. With them the columns in which repeats have to agree.
fn settings(
    table: &Table,
    contents: &[Contents],
    special: &HashSet<usize>,
    seeded: bool,
    wanted: &Wanted,
) -> Result<(Vec<usize>, Vec<usize>), AuditError> {
    let places = |names: &[String], what| -> Result<Vec<usize>, AuditError> {
        names.iter().map(|name| place(table, name, what)).collect()
    };
    let ignored = places(&wanted.ignored, "ignored")?;
    if let Some(stated) = &wanted.settings {
        let stated = places(stated, "settings")?;
        return Ok((stated.clone(), stated));
    }
    let name = |at: usize| table.names[at].as_str();
    let candidates: Vec<usize> = (0..table.names.len())
        .filter(|at| {
            !special.contains(at)
                && !ignored.contains(at)
                && contents[*at].filled > 0
                && !names::is_seed(name(*at))
        })
        .collect();
    let marked = |at: usize| names::is_config(name(at));
    let opaque = |at: usize| contents[at].opaque * 10 >= contents[at].filled * 9;
    // The place of a row, which tables write without a name, or as "#".
    let place = |at: usize| {
        let tokens = names::tokens(name(at));
        contents[at].counts && (tokens.is_empty() || (tokens.len() == 2 && tokens[0] == "column"))
    };
    let noted = |at: usize| {
        place(at)
            || names::is_housekeeping(name(at))
            || names::as_description(name(at)).is_some()
            || (contents[at].numeric() && names::is_measured(name(at)))
            || (names::is_measured(name(at)) && contents[at].like_numbers == contents[at].filled)
            || opaque(at)
    };
    let agree: Vec<usize> = candidates.iter().copied().filter(|&at| marked(at) || !noted(at)).collect();
    let config = if candidates.iter().any(|&at| marked(at)) {
        let text = |at: usize| !contents[at].numeric() && contents[at].varies();
        agree.iter().copied().filter(|&at| marked(at) || text(at)).collect()
    } else if seeded {
        agree.clone()
    } else {
        Vec::new()
    };
    Ok((config, agree))
}

/// Which way is better, where a column says it: `metric.maximize` is true, `direction` is minimize.
pub(super) fn direction_hint(table: &Table) -> Option<Guess<Direction>> {
    let at = table.names.iter().position(|name| {
        let tokens = names::tokens(name);
        tokens
            .last()
            .is_some_and(|last| ["maximize", "minimize", "direction", "mode"].contains(&last.as_str()))
    })?;
    let minimizes = table.names[at].to_lowercase().ends_with("minimize");
    let mut found = None;
    for cell in table.column(at).map(|cell| cell.trim().to_lowercase()) {
        let says = match cell.as_str() {
            "" | "none" | "null" => continue,
            "true" | "1" => minimizes,
            "false" | "0" => !minimizes,
            "min" | "minimize" | "minimise" | "lower" => true,
            "max" | "maximize" | "maximise" | "higher" => false,
            _ => return None,
        };
        if *found.get_or_insert(says) != says {
            return None;
        }
    }
    let direction = if found? { Direction::Minimize } else { Direction::Maximize };
    Some(Guess::new(direction, format!("the column {}", table.names[at]), Sureness::Clear))
}
