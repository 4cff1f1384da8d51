//! A study in plain words: what is certain, what is not, and what it cost.

use crate::data::{Basis, Data, Trial};
use crate::text::{count, date, duration, estimate, money, number, of, signed};
use autoresearch_core::{Certified, CheckReport, Comparison, Effect, PartVerdict, Splits};
use serde::Serialize;
use serde_json::Value;

/// A study in plain words.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// The study in a sentence.
    pub headline: String,
    /// Whether it runs, and why it stopped.
    pub state: String,
    /// What its own figures bear out.
    pub certain: Vec<String>,
    /// What they do not.
    pub uncertain: Vec<String>,
    /// What it cost.
    pub cost: Vec<String>,
}

fn interval(effect: &Effect) -> String {
    told(effect.mean, effect.low.zip(effect.high), effect.level)
}

fn compared(c: &Comparison, level: f64) -> String {
    told(c.gain, Some((c.low, c.high)), level)
}

fn told(mean: f64, interval: Option<(f64, f64)>, level: f64) -> String {
    match estimate(mean, interval) {
        (mean, Some((low, high))) => format!("{mean} ({:.0} % interval {low} to {high})", level * 100.0),
        (mean, None) => format!("{mean} (no interval)"),
    }
}

/// Whether fresh runs alone show it to be an improvement.
fn is_shown(trial: &Trial) -> bool {
    trial.effect.is_some_and(|e| e.fresh && e.low.is_some_and(|low| low > 0.0))
}

impl Summary {
    /// Of these data.
    pub fn of(data: &Data) -> Self {
        Self::with(data, None, None)
    }

    /// The same with what certification and the overfitting checks found.
    pub(crate) fn with(
        data: &Data,
        certified: Option<&Certified<Value>>,
        checks: Option<&CheckReport>,
    ) -> Self {
        let mut this = Self {
            headline: headline(data),
            state: state(data),
            certain: certain(data),
            uncertain: uncertain(data),
            cost: cost(data),
        };
        if let Some(certified) = certified {
            retested(certified, &mut this);
        }
        let concerns = checks.map(CheckReport::concerns).unwrap_or_default();
        this.uncertain.splice(0..0, concerns.iter().map(|concern| format!("Concern: {concern}.")));
        this
    }
}

/// What certification adds.
fn retested(c: &Certified<Value>, to: &mut Summary) {
    if let Some(claim) = &c.claim {
        let said = format!(
            "what stands gains {} over the baseline on the {} split, on {} with fresh seeds",
            interval(&claim.gain),
            c.split,
            of(claim.pairs.into(), "pair")
        );
        if claim.gain.low.is_some_and(|low| low > 0.0) {
            to.certain.insert(0, format!("Tested again after the study, {said}."));
        } else {
            to.uncertain.insert(0, format!("Tested again after the study, no gain is shown: {said}."));
        }
    }
    let count_of = |verdict| c.parts.iter().filter(|part| part.verdict == verdict).count() as u64;
    let (earn, tested) =
        (count_of(PartVerdict::Earns), c.parts.len() as u64 - count_of(PartVerdict::Untested));
    if tested > 0 && earn > 0 {
        to.certain.insert(
            to.certain.len().min(1),
            format!(
                "Left out one at a time, {} of {} earn their place beside the rest.",
                count(earn),
                of(tested, "part")
            ),
        );
    }
    let lost = tested - earn;
    if lost > 0 {
        to.uncertain.insert(
            0,
            format!(
                "{} of {} could not be shown to earn their place when each was left out.",
                count(lost),
                of(tested, "kept part")
            ),
        );
    }
    if let Some(ratio) = c.ratio.filter(|ratio| *ratio < 0.7) {
        to.uncertain
            .insert(0, format!("All that was kept gains {ratio:.2} of what its edits claimed together."));
    }
    if !c.complete {
        to.uncertain.insert(0, "The certification was cut short; what it says is not complete.".into());
    }
    let cost = c.cost.totals + c.cost.parts + c.cost.transfer;
    to.cost.push(format!("{} more for certification.", of(cost, "run")));
}

fn headline(data: &Data) -> String {
    if data.study.is_none() && data.proposals.is_empty() {
        return "There is nothing in this store yet.".into();
    }
    let kept = data.kept().count() as u64;
    let tried = of(data.proposals.len() as u64, "proposal");
    let ends = |f: fn(&Data) -> Option<f64>| f(data);
    let first = ends(|d| d.incumbents.first()?.objective);
    let last = ends(|d| d.incumbents.iter().rev().find_map(|i| i.objective));
    match (kept, first, last) {
        (0, Some(first), _) => format!("Of {tried} none was kept; the baseline stands at {}.", number(first)),
        (0, ..) => format!("Of {tried} none was kept so far."),
        (_, Some(first), Some(last)) => {
            let gain = data.direction().loss(first) - data.direction().loss(last);
            let better = if gain >= 0.0 { "better" } else { "worse" };
            let share = if first == 0.0 { f64::NAN } else { 100.0 * gain.abs() / first.abs() };
            let share =
                if share.is_finite() && share < 1000.0 { format!(" ({share:.2} %)") } else { String::new() };
            format!(
                "Of {tried} {} kept; on validation the objective went from {} to {}, {} {better}{share}.",
                if kept == 1 { "one was".into() } else { format!("{} were", count(kept)) },
                number(first),
                number(last),
                number(gain.abs())
            )
        }
        _ => format!("Of {tried} {} kept.", count(kept)),
    }
}

fn state(data: &Data) -> String {
    let s = &data.state;
    let when = s.ended.map_or(String::new(), |at| format!(" on {}", date(at)));
    match (&s.reason, s.is_final) {
        (Some(reason), true) => format!("The study has ended{when}: {reason}."),
        (Some(reason), false) => format!("The study stopped{when} and can be resumed: {reason}."),
        (None, _) if s.events == 0 => "Nothing has been stored.".into(),
        (None, _) => format!(
            "The study has not stopped: it is running, or it was killed and can be resumed. Its last event, number {}, was \
             stored{when}.",
            count(s.last)
        ),
    }
}

fn certain(data: &Data) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(result) = &data.result {
        let then = data.incumbents.last().is_some_and(|last| last.version != result.version.0);
        let what = |splits: &Option<Splits>, name: &str| {
            let c = splits.as_ref()?.test;
            (c.low > 0.0).then(|| {
                format!(
                    "{name} is better than the baseline by {} on the test split, which was opened once, at the end, on {} \
                     with fresh seeds.",
                    compared(&c, result.level),
                    of(result.pairs.into(), "pair")
                )
            })
        };
        let name = if then { "What had been kept when the test split was opened" } else { "What was kept" };
        said.extend(what(&result.kept, name));
        said.extend(what(&result.stack, "The bolder stack as a whole"));
    }
    let shown: Vec<&Trial> = data.kept().filter(|trial| is_shown(trial)).collect();
    let kept = data.kept().count();
    if !shown.is_empty() {
        let which = if shown.len() == kept {
            if kept == 1 { "The kept edit has".into() } else { format!("All {kept} kept edits have") }
        } else {
            format!("{} of {kept} kept edits {}", shown.len(), if shown.len() == 1 { "has" } else { "have" })
        };
        said.push(format!(
            "{which} an interval above zero on fresh runs, none of which helped to choose the edit. These intervals are for \
             one edit at a time.",
        ));
    }
    if let Some(holdout) = data.holdout.as_ref().filter(|holdout| holdout.asked > 0) {
        said.push(format!(
            "The holdout, which never steered the search, was asked {} and said yes to {}; {} left.",
            of(holdout.asked, "question"),
            count(holdout.yes),
            match holdout.left() {
                1 => "1 question is".into(),
                left => format!("{} questions are", count(left)),
            }
        ));
    }
    if let Some(noise) = &data.noise {
        said.push(format!(
            "Two runs that differ in nothing but the seed differ by {} on average: one run scatters by {} (95 % interval {} to \
             {}, {}).",
            number(noise.sd * std::f64::consts::FRAC_2_SQRT_PI),
            number(noise.sd),
            number(noise.low),
            number(noise.high),
            of(noise.df, "degree of freedom").replace("degree of freedoms", "degrees of freedom")
        ));
    }
    said
}

fn uncertain(data: &Data) -> Vec<String> {
    let mut said = Vec::new();
    let unshown: Vec<&Trial> = data.kept().filter(|trial| !is_shown(trial)).collect();
    let selected = unshown.iter().filter(|trial| trial.effect.is_some_and(|e| !e.fresh)).count() as u64;
    let rest = unshown.len() as u64 - selected;
    if selected > 0 {
        said.push(format!(
            "{}: the effect is measured by the runs that chose the edit, and so is overstated, and may be luck alone.",
            of(selected, "kept edit")
        ));
    }
    if rest > 0 {
        said.push(format!(
            "{}: no interval of its own that excludes zero. It was kept for other reasons, which stand beside it, or its \
             effect was not measured alone.",
            of(rest, "kept edit")
        ));
    }
    if data.kept().count() > 1 {
        said.push(
            "Effects of kept edits do not add up: each was measured beside what had been kept by then."
                .into(),
        );
    }
    if let Some(result) = &data.result {
        for (name, splits) in [("What was kept", &result.kept), ("The bolder stack", &result.stack)] {
            if let Some(c) = splits.as_ref().map(|s| s.test).filter(|c| c.low.is_nan() || c.low <= 0.0) {
                said.push(format!(
                    "{name} is not shown to be better on the test split: {}.",
                    compared(&c, result.level)
                ));
            }
        }
    } else if data.study.is_some() {
        let why = match data.study.as_ref().is_some_and(|s| s.test_split) {
            true => "The test split has not been opened",
            false => "There is no test split",
        };
        said.push(format!(
            "{why}: how much of the gain is fitted to the validation split, nothing here can tell."
        ));
    }
    if data.study.is_some() && data.holdout.is_none() {
        said.push(
            "There is no holdout: validation alone decided, and it was looked at once for every run.".into(),
        );
    }
    let open = data.funnel.open;
    if open > 0 {
        said.push(format!(
            "{} not been settled.",
            match open {
                1 => "1 proposal has".into(),
                n => format!("{} proposals have", count(n)),
            }
        ));
    }
    if data.incumbents.last().is_some_and(|last| matches!(last.basis, Basis::Selected | Basis::Claimed)) {
        said.push("The incumbent of now has no fresh run of its own: its objective is that of the runs that chose it, or what \
                   was claimed for its last edit.".into());
    }
    if data.noise.is_none() && data.cost.runs > 0 {
        said.push("Run noise is unknown: no incumbent ran twice.".into());
    }
    if let Some([low, high]) =
        data.noise.as_ref().and_then(|n| n.drift_interval).filter(|d| d[0] > 0.0 || d[1] < 0.0)
    {
        said.push(format!(
            "Runs of one and the same incumbent drift by {} to {} in a hundred runs (95 % interval): something besides the \
             edits changes.",
            signed(low),
            signed(high)
        ));
    }
    if data.state.unreadable_count > 0 {
        said.push(format!(
            "{} of the store cannot be understood or are missing; what is said here leaves them out.",
            of(data.state.unreadable_count, "event")
        ));
    }
    said
}

fn cost(data: &Data) -> Vec<String> {
    let c = &data.cost;
    let mut said = vec![format!(
        "{} in {} ({} of runs together).",
        of(c.runs, "run"),
        duration(c.elapsed),
        duration(c.compute)
    )];
    if c.failed + c.lost + c.interrupted > 0 {
        said.push(format!(
            "{} failed by the candidate's fault; {} lost to the infrastructure and repeated; {} interrupted.",
            count(c.failed),
            count(c.lost),
            count(c.interrupted)
        ));
    }
    if c.money > 0.0 {
        said.push(format!("{} charged.", money(c.money)));
    }
    let kept = data.kept().count() as u64;
    if kept > 0 && c.runs > 0 {
        said.push(format!("{} for each kept edit.", of((c.runs as f64 / kept as f64).round() as u64, "run")));
    }
    said
}

/// What a kept edit's evidence comes to, in a few words.
pub(crate) fn evidence(trial: &Trial) -> String {
    let mut said = Vec::new();
    if let Some(effect) = &trial.effect {
        said.push(of(effect.runs.into(), if effect.fresh { "fresh run" } else { "run" }));
        said.extend((!effect.fresh).then(|| "which chose it".to_string()));
    }
    if let Some(strength) = trial.strength.filter(|s| s.log_e.is_finite() && s.level > 0.0) {
        let e = strength.log_e.min(700.0).exp();
        said.push(format!("e-value {} (needed {})", number(e), number(1.0 / strength.level)));
    }
    if let Some(passed) = trial.held_out {
        said.push(if passed { "holdout agrees".into() } else { "holdout does not agree".into() });
    }
    said.join(", ")
}

/// An effect as it stands in a table.
pub(crate) fn effect(trial: &Trial) -> String {
    trial.effect.as_ref().map_or_else(|| "not measured".into(), interval)
}
