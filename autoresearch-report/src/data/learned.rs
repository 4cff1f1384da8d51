//! What was learned, by source and by tag.

use super::Trial;
use autoresearch_core::{Lessons, Proposal, ProposalId, Settled, Version};

/// What the settled proposals teach, those that were settled first before the others.
pub(super) fn learned(trials: &[Trial]) -> Lessons {
    let mut settled: Vec<(&Trial, u64)> = trials.iter().filter_map(|t| Some((t, t.settled_at?))).collect();
    settled.sort_by_key(|(_, at)| *at);
    let mut lessons = Lessons::new();
    for (trial, _) in settled {
        let Some(fate) = trial.fate else { continue };
        let mut hypothesis = Proposal::new(()).title(trial.title.as_str()).hypothesis;
        hypothesis.tags.clone_from(&trial.tags);
        hypothesis.source.clone_from(&trial.source);
        (hypothesis.expected, hypothesis.spread, hypothesis.kept) =
            (trial.expected, trial.spread, trial.likely);
        let runs = u32::try_from(trial.runs).unwrap_or(u32::MAX);
        let outcome = Settled::new(ProposalId(trial.id), &hypothesis, fate, runs)
            .effect(trial.effect)
            .version(Version(trial.settled_version.unwrap_or_default()))
            .because(&trial.reason);
        lessons.settled(&outcome);
    }
    lessons
}
