//! Measuring what a [`Trainer`] trained.

use crate::blocking::on_thread;
use crate::checkpoint::{Checkpoint, RunMetrics};
use crate::{Draws, Trainer};
use autoresearch_core::{Cancellation, EvalContext, Evaluator, Measurement, RunFailure, async_trait};
use std::fmt;
use std::sync::Arc;

/// An evaluator for a model of your own from a closure `|trainer, model, draws| Ok(Measurement::new(…)?)`, which runs
/// without gradients. `draws` are the same for every run, so that all are measured on the same examples. One value a
/// unit is best; the metrics of the training are added. See [`Trainer`] for an example.
pub fn model_evaluator<T, F>(trainer: T, measure: F) -> ModelEvaluator<T, F>
where
    T: Trainer,
    F: Fn(&T, &T::Model, &mut Draws) -> Result<Measurement, RunFailure> + Send + Sync + 'static,
{
    ModelEvaluator { trainer: Arc::new(trainer), measure: Arc::new(measure) }
}

/// Made by [`model_evaluator`].
pub struct ModelEvaluator<T, F> {
    trainer: Arc<T>,
    measure: Arc<F>,
}

impl<T, F> fmt::Debug for ModelEvaluator<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelEvaluator")
    }
}

#[async_trait]
impl<T, F> Evaluator<Checkpoint<T::Candidate>> for ModelEvaluator<T, F>
where
    T: Trainer,
    F: Fn(&T, &T::Model, &mut Draws) -> Result<Measurement, RunFailure> + Send + Sync + 'static,
{
    async fn evaluate(
        &self,
        output: &Checkpoint<T::Candidate>,
        cx: EvalContext,
    ) -> Result<Measurement, RunFailure> {
        let measure = Arc::clone(&self.measure);
        with_model(Arc::clone(&self.trainer), output, 1, &cx, move |trainer, model, _stop| {
            measure(trainer, model, &mut Draws::new(0))
        })
        .await
    }
}

/// Builds the checkpoint's model on a thread of its own and measures it there, without gradients.
pub(crate) async fn with_model<T: Trainer>(
    trainer: Arc<T>,
    checkpoint: &Checkpoint<T::Candidate>,
    threads: i32,
    cx: &EvalContext,
    measure: impl FnOnce(&T, &T::Model, &Cancellation) -> Result<Measurement, RunFailure> + Send + 'static,
) -> Result<Measurement, RunFailure> {
    let checkpoint = checkpoint.clone();
    on_thread(threads, &cx.cancel, move |stop| {
        let _guard = tch::no_grad_guard();
        let model = checkpoint.load(&*trainer)?;
        let measurement = measure(&trainer, &model, stop)?;
        add_metrics(measurement, &checkpoint.metrics)
    })
    .await
}

fn add_metrics(measurement: Measurement, run: &RunMetrics) -> Result<Measurement, RunFailure> {
    let mut measurement = measurement
        .metric("train_loss", run.train_loss)?
        .metric("tokens_per_s", run.tokens_per_s)?
        .metric("parameters", run.parameters as f64)?
        .metric("seconds", run.seconds)?;
    if let Some(memory) = run.memory_gb {
        measurement = measurement.metric("memory_gb", memory)?;
    }
    Ok(measurement)
}
