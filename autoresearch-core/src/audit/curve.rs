//! The log of a single run, step by step, is no search.

use super::columns::Places;
use super::names;
use super::number::{Cell, number};
use super::table::Table;

/// The column that counts the steps, if the rows are steps of one run: it rises from row to row, and nothing else tells
/// one row from another but measurements and what goes along with them.
pub(super) fn of_one_run(table: &Table, places: &Places) -> Option<usize> {
    if places.status.is_some() || places.description.is_some() || table.rows.len() < 3 {
        return None;
    }
    let step = (0..table.names.len()).find(|&at| at != places.metric && is_step(table, at))?;
    let alike = |at: usize| {
        let mut cells = table.column(at).filter(|cell| number(cell) != Cell::Missing);
        let first = cells.next();
        cells.all(|cell| Some(cell) == first)
    };
    let of_the_run = |at: usize| {
        at == places.metric
            || at == step
            || alike(at)
            || (names::goes_along(&table.names[at]) && !names_runs(table, at))
    };
    (0..table.names.len()).all(of_the_run).then_some(step)
}

/// A column of numbers that counts by its name, and never falls.
fn is_step(table: &Table, at: usize) -> bool {
    if !names::is_step(&table.names[at]) {
        return false;
    }
    let (mut last, mut first, mut filled) = (f64::NEG_INFINITY, f64::INFINITY, 0);
    for cell in table.column(at) {
        match number(cell) {
            Cell::Number(value) if value >= last => {
                (last, first, filled) = (value, first.min(value), filled + 1);
            }
            Cell::Missing => {}
            _ => return false,
        }
    }
    filled * 10 >= table.rows.len() * 8 && last > first
}

/// Whether a column names a run a row.
fn names_runs(table: &Table, at: usize) -> bool {
    let words = names::tokens(&table.names[at]).join(" ");
    ["run", "run id", "trial", "trial id", "id", "commit", "exp", "experiment", "name", "run name"]
        .contains(&words.as_str())
}
