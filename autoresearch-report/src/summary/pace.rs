//! How far a study is that has not ended.

use crate::data::{Data, Incumbent};
use crate::text::{date, duration, of};

/// How much of the nearest limit is used, and how long nothing was kept: a sentence each, with a space before it.
pub(super) fn pace(data: &Data) -> String {
    let mut said = String::new();
    if let Some((name, share)) = nearest(data) {
        said += &format!(" It has used {:.0} % of its limit on {name}.", 100.0 * share.min(1.0));
    }
    let runs = data.runs.len() as u64;
    let ago = |at: &Incumbent| {
        (of(runs.saturating_sub(at.at_run), "run"), duration(data.cost.elapsed - at.at_time))
    };
    match data.incumbents.last() {
        Some(last) if last.proposal.is_some() => {
            let (runs, time) = ago(last);
            said += &format!(" The incumbent last changed {runs} and {time} before its last run.");
        }
        Some(baseline) if runs > 0 => {
            let (runs, time) = ago(baseline);
            said += &format!(" Nothing was kept in {runs} and {time}.");
        }
        _ => {}
    }
    said
}

/// How old the last event was when the store was read, `read` in milliseconds since 1970, beside how often there are any: a
/// sentence with a space before it. Nothing where neither is known.
pub(super) fn age(data: &Data, read: Option<i64>) -> String {
    let state = &data.state;
    let (Some(read), Some(began), Some(ended)) = (read, state.began, state.ended) else {
        return String::new();
    };
    let age = read.saturating_sub(ended) as f64 / 1000.0;
    if age < 0.0 {
        return String::new();
    }
    if state.events < 2 {
        // One event has no pace: the first run may take its hours.
        return format!(" That was {} before the store was read on {}.", duration(age), date(read));
    }
    let every = ended.saturating_sub(began) as f64 / 1000.0 / (state.events - 1) as f64;
    let silent = if is_silent(age, every) { ": by that it no longer runs" } else { "" };
    format!(
        " That was {} before the store was read on {}; until then there was an event every {} on average{silent}.",
        duration(age),
        date(read),
        duration(every)
    )
}

/// Whether a study that has an event every so many seconds, and none for `age` seconds, has fallen silent.
pub(crate) fn is_silent(age: f64, every: f64) -> bool {
    age > 300.0 && age > 20.0 * every
}

/// The limit of which most is used, and how much.
fn nearest(data: &Data) -> Option<(&'static str, f64)> {
    let limits = &data.study.as_ref()?.limits;
    let cost = &data.cost;
    let used = [
        ("runs", "runs", cost.runs as f64),
        ("proposals", "proposals", data.proposals.len() as f64),
        ("accepted", "kept edits", data.kept().count() as f64),
        ("wall_clock", "time", cost.elapsed),
        ("compute", "the time of runs together", cost.compute),
        ("money", "money", cost.money),
    ];
    let share = |(key, name, used): (&str, &'static str, f64)| {
        let limit = limits.get(key).filter(|limit| **limit > 0.0)?;
        Some((name, used / limit))
    };
    used.into_iter().filter_map(share).max_by(|a, b| a.1.total_cmp(&b.1))
}
