//! Contracts, state machine, statistics, acceptance, stores and testkit of autoresearch.

pub mod stats;

mod accept;
mod arm;
mod cancel;
mod candidate;
mod compose;
mod evaluate;
mod execute;
mod failure;
mod fidelity;
mod holdout;
mod limits;
mod measure;
mod propose;
mod space;
mod state;
mod store;

pub use accept::{
    Acceptor, AcceptorFn, Claim, Cohort, Decision, Evidence, Greedy, Guarantee, Guarded, HoldoutStatus,
    Noise, Plan, Role, RunRecord, Seeds, Sequential, Step, Strength, Verdict, acceptor_fn,
};
pub use arm::{Arm, Part, ProposalId, QuestionId, RunId, Version};
pub use async_trait::async_trait;
pub use cancel::{CancelOnDrop, Cancellation};
pub use candidate::Candidate;
pub use compose::{Compose, Conflict, FieldMerge, Unit};
pub use evaluate::{EvalContext, Evaluator, EvaluatorFn, evaluator_fn};
pub use execute::{Executor, ExecutorFn, RunContext, RunProgress, executor_fn};
pub use failure::{FailureKind, Fault, RunFailure};
pub use fidelity::Fidelity;
pub use holdout::{Answer, Basis, Comparison, FinalResult, HeldOut, Holdout, TestSplit};
pub use limits::{Limits, StopReason};
pub use measure::{Direction, Measurement, MeasurementError, PerUnit};
pub use propose::{
    Effect, Fate, History, Hypothesis, LocalSearch, Proposal, ProposeContext, ProposeError, Proposed,
    Proposer, ProposerFn, RandomSearch, TrialRecord, proposer_fn,
};
pub use space::{Condition, Param, ParamKind, ParamSet, ParamSpace, ParamValue, SpaceError};
pub use state::{
    Action, Event, HoldoutQuery, Outcome, PlannedRun, RunSpec, Settings, Split, StateError, StudyState,
};
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
#[cfg(feature = "testkit")]
pub use store::store_conformance;
pub use store::{MemoryStore, Seq, Store, StoreError};
