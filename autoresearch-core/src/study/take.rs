//! What the driver does with whatever ended.

use super::StudyError;
use super::driver::{Driver, Happening};
use super::tasks::{Done, PATIENCE, Thought, panic_message};
use crate::arm::RunId;
use crate::candidate::Candidate;
use crate::failure::{Fault, RunFailure};
use crate::holdout::HeldOut;
use crate::limits::StopReason;
use crate::observe::Notice;
use crate::propose::{ProposeError, Proposed};
use crate::state::Split;
use std::time::Duration;
use tokio::task::{Id, JoinError};
use tokio::time::Instant;

/// Seconds since it began: none, where it was still waiting for its next attempt.
fn since(start: Instant) -> f64 {
    Instant::now().saturating_duration_since(start).as_secs_f64()
}

impl<C: Candidate, A: Send + Sync + 'static> Driver<C, A> {
    pub(super) async fn take(&mut self, happening: Happening<C, A>) -> Result<(), StudyError> {
        // What people said before this came is heard before anything follows from it.
        self.study.people.hear(&mut self.state);
        match happening {
            Happening::Run(Ok((task, done))) => {
                self.under_way.remove(&task);
                self.take_run(done)?;
            }
            Happening::Run(Err(error)) => {
                if let Some((run, start)) = self.under_way.remove(&error.id()) {
                    let failure = RunFailure::candidate(format!("the run {}", panic_message(error)));
                    let seconds = since(start);
                    self.take_run(Done { run, seconds, result: Err(failure), holdout: None })?;
                }
            }
            Happening::Thought(Ok(Thought { proposer, answer })) => {
                self.proposer = Some(proposer);
                match answer {
                    answer if self.state.is_asking() => self.take_thought(answer)?,
                    // The search has ended while it was thinking.
                    Ok(Proposed::Proposals(late)) if !late.is_empty() => {
                        let titles: Vec<&str> = late.iter().map(|p| p.hypothesis.title.as_str()).collect();
                        let (count, titles) = (late.len(), titles.join("\", \""));
                        let what = format!("{count} proposals came after the search had ended: \"{titles}\"");
                        self.state.remarked(what);
                    }
                    Err(error) => self.state.remarked(format!("after the search had ended: {error}")),
                    Ok(_) => {}
                }
            }
            Happening::Thought(Err(error)) => {
                let reason = StopReason::ProposerFailed(format!("it {}", panic_message(error)));
                self.wind_down(reason).await?;
            }
            Happening::Heard(Ok((task, held))) => self.take_hearing(task, held)?,
            Happening::Heard(Err(error)) => {
                let task = error.id();
                let failure = RunFailure::candidate(format!("the evaluation {}", panic_message(error)));
                self.take_hearing(task, Err(failure))?;
            }
            Happening::Progress(run, progress) => self.notify(&Notice::RunProgress { run, progress }),
            Happening::Charged | Happening::People => {} // heard when what has happened is stored
            Happening::Stop(reason) => self.wind_down(reason).await?,
        }
        Ok(())
    }

    /// Stops for this reason, once what was under way has ended or the grace is over.
    async fn wind_down(&mut self, reason: StopReason) -> Result<(), StudyError> {
        let elapsed = self.elapsed();
        self.end_tasks().await?;
        self.state.stop_after(reason, elapsed);
        self.persist().await
    }

    /// Takes the end of a run that was told to stop. Only a number is believed: whatever else it says may come of that.
    pub(super) fn take_last(&mut self, ended: Result<(Id, Done<A>), JoinError>) -> Result<(), StudyError> {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some((run, start)) = self.under_way.remove(&task) else { return Ok(()) };
        match ended {
            // Where the study has stopped already, its plan has been set back.
            Ok((_, done)) if done.result.is_ok() && self.state.stopped().is_none() => self.take_run(done)?,
            Ok((_, done)) => self.state.interrupted(run, done.seconds),
            Err(_) => self.state.interrupted(run, since(start)),
        }
        if !self.state.needs_output(run) {
            self.outputs.remove(&run);
            self.clear(run);
        }
        Ok(())
    }

    /// Takes note of a run that was dropped.
    pub(super) fn interrupt(&mut self, run: RunId, start: Instant) {
        self.state.interrupted(run, since(start));
        self.clear(run);
    }

    fn take_run(&mut self, done: Done<A>) -> Result<(), StudyError> {
        let elapsed = self.elapsed();
        let Done { run, seconds, result, holdout } = done;
        match result {
            Ok((output, measurement)) => {
                self.state.finished_after(run, Ok(measurement), seconds, elapsed)?;
                self.has_worked = true;
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
                let is_hopeless = !self.has_worked && failure.is_setup();
                let why = failure.message().to_owned();
                self.state.finished_after(run, Err(failure), seconds, elapsed)?;
                if is_hopeless {
                    self.state.stop(StopReason::SetupFailed(why));
                }
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
                self.proposer_pause = Duration::ZERO;
                self.proposer_waits = if waits { self.proposer_waits + 1 } else { 0 };
                self.state.proposed(answer)?;
            }
            Err(error) if error.is_unaffordable() => {
                tracing::info!(%error, "the proposer's next answer is not affordable");
                self.state.remarked(error.to_string());
                self.state.unaffordable()?;
            }
            Err(error) => {
                self.proposer_failures += 1;
                self.proposer_pause = error.pause();
                self.state.remarked(format!("the proposer failed: {error}"));
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
            Fault::Infrastructure if self.hearing_failures < PATIENCE && !failure.is_setup() => {
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
