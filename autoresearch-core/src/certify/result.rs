//! What may be claimed, as data.

use super::lineage::{Claimed, Lineage, Stage};
use super::outcome::{Outcome, Pairs, UnitOutcome};
use super::panel::effect;
use super::rules::CertifyRules;
use super::speed::{Curves, TimeToBaseline};
use crate::arm::ProposalId;
use crate::candidate::Candidate;
use crate::fidelity::Fidelity;
use crate::holdout::compare;
use crate::limits::StopReason;
use crate::propose::Effect;
use crate::stats::kendall_tau;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

const LEVEL: f64 = 0.95;

/// What certification says of a part of the kept stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Shown to help beside the rest: leaving it out loses. It stands, and may be claimed on its own.
    Earns,
    /// It looks as if it helped, and that could be luck; or its runs give no estimate of its effect. It was taken out of what
    /// stands.
    NotShown,
    /// Nothing speaks for it: leaving it out seems to lose nothing, or to gain. It was taken out of what stands.
    Dropped,
    /// It cannot be left out, because what stands cannot be built, or does not run, without it. It stands, and nothing is
    /// claimed for it alone.
    Inseparable,
    /// It was not left out: nobody asked for that, or the certification is not finished.
    Untested,
}

impl Verdict {
    /// Whether it is part of what certification leaves standing.
    pub fn stands(self) -> bool {
        matches!(self, Self::Earns | Self::Inseparable | Self::Untested)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Earns => "earns its place",
            Self::NotShown => "not shown",
            Self::Dropped => "dropped",
            Self::Inseparable => "inseparable",
            Self::Untested => "not left out",
        })
    }
}

/// A part of the kept stack: an edit, or several that can only be switched together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CertifiedPart {
    /// The kept proposals that it is made of, oldest first.
    pub edits: Vec<ProposalId>,
    /// What it changes.
    pub title: String,
    /// The effects recorded when its edits were kept, summed. `None` unless every edit has one that is of this part alone: the
    /// effect of an edit that changed several parts cannot be divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<f64>,
    /// What is lost by leaving it out, with a 95 % t interval, from runs that had no part in keeping it. `None`: it was
    /// not left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The standard error of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// One-sided p-value of "it helps", for this part alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// What that comes to.
    pub verdict: Verdict,
    /// What is lost by leaving it out of the kept stack at the other fidelity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Effect>,
}

/// A stack against the origin on equal fresh seeds, in the objective's units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Total {
    /// Pairs of runs that gave a number.
    pub pairs: u32,
    /// Mean objective of the origin.
    pub origin: f64,
    /// Mean objective of the stack.
    pub now: f64,
    /// The improvement, positive for better, with a 95 % paired t interval over seeds.
    pub gain: Effect,
    /// How much sooner the stack gets to where the origin ends, where the evaluator gives training curves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeToBaseline>,
}

/// What the parts are worth at another fidelity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transfer {
    /// The other fidelity.
    pub fidelity: Fidelity,
    /// What stands against the origin there; `None`: nothing stands, or too few runs gave a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Total>,
    /// Kendall's tau-b between the parts' effects here and there; `None` with fewer than two parts, or where all effects
    /// are equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tau: Option<f64>,
    /// Its one-sided p-value of "what gains here gains there"; 1 where nothing can be said.
    pub p: f64,
    /// Whether that is exact; else the normal approximation.
    pub exact: bool,
    /// How many parts it is over.
    pub parts: usize,
}

/// Runs that were planned, without those repeated after the infrastructure failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CertifyCost {
    /// For the totals.
    pub totals: u64,
    /// For leaving parts out.
    pub parts: u64,
    /// At the other fidelity.
    pub transfer: u64,
}

/// What may be claimed of a study's result; see [`certify`](crate::certify()).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Certified<C> {
    /// The study's identifier.
    pub study: String,
    /// The policy that kept it.
    pub policy: String,
    /// Which evaluator measured: `holdout`, or `validation` where the study has no holdout.
    pub split: String,
    /// The parts of the kept stack, those with the oldest edit first.
    pub parts: Vec<CertifiedPart>,
    /// Everything that was kept against the origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Total>,
    /// What is left standing against the origin. This is the claim. Where something was taken out, or a single part was left
    /// out, it is measured on fresh runs that had no say in that. Else these are the runs of [`kept`](Self::kept), which
    /// entered the parts' verdicts too: they have chosen nothing but to take nothing out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Total>,
    /// The effects recorded when edits were kept, summed over the edits that have one.
    pub claimed: f64,
    /// Kept edits without a recorded effect, which are missing in that sum.
    #[serde(default)]
    pub unclaimed: usize,
    /// Whether all of these came from runs that did not select the edit.
    pub claimed_fresh: bool,
    /// The gain of everything that was kept over [`claimed`](Self::claimed). Below .7 the winner's curse, or edits that do
    /// the same thing twice. `None` where either is unknown, a kept edit has no recorded effect, or nothing was claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// At another fidelity, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// The share of useless parts among those that earn their place that is allowed in expectation; `None`: none was left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// What it cost.
    pub cost: CertifyCost,
    /// Why it ended.
    pub stopped: StopReason,
    /// Whether it came to its end; else it can be resumed from its store, and says nothing yet of what is missing.
    pub complete: bool,
    /// What the study started from.
    pub origin: C,
    /// The origin with every part that stands.
    pub certified: C,
    /// That, and the parts that were not shown to help: nothing is claimed for it.
    pub bolder: C,
}

/// What a result is put together from.
pub(super) struct Sources<'a, C> {
    pub(super) lineage: &'a Lineage<C>,
    pub(super) rules: &'a CertifyRules,
    pub(super) outcome: &'a Outcome,
    pub(super) split: &'a str,
    pub(super) stopped: StopReason,
    pub(super) certified: C,
    pub(super) bolder: C,
}

impl<C: Candidate> Certified<C> {
    pub(super) fn of(sources: Sources<'_, C>) -> Self {
        let Sources { lineage, rules, outcome, split, stopped, certified, bolder } = sources;
        let total = |pairs: &Pairs| total(pairs, lineage, &outcome.curves);
        let claimed = lineage.claims.iter().map(|claim| claim.mean).sum::<f64>();
        let kept = outcome.kept.as_ref().and_then(total);
        let unclaimed = lineage.unclaimed;
        let known = |r: &f64| r.is_finite() && claimed > 0.0 && unclaimed == 0;
        let ratio = kept.map(|kept| kept.gain.mean / claimed).filter(known);
        let mut parts: Vec<CertifiedPart> = outcome.units.iter().map(|unit| part(unit, lineage)).collect();
        parts.sort_by(|a, b| a.edits.cmp(&b.edits));
        let transfer = rules.transfer.filter(|_| outcome.transfer.is_some());
        Self {
            study: lineage.study.clone(),
            policy: lineage.policy.clone(),
            split: split.into(),
            parts,
            kept,
            claim: outcome.standing.as_ref().and_then(|(pairs, _)| total(pairs)),
            claimed,
            unclaimed,
            claimed_fresh: lineage.claims.iter().all(|claim| claim.fresh),
            ratio,
            transfer: transfer.map(|fidelity| transferred(fidelity, outcome, lineage)),
            rate: rules.leave_one_out.then_some(rules.rate),
            cost: CertifyCost { totals: outcome.runs[0], parts: outcome.runs[1], transfer: outcome.runs[2] },
            stopped,
            complete: outcome.complete,
            origin: (*lineage.origin).clone(),
            certified,
            bolder,
        }
    }
}

impl<C> Certified<C> {
    /// The parts with this verdict, oldest first.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &CertifiedPart> {
        self.parts.iter().filter(move |part| part.verdict == verdict)
    }
}

/// In the objective's units; scores are losses turned round.
fn total<C>(pairs: &Pairs, lineage: &Lineage<C>, curves: &Curves) -> Option<Total> {
    let losses = |runs| Pairs::scores(runs).into_iter().map(|score| -score).collect::<Vec<f64>>();
    let (origin, now) = (losses(&pairs.origin), losses(&pairs.now));
    let c = compare(&origin, &now, lineage.direction, LEVEL).ok().filter(|c| c.gain.is_finite())?;
    let gain = Effect::new(c.gain, (c.low, c.high), LEVEL, now.len() as u32, true);
    let time = TimeToBaseline::of(pairs, curves);
    Some(Total { pairs: now.len() as u32, origin: c.baseline, now: c.incumbent, gain, time })
}

fn part<C>(unit: &UnitOutcome, lineage: &Lineage<C>) -> CertifiedPart {
    let stages: Vec<&Stage<C>> = unit.stages.iter().filter_map(|&stage| lineage.stages.get(stage)).collect();
    let mut edits: Vec<ProposalId> = stages.iter().flat_map(|stage| stage.edits.iter().copied()).collect();
    edits.sort();
    edits.dedup();
    let titles: Vec<&str> = stages.iter().map(|stage| stage.title.as_str()).collect();
    let claims = stages.iter().flat_map(|stage| &stage.claimed);
    // What is claimed for a unit counts once, and for no part that has but some of its edits.
    let whole = |claim: &&Claimed| claim.edits.iter().all(|edit| edits.contains(edit));
    let once = claims.map(|claim| claim.as_ref().filter(whole).map(|c| (c.edits.first(), c.effect.mean)));
    let claimed = once.collect::<Option<BTreeMap<_, _>>>().map(|once| once.values().sum());
    let finite = |x: f64| x.is_finite().then_some(x);
    CertifiedPart {
        edits,
        title: titles.join(" + "),
        claimed,
        effect: unit.estimate.as_ref().map(effect),
        standard_error: unit.estimate.and_then(|e| finite(e.standard_error)),
        p: unit.estimate.map(|e| e.p),
        verdict: unit.verdict,
        elsewhere: unit.elsewhere.as_ref().map(effect),
    }
}

/// The parts' effects here (as left out; where they were not, as claimed) against those there.
fn transferred<C>(fidelity: Fidelity, outcome: &Outcome, lineage: &Lineage<C>) -> Transfer {
    let here = |unit: &UnitOutcome| unit.estimate.map(|e| e.effect).or(part(unit, lineage).claimed);
    let both = |unit: &UnitOutcome| here(unit).zip(unit.elsewhere.map(|e| e.effect));
    let (x, y): (Vec<f64>, Vec<f64>) = outcome.units.iter().filter_map(both).unzip();
    let tau = kendall_tau(&x, &y).ok();
    Transfer {
        fidelity,
        total: outcome.transfer.as_ref().and_then(|pairs| total(pairs, lineage, &outcome.curves)),
        tau: tau.map(|tau| tau.tau).filter(|tau| tau.is_finite()),
        p: tau.map_or(1.0, |tau| tau.p_positive),
        exact: tau.is_some_and(|tau| tau.exact),
        parts: x.len(),
    }
}
