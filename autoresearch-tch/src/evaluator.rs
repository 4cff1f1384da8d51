//! Measuring what a [`Trainer`] trained.

use crate::blocking::on_thread;
use crate::checkpoint::{Checkpoint, RunMetrics};
use crate::{Device, Devices, Draws, Trainer};
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
    let devices = Devices::shared(Device::Cpu);
    ModelEvaluator { trainer: Arc::new(trainer), measure: Arc::new(measure), devices }
}

/// Made by [`model_evaluator`].
pub struct ModelEvaluator<T, F> {
    trainer: Arc<T>,
    measure: Arc<F>,
    devices: Devices,
}

impl<T, F> ModelEvaluator<T, F> {
    /// Measures on the devices of a pool; on the processor unless said.
    #[must_use]
    pub fn devices(mut self, devices: Devices) -> Self {
        self.devices = devices;
        self
    }
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
        let trainer = Arc::clone(&self.trainer);
        with_model_on(&self.devices, trainer, output, 1, &cx, move |trainer, model, _stop| {
            measure(trainer, model, &mut Draws::new(0))
        })
        .await
    }
}

/// Builds the checkpoint's model on a device of the pool, on a thread of its own, and measures it there, without gradients.
pub(crate) async fn with_model_on<T: Trainer>(
    devices: &Devices,
    trainer: Arc<T>,
    checkpoint: &Checkpoint<T::Candidate>,
    threads: i32,
    cx: &EvalContext,
    measure: impl FnOnce(&T, &T::Model, &Cancellation) -> Result<Measurement, RunFailure> + Send + 'static,
) -> Result<Measurement, RunFailure> {
    let checkpoint = checkpoint.clone();
    let permit = tokio::select! {
        permit = devices.take() => permit?,
        () = cx.cancel.cancelled() => return Err(RunFailure::cancelled()),
    };
    on_thread(threads, &cx.cancel, move |stop| {
        let _guard = tch::no_grad_guard();
        let model = checkpoint.load_on(&*trainer, permit.device())?;
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
        .metric("seconds", run.seconds)?
        .metric("tokens", run.tokens as f64)?
        .metric("flops", run.flops)?
        .metric("first_step_seconds", run.first_step_seconds)?
        .metric("stopped_early", f64::from(u8::from(run.stopped_early)))?;
    // A run that was ended early says nothing of how soon it would have got anywhere.
    if !run.stopped_early {
        measurement = measurement.curve(run.curve.iter().copied())?;
    }
    let optional = [
        ("memory_gb", run.memory_gb),
        ("device_memory_gb", run.device_memory_gb),
        ("overhead", run.overhead),
        ("mfu", run.mfu),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            measurement = measurement.metric(name, value)?;
        }
    }
    Ok(measurement)
}
