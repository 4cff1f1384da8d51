//! Contracts, state machine, statistics, acceptance, stores and testkit of autoresearch.
//!
//! Start with [`Study`], which puts a [`Proposer`], an [`Executor`], an [`Evaluator`] and an [`Acceptor`] together and
//! runs them, or with [`StudyState`], the same as a pure state machine for your own loop. [`stats`] are the tests
//! behind the acceptors, on their own. With the feature `testkit`, the module of that name has what the tests of your own parts need.

pub mod audit;
pub mod plan;
pub mod stats;
#[cfg(feature = "testkit")]
pub mod testkit;

mod accept;
mod arm;
mod cancel;
mod candidate;
mod certify;
mod checks;
mod compose;
mod constraint;
mod curate;
mod curve;
mod evaluate;
mod execute;
mod failure;
mod fidelity;
mod holdout;
mod limits;
mod log;
mod measure;
mod meter;
mod observe;
mod propose;
mod space;
mod state;
mod store;
mod study;

pub use accept::{
    Acceptor, AcceptorFn, Claim, Cohort, Decision, EffectsClaim, EffectsGroup, EffectsTest, Evidence,
    Factorial, Fast, FixedPaired, Greedy, Guarantee, Guarded, HoldoutStatus, Margin, Noise, Plan, Role,
    RunRecord, Scout, Seeds, Sequential, Setup, Standing, Step, Strength, UnitInfo, Verdict, acceptor_fn,
};
pub use arm::{Arm, Part, ProposalId, QuestionId, RunId, Version};
pub use async_trait::async_trait;
pub use cancel::{CancelOnDrop, Cancellation};
pub use candidate::Candidate;
pub use certify::{
    Certification, Certified, CertifiedPart, Certify, CertifyCost, CertifyRules, PartVerdict, TimeToBaseline,
    Total, Transfer, certify,
};
pub use checks::{
    CheckReport, Checks, Concern, DriftCheck, EndpointCheck, GapCheck, GapNumbers, Trend, VarianceCheck,
};
pub use compose::{Change, Compose, Conflict, FieldMerge, Level, Unit};
pub use constraint::Constraint;
pub use curate::{
    Calibration, Critic, Curation, Curator, Edge, ExpectedGain, Fifo, GroupLesson, Lessons, NearMiss, Person,
    Ranking, Room, Settled, SignChange, Waiting,
};
pub use curve::{CurvePoint, TimeToLoss};
pub use evaluate::{EvalContext, Evaluator, EvaluatorFn, evaluator_fn};
pub use execute::{
    Cache, Executor, ExecutorExt, ExecutorFn, Limit, Retry, RunContext, RunProgress, Timeout, executor_fn,
};
pub use failure::{FailureKind, Fault, RunFailure};
pub use fidelity::Fidelity;
pub use holdout::{
    Answer, Basis, Comparison, FinalResult, Heard, HeardEffect, HeldOut, Holdout, HoldoutLedger, HoldoutRule,
    Ladder, Memory, OneBit, Release, Reply, ShardLedger, Splits, TestSplit, Thresholdout,
};
pub use limits::{Limits, StopReason};
pub use log::{ResultsTable, results_tsv};
pub use measure::{Direction, Measurement, MeasurementError, PerUnit};
pub use meter::{Charge, Commitment};
#[cfg(feature = "progress")]
pub use observe::Progress;
pub use observe::{Notice, Observe, Status, Unproven};
pub use propose::{
    Dedupe, Effect, Evolution, Fate, Halving, History, Hypothesis, LocalSearch, Portfolio, Proposal,
    ProposeContext, ProposeError, Proposed, Proposer, ProposerExt, ProposerFn, RandomSearch, Screens, Source,
    Take, Taken, Tpe, TrialRecord, proposer_fn,
};
pub use space::{Condition, Param, ParamKind, ParamSet, ParamSpace, ParamValue, Searchable, SpaceError};
pub use state::{
    Action, BacklogEntry, DecisionOrder, Event, HoldoutQuery, IdeaState, Move, Outcome, PlannedRun, RunSpec,
    Settings, Split, Stale, StateError, StudyState,
};
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use store::{MemoryStore, Seq, Store, StoreError};
pub use study::{BacklogHandle, KeptEdit, Report, Study, StudyError};
