//! What a study ends with.

use super::tally::Tally;
use crate::accept::Guarantee;
use crate::arm::{ProposalId, Version};
use crate::candidate::Candidate;
use crate::checks::CheckReport;
use crate::curate::Lessons;
use crate::holdout::{Comparison, FinalResult, HoldoutLedger};
use crate::limits::StopReason;
use crate::meter::Charge;
use crate::propose::{Effect, Fate, History};
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
    /// The edits that were judged as one with it, itself among them: the effect is that of all of them. Empty where it was
    /// judged by itself.
    pub together: Vec<ProposalId>,
    /// Its measured improvement, from the runs that tested it.
    pub effect: Option<Effect>,
    /// The evidence in a sentence.
    pub reason: String,
}

/// What a study ends with: what was kept, each effect with its interval, what it cost, why it stopped.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report<C: Candidate> {
    /// What was kept, oldest first.
    pub kept: Vec<KeptEdit>,
    /// What is in the bolder stack besides: neither certified nor found harmful.
    pub undecided: Vec<KeptEdit>,
    /// How much better everything that was kept is than the baseline, on fresh validation runs of both; `None` where
    /// the policy did not measure it.
    pub gain: Option<Effect>,
    /// Why the study stopped.
    pub stopped: StopReason,
    /// What the policy promises about what it kept.
    pub guarantee: Guarantee,
    /// How much runs on equal seeds were found to correlate, where the policy pairs them.
    pub seed_correlation: Option<f64>,
    /// Baseline against incumbent on fresh seeds, where a test split was opened. It is opened once: where limits were
    /// raised afterwards, [`FinalResult::version`] may be that of an earlier incumbent.
    pub result: Option<FinalResult>,
    /// Finished runs, final ones included.
    pub runs: u64,
    /// Runs that failed by the candidate's fault.
    pub failed_runs: u64,
    /// Runs lost to the infrastructure and repeated.
    pub lost_runs: u64,
    /// Seconds of all runs together.
    pub compute_seconds: f64,
    /// What was charged for, in the currency of [`Limits::money`](crate::Limits::money).
    pub money: f64,
    /// The same by what it was paid for, with what was used: calls and tokens of a language model, say.
    pub charges: Vec<Charge>,
    /// Lines that a proposer left in the history, such as why an answer of a model was not used.
    pub remarks: u64,
    /// Seconds that the study took, resumptions included.
    pub elapsed: f64,
    /// Proposals made.
    pub proposals: u64,
    /// Questions that the holdout answered, and how many with yes.
    pub holdout: (u64, u64),
    /// What the holdout was asked and what it answered, shard by shard.
    pub holdout_ledger: HoldoutLedger,
    /// How often the incumbent has changed.
    pub version: Version,
    checks: Option<CheckReport>,
    history: History<C>,
    fates: Vec<(String, u64)>,
    open: usize,
    test_wanted: bool,
    baseline: C,
    incumbent: C,
    stack: C,
}

impl<C: Candidate> Report<C> {
    pub(super) fn of(
        state: &StudyState<C>,
        tally: &Tally,
        checks: Option<CheckReport>,
        stopped: StopReason,
        elapsed: f64,
    ) -> Self {
        let kept = |record: &crate::TrialRecord<C>| KeptEdit {
            id: record.id,
            title: match (&record.proposal.hypothesis.title, record.keys.as_slice()) {
                (title, []) => title.clone(),
                // Its effect is against the incumbent's values, not against those that the proposal started from.
                (title, keys) => format!("{}: as in \"{title}\"", keys.join(", ")),
            },
            together: record.together.clone(),
            effect: record.effect,
            reason: record.reason.clone(),
        };
        let holdout_ledger = state.holdout_ledger();
        let asked = holdout_ledger.total();
        Self {
            kept: state.history().iter().filter(|r| r.fate == Fate::Kept).map(kept).collect(),
            undecided: state.history().iter().filter(|r| r.fate == Fate::Undecided).map(kept).collect(),
            gain: state.gain(),
            stopped,
            guarantee: state.guarantee(),
            seed_correlation: state.seed_correlation(),
            result: state.final_result().copied(),
            runs: tally.runs,
            failed_runs: tally.failed,
            lost_runs: tally.lost,
            compute_seconds: tally.compute_seconds,
            money: tally.money,
            charges: tally.charges.values().cloned().collect(),
            remarks: tally.remarks,
            elapsed,
            proposals: tally.proposals,
            holdout: (asked.answered, asked.yes),
            holdout_ledger,
            version: state.version(),
            open: state.view().pending.len(),
            test_wanted: state.settings().test.is_some(),
            checks,
            history: state.history().clone(),
            fates: tally.fates.iter().map(|(fate, n)| (fate.to_string(), *n)).collect(),
            baseline: state.baseline().clone(),
            incumbent: state.incumbent().clone(),
            stack: state.stack().clone(),
        }
    }

    /// The baseline with every edit that stands on its own under the policy's guarantee. A policy that promises
    /// nothing certifies nothing: then this is the baseline itself, and [`stack`](Self::stack) has what was kept.
    pub fn certified(&self) -> &C {
        if self.guarantee == Guarantee::None { &self.baseline } else { &self.incumbent }
    }

    /// The bolder result: what was kept, and what is neither certified nor found harmful. Only its total is claimed.
    pub fn stack(&self) -> &C {
        &self.stack
    }

    /// What the overfitting checks found; `None` where they were off. The gap's numbers are in it where the study came to
    /// its end; of one that was cancelled or failed, and is to go on, they stay sealed. An end at a limit is an end: who
    /// raises the limit after having seen them should give the study a fresh holdout or shard.
    pub fn checks(&self) -> Option<&CheckReport> {
        self.checks.as_ref()
    }

    /// Every settled proposal, oldest first: its candidate, what that was made on, and what became of it.
    pub fn history(&self) -> &History<C> {
        &self.history
    }

    /// What was learned: by source and by tag, how right predictions were, what to look at again.
    pub fn lessons(&self) -> Lessons {
        Lessons::of(&self.history)
    }

    /// The baseline with all that was kept, whatever the policy promises.
    pub(crate) fn incumbent(&self) -> &C {
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
        write!(f, ", {} proposals, {minutes:.1} min ({compute:.1} min of runs)", self.proposals)?;
        if self.money > 0.0 {
            write!(f, ", {:.2} charged", self.money)?;
        }
        writeln!(f, ".")?;
        for Charge { amount, what, used } in self.charges.iter().filter(|charge| !charge.used.is_empty()) {
            let used: Vec<String> = used.iter().map(|(unit, count)| format!("{count} {unit}")).collect();
            write!(f, "Used of {what}: {}", used.join(", "))?;
            if *amount > 0.0 {
                write!(f, "; {amount:.4} charged")?;
            }
            writeln!(f, ".")?;
        }
        if self.remarks > 0 {
            writeln!(f, "The proposer left {} remarks in the history.", self.remarks)?;
        }
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
        let asked = self.holdout_ledger.total();
        if asked.asked + asked.refused > 0 {
            writeln!(f, "The holdout was {}.", self.holdout_ledger)?;
        }
        Ok(())
    }
}

fn table(f: &mut fmt::Formatter<'_>, edits: &[KeptEdit]) -> fmt::Result {
    let width = edits.iter().map(|k| k.title.chars().count()).max().unwrap_or(0).clamp(5, 60);
    writeln!(f, "  {:>5}  {:<width$}  gain [95 % interval]          runs", "id", "edit")?;
    for edit in edits {
        let effect = edit.effect.map_or_else(|| "not measured".into(), |e| e.to_string());
        let runs = edit.effect.map_or(0, |e| e.runs);
        let others: Vec<String> =
            edit.together.iter().filter(|id| **id != edit.id).map(ToString::to_string).collect();
        let unit =
            if others.is_empty() { String::new() } else { format!(", as one with {}", others.join(", ")) };
        writeln!(f, "  {:>5}  {:<width$}  {effect:<28}  {runs}{unit}", edit.id.to_string(), edit.title)?;
    }
    Ok(())
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, c: &Comparison) -> fmt::Result {
    let Comparison { baseline, incumbent, gain, low, high } = c;
    writeln!(f, "  {name:<18} {baseline:>9.4}  {incumbent:>9.4}   {gain:+.4} [{low:+.4}, {high:+.4}]")
}

impl<C: Candidate> fmt::Display for Report<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Stopped: {}.", self.stopped)?;
        self.cost(f)?;
        if self.kept.is_empty() {
            writeln!(f, "Nothing was kept: the baseline stands.")?;
        } else {
            writeln!(f, "Kept {} ({}):", self.kept.len(), self.guarantee)?;
            table(f, &self.kept)?;
        }
        if !self.undecided.is_empty() {
            writeln!(
                f,
                "The bolder stack has {} more, neither certified nor found harmful; only its total is claimed:",
                self.undecided.len()
            )?;
            table(f, &self.undecided)?;
        }
        if let Some(gain) = &self.gain {
            writeln!(f, "All that was kept, on {} fresh runs: {gain}.", gain.runs)?;
        }
        if let Some(r) = &self.result {
            if r.version != self.version {
                let (then, now) = (r.version.0, self.version.0);
                writeln!(
                    f,
                    "The test split was opened at version {then} and is not opened twice: what follows is of that \
                     version, not of version {now}, which is the incumbent."
                )?;
            }
            let (pairs, level) = (r.pairs, r.level * 100.0);
            writeln!(
                f,
                "Against the baseline, {pairs} fresh seeds each ({level:.0} % intervals over seeds):"
            )?;
            let what = if r.version == self.version { "now" } else { "then" };
            writeln!(f, "  {:<18} {:>9}  {:>9}   gain", "", "baseline", what)?;
            for (what, splits) in [("kept", &r.kept), ("stack", &r.stack)] {
                let Some(splits) = splits else { continue };
                row(f, &format!("{what}: validation"), &splits.validation)?;
                if let Some(holdout) = &splits.holdout {
                    row(f, &format!("{what}: holdout"), holdout)?;
                }
                row(f, &format!("{what}: test"), &splits.test)?;
            }
        } else if self.test_wanted && self.stopped.is_final() {
            writeln!(
                f,
                "Fewer than two pairs of final runs gave a number, so the test split stayed closed."
            )?;
        }
        for concern in self.checks.iter().flat_map(CheckReport::concerns) {
            writeln!(f, "Concern: {concern}.")?;
        }
        Ok(())
    }
}
