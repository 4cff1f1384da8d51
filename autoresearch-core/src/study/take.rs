//! What the driver does with whatever ended.

use super::StudyError;
use super::driver::{Driver, Happening};
use super::tasks::{Done, Thought, panic_message};
use crate::candidate::Candidate;
use crate::failure::{Fault, RunFailure};
use crate::holdout::HeldOut;
use crate::limits::StopReason;
use crate::observe::Notice;
use crate::propose::{ProposeError, Proposed};
use crate::state::Split;
use tokio::task::Id;

/// How often in a row a proposer, or the measuring of a held-out split, may fail.
const PATIENCE: u32 = 5;

impl<C: Candidate, A: Send + Sync + 'static> Driver<C, A> {
    pub(super) async fn take(&mut self, happening: Happening<C, A>) -> Result<(), StudyError> {
        match happening {
            Happening::Run(Ok((task, done))) => {
                self.under_way.remove(&task);
                self.take_run(done)?;
            }
            Happening::Run(Err(error)) => {
                if let Some(run) = self.under_way.remove(&error.id()) {
                    let failure = RunFailure::candidate(format!("the run {}", panic_message(error)));
                    self.take_run(Done { run, seconds: 0.0, result: Err(failure), holdout: None })?;
                }
            }
            Happening::Thought(Ok(Thought { proposer, answer })) => {
                self.proposer = Some(proposer);
                // The search may have ended while it was thinking.
                if self.state.is_asking() {
                    self.take_thought(answer)?;
                }
            }
            Happening::Thought(Err(error)) => {
                self.state.stop(StopReason::ProposerFailed(format!("it {}", panic_message(error))));
                self.persist().await?;
                self.end_tasks().await;
            }
            Happening::Heard(Ok((task, held))) => self.take_hearing(task, held)?,
            Happening::Heard(Err(error)) => {
                let task = error.id();
                let failure = RunFailure::candidate(format!("the evaluation {}", panic_message(error)));
                self.take_hearing(task, Err(failure))?;
            }
            Happening::Progress(run, progress) => self.notify(&Notice::RunProgress { run, progress }),
            Happening::Stop(reason) => {
                let elapsed = self.elapsed();
                self.state.stop_after(reason, elapsed);
                self.persist().await?; // whoever stops it may not leave it the grace
                self.end_tasks().await;
            }
        }
        Ok(())
    }

    fn take_run(&mut self, done: Done<A>) -> Result<(), StudyError> {
        let elapsed = self.elapsed();
        let Done { run, seconds, result, holdout } = done;
        match result {
            Ok((output, measurement)) => {
                self.state.finished_after(run, Ok(measurement), seconds, elapsed)?;
                self.outputs.insert(run, output);
                if let Some(failure) = holdout.filter(|failure| failure.fault() != Fault::Cancelled) {
                    let why = format!("on the output of run {}: {failure}", run.0);
                    self.state.stop(StopReason::HeldOutFailed(why));
                }
            }
            Err(mut failure) => {
                if failure.fault() == Fault::Cancelled && !self.run_cancel.is_cancelled() {
                    // Else it would be run again at once, for ever.
                    failure =
                        RunFailure::infrastructure("it says that it was cancelled, and nobody cancelled it");
                }
                if failure.fault() != Fault::Cancelled {
                    tracing::warn!(run = run.0, %failure, "a run failed");
                }
                self.state.finished_after(run, Err(failure), seconds, elapsed)?;
                self.clear(run);
                self.rehearsed = false; // perhaps it was the run whose output was to be tried on the holdout
            }
        }
        Ok(())
    }

    /// What says that it was cancelled though nobody cancelled it would be tried again at once, for ever: it counts as
    /// lost to the infrastructure.
    fn unasked(&self, failure: RunFailure) -> RunFailure {
        if failure.fault() == Fault::Cancelled && !self.run_cancel.is_cancelled() {
            return RunFailure::infrastructure("it says that it was cancelled, and nobody cancelled it");
        }
        failure
    }

    fn take_thought(&mut self, answer: Result<Proposed<C>, ProposeError>) -> Result<(), StudyError> {
        match answer {
            Ok(answer) => {
                let waits = match &answer {
                    Proposed::Wait => true,
                    Proposed::Proposals(list) => list.is_empty(),
                    Proposed::Exhausted => false,
                };
                self.proposer_failures = 0;
                self.proposer_waits = if waits { self.proposer_waits + 1 } else { 0 };
                self.state.proposed(answer)?;
            }
            Err(error) => {
                self.proposer_failures += 1;
                tracing::warn!(%error, in_a_row = self.proposer_failures, "the proposer failed");
                if self.proposer_failures >= PATIENCE {
                    self.state.stop(StopReason::ProposerFailed(error.to_string()));
                } else {
                    self.state.proposed(Proposed::Wait)?;
                }
            }
        }
        Ok(())
    }

    fn take_hearing(&mut self, task: Id, held: Result<Vec<HeldOut>, RunFailure>) -> Result<(), StudyError> {
        let Some(query) = self.heard.remove(&task) else { return Ok(()) };
        let question = query.id;
        let failure = match held {
            Ok(held) => {
                self.hearing_failures = 0;
                let concern = self.study.checks.held_out(&query, &held);
                self.state.held_out(question, held)?;
                self.alert(concern);
                return Ok(());
            }
            Err(failure) => self.unasked(failure),
        };
        tracing::warn!(%failure, in_a_row = self.hearing_failures, "a held-out split could not be measured");
        match failure.fault() {
            // Told to stop: the question stays open, and is asked again when the study goes on.
            Fault::Cancelled => {}
            Fault::Infrastructure if self.hearing_failures < PATIENCE => {
                self.hearing_failures += 1;
                self.start_hearing(query);
            }
            // What validation measured and the holdout cannot is not confirmed.
            Fault::Candidate if query.split == Split::Holdout => {
                self.hearing_failures = 0;
                self.state.holdout_failed(question)?;
            }
            _ => self.state.stop(StopReason::HeldOutFailed(failure.to_string())),
        }
        Ok(())
    }
}
