//! What can be wrong with the facts that the state machine is given.

use crate::arm::{ProposalId, QuestionId, RunId};

/// A fact that does not fit the study. The state is unchanged after each of these.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// An outcome for a run that is not under way: never handed out, already finished, or set back by a stop.
    #[error("run {0} is not under way: hand in each outcome once, for a run that `next_action` gave out")]
    UnknownRun(RunId),
    /// Proposals that nobody asked for.
    #[error("no proposals were asked for: wait for `Action::Propose`")]
    NotAsked,
    /// An answer to a question that was not asked.
    #[error("question {} was not asked, or is answered already", .0.0)]
    UnknownQuestion(QuestionId),
    /// Too few or too many held-out measurements.
    #[error(
        "the question is about {expected} runs and {got} measurements came back; give one for each, in order"
    )]
    WrongCount {
        /// Runs in the question.
        expected: usize,
        /// Measurements given.
        got: usize,
    },
    /// Held-out measurements that cannot be compared.
    #[error("the held-out split cannot be compared: {0}")]
    HeldOut(String),
    /// The evaluator states another direction than the study.
    #[error(
        "the evaluator's objective is to be {stated}, and the study is set to {study}; call `.maximize()` on the study or mend the evaluator"
    )]
    Direction {
        /// What the measurement says.
        stated: &'static str,
        /// What the study was told.
        study: &'static str,
    },
    /// A charge that is no amount of money.
    #[error("{amount} was charged for {what}: give an amount of 0 or more, in the currency of the limit")]
    Charge {
        /// What was charged.
        amount: f64,
        /// For what.
        what: String,
    },
    /// The study has no backlog.
    #[error("the study has no backlog; call `.curate(…)` on it")]
    NoBacklog,
    /// An idea of the backlog that cannot be moved like this.
    #[error("idea {}: {why}", idea.0)]
    Idea {
        /// Which.
        idea: ProposalId,
        /// Why not.
        why: String,
    },
    /// A setting that cannot work.
    #[error("{0}")]
    Settings(String),
    /// A stored history that does not begin with its opening.
    #[error(
        "the stored history does not begin with an `opened` event; it is not a study, or its beginning is lost"
    )]
    NotAStudy,
    /// A stored history of another study.
    #[error(
        "the store holds another study: its {what} is {stored}, here it is {given}; open the file that belongs to this study, or a new one"
    )]
    OtherStudy {
        /// What differs.
        what: &'static str,
        /// As stored.
        stored: String,
        /// As given now.
        given: String,
    },
    /// Replaying the stored facts led to another conclusion than the stored one.
    #[error(
        "replaying the stored facts leads elsewhere than they did: stored {stored}, now {derived}; was it written by another version of the acceptor or of this library?"
    )]
    Diverged {
        /// The stored conclusion.
        stored: String,
        /// The conclusion drawn now.
        derived: String,
    },
}
