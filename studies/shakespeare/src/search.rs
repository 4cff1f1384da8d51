//! One search: a policy from a starting point, repetition by repetition with another seed.

use crate::policy::Policy;
use crate::recipes::{Start, space};
use crate::task::Task;
use anyhow::{Context, Result};
use autoresearch_core::{
    Cancellation, Evolution, Limits, LocalSearch, ProposerExt, Report, SqliteStore, StopReason, Study, Tpe,
};
use autoresearch_tch::GptRecipe;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The study itself: the recommended policy alone, from the plain start, for more runs than any of the searches that are
/// compared.
pub(crate) const STUDY: u32 = 0;

/// Which search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Search {
    /// Counted from 1; [`STUDY`] is none of the repetitions that are compared.
    pub repetition: u32,
    pub start: Start,
    pub policy: Policy,
}

/// What a search ended with, as its own numbers say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub search: Search,
    /// The most runs that it was granted.
    pub granted: u64,
    pub runs: u64,
    pub failed_runs: u64,
    pub proposals: u64,
    /// Edits that were kept, and those that are in the bolder stack besides.
    pub kept: usize,
    pub undecided: usize,
    /// The improvement over the baseline that it claims, in bits per byte on validation; with the interval, where the
    /// policy measured it on fresh runs of both.
    pub claimed: f64,
    pub claimed_interval: Option<(f64, f64)>,
    pub baseline: GptRecipe,
    /// What the study stands behind: everything kept where the policy promises nothing.
    pub kept_recipe: GptRecipe,
    /// That, and what is neither certified nor found harmful.
    pub stack: GptRecipe,
    pub compute_seconds: f64,
    pub elapsed: f64,
}

impl Search {
    /// All searches in the order in which they are made: the study, then whole repetitions, so that an early end leaves
    /// some.
    pub(crate) fn all(repetitions: u32) -> Vec<Self> {
        let study = Self { repetition: STUDY, start: Start::Plain, policy: Policy::Scout };
        let one = |(repetition, start)| Policy::ALL.map(|policy| Self { repetition, start, policy });
        let starts = |repetition| Start::ALL.map(|start| (repetition, start));
        std::iter::once(study).chain((1..=repetitions).flat_map(starts).flat_map(one)).collect()
    }

    pub(crate) fn name(self) -> String {
        match self.repetition {
            STUDY => format!("{}-study-{}", self.start.name(), self.policy.name()),
            number => format!("{}-{number}-{}", self.start.name(), self.policy.name()),
        }
    }

    /// The same for all policies: a stream of proposals differs where the history does.
    fn seed(self) -> u64 {
        1_000 * u64::from(self.repetition) + self.start as u64
    }

    pub(crate) fn folder(self, root: &Path) -> PathBuf {
        root.join("search").join(self.name())
    }

    /// What it ended with, if it did within so many runs.
    pub(crate) fn ended(self, root: &Path, runs: u64) -> Option<Ended> {
        let text = std::fs::read_to_string(self.folder(root).join("ended.json")).ok()?;
        serde_json::from_str(&text).ok().filter(|ended: &Ended| ended.granted == runs)
    }

    /// Makes the search, or goes on with it. `None` where it was told to stop.
    ///
    /// # Errors
    /// The store cannot be opened, or the study fails.
    pub(crate) async fn make(
        self,
        task: &Task,
        root: &Path,
        runs: u64,
        stop: &Cancellation,
    ) -> Result<Option<Ended>> {
        let folder = self.folder(root);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let proposer = LocalSearch::over(space())
            .portfolio("local")
            .with("tpe", Tpe::over(space()))
            .with("evolution", Evolution::over(space()));
        let mut study = Study::new(self.start.recipe(), proposer, task.trainer(), task.validation())
            .acceptor(self.policy.acceptor())
            .limits(Limits::new().runs(runs))
            .seed(self.seed())
            .store(SqliteStore::open(folder.join("study.db"))?)
            .cancelled_by(stop);
        if self.policy.has_holdout() {
            study = study.holdout(task.holdout());
        }
        let report = study.run().await?;
        if report.stopped == StopReason::Cancelled {
            return Ok(None);
        }
        let ended = Ended::of(self, runs, &report);
        std::fs::write(folder.join("ended.json"), serde_json::to_string_pretty(&ended)?)?;
        Ok(Some(ended))
    }
}

impl Ended {
    fn of(search: Search, granted: u64, report: &Report<GptRecipe>) -> Self {
        let sum = || report.kept.iter().filter_map(|edit| Some(edit.effect?.mean)).sum();
        Self {
            search,
            granted,
            runs: report.runs,
            failed_runs: report.failed_runs,
            proposals: report.proposals,
            kept: report.kept.len(),
            undecided: report.undecided.len(),
            claimed: report.gain.map_or_else(sum, |gain| gain.mean),
            claimed_interval: report
                .gain
                .map(|gain| (gain.low.unwrap_or(gain.mean), gain.high.unwrap_or(gain.mean))),
            baseline: search.start.recipe(),
            kept_recipe: if search.policy.has_holdout() { report.certified() } else { report.stack() }
                .clone(),
            stack: report.stack().clone(),
            compute_seconds: report.compute_seconds,
            elapsed: report.elapsed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_search_that_was_stopped_goes_on_to_the_same_end() {
        let (task, folder) = (Task::tiny(), tempfile::tempdir().expect("a folder"));
        let search = Search { repetition: 1, start: Start::Plain, policy: Policy::Greedy };
        let runs = 14;
        let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
        let one =
            search.make(&task, &whole, runs, &Cancellation::new()).await.expect("a search").expect("its end");
        let mut stops = 0;
        let other = loop {
            let stop = Cancellation::new();
            let in_a_moment = stop.clone();
            tokio::spawn(async move {
                // Longer each time, so that some run is at its end on the slowest machine as well.
                tokio::time::sleep(Duration::from_millis(400) * (stops + 1)).await;
                in_a_moment.cancel();
            });
            match search.make(&task, &parts, runs, &stop).await.expect("a part") {
                Some(ended) => break ended,
                None => stops += 1,
            }
            assert!(stops < 60, "it gets nowhere");
        };
        let decided = |ended: &Ended| (ended.runs, ended.kept, ended.kept_recipe.clone(), ended.claimed);
        assert_eq!(decided(&one), decided(&other));
        assert_eq!(search.ended(&parts, runs), Some(other));
        assert_eq!(search.ended(&parts, runs + 1), None, "more runs were granted since");
    }

    #[test]
    fn whole_repetitions_come_first() {
        let all = Search::all(2);
        assert_eq!(all.len(), 21);
        assert_eq!(all[0].name(), "plain-study-scout");
        assert!(all[1..11].iter().all(|search| search.repetition == 1));
        let names: std::collections::BTreeSet<String> = all.iter().map(|search| search.name()).collect();
        assert_eq!(names.len(), 21);
    }
}
