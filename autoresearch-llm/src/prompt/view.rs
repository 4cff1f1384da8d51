//! What templates are handed.

use serde::Serialize;

/// What a template of the user's message can speak of, each by its name here.
///
/// All texts that come from runs and from models are in quotes, or in lines that begin with a bar, already.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Brief {
    /// The user's own text about goals, constraints and hints.
    pub program: String,
    /// "low" or "high".
    pub direction: &'static str,
    /// The baseline's objective.
    pub baseline: Option<f64>,
    /// The incumbent's objective.
    pub incumbent: Option<f64>,
    /// Runs that may still be started.
    pub runs_left: Option<u64>,
    /// What the limit on money leaves.
    pub money_left: Option<f64>,
    /// How many proposals are wanted.
    pub wanted: usize,
    /// Unproven proposals that what is to be changed holds already.
    pub on: Vec<String>,
    /// How the incumbent differs from the baseline.
    pub since_baseline: String,
    /// What may be changed and how, in the codec's words.
    pub space: String,
    /// The answer is to be plain text, with one change.
    pub plain: bool,
    /// What the proposal is to be about, where the model could not get away from what was tried.
    pub focus: String,
    /// The answer's JSON schema, where the model's API is not told it.
    pub schema: String,
    /// How many were judged, and what came of them.
    pub counts: Counts,
    /// What is being judged.
    pub pending: Vec<Told>,
    /// What was kept, newest first.
    pub kept: Vec<Told>,
    /// What was not shown to be better, and may be: the upper end of the effect's interval is well above zero.
    pub near: Vec<Told>,
    /// What did not run.
    pub failed: Vec<Told>,
    /// Everything else, newest first.
    pub recent: Vec<Told>,
    /// How many were judged that are not in these lists.
    pub not_shown: u64,
    /// What worked, by tag, those tried most first.
    pub tags: Vec<TagTold>,
    /// What else was learned, as a list's entries: how right the model's expectations were, near misses that are due for a
    /// second look, changes that helped at first and not later.
    pub learned: Vec<String>,
}

/// How many proposals came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// All that were judged.
    pub settled: u64,
    /// Kept, and still so.
    pub kept: u64,
    /// Did not run.
    pub failed: u64,
}

/// An earlier proposal, as it is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Told {
    /// Its name, such as `p12`; empty while it is being judged.
    pub id: String,
    /// Its title, in quotes.
    pub title: String,
    /// What it changed, quoted; it may have several lines.
    pub change: String,
    /// What became of it.
    pub fate: String,
    /// The measured improvement with its interval.
    pub effect: String,
    /// Why, where that says more: of a failure its message, in quotes.
    pub reason: String,
    /// All of this, as a list's entry.
    pub line: String,
}

/// What worked, by tag.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TagTold {
    /// The tag.
    pub tag: String,
    /// Proposals with it that were judged.
    pub tried: u64,
    /// Of these, kept.
    pub kept: u64,
    /// Of these, failed to run.
    pub failed: u64,
    /// The mean of the measured improvements.
    pub mean: Option<f64>,
    /// All of this, as a list's entry.
    pub line: String,
}
