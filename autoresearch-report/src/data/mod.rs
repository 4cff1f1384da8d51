//! Everything that a report shows, as plain data: a pure function of a store's events.
//!
//! It is counted from the events alone, not from a replay: a store whose policy or candidate this program does not know
//! is shown like any other, and so is one that was cut off in the middle.

mod cohort;
mod difference;
mod evidence;
mod fold;
mod funnel;
mod incumbent;
mod noise;
mod predicted;

pub use cohort::{Cohort, Member};
pub use difference::Change;
pub use evidence::{Evidence, EvidencePoint};
pub use fold::Fold;
pub use funnel::{Funnel, Reason};
pub use incumbent::{Basis, Incumbent};
pub use noise::{Noise, Residual};
pub use predicted::{Predicted, Prediction};

pub(crate) use fold::role_name;
pub(crate) use funnel::word;

use autoresearch_core::{Charge, Direction, Effect, Fate, FinalResult, Release, Role, Strength};
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the JSON form: it changes when a field changes its meaning or goes, not when one is added.
pub const SCHEMA: u32 = 1;

/// Everything that a report shows.
///
/// As JSON it is meant for other tools: names are those of the fields, optional fields are left out or null, objectives
/// and effects are in the objective's own units, effects are positive for better whatever the direction, times are in
/// seconds, times of day in milliseconds since 1970 (UTC).
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Data {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of the library that made this.
    pub made_by: String,
    /// What the study is; `None`: its first event is missing or cannot be understood.
    pub study: Option<About>,
    /// How far it is.
    pub state: State,
    /// What it cost.
    pub cost: Cost,
    /// Every proposal, in the order in which they were made.
    pub proposals: Vec<Trial>,
    /// Every run that ended, in the order in which they did.
    pub runs: Vec<Run>,
    /// The largest metric `memory_gb` of the baseline's runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_memory_gb: Option<f64>,
    /// The incumbents, the baseline first.
    pub incumbents: Vec<Incumbent>,
    /// How many proposals got how far, and why others did not.
    pub funnel: Funnel,
    /// What the holdout was asked; `None`: there is none.
    pub holdout: Option<HoldoutUse>,
    /// Baseline against incumbent at the end, where a test split was opened: the same figures as the study's own report.
    pub result: Option<FinalResult>,
    /// Proposals that were judged together.
    pub cohorts: Vec<Cohort>,
    /// The evidence of proposals that were compared with the incumbent on several pairs of runs.
    pub evidence: Vec<Evidence>,
    /// How far runs of one and the same incumbent scatter; `None`: no incumbent ran twice.
    pub noise: Option<Noise>,
    /// Effects as they were expected and as they were measured; `None`: nobody expected anything that was measured.
    pub predicted: Option<Predicted>,
    /// The last lines that a proposer left in the history, newest first, at most 20.
    pub remarks: Vec<String>,
}

/// What a study is.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct About {
    /// Its identifier.
    pub id: String,
    /// The acceptor's name and settings.
    pub policy: String,
    /// What executor and evaluators said of themselves.
    pub executor: String,
    /// Which way is better.
    pub direction: Direction,
    /// Its seed.
    pub seed: u64,
    /// Runs under way at once.
    pub in_flight: u64,
    /// The limits that hold now, those that there are.
    pub limits: BTreeMap<String, f64>,
    /// Whether a test split is opened at the end.
    pub test_split: bool,
    /// The baseline as JSON, shortened to 2,000 characters.
    pub baseline: String,
}

/// How far a study is.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct State {
    /// Whether it stopped. If not it runs, or it was killed: its events do not tell which.
    pub stopped: bool,
    /// Why it stopped, in words.
    pub reason: Option<String>,
    /// Whether that is an end, so that it need not be resumed.
    pub is_final: bool,
    /// How often it was resumed.
    pub resumed: u64,
    /// Events that were read.
    pub events: u64,
    /// The number of the last one.
    pub last: u64,
    /// When the first event was stored, where the store knows.
    pub began: Option<i64>,
    /// When the last event was stored, where the store knows.
    pub ended: Option<i64>,
    /// Events that could not be understood, and gaps: what is said here leaves them out. At most 20.
    pub unreadable: Vec<Unreadable>,
    /// How many there are in all.
    pub unreadable_count: u64,
}

/// An event that could not be understood.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Unreadable {
    /// Its number.
    pub seq: u64,
    /// What is wrong with it.
    pub why: String,
}

/// What a study cost.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Cost {
    /// Runs that ended with a number or by the candidate's fault.
    pub runs: u64,
    /// Those of them that failed by the candidate's fault.
    pub failed: u64,
    /// Attempts lost to the infrastructure, and repeated.
    pub lost: u64,
    /// Runs that were told to stop.
    pub interrupted: u64,
    /// Seconds of all runs together.
    pub compute: f64,
    /// Seconds that the study had been running at its last run or stop, resumptions included.
    pub elapsed: f64,
    /// What was charged for.
    pub money: f64,
    /// The same by what it was paid for.
    pub charges: Vec<Charge>,
    /// Runs and seconds by what they were for.
    pub roles: Vec<Share>,
    /// Lines that a proposer left in the history.
    pub remarks: u64,
}

/// What one kind of runs took.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Share {
    /// What they were for.
    pub role: Role,
    /// How many, lost ones not counted.
    pub runs: u64,
    /// Seconds, lost ones included.
    pub seconds: f64,
}

/// A proposal and what became of it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// Its number.
    pub id: u64,
    /// Its title, shortened to 300 characters.
    pub title: String,
    /// Why it should help, shortened to 2,000 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rationale: String,
    /// What it changes, in its proposer's words, shortened to 8,000 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub change: String,
    /// What it changes, value by value, where candidates are made of named values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The improvement that was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
    /// Labels, at most 8.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The incumbent that it was made for.
    pub version: u32,
    /// What became of it; `None`: it is being judged, or waits.
    pub fate: Option<Fate>,
    /// The incumbent's version when it was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_version: Option<u32>,
    /// The measured improvement on validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The e-value and its level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<Strength>,
    /// Why, in a sentence, shortened to 400 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Runs that trained it, alone or with others.
    pub runs: u64,
    /// Those of them that were fresh tests.
    pub confirming: u64,
    /// Seconds that they took; a run of several proposals counts in full for each.
    pub seconds: f64,
    /// The mean objective of the runs that trained it alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
    /// What the holdout said of it, if it was asked about it alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<bool>,
    /// Runs that had ended when it was settled, or by its last run.
    pub at_run: u64,
    /// Seconds that the study had been running by then.
    pub at_time: f64,
    /// The number of the event that settled it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<u64>,
    /// The largest metric `memory_gb` of its runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<f64>,
}

/// A run that ended.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Run {
    /// Its number.
    pub id: u64,
    /// What was switched on: proposals.
    pub arm: Vec<u64>,
    /// Whether of some of them only a part was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The incumbent that it was applied to.
    pub version: u32,
    /// Its seed.
    pub seed: u64,
    /// What it was for.
    pub role: Role,
    /// Whose judgement it belongs to, where the arm does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<u64>,
    /// Its objective on validation; `None`: it failed.
    pub objective: Option<f64>,
    /// How it failed, shortened to 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Seconds that it took.
    pub seconds: f64,
    /// Seconds that the study had been running by its end.
    pub elapsed: f64,
}

/// What the holdout was asked. It answers with bits, and they are all that is here.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct HoldoutUse {
    /// Questions that a shard answers.
    pub queries: u64,
    /// Shards.
    pub shards: u64,
    /// Bits that were answered.
    pub asked: u64,
    /// Those that were a yes.
    pub yes: u64,
    /// Answers about outputs that could not be measured, which count as a no.
    pub unmeasured: u64,
    /// Questions about several proposals at once that found the budget spent.
    pub refused: u64,
    /// What noise the answers took into account, and how often.
    pub basis: BTreeMap<String, u64>,
    /// What the holdout's rule released besides its bits, by its design.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

impl HoldoutUse {
    /// Questions that are left.
    pub fn left(&self) -> u64 {
        (self.queries.saturating_mul(self.shards)).saturating_sub(self.asked)
    }
}

impl Data {
    /// The proposals that are part of the incumbent, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &Trial> {
        self.proposals.iter().filter(|trial| trial.fate == Some(Fate::Kept))
    }

    /// Which way is better; lower, where that is not known.
    pub fn direction(&self) -> Direction {
        self.study.as_ref().map_or(Direction::Minimize, |study| study.direction)
    }
}
