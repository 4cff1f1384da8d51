//! The tables of the page.
use super::page_cells::{Key, Outcomes, WORLDS, place, policies};
use super::summary::Mean;
use anyhow::Result;
use std::fmt::Write as _;

/// A mean with its standard error.
pub(super) fn with_error(m: Mean, digits: usize) -> String {
    if m.se.is_finite() { format!("{} ± {:.digits$}", plain(m, digits), m.se) } else { plain(m, digits) }
}

fn plain(m: Mean, digits: usize) -> String {
    let text = format!("{:.digits$}", m.mean);
    let is_zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
    text.trim_start_matches(|c| is_zero && c == '-').to_string()
}

/// Gains of thousands need no tenths.
fn gain(m: Mean) -> String {
    with_error(m, if m.mean.abs() < 1000.0 { 1 } else { 0 })
}

fn share(m: Mean) -> String {
    with_error(m, 3)
}

pub(super) fn grouped(n: u64) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", n / 1000, n % 1000) }
}

/// A column of a long table: heading, figure, how it is written.
type Column = (&'static str, &'static str, fn(Mean) -> String);

const GAIN: Column = ("true gain", "true_gain", gain);
const FDR: Column = ("junk among kept", "fdr", share);
const KEPT: Column = ("kept", "kept", |m| plain(m, 1));
const RUNS: Column = ("runs", "runs", |m| plain(m, 0));
const CLAIM: Column = ("reported − true", "reported_minus_true", |m| with_error(m, 1));
const COST: Column = ("runs a proposal", "runs_per_proposal", |m| plain(m, 1));
const STACK: Column = ("gain of the bolder stack", "stack_gain", gain);
const IDEAL: Column = ("to be had", "ideal_gain", |m| plain(m, 1));
const ANY: Column = ("kept any junk", "any_false", |m| with_error(m, 2));
const PROPOSALS: Column = ("proposals", "proposals", |m| plain(m, 0));

/// What a long table of policies shows.
pub(super) const PLAIN: &[Column] = &[GAIN, FDR, KEPT, RUNS, COST, CLAIM];
/// The same, and the stack that a study offers beside what it stands behind.
pub(super) const STACKED: &[Column] = &[GAIN, FDR, KEPT, STACK, RUNS, CLAIM];
/// Of a world in which nothing does anything.
pub(super) const NULL: &[Column] = &[ANY, KEPT, RUNS, CLAIM];
/// All there is.
pub(super) const ALL: &[Column] = &[GAIN, FDR, KEPT, STACK, IDEAL, RUNS, PROPOSALS, CLAIM];

fn head(text: &mut String, headings: &[&str], left: usize) {
    let rule = (0..headings.len()).map(|i| if i < left { "---" } else { "---:" });
    let _ = writeln!(text, "| {} |", headings.join(" | "));
    let _ = writeln!(text, "|{}|", rule.collect::<Vec<_>>().join("|"));
}

/// A row for each cell.
pub(super) fn long(outcomes: &Outcomes, keys: &[Key], columns: &[Column]) -> Result<String> {
    let mut headings = vec!["world", "run limit", "policy"];
    headings.extend(columns.iter().map(|(heading, ..)| heading));
    headings.push("repetitions");
    let mut text = String::new();
    head(&mut text, &headings, 3);
    for &key in keys {
        let Key { world, runs, policy } = key;
        let _ = write!(text, "| {} | {} | `{policy}` |", WORLDS[world].label, grouped(runs));
        for (_, figure, write) in columns {
            let _ = write!(text, " {} |", write(outcomes.get(key, figure)?));
        }
        let _ = writeln!(text, " {} |", outcomes.of(key)?.reps);
    }
    Ok(text)
}

/// What a wide table says of a cell, one figure a line.
type Entry = fn(&Outcomes, Key) -> Result<String>;

/// Gain, and junk below it.
pub(super) fn gain_and_junk(outcomes: &Outcomes, key: Key) -> Result<String> {
    Ok(format!("{}<br>{}", gain(outcomes.get(key, "true_gain")?), share(outcomes.get(key, "fdr")?)))
}

/// Share of the optimum, and junk below it.
pub(super) fn share_and_junk(outcomes: &Outcomes, key: Key) -> Result<String> {
    let (optimum, fdr) = (outcomes.get(key, "share_of_optimum")?, outcomes.get(key, "fdr")?);
    Ok(format!("{}<br>{}<br>{}", gain(outcomes.get(key, "true_gain")?), share(optimum), share(fdr)))
}

/// Gain, junk among edits, and junk among units.
pub(super) fn gain_and_both(outcomes: &Outcomes, key: Key) -> Result<String> {
    Ok(format!("{}<br>{}", gain_and_junk(outcomes, key)?, share(outcomes.get(key, "fdr_unit")?)))
}

/// A row for each world and number of runs, a column for each policy.
pub(super) fn wide(
    outcomes: &Outcomes,
    named: &[&str],
    worlds: &[&str],
    budgets: &[u64],
    entry: Entry,
) -> Result<String> {
    let names = policies(named);
    let mut headings = vec!["world".to_string(), "run limit".into()];
    headings.extend(names.iter().map(|name| format!("`{name}`")));
    headings.push("repetitions".into());
    let mut text = String::new();
    head(&mut text, &headings.iter().map(String::as_str).collect::<Vec<_>>(), 2);
    for id in worlds {
        let world = place(id)?;
        for &runs in budgets {
            let _ = write!(text, "| {} | {} |", WORLDS[world].label, grouped(runs));
            let mut reps = 0;
            for policy in &names {
                let key = Key { world, runs, policy };
                reps = outcomes.of(key)?.reps;
                let _ = write!(text, " {} |", entry(outcomes, key)?);
            }
            let _ = writeln!(text, " {reps} |");
        }
    }
    Ok(text)
}

/// Where policies gained more than another one: a row for each world, number of runs and policy.
pub(super) fn ahead(outcomes: &Outcomes, named: &[&str], of: &'static str) -> Result<String> {
    let mut text = String::new();
    let own = [format!("`{of}`: true gain"), "its junk".into()];
    let headings = ["world", "run limit", "policy", "true gain", "junk", &own[0], &own[1], "ahead by"];
    head(&mut text, &headings, 3);
    let mut rows = 0;
    for key in outcomes.0.keys().filter(|key| named.contains(&key.policy)) {
        let other = Key { policy: of, ..*key };
        if !outcomes.0.contains_key(&other) {
            continue;
        }
        let difference = outcomes.compare(*key, other)?.difference;
        if difference.mean <= 0.0 {
            continue;
        }
        rows += 1;
        let (label, runs) = (WORLDS[key.world].label, grouped(key.runs));
        let [junk, other_junk] = [*key, other].map(|key| outcomes.get(key, "fdr").map(share));
        let (junk, other_junk) = (junk?, other_junk?);
        let [here, there] = [*key, other].map(|key| outcomes.get(key, "true_gain").map(gain));
        let (here, there, difference) = (here?, there?, gain(difference));
        let _ = write!(text, "| {label} | {runs} | `{}` | {here} | {junk} ", key.policy);
        let _ = writeln!(text, "| {there} | {other_junk} | {difference} |");
    }
    Ok(if rows == 0 { "Nowhere in what was played.\n".into() } else { text })
}

#[cfg(test)]
mod tests {
    use super::super::page_cells::keys;
    use super::*;

    #[test]
    fn numbers_as_they_are_written() {
        assert_eq!(with_error(Mean { mean: 12.34, se: 0.56 }, 1), "12.3 ± 0.6");
        assert_eq!(with_error(Mean { mean: -0.04, se: 0.01 }, 1), "0.0 ± 0.0");
        assert_eq!(with_error(Mean { mean: 1.0, se: f64::NAN }, 1), "1.0");
        assert_eq!(gain(Mean { mean: 1234.5, se: 9.9 }), "1234 ± 10");
        assert_eq!((grouped(701), grouped(2000)), ("701".into(), "2,000".into()));
    }

    #[test]
    fn every_row_has_every_column() {
        let keys = keys(&[], &["mixed", "t4"], &[701, 2000]).unwrap();
        let outcomes = Outcomes::made_up(&keys.iter().copied().collect());
        let long = long(&outcomes, &keys, ALL).unwrap();
        assert_eq!(long.lines().count(), keys.len() + 2);
        let wide =
            wide(&outcomes, &["greedy", "scout"], &["mixed", "t4"], &[701, 2000], gain_and_junk).unwrap();
        assert_eq!(wide.lines().count(), 4 + 2);
        for table in [long, wide] {
            let columns = |line: &str| line.matches('|').count();
            let first = table.lines().next().map(columns);
            assert!(table.lines().all(|line| Some(columns(line)) == first), "{table}");
        }
    }

    #[test]
    fn who_is_ahead_of_whom() {
        let keys = keys(&["greedy", "guarded", "scout"], &["mixed", "t4"], &[701]).unwrap();
        let mut outcomes = Outcomes::made_up(&keys.iter().copied().collect());
        let mut set = |key: usize, mean| {
            let outcome = outcomes.0.get_mut(&keys[key]).unwrap();
            outcome.figures.insert("true_gain", Mean { mean, se: 0.3 });
            outcome.gains = vec![mean, mean];
        };
        [5.0, 1.0, 4.0, 3.0, 1.0, 4.0].into_iter().enumerate().for_each(|(key, mean)| set(key, mean));
        let table = ahead(&outcomes, &["greedy", "guarded"], "scout").unwrap();
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert!(rows.len() == 1 && rows[0].starts_with("| mixed | 701 | `greedy` | 5.0 ± 0.3 |"), "{table}");
        assert!(rows[0].ends_with("| 1.0 ± 0.0 |"), "{table}");
        assert!(ahead(&outcomes, &["guarded"], "scout").unwrap().starts_with("Nowhere"));
    }

    #[test]
    fn what_was_not_played_is_no_row() {
        let keys = keys(&["greedy"], &["mixed"], &[701]).unwrap();
        assert!(long(&Outcomes::default(), &keys, PLAIN).is_err());
    }
}
