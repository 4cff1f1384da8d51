//! A study in plain words: what is certain, what is not, and what it cost.

pub(crate) mod pace;
mod retested;
mod uncertain;

use crate::data::{self, Basis, Data, Incumbent, Trial};
use crate::text::{self, count, date, duration, estimate, money, number, of};
use autoresearch_core::{Certified, CheckReport, Comparison, Effect, Guarantee, Splits};
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
        Self::with(data, None, &data.checks, None)
    }

    /// The same with what certification and the overfitting checks found, and when the store was read, in milliseconds since
    /// 1970.
    pub(crate) fn with(
        data: &Data,
        certified: Option<&Certified<Value>>,
        checks: &CheckReport,
        read: Option<i64>,
    ) -> Self {
        let mut this = Self {
            headline: headline(data),
            state: state(data, read),
            certain: certain(data),
            uncertain: uncertain::uncertain(data),
            cost: cost(data),
        };
        if let Some(certified) = certified {
            retested::add(certified, &mut this);
        }
        let concerns = checks.concerns();
        this.uncertain.splice(0..0, concerns.iter().map(|concern| format!("Concern: {concern}.")));
        this
    }
}

fn headline(data: &Data) -> String {
    match data.damage() {
        Some(damage) => format!("{damage} Of what was read: {}", found(data)),
        None => found(data),
    }
}

fn found(data: &Data) -> String {
    if data.study.is_none() && data.proposals.is_empty() {
        return "There is nothing in this store yet.".into();
    }
    let kept = data.kept().count() as u64;
    let tried = of(data.proposals.len() as u64, "proposal");
    let first = data.incumbents.first().and_then(|baseline| baseline.objective);
    let last = data.incumbents.iter().rev().find_map(|i| Some((i, i.objective?)));
    let said = match (kept, first, last) {
        (0, Some(first), _) => format!(
            "Of {tried} none was kept{}; the baseline stands at {}.",
            if data.stack().is_some() { " so far" } else { "" },
            number(first)
        ),
        (0, ..) => format!("Of {tried} none was kept so far."),
        (_, Some(first), Some(last)) => {
            let gain = data.direction().loss(first) - data.direction().loss(last.1);
            let better = if gain >= 0.0 { "better" } else { "worse" };
            let share = if first == 0.0 { f64::NAN } else { 100.0 * gain.abs() / first.abs() };
            let share = (share.is_finite() && share < 1000.0).then(|| format!("{share:.2} %"));
            let baseline = data.incumbents.first().filter(|_| gain >= 0.0);
            let interval = baseline.and_then(|b| data::gain(b, last.0, data.direction().loss(1.0) > 0.0));
            let interval = interval.map(|(low, high)| match text::estimate(gain, Some((low, high))).1 {
                Some((low, high)) => format!("95 % interval {low} to {high}"),
                None => String::new(),
            });
            let more: Vec<String> = share.into_iter().chain(interval).collect();
            let share = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
            format!(
                "Of {tried} {} kept; on validation the objective went from {} to {}, {} {better}{share}, {}.",
                if kept == 1 { "one was".into() } else { format!("{} were", count(kept)) },
                number(first),
                number(last.1),
                number(gain.abs()),
                rests(last.0)
            )
        }
        _ => format!("Of {tried} {} kept.", count(kept)),
    };
    said + &stacked(data)
}

/// What is built upon without being proved.
fn stacked(data: &Data) -> String {
    let Some(stack) = data.stack() else { return String::new() };
    let edits = of(stack.members.len() as u64, "edit");
    match stack.objective {
        Some(objective) => format!(
            " An unproven stack of {edits} stands at {}, by the very {} that chose it; it is still to be tested.",
            number(objective),
            if stack.runs == 1 { "run".into() } else { of(stack.runs, "run") }
        ),
        None => match data.measured_stack() {
            Some((before, ago)) => format!(
                " An unproven stack of {edits} is still to be tested; before its last {}, with {}, it stood at {}, by the very \
                 {} that chose it.",
                if ago == 1 { "change".into() } else { of(ago, "change") },
                of(before.members.len() as u64, "edit"),
                number(before.objective.unwrap_or(f64::NAN)),
                if before.runs == 1 { "run".into() } else { of(before.runs, "run") }
            ),
            None => format!(" An unproven stack of {edits} is still to be tested; it never ran as it is."),
        },
    }
}

/// What an incumbent's objective rests on, in a few words.
fn rests(incumbent: &Incumbent) -> String {
    match (incumbent.basis, incumbent.low.zip(incumbent.high)) {
        (Basis::Fresh, Some((low, high))) => {
            let (runs, low, high) = (of(incumbent.runs, "run"), number(low), number(high));
            format!("by {runs} since it was kept (95 % interval {low} to {high})")
        }
        (Basis::Fresh, None) => format!("by {} without an interval", of(incumbent.runs, "run")),
        (Basis::Decided, _) => "by the runs that decided it".into(),
        (Basis::Selected, _) => "by the very runs that chose it".into(),
        (Basis::Claimed | Basis::Unknown, _) => "as its last edit claims, with no run of its own".into(),
    }
}

fn state(data: &Data, read: Option<i64>) -> String {
    let s = &data.state;
    let when = s.ended.map_or(String::new(), |at| format!(" on {}", date(at)));
    match (&s.reason, s.is_final) {
        (Some(reason), true) => format!("The study has ended{when}: {reason}."),
        (Some(reason), false) => format!("The study stopped{when} and can be resumed: {reason}."),
        (None, _) if s.events == 0 => "Nothing has been stored.".into(),
        (None, _) if s.broken.is_some() => format!(
            "The store is damaged: whether the study goes on, and what came after event {}{when}, it does not tell. A copy \
             that is whole may.",
            count(s.last)
        ),
        (None, _) => format!(
            "The study has not stopped: it is running, or it was killed and can be resumed. Its last event, number {}, was \
             stored{when}.{}{}",
            count(s.last),
            pace::age(data, read),
            pace::pace(data)
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
    said.extend(promised(data));
    let shown: Vec<&Trial> = data.kept().filter(|trial| is_shown(trial)).collect();
    let kept = data.kept().count();
    if !shown.is_empty() {
        let which = if shown.len() == kept {
            if kept == 1 { "The kept edit has".into() } else { format!("All {kept} kept edits have") }
        } else {
            format!("{} of {kept} kept edits {}", shown.len(), if shown.len() == 1 { "has" } else { "have" })
        };
        said.push(format!(
            "{which} an interval above zero on fresh runs, which decided it but did not propose it; of tests that could stop \
             early, the means of those that did are a little too large. These intervals are for one edit at a time.",
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
    said.extend(scatter(data));
    said
}

/// The rate of errors that the policy keeps to.
fn promised(data: &Data) -> Option<String> {
    let rate = |alpha: f64| text::figure((1e10 * alpha).round() / 1e8);
    match data.study.as_ref()?.guarantee? {
        Guarantee::FalseDiscoveryRate(alpha) => Some(format!(
            "The policy holds the false discovery rate: of what it keeps at most {} % is without merit, in expectation, as \
             far as its assumptions about the noise of runs hold.",
            rate(alpha)
        )),
        Guarantee::PerProposal(alpha) => Some(format!(
            "The policy keeps each proposal without merit with a probability of at most {} %, as far as its assumptions \
             about the noise of runs hold; of many proposals, some such are kept.",
            rate(alpha)
        )),
        _ => None,
    }
}

/// Run noise: of the incumbent of now where it has runs enough or versions differ, else of all of them together.
fn scatter(data: &Data) -> Option<String> {
    let noise = data.noise.as_ref()?;
    let now = data.incumbents.last().and_then(|now| noise.of(now.version));
    let (whose, sd, low, high, df) = match now.filter(|now| noise.differs() || now.df >= ENOUGH) {
        Some(now) => ("the incumbent of now", now.sd, now.low, now.high, now.df),
        None if noise.differs() => return None,
        None if noise.versions.len() > 1 => {
            ("all incumbents together", noise.sd, noise.low, noise.high, noise.df)
        }
        None => ("one incumbent", noise.sd, noise.low, noise.high, noise.df),
    };
    Some(format!(
        "Two runs that differ in nothing but the seed differ by {} on average: one run scatters by {} (95 % interval {} to {}, \
         if Gaussian; {} of {whose}).",
        number(sd * std::f64::consts::FRAC_2_SQRT_PI),
        number(sd),
        number(low),
        number(high),
        of(df, "degree of freedom").replace("degree of freedoms", "degrees of freedom")
    ))
}

/// With so many degrees of freedom a standard deviation is known to about a third.
const ENOUGH: u64 = 5;

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
            "{} failed by the candidate's fault; {} lost to the infrastructure and repeated; {} interrupted.{}",
            count(c.failed),
            count(c.lost),
            count(c.interrupted),
            match data.failures.first() {
                Some(most) => format!(" Most often ({}): {}.", count(most.count), most.what.trim_end_matches('.')),
                None => String::new(),
            }
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
        // Beyond a thousand its size is what counts, not its figures.
        let e = if e < 1000.0 { number(e) } else { format!("{e:.0e}") };
        said.push(format!("e-value {e} (needed {})", number(1.0 / strength.level)));
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
