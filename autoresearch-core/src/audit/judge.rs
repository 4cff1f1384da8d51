//! From the entries of a log to what was kept, against what, and how sure that is.

use super::columns::{Columns, Guess, Sureness};
use super::entries::{Class, Entries, Entry};
use super::names;
use super::noise::{self, RunNoise};
use super::order::{self, Steps};
use super::repeats::{self, Group, SeedsOfRepeat};
use super::verdict::{Bench, Trial, Undecided, Verdict};
use super::wording;
use super::{AuditedRow, Total};
use crate::measure::Direction;
use crate::stats::spearman;
use std::collections::HashSet;

/// What the user said, beside columns.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) direction: Option<Direction>,
    pub(super) noise: Option<(f64, Option<f64>)>,
    pub(super) alpha: f64,
}

/// What came of it.
pub(super) struct Judged {
    pub(super) direction: Guess<Direction>,
    pub(super) noise: RunNoise,
    pub(super) rows: Vec<AuditedRow>,
    pub(super) total: Option<Total>,
    pub(super) tries: usize,
    pub(super) notes: Vec<String>,
    pub(super) doubts: Vec<String>,
}

/// A configuration that was tried: a row, or several that repeat it.
struct Arm {
    row: usize,
    value: Option<f64>,
    runs: u32,
}

/// `hint` is what a column says of the direction.
pub(super) fn judge(
    entries: &mut Entries,
    columns: &Columns,
    hint: Option<Guess<Direction>>,
    terms: &Terms,
) -> Judged {
    let metric = columns.metric.value.as_str();
    let (explicit, described) = (entries.explicit, entries.described);
    let agree = &entries.agree;
    let all = &mut entries.all;
    let mut notes = Vec::new();
    let known = terms.direction.or(hint.as_ref().map(|hint| hint.value)).or(names::direction(metric));
    let steps = if explicit { Steps::of(all) } else { Steps { all: 0, down: 0 } };
    let stated = terms.direction.is_some() || hint.is_some();
    let suspicion = order::suspect(all, steps, known, stated, entries.ordered);
    let (turned, open) = suspicion.as_ref().map_or((false, false), |s| (s.turned, s.open));
    let direction = match (terms.direction, hint) {
        (Some(direction), _) => Guess::new(direction, "stated", Sureness::Stated),
        (None, Some(hint)) => hint,
        (None, None) => {
            let mut found = direction(all, explicit, metric);
            if turned && found.sure > Sureness::Likely {
                found = Guess::new(
                    found.value,
                    found.why + " once the log is read from its end",
                    Sureness::Likely,
                );
            }
            if open { Guess::new(found.value, found.why, Sureness::Unsure) } else { found }
        }
    };
    let mut doubts: Vec<String> = suspicion.into_iter().map(|s| s.doubt).collect();
    doubts.extend(minority(all, explicit, &direction).filter(|_| !open));
    notes.extend(doubts.iter().cloned());
    if !explicit {
        zeros_are_crashes(all, direction.value, &mut notes);
    }
    let mut pure = repeats::pure(all);
    let reference = references(all, explicit, direction.value, &pure);
    let log = repeats::Log { explicit, described, agree, names: &columns.agree };
    let groups = repeats::find(all, &reference, &mut pure, &log, &mut notes);
    let baseline = all.iter().position(|e| e.class == Class::Kept && e.value.is_some());
    let noise = noise::measure(all, &groups, baseline, terms.noise);
    let arms = arms(all, &groups, &pure, explicit);
    if !explicit {
        keep_the_running_best(all, &arms, direction.value);
        notes.push(
            "The log does not say which rows were kept: the running best is taken as kept, as a keep-if-better loop \
             would have done."
                .into(),
        );
    }
    let first = arms.iter().position(|arm| all[arm.row].class == Class::Kept && arm.value.is_some());
    // Repeats of a kept row, by their columns, had no edit that could have been lucky.
    let repeats_kept: HashSet<usize> = groups
        .iter()
        .filter(|group| group.by_columns && all[group.rows[0]].class == Class::Kept)
        .flat_map(|group| group.rows[1..].iter().chain(&group.copies).copied())
        .collect();
    let compete = |at: usize, arm: &Arm| {
        Some(at) != first
            && arm.value.is_some()
            && pure[arm.row].is_none()
            && !repeats_kept.contains(&arm.row)
    };
    let tries = arms.iter().enumerate().filter(|(at, arm)| compete(*at, arm)).count();
    let bench = Bench::new(&noise, direction.value, terms.alpha, tries);
    let mut group_of: Vec<Option<usize>> = vec![None; all.len()];
    for (number, group) in groups.iter().enumerate() {
        group.rows.iter().chain(&group.copies).for_each(|&row| group_of[row] = Some(number));
    }
    let repeats = |row: usize, before: usize| {
        let group = &groups[group_of[row].filter(|_| group_of[row] == group_of[before])?];
        let copy = group.copies.contains(&row) || group.copies.contains(&before);
        Some(if copy { SeedsOfRepeat::Unknown } else { group.seeds })
    };
    let mut rows = Vec::new();
    let mut before: Option<&Arm> = None;
    for arm in arms.iter().filter(|arm| all[arm.row].class == Class::Kept) {
        let entry = &all[arm.row];
        let is_first = before.is_none();
        rows.push(bench.judge(Trial {
            line: entry.line,
            id: entry.id.clone(),
            description: entry.description.clone(),
            value: arm.value,
            runs: arm.runs,
            before: match before {
                None if arm.value.is_some() => None,
                None => Some((None, 0)),
                Some(before) => Some((before.value, before.runs)),
            },
            repeats: before.and_then(|before| repeats(arm.row, before.row)),
        }));
        if arm.value.is_some() {
            if is_first && explicit && arms.iter().take_while(|a| a.row < arm.row).any(|a| a.value.is_some())
            {
                notes.push(format!(
                    "Line {} is the first kept row and is taken as the baseline, although other rows come before it.",
                    entry.line
                ));
            }
            before = Some(arm);
        }
    }
    let mut total = total(&bench, &rows);
    if open {
        total = None;
        for row in rows.iter_mut().filter(|row| row.verdict != Verdict::Baseline) {
            (row.gain, row.standard_error, row.ratio, row.p, row.p_adjusted) = (None, None, None, None, None);
            row.verdict = Verdict::Undecidable(Undecided::DirectionUnknown);
        }
    }
    Judged { direction, noise, rows, total, tries, notes, doubts }
}

/// A contradiction between the direction and the kept steps that is too weak to suspect the order of the log.
fn minority(all: &[Entry], explicit: bool, direction: &Guess<Direction>) -> Option<String> {
    let steps = Steps::of(all);
    let (moved, with) = steps.moved();
    let better = if direction.value == Direction::Minimize { "lower" } else { "higher" };
    (explicit && moved != direction.value && 2 * with > steps.all && !steps.tell()).then(|| {
        format!(
            "{with} of {} kept steps go the other way than \"{better} is better\" ({}): state the direction if that is wrong.",
            steps.all, direction.why
        )
    })
}

/// Which way is better: by the name, by how the kept rows moved, by where the values go.
fn direction(all: &[Entry], explicit: bool, metric: &str) -> Guess<Direction> {
    let named = names::direction(metric);
    let word = |d: Direction| if d == Direction::Minimize { "down" } else { "up" };
    if explicit {
        let steps = Steps::of(all);
        let (moved, with) = steps.moved();
        let tell = steps.tell();
        let steps = steps.all;
        let how = format!("{with} of {steps} kept steps go {}", word(moved));
        match named {
            Some(named) if named == moved || steps == 0 => {
                return Guess::new(named, format!("name; {how}"), Sureness::Clear);
            }
            Some(named) => return Guess::new(named, format!("name, though {how}"), Sureness::Likely),
            None if tell => return Guess::new(moved, how, Sureness::Clear),
            None if steps >= 1 && with * 2 > steps => return Guess::new(moved, how, Sureness::Likely),
            None => {}
        }
    }
    if let Some(named) = named {
        return Guess::new(named, "name", Sureness::Clear);
    }
    let values: Vec<f64> = all.iter().filter_map(|e| e.value).collect();
    let order: Vec<f64> = (0..values.len()).map(|i| i as f64).collect();
    if let Ok(trend) = spearman(&order, &values) {
        for (p, direction) in
            [(trend.p_negative, Direction::Minimize), (trend.p_positive, Direction::Maximize)]
        {
            if p < 0.005 {
                let why = format!(
                    "neither name nor status tells; the values go {} as the search goes on",
                    word(direction)
                );
                return Guess::new(direction, why, Sureness::Unsure);
            }
        }
    }
    Guess::new(Direction::Minimize, "nothing tells; lower is better in most optimisers", Sureness::Unsure)
}

/// Logs write 0.000000 for a run that gave nothing; as a loss it would be the best of all.
fn zeros_are_crashes(all: &mut [Entry], direction: Direction, notes: &mut Vec<String>) {
    let mut others: Vec<f64> = all.iter().filter_map(|e| e.value).filter(|v| *v != 0.0).collect();
    others.sort_by(f64::total_cmp);
    let (Some(&least), Some(&median)) = (others.first(), others.get(others.len() / 2)) else { return };
    if direction == Direction::Maximize || least < 0.1 * median || median < 0.0 {
        return;
    }
    let mut zeros = 0;
    for entry in all.iter_mut().filter(|e| e.value == Some(0.0) && e.class == Class::Discarded) {
        (entry.value, entry.class) = (None, Class::Crashed);
        zeros += 1;
    }
    if zeros > 0 {
        notes.push(format!(
            "{zeros} row(s) with a value of exactly 0, far from all others, are taken as crashes."
        ));
    }
}

fn better(direction: Direction, value: f64, than: f64) -> bool {
    direction.loss(value) < direction.loss(than)
}

/// The kept row in force before each row.
fn references(
    all: &[Entry],
    explicit: bool,
    direction: Direction,
    pure: &[Option<wording::Repeat>],
) -> Vec<Option<usize>> {
    let mut incumbent: Option<(usize, f64)> = None;
    let mut references = Vec::with_capacity(all.len());
    for (at, entry) in all.iter().enumerate() {
        references.push(incumbent.map(|(row, _)| row));
        let Some(value) = entry.value else { continue };
        let takes_over = if explicit {
            entry.class == Class::Kept
        } else {
            entry.class == Class::Discarded
                && pure[at].is_none()
                && incumbent.is_none_or(|(_, best)| better(direction, value, best))
        };
        if takes_over {
            incumbent = Some((at, value));
        }
    }
    references
}

/// What was tried. Where the log itself says what was kept, its rows stand as they are; else rows that repeat each
/// other are one.
fn arms(all: &mut [Entry], groups: &[Group], pure: &[Option<wording::Repeat>], explicit: bool) -> Vec<Arm> {
    let mut mean: Vec<Option<(f64, u32)>> = all.iter().map(|e| e.value.map(|v| (v, 1))).collect();
    if !explicit {
        for group in groups {
            let values: Vec<f64> = group.rows.iter().filter_map(|&at| all[at].value).collect();
            if group.by_columns && !values.is_empty() {
                // Runs on one seed share what it does: they are one run.
                let runs = if group.seeds == SeedsOfRepeat::Same { 1 } else { values.len() as u32 };
                mean[group.rows[0]] = Some((crate::stats::mean(&values), runs));
            }
            for &at in group.rows[1..].iter().chain(&group.copies) {
                all[at].class = Class::Repeat;
            }
        }
        for (at, entry) in all.iter_mut().enumerate() {
            // A repeat of which it is not known what it repeats cannot be a gain either; the first row may be one.
            if at > 0 && pure[at].is_some() && entry.class == Class::Discarded {
                entry.class = Class::Repeat;
            }
        }
    }
    (0..all.len())
        .filter(|&at| matches!(all[at].class, Class::Kept | Class::Discarded))
        .map(|at| Arm { row: at, value: mean[at].map(|m| m.0), runs: mean[at].map_or(0, |m| m.1) })
        .collect()
}

fn keep_the_running_best(all: &mut [Entry], arms: &[Arm], direction: Direction) {
    let mut best: Option<f64> = None;
    for arm in arms {
        let Some(value) = arm.value else { continue };
        if best.is_none_or(|best| better(direction, value, best)) {
            best = Some(value);
            all[arm.row].class = Class::Kept;
        }
    }
}

/// From the baseline to the last kept row.
pub(super) fn total(bench: &Bench<'_>, rows: &[AuditedRow]) -> Option<Total> {
    let valued: Vec<&AuditedRow> = rows.iter().filter(|row| row.value.is_some()).collect();
    let (&first, &last) = (valued.first()?, valued.last()?);
    if valued.len() < 2 {
        return None;
    }
    let whole = bench.judge(Trial {
        line: last.line,
        id: last.id.clone(),
        description: String::new(),
        value: last.value,
        runs: last.runs,
        before: Some((first.value, first.runs)),
        repeats: None,
    });
    let small: Vec<f64> =
        rows.iter().filter(|r| r.ratio.is_some_and(|r| r < 1.0)).filter_map(|r| r.gain).collect();
    Some(Total {
        baseline: first.value?,
        endpoint: last.value?,
        endpoint_line: last.line,
        gain: whole.gain?,
        p: whole.p,
        p_adjusted: whole.p_adjusted,
        verdict: whole.verdict,
        below_seed: whole.ratio.map(|_| small.len()),
        gain_below_seed: whole.ratio.map(|_| small.iter().fold(0.0, |sum, gain| sum + gain)),
    })
}
