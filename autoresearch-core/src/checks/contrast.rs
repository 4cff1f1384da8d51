//! A gain as a weighted sum of runs, on validation and on the holdout.

use crate::accept::Role;
use crate::arm::{ProposalId, RunId};
use crate::holdout::{HeldOut, Shares, weighted_documents};
use crate::measure::Direction;
use crate::state::HoldoutQuery;
use std::collections::BTreeMap;

/// What the runs of a question say on one split: `Σ w·loss`, as a whole and document by document.
#[derive(Clone, Default)]
pub(super) struct OneSplit {
    pub(super) gain: f64,
    /// Empty where measurements have no per-unit values.
    documents: Vec<f64>,
    weights: Vec<f64>,
}

impl OneSplit {
    fn of(weights: &[f64], held: &[HeldOut], direction: Direction) -> Option<Self> {
        let gain = weights.iter().zip(held).map(|(w, h)| w * h.loss(direction)).sum();
        let (documents, of_documents) = weighted_documents(held, weights, direction).ok()?;
        Some(Self { gain, documents, weights: of_documents })
    }

    /// The variance of the gain that comes from the split being finite, by the scatter of its documents; run × document
    /// noise is in it. `None` without documents.
    pub(super) fn variance(&self) -> Option<f64> {
        let shares = Shares::new(&self.weights);
        Some(shares.factor()? * shares.scatter(&self.documents))
    }

    /// Both gains one after the other. On other documents nothing can be said of the documents any more.
    fn and(&self, next: &Self) -> Self {
        let gain = self.gain + next.gain;
        if self.weights != next.weights {
            return Self { gain, ..Self::default() };
        }
        let sum = self.documents.iter().zip(&next.documents).map(|(a, b)| a + b);
        Self { gain, documents: sum.collect(), weights: self.weights.clone() }
    }
}

/// A gain on both splits, from the same runs, so that what they have in common cancels in the difference.
#[derive(Clone)]
pub(super) struct Contrast {
    pub(super) validation: OneSplit,
    pub(super) holdout: OneSplit,
    /// How many edits make the gain.
    pub(super) edits: f64,
    /// How many of them a single question switched: a stack may be any choice of so many proposals.
    pub(super) stacked: f64,
    /// `Σ w²`.
    pub(super) squares: f64,
    /// Scatter of `carry·validation − holdout` within arms, and its degrees of freedom.
    pub(super) ss: f64,
    pub(super) df: f64,
}

impl Contrast {
    /// What a question's runs say; `None` where validation is not known any more, or nothing was switched.
    pub(super) fn of(
        query: &HoldoutQuery<impl Sized>,
        validation: &BTreeMap<RunId, HeldOut>,
        held: &[HeldOut],
        direction: Direction,
        carry: f64,
    ) -> Option<Self> {
        let known = query.runs.iter().map(|run| validation.get(&run.id).cloned());
        let known: Vec<HeldOut> = known.collect::<Option<_>>()?;
        if known.len() != held.len() || query.runs.iter().any(|run| run.role == Role::Final) {
            return None;
        }
        let (weights, edits) = match query.proposal {
            Some(proposal) => (of_pair(query, proposal)?, 1.0),
            None => of_design(query)?,
        };
        let rest: Vec<f64> =
            known.iter().zip(held).map(|(v, h)| carry * v.loss(direction) - h.loss(direction)).collect();
        let (ss, df) = match query.proposal {
            Some(_) => within_arms(query, &rest),
            None => about_line(&weights, &rest),
        };
        Some(Self {
            validation: OneSplit::of(&weights, &known, direction)?,
            holdout: OneSplit::of(&weights, held, direction)?,
            edits,
            stacked: edits,
            squares: weights.iter().map(|w| w * w).sum(),
            ss,
            df,
        })
    }

    /// This gain and then that of `next`.
    pub(super) fn and(&self, next: &Self) -> Self {
        Self {
            validation: self.validation.and(&next.validation),
            holdout: self.holdout.and(&next.holdout),
            edits: self.edits + next.edits,
            stacked: self.stacked.max(next.stacked),
            squares: self.squares + next.squares,
            ss: self.ss + next.ss,
            df: self.df + next.df,
        }
    }
}

/// The incumbent's mean less the candidate's: the candidate's arms have the proposal switched on.
fn of_pair<C>(query: &HoldoutQuery<C>, proposal: ProposalId) -> Option<Vec<f64>> {
    let is_on: Vec<bool> = query.runs.iter().map(|run| run.arm.proposals().any(|p| p == proposal)).collect();
    let on = is_on.iter().filter(|on| **on).count();
    let off = is_on.len() - on;
    let weight = |on_it: &bool| if *on_it { -1.0 / on as f64 } else { 1.0 / off as f64 };
    (on > 0 && off > 0).then(|| is_on.iter().map(weight).collect())
}

/// Designed runs: the slope of the loss on how many parts are switched on, which in an orthogonal design is the mean of
/// the parts' coefficients, times the number of parts.
fn of_design<C>(query: &HoldoutQuery<C>) -> Option<(Vec<f64>, f64)> {
    let on: Vec<f64> = query.runs.iter().map(|run| run.arm.parts().len() as f64).collect();
    let mut parts: Vec<_> = query.runs.iter().flat_map(|run| run.arm.parts()).collect();
    parts.sort_unstable();
    parts.dedup();
    let mean = crate::stats::mean(&on);
    let scatter: f64 = on.iter().map(|x| (x - mean).powi(2)).sum();
    let edits = parts.len() as f64;
    (scatter > 0.0).then(|| (on.iter().map(|x| -edits * (x - mean) / scatter).collect(), edits))
}

fn within_arms<C>(query: &HoldoutQuery<C>, values: &[f64]) -> (f64, f64) {
    let mut arms: BTreeMap<_, crate::stats::Moments> = BTreeMap::new();
    for (run, value) in query.runs.iter().zip(values) {
        arms.entry((run.version, &run.arm)).or_default().push(*value);
    }
    let df: u64 = arms.values().map(|m| m.n() - 1).sum();
    (arms.values().map(|m| m.sum_of_squares()).sum(), df as f64)
}

/// What is left about the line that the weights are the slope of.
fn about_line(weights: &[f64], values: &[f64]) -> (f64, f64) {
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    let slope = weights.iter().zip(values).map(|(w, y)| w * y).sum::<f64>();
    let about: f64 = crate::stats::Moments::of(values).sum_of_squares();
    ((about - slope * slope / squares).max(0.0), (values.len() as f64 - 2.0).max(0.0))
}
