//! One screening run: an executor and an evaluator at a rung's fidelity.

use crate::arm::{Arm, RunId};
use crate::cancel::Cancellation;
use crate::candidate::Candidate;
use crate::evaluate::{EvalContext, Evaluator};
use crate::execute::{Executor, RunContext, Scratch};
use crate::failure::RunFailure;
use crate::fidelity::Fidelity;
use crate::measure::Direction;
use crate::meter::Meter;
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;

/// Measures a candidate's loss; the output's type stays inside.
#[async_trait]
pub(super) trait Screen<C>: Send + Sync {
    async fn loss(&self, candidate: C, cx: RunContext, direction: Direction) -> Result<f64, RunFailure>;
}

pub(super) struct Parts<E, V> {
    pub(super) executor: E,
    pub(super) evaluator: V,
}

#[async_trait]
impl<C, E, V> Screen<C> for Parts<E, V>
where
    C: Candidate,
    E: Executor<C>,
    V: Evaluator<E::Output>,
{
    async fn loss(&self, candidate: C, cx: RunContext, direction: Direction) -> Result<f64, RunFailure> {
        // Threads learn through these that nobody waits any more, and the folder goes with the run.
        let _told = cx.cancel.on_drop();
        let _folder = Folder(cx.folder());
        let eval = EvalContext::new(cx.run, cx.seed, cx.cancel.clone());
        let output = self.executor.execute(candidate, cx).await?;
        let measured = self.evaluator.evaluate(&output, eval).await?;
        Ok(measured.stated_direction().unwrap_or(direction).loss(measured.objective()))
    }
}

/// A run's folder, deleted at the end if it was made.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if self.0.exists()
            && let Err(error) = std::fs::remove_dir_all(&self.0)
        {
            tracing::warn!(folder = %self.0.display(), %error, "a screening run's folder could not be deleted");
        }
    }
}

/// What a screening run is told.
pub(super) fn context(
    number: u64,
    seed: u64,
    fidelity: Fidelity,
    cancel: Cancellation,
    scratch: PathBuf,
    meter: Meter,
) -> RunContext {
    RunContext {
        study: Arc::from("screening"),
        run: RunId(number),
        arm: Arm::incumbent(),
        attempt: 0,
        seed,
        fidelity: Some(fidelity),
        cancel,
        scratch: Scratch::At(scratch.into()),
        progress: None,
        charged: None,
        meter,
    }
}
