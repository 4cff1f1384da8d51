//! How good the incumbents were found to be.

use super::Run;
use autoresearch_core::stats::{Moments, student_quantile};
use autoresearch_core::{Effect, Fate, Role};
use serde::Serialize;

/// An incumbent and its objective on validation.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Incumbent {
    /// Its version; 0 is the baseline.
    pub version: u32,
    /// The proposal that became part of it, or was revoked; `None`: the baseline.
    pub proposal: Option<u64>,
    /// Runs that had ended when it became the incumbent.
    pub at_run: u64,
    /// Seconds that the study had been running by then.
    pub at_time: f64,
    /// The mean objective of its runs: of those since it became the incumbent where there are two, else of all that did not
    /// propose it, else of those that chose it; and if there are none at all, the objective before, moved by the effect
    /// that was measured. `None`: nothing is known.
    pub objective: Option<f64>,
    /// The lower end of a 95 % t interval over its runs since it became the incumbent; needs two.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// Runs behind it.
    pub runs: u64,
    /// What that rests on.
    pub basis: Basis,
}

/// What an incumbent's objective rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Basis {
    /// Runs since it became the incumbent, two or more: they had no part in that.
    Fresh,
    /// Runs that decided it but did not propose it: if its test could stop early, their mean is a little too good.
    Decided,
    /// Runs that helped to choose it: it looks better than it is.
    Selected,
    /// No run of its own: the incumbent before, and the measured effect.
    Claimed,
    /// Nothing.
    Unknown,
}

/// A change of the incumbent.
#[derive(Debug, Clone)]
pub(crate) struct Keep {
    pub(crate) version: u32,
    pub(crate) proposal: u64,
    pub(crate) fate: Fate,
    pub(crate) effect: Option<Effect>,
    pub(crate) at_run: u64,
    pub(crate) at_time: f64,
}

/// The objectives of an incumbent's runs.
#[derive(Debug, Clone, Default)]
struct Own {
    /// Since it became the incumbent.
    since: Moments,
    /// These, and those that decided it.
    fresh: Moments,
    /// Those that chose it.
    selected: Moments,
}

pub(super) fn incumbents(runs: &[Run], keeps: &[Keep], lower_is_better: bool) -> Vec<Incumbent> {
    let mut all = vec![Own::default(); keeps.len() + 1];
    for (ended, run) in (0..).zip(runs) {
        let Some(i) = place(run, keeps) else { continue };
        let (Some(own), Some(objective)) = (all.get_mut(i), run.objective) else { continue };
        let keep = i.checked_sub(1).and_then(|i| keeps.get(i));
        let since = ended >= keep.map_or(0, |keep| keep.at_run);
        // Where the effect is that of runs which chose, so is the objective, whatever their role.
        let chosen = keep.and_then(|keep| keep.effect).is_some_and(|effect| !effect.fresh);
        if run.role == Role::Screen || (chosen && !since) {
            own.selected.push(objective);
            continue;
        }
        own.fresh.push(objective);
        if since {
            own.since.push(objective);
        }
    }
    let mut incumbents: Vec<Incumbent> = Vec::new();
    for (i, own) in all.iter().enumerate() {
        let keep = i.checked_sub(1).and_then(|i| keeps.get(i));
        let (moments, basis) = match (own.since.n(), own.fresh.n(), own.selected.n()) {
            (_, 0, 0) => (&own.fresh, Basis::Unknown),
            (_, 0, _) => (&own.selected, Basis::Selected),
            // Nothing decides on a baseline.
            (since, ..) if since > 1 || keep.is_none() => (&own.since, Basis::Fresh),
            _ => (&own.fresh, Basis::Decided),
        };
        let mut incumbent = Incumbent {
            version: keep.map_or(0, |keep| keep.version),
            proposal: keep.map(|keep| keep.proposal),
            at_run: keep.map_or(0, |keep| keep.at_run),
            at_time: keep.map_or(0.0, |keep| keep.at_time),
            objective: (moments.n() > 0).then(|| moments.mean()),
            low: None,
            high: None,
            runs: moments.n(),
            basis,
        };
        // At runs that decide, a test may have stopped, and those that chose were the best of many: neither bears an interval.
        if let (Basis::Fresh, Some(mean), Some(half)) = (basis, incumbent.objective, half_width(moments)) {
            (incumbent.low, incumbent.high) = (Some(mean - half), Some(mean + half));
        }
        let before = incumbents.last().and_then(|before| before.objective);
        let effect = keep.filter(|keep| keep.fate == Fate::Kept).and_then(|keep| keep.effect);
        if let (Basis::Unknown, Some(before), Some(effect)) = (basis, before, effect) {
            incumbent.objective =
                Some(if lower_is_better { before - effect.mean } else { before + effect.mean });
            incumbent.basis = Basis::Claimed;
        }
        incumbents.push(incumbent);
    }
    incumbents
}

/// Half of a 95 % t interval of a mean; needs two values.
pub(crate) fn half_width(moments: &Moments) -> Option<f64> {
    let n = moments.n() as f64;
    moments.sd().and_then(|sd| half_width_of(sd / n.sqrt(), n - 1.0))
}

/// Half of a 95 % t interval of what has such a standard error, of so many degrees of freedom.
pub(crate) fn half_width_of(error: f64, df: f64) -> Option<f64> {
    Some(student_quantile(0.975, df) * error).filter(|half| half.is_finite())
}

/// A 95 % interval of how much better the second is than the first, by Welch (1947): of runs that had no part in choosing either.
/// `None`: one of them has no such runs, or they do not scatter.
pub(crate) fn gain(first: &Incumbent, last: &Incumbent, lower_is_better: bool) -> Option<(f64, f64)> {
    let of = |i: &Incumbent| {
        let df = i.runs as f64 - 1.0;
        let half = (i.high? - i.low?) / 2.0;
        (i.basis == Basis::Fresh && df >= 1.0).then(|| ((half / student_quantile(0.975, df)).powi(2), df))
    };
    let ((a, df_a), (b, df_b)) = (of(first)?, of(last)?);
    let df = (a + b).powi(2) / (a * a / df_a + b * b / df_b);
    let half = student_quantile(0.975, df) * (a + b).sqrt();
    let gain = first.objective? - last.objective?;
    let gain = if lower_is_better { gain } else { -gain };
    (df.is_finite() && half.is_finite() && half > 0.0).then_some((gain - half, gain + half))
}

/// Of which incumbent it was a run: 0 for the baseline, i for what the i-th keep made.
fn place(run: &Run, keeps: &[Keep]) -> Option<usize> {
    if run.partial || run.role == Role::Transfer {
        return None;
    }
    let base = keeps.partition_point(|keep| keep.version <= run.version);
    if run.arm.is_empty() {
        return Some(base);
    }
    // All that was kept since then, and nothing else.
    let after = keeps.get(base..)?.get(..run.arm.len())?;
    let same = after.iter().all(|keep| keep.fate == Fate::Kept && run.arm.contains(&keep.proposal));
    same.then_some(base + run.arm.len())
}
