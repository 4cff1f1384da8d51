//! What a study ends with.

use super::tally::Tally;
use crate::accept::Guarantee;
use crate::arm::{ProposalId, Version};
use crate::candidate::Candidate;
use crate::holdout::{Comparison, FinalResult};
use crate::limits::StopReason;
use crate::propose::{Effect, Fate};
use crate::state::StudyState;
use std::fmt;

/// An edit in the incumbent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KeptEdit {
    /// Its number.
    pub id: ProposalId,
    /// Its title.
    pub title: String,
    /// Its measured improvement, from the runs that tested it.
    pub effect: Option<Effect>,
    /// The evidence in a sentence.
    pub reason: String,
}

/// What a study ends with: what was kept, each effect with its interval, what it cost, why it stopped.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report<C> {
    /// What was kept, oldest first.
    pub kept: Vec<KeptEdit>,
    /// Why the study stopped.
    pub stopped: StopReason,
    /// What the policy promises about what it kept.
    pub guarantee: Guarantee,
    /// How much runs on equal seeds were found to correlate, where the policy pairs them.
    pub seed_correlation: Option<f64>,
    /// Baseline against incumbent on fresh seeds, where a test split was opened.
    pub result: Option<FinalResult>,
    /// Finished runs, final ones included.
    pub runs: u64,
    /// Runs that failed by the candidate's fault.
    pub failed_runs: u64,
    /// Runs lost to the infrastructure and repeated.
    pub lost_runs: u64,
    /// Seconds of all runs together.
    pub compute_seconds: f64,
    /// Seconds that the study took, resumptions included.
    pub elapsed: f64,
    /// Proposals made.
    pub proposals: u64,
    /// Questions that the holdout answered, and how many with yes.
    pub holdout: (u64, u64),
    /// How often the incumbent has changed.
    pub version: Version,
    fates: Vec<(String, u64)>,
    open: usize,
    test_wanted: bool,
    baseline: C,
    incumbent: C,
}

impl<C: Candidate> Report<C> {
    pub(super) fn of(state: &StudyState<C>, tally: &Tally, stopped: StopReason, elapsed: f64) -> Self {
        let kept = |record: &crate::TrialRecord<C>| KeptEdit {
            id: record.id,
            title: record.proposal.hypothesis.title.clone(),
            effect: record.effect,
            reason: record.reason.clone(),
        };
        Self {
            kept: state.history().iter().filter(|r| r.fate == Fate::Kept).map(kept).collect(),
            stopped,
            guarantee: state.guarantee(),
            seed_correlation: state.seed_correlation(),
            result: state.final_result().copied(),
            runs: tally.runs,
            failed_runs: tally.failed,
            lost_runs: tally.lost,
            compute_seconds: tally.compute_seconds,
            elapsed,
            proposals: tally.proposals,
            holdout: (tally.questions, tally.passed),
            version: state.version(),
            open: state.view().pending.len(),
            test_wanted: state.settings().test.is_some(),
            fates: tally.fates.iter().map(|(fate, n)| (fate.clone(), *n)).collect(),
            baseline: state.baseline().clone(),
            incumbent: state.incumbent().clone(),
        }
    }

    /// The baseline with every edit that stands on its own under the policy's guarantee. A policy that promises
    /// nothing certifies nothing: then this is the baseline itself, and [`stack`](Self::stack) has what was kept.
    pub fn certified(&self) -> &C {
        if self.guarantee == Guarantee::None { &self.baseline } else { &self.incumbent }
    }

    /// The bolder result: everything that was kept. Only its total is claimed.
    pub fn stack(&self) -> &C {
        &self.incumbent
    }

    /// What the study started from.
    pub fn baseline(&self) -> &C {
        &self.baseline
    }

    fn cost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} runs", self.runs)?;
        if self.failed_runs + self.lost_runs > 0 {
            write!(f, " ({} failed, {} more lost and repeated)", self.failed_runs, self.lost_runs)?;
        }
        let (minutes, compute) = (self.elapsed / 60.0, self.compute_seconds / 60.0);
        writeln!(f, ", {} proposals, {minutes:.1} min ({compute:.1} min of runs).", self.proposals)?;
        let mut fates: Vec<String> = self.fates.iter().map(|(fate, n)| format!("{n} {fate}")).collect();
        if self.open > 0 {
            fates.push(format!("{} not judged yet", self.open));
        }
        if !fates.is_empty() {
            writeln!(f, "Proposals: {}.", fates.join(", "))?;
        }
        if let Some(rho) = self.seed_correlation {
            writeln!(f, "Runs of two candidates on equal seeds correlated by {rho:+.2}.")?;
        }
        if self.holdout.0 > 0 {
            writeln!(
                f,
                "The holdout was asked {} times and said yes {} times.",
                self.holdout.0, self.holdout.1
            )?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, c: &Comparison) -> fmt::Result {
    let Comparison { baseline, incumbent, gain, low, high } = c;
    writeln!(f, "  {name:<11} {baseline:>9.4}  {incumbent:>9.4}   {gain:+.4} [{low:+.4}, {high:+.4}]")
}

impl<C: Candidate> fmt::Display for Report<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Stopped: {}.", self.stopped)?;
        self.cost(f)?;
        if self.kept.is_empty() {
            return writeln!(f, "Nothing was kept: the baseline stands.");
        }
        writeln!(f, "Kept {} ({}):", self.kept.len(), self.guarantee)?;
        let width = self.kept.iter().map(|k| k.title.chars().count()).max().unwrap_or(0).clamp(5, 60);
        writeln!(f, "  {:>5}  {:<width$}  gain [95 % interval]          pairs", "id", "edit")?;
        for edit in &self.kept {
            let effect = edit.effect.map_or_else(|| "not measured".into(), |e| e.to_string());
            let runs = edit.effect.map_or(0, |e| e.runs);
            writeln!(f, "  {:>5}  {:<width$}  {effect:<28}  {runs}", edit.id.to_string(), edit.title)?;
        }
        if let Some(r) = &self.result {
            let (pairs, level) = (r.pairs, r.level * 100.0);
            writeln!(
                f,
                "Baseline against kept, {pairs} fresh seeds each ({level:.0} % intervals over seeds):"
            )?;
            writeln!(f, "  {:<11} {:>9}  {:>9}   gain", "split", "baseline", "kept")?;
            row(f, "validation", &r.validation)?;
            if let Some(holdout) = &r.holdout {
                row(f, "holdout", holdout)?;
            }
            row(f, "test", &r.test)?;
        } else if self.test_wanted && self.stopped.is_final() {
            writeln!(
                f,
                "Fewer than two pairs of final runs gave a number, so the test split stayed closed."
            )?;
        }
        Ok(())
    }
}
