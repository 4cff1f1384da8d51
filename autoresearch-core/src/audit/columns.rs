//! Which column is what: guessed from names and contents, said, and overridable.

use super::error::AuditError;
use super::names;
use super::number::{Cell, number};
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
}

/// Columns by the user's word; `None` is guessed.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) metric: Option<String>,
    pub(super) status: Option<String>,
    pub(super) description: Option<String>,
    pub(super) seed: Option<String>,
    pub(super) id: Option<String>,
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
}

impl Contents {
    fn of(table: &Table, at: usize) -> Self {
        let mut contents = Self::default();
        let flag = Flag::of(&table.names[at]);
        for cell in table.column(at) {
            match number(cell) {
                Cell::Missing => continue,
                Cell::Number(value) => {
                    contents.numbers += 1;
                    contents.fractions += usize::from(value.fract() != 0.0);
                    contents.distinct.insert(value.to_bits());
                }
                Cell::NotFinite => contents.numbers += 1,
                Cell::Text => contents.letters += cell.chars().count(),
            }
            contents.filled += 1;
            contents.known += usize::from(said(cell, flag).is_some());
            let decides = matches!(leading(cell, flag), Some(Said::Kept | Said::Discarded));
            contents.decides += usize::from(decides);
            if contents.texts.len() < 50 {
                contents.texts.insert(cell.trim().to_string());
            }
        }
        contents
    }

    fn numeric(&self) -> bool {
        self.numbers > 0 && self.numbers * 10 >= self.filled * 7
    }

    /// How much it looks like an objective: many different values, with decimals.
    fn variety(&self) -> f64 {
        let n = self.numbers.max(1) as f64;
        self.distinct.len() as f64 / n + self.fractions as f64 / n
    }
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
    let Some(metric) = metric.or_else(|| guess_metric(table, &contents, &free)) else {
        return Err(AuditError::NoMetric { columns: table.names.clone() });
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
    let config = config(table, &contents, &special, seed.is_some());
    let named =
        |found: &(usize, String, Sureness)| Guess::new(table.names[found.0].clone(), &found.1, found.2);
    let columns = Columns {
        metric: named(&metric),
        status: status.as_ref().map(named),
        description: description.as_ref().map(named),
        seed: seed.as_ref().map(named),
        id: id.as_ref().map(named),
        config: config.iter().map(|&at| table.names[at].clone()).collect(),
    };
    let at = |found: Option<(usize, String, Sureness)>| found.map(|found| found.0);
    let (status, description, seed, id) = (at(status), at(description), at(seed), at(id));
    Ok((Places { metric: metric.0, status, description, seed, id, config }, columns))
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

fn guess_metric(table: &Table, contents: &[Contents], free: &[usize]) -> Found {
    let numeric: Vec<usize> = free.iter().copied().filter(|&at| contents[at].numeric()).collect();
    let first_best = |key: &dyn Fn(usize) -> f64| {
        numeric.iter().copied().filter(|&at| names::as_metric(&table.names[at]) > -100).fold(
            None,
            |best, at| match best {
                Some(best) if key(best) >= key(at) => Some(best),
                _ => Some(at),
            },
        )
    };
    let by_name = first_best(&|at| f64::from(names::as_metric(&table.names[at])))?;
    let score = names::as_metric(&table.names[by_name]);
    if score > 0 {
        let rivals = numeric.iter().filter(|&&at| names::as_metric(&table.names[at]) == score).count();
        return Some(match rivals {
            1 => (by_name, "name".into(), Sureness::Clear),
            n => (by_name, format!("name; {} other column(s) would do as well", n - 1), Sureness::Likely),
        });
    }
    let by_contents = first_best(&|at| {
        contents[at].variety() + if names::as_metric(&table.names[at]) < 0 { -1.0 } else { 0.0 }
    })?;
    Some((
        by_contents,
        "no name tells: the first column of numbers with the most different values".into(),
        Sureness::Unsure,
    ))
}

fn guess_description(table: &Table, contents: &[Contents], free: &[usize]) -> Found {
    let words = |at: usize| contents[at].filled > 0 && !contents[at].numeric();
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

/// The columns of settings: those marked as such; else, where there is a seed, all that are not something else.
fn config(table: &Table, contents: &[Contents], special: &HashSet<usize>, seeded: bool) -> Vec<usize> {
    let candidates = |keep: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..table.names.len())
            .filter(|&at| {
                !special.contains(&at)
                    && contents[at].filled > 0
                    && !names::is_seed(&table.names[at])
                    && keep(at)
            })
            .collect()
    };
    let marked = candidates(&|at| names::is_config(&table.names[at]));
    if !marked.is_empty() || !seeded {
        return marked;
    }
    candidates(&|at| !names::is_housekeeping(&table.names[at]))
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
