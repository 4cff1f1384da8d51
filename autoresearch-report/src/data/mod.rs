//! Everything that a report shows, as plain data: a pure function of a store's events.
//!
//! It is counted from the events alone, not from a replay: a store whose policy or candidate this program does not know
//! is shown like any other, and so is one that was cut off in the middle.

mod cohort;
mod cost;
mod difference;
mod evidence;
mod failure;
mod fold;
mod funnel;
mod holdout;
mod incumbent;
mod learned;
mod noise;
mod predicted;
mod promise;
mod run;
mod stack;
mod together;
mod trial;

pub use cohort::{Cohort, Member};
pub use cost::{Cost, Share};
pub use difference::Change;
pub use evidence::{Evidence, EvidencePoint};
pub use failure::Failure;
pub use fold::Fold;
pub use funnel::{Funnel, Reason, Stage};
pub use holdout::HoldoutUse;
pub use incumbent::{Basis, Incumbent};
pub use noise::{Noise, OfVersion, Residual};
pub use predicted::{Predicted, Prediction};
pub use run::Run;
pub use stack::{Stack, StackPart};
pub use together::{Together, TogetherPoint};
pub use trial::Trial;

pub(crate) use cost::role_name;
pub(crate) use funnel::word;
pub(crate) use incumbent::gain;

use crate::text;
use autoresearch_core::{CheckReport, Direction, Fate, FinalResult, Guarantee, Lessons};
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
    /// The unproven stacks that new proposals were made on, in order; an empty one where it was given up. Only policies that
    /// explore before they prove have any ([`Scout`](autoresearch_core::Scout)).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<Stack>,
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
    /// The same of what was judged together with others, on runs of several at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub together: Vec<Together>,
    /// How far runs of one and the same incumbent scatter; `None`: no incumbent ran twice.
    pub noise: Option<Noise>,
    /// Effects as they were expected and as they were measured; `None`: nobody expected anything that was measured.
    pub predicted: Option<Predicted>,
    /// What was learned by source and by tag, near misses, and effects that changed their sign.
    #[serde(skip_serializing_if = "Lessons::is_empty")]
    pub learned: Lessons,
    /// How runs failed, the most frequent first, at most 30; numbers in messages are left out so that equal ones are counted
    /// together.
    pub failures: Vec<Failure>,
    /// The last lines that a proposer left in the history, newest first, at most 20.
    pub remarks: Vec<String>,
    /// What the overfitting checks find in the stored events; of the gap between validation and holdout there is nothing, as
    /// no held-out number is stored. In the JSON it is beside these fields, as `checks`.
    #[serde(skip)]
    pub checks: CheckReport,
}

/// What a study is.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct About {
    /// Its identifier.
    pub id: String,
    /// The acceptor's name and settings.
    pub policy: String,
    /// What that promises of what it keeps; `None`: it is not a policy of the library, and the store does not say.
    pub guarantee: Option<Guarantee>,
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
    /// Why the store could not be read to its end, where it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
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

impl Data {
    /// The proposals that are part of the incumbent, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &Trial> {
        self.proposals.iter().filter(|trial| trial.fate == Some(Fate::Kept))
    }

    /// That the store is damaged or has events that cannot be understood, in a sentence; `None`: all of it was read.
    pub fn damage(&self) -> Option<String> {
        let State { broken, last, unreadable_count, .. } = &self.state;
        let said = match (broken, unreadable_count) {
            (None, 0) => return None,
            (Some(why), _) => format!("this store could only be read to event {}: {why}", text::count(*last)),
            (None, n) => {
                format!("{} of this store cannot be understood or are missing", text::of(*n, "event"))
            }
        };
        Some(format!("Incomplete: {}.", said.trim_end_matches('.')))
    }

    /// Proposals that the holdout said yes to, and that were settled without becoming part of an incumbent.
    pub fn passed_over(&self) -> impl Iterator<Item = &Trial> {
        self.proposals.iter().filter(|trial| {
            let settled = trial.fate.is_some_and(|fate| !matches!(fate, Fate::Kept | Fate::Revoked));
            trial.held_out == Some(true) && settled
        })
    }

    /// The unproven stack that is built upon now; `None`: there is none, or all of it was judged.
    pub fn stack(&self) -> Option<&Stack> {
        let version = self.incumbents.last().map_or(0, |incumbent| incumbent.version);
        stack::standing(&self.stacks, &self.proposals, version)
    }

    /// The last state of that stack which ran as it was, and how many changes ago that is.
    pub(crate) fn measured_stack(&self) -> Option<(Stack, u64)> {
        self.stack().and_then(|now| stack::measured(&self.stacks, now))
    }

    /// Which way is better; lower, where that is not known.
    pub fn direction(&self) -> Direction {
        self.study.as_ref().map_or(Direction::Minimize, |study| study.direction)
    }
}
