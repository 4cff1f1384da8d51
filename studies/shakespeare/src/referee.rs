//! What is true of what a search kept: fresh seeds, the test split, and each key left out.

use crate::data::{Data, Run};
use crate::estimate::Estimate;
use crate::keys;
use crate::plan::{TOTAL, left_out, left_out_on};
use crate::policy::Policy;
use crate::recipes::Start;
use crate::search::{Ended, STUDY};
use crate::task::Size;
use autoresearch_tch::GptRecipe;
use serde::{Deserialize, Serialize};

/// A search before the referee. Gains are in bits per byte, positive for better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) start: Start,
    pub(crate) repetition: u32,
    pub(crate) policy: Policy,
    pub(crate) runs: u64,
    pub(crate) failed_runs: u64,
    pub(crate) proposals: u64,
    pub(crate) kept_edits: usize,
    /// Keys that differ from the baseline in what was kept, and in the bolder stack.
    pub(crate) keys: usize,
    pub(crate) stack_keys: usize,
    pub(crate) claimed: f64,
    pub(crate) validation: Option<Estimate>,
    pub(crate) holdout: Option<Estimate>,
    pub(crate) test: Option<Estimate>,
    pub(crate) stack_test: Option<Estimate>,
    /// What each kept key is worth with everything else in place, on the test split.
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) compute_seconds: f64,
    pub(crate) elapsed: f64,
}

/// A key set back to the baseline's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    pub(crate) key: String,
    pub(crate) change: String,
    /// How much worse it is without, over validation, holdout and test together.
    pub(crate) worth: Estimate,
    pub(crate) test: f64,
}

impl Judged {
    /// Keys whose worth is not above 0; and those of which the whole interval is below 0.
    pub(crate) fn not_positive(&self) -> usize {
        self.left_out.iter().filter(|key| key.worth.mean <= 0.0).count()
    }

    pub(crate) fn harmful(&self) -> usize {
        self.left_out.iter().filter(|key| key.worth.high < 0.0).count()
    }
}

pub(crate) fn judge(ended: &Ended, data: &Data) -> Judged {
    let (baseline, kept) = (&ended.baseline, &ended.kept_recipe);
    let gain = |recipe, of: fn(&Run) -> f64| {
        let pairs = data.pairs(baseline, recipe, TOTAL, Size::Small);
        Estimate::of(pairs.iter().map(|(a, b)| of(a) - of(b)))
    };
    // Documents of three splits tell more of a small worth than those of one.
    let all = |run: &Run| (run.validation + run.holdout + run.test) / 3.0;
    let worth = |(key, without): (String, GptRecipe)| {
        let pairs = data.pairs(&without, kept, left_out_on(ended), Size::Small);
        let test = Estimate::of(pairs.iter().map(|(a, b)| a.test - b.test))?;
        let worth = Estimate::of(pairs.iter().map(|(a, b)| all(a) - all(b)))?;
        let change = keys::change(&key, baseline, kept);
        Some(LeftOut { key, change, worth, test: test.mean })
    };
    let search = ended.search;
    Judged {
        start: search.start,
        repetition: search.repetition,
        policy: search.policy,
        runs: ended.runs,
        failed_runs: ended.failed_runs,
        proposals: ended.proposals,
        kept_edits: ended.kept,
        keys: keys::differing(kept, baseline).len(),
        stack_keys: keys::differing(&ended.stack, baseline).len(),
        claimed: ended.claimed,
        validation: gain(kept, |run| run.validation),
        holdout: gain(kept, |run| run.holdout),
        test: gain(kept, |run| run.test),
        stack_test: gain(&ended.stack, |run| run.test),
        left_out: left_out(ended).into_iter().filter_map(worth).collect(),
        compute_seconds: ended.compute_seconds,
        elapsed: ended.elapsed,
    }
}

/// A policy over its repetitions from one start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Compared {
    pub(crate) start: Start,
    pub(crate) policy: Policy,
    pub(crate) repetitions: usize,
    pub(crate) claimed: f64,
    /// Over repetitions, of the means over seeds.
    pub(crate) test: Option<Estimate>,
    pub(crate) stack_test: Option<Estimate>,
    pub(crate) keys: f64,
    /// Of all kept keys of all repetitions.
    pub(crate) judged_keys: usize,
    pub(crate) not_positive: usize,
    pub(crate) harmful: usize,
    pub(crate) runs: f64,
    pub(crate) compute_seconds: f64,
}

pub(crate) fn compare(judged: &[Judged]) -> Vec<Compared> {
    let cells = Start::ALL.into_iter().flat_map(|start| Policy::ALL.map(|policy| (start, policy)));
    let of = |(start, policy)| {
        let is_own = |j: &&Judged| j.start == start && j.policy == policy && j.repetition != STUDY;
        let own: Vec<&Judged> = judged.iter().filter(is_own).collect();
        let mean = |of: fn(&Judged) -> f64| own.iter().map(|j| of(j)).sum::<f64>() / own.len() as f64;
        (!own.is_empty()).then(|| Compared {
            start,
            policy,
            repetitions: own.len(),
            claimed: mean(|j| j.claimed),
            test: Estimate::of(own.iter().filter_map(|j| Some(j.test?.mean))),
            stack_test: Estimate::of(own.iter().filter_map(|j| Some(j.stack_test?.mean))),
            keys: mean(|j| j.keys as f64),
            judged_keys: own.iter().map(|j| j.left_out.len()).sum(),
            not_positive: own.iter().map(|j| j.not_positive()).sum(),
            harmful: own.iter().map(|j| j.harmful()).sum(),
            runs: mean(|j| j.runs as f64),
            compute_seconds: mean(|j| j.compute_seconds),
        })
    };
    cells.filter_map(of).collect()
}
