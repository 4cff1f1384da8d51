//! The training loop.

use super::Hopeless;
use super::hopeless::Lookout;
use super::phases::Stopwatch;
use super::recorder::Recorder;
use crate::budget::Budget;
use crate::checkpoint::{Checkpoint, Origin, RunMetrics};
use crate::memory::Watch;
use crate::{Device, Draws, Ema, Parameters, StepCost, Trainer, optim};
use autoresearch_core::{Cancellation, FailureKind, Fidelity, RunContext, RunFailure, RunProgress};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often displays hear of a run between the points of its curve.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// What decides a run besides candidate and data.
pub(super) struct Settings {
    pub(super) fidelity: Fidelity,
    pub(super) identity: String,
    /// Of initial weights, order and dropout.
    pub(super) seeds: [u64; 3],
    pub(super) peak_flops: Option<f64>,
    pub(super) hopeless: Option<Arc<Hopeless>>,
}

/// Where and since when a run is under way, and who ends it.
pub(super) struct Place<'a> {
    pub(super) device: Device,
    pub(super) begun: Instant,
    pub(super) stop: &'a Cancellation,
}

pub(super) fn train<T: Trainer>(
    trainer: &T,
    candidate: T::Candidate,
    settings: &Settings,
    cx: &RunContext,
    place: Place<'_>,
) -> Result<Checkpoint<T::Candidate>, RunFailure> {
    trainer.check(&candidate)?;
    trainer.prepare(&candidate, place.stop)?;
    let folder = cx.directory()?;
    let memory = Watch::start();
    let [init, order, dropout] = settings.seeds;
    let device = place.device.open()?;
    place.device.watch_memory();
    let mut parameters = Parameters::seeded(init).on(device);
    let model = trainer.build(&candidate, &mut parameters)?;
    let mut steps = Steps {
        optimizer: trainer.optimizer(&candidate, &parameters),
        ema: trainer.ema(&candidate).map(|decay| Ema::new(&parameters, decay)),
        clip: trainer.clip(&candidate),
        passes: trainer.accumulation(&candidate).max(1),
        scale: trainer.loss_scale(&candidate),
        draws: Draws::seeded(order, dropout),
        watch: Stopwatch::default(),
        parameters: &parameters,
        trainer,
        model: &model,
        stop: place.stop,
    };
    let cost = trainer.cost(&candidate);

    // A deadline counts from here: building and compiling are not the candidate's training.
    let budget = Budget::new(settings.fidelity, cost)?;
    let start = Instant::now();
    let since_start = || start.elapsed().as_secs_f64();
    let (mut step, mut first_step, mut reported) = (0, 0.0, start);
    let mut recorder = Recorder::new(budget.steps(), cost);
    let mut lookout = settings.hopeless.as_deref().and_then(|rule| Lookout::new(rule, settings.fidelity));
    let mut stopped_early = false;
    while !stopped_early && let Some(progress) = budget.progress(step) {
        let value = steps.step(trainer.rate(&candidate, progress))?;
        if !value.is_finite() {
            let message = format!("the loss is {value} at step {step}");
            return Err(RunFailure::candidate(message).kind(FailureKind::InvalidMetric));
        }
        step += 1;
        if step == 1 {
            first_step = place.begun.elapsed().as_secs_f64();
        }
        let point = recorder.add(step, value, since_start);
        if let (Some(point), Some(lookout)) = (&point, &mut lookout) {
            // At the end of its budget a run is not stopped but done.
            stopped_early = lookout.gives_up(point) && budget.steps() != Some(step);
        }
        if point.is_some() || reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            cx.report(RunProgress { step, of: budget.steps(), loss: Some(recorder.loss()) });
        }
    }
    place.device.synchronise();
    let seconds = since_start();
    cx.report(RunProgress { step, of: Some(step), loss: Some(recorder.loss()) });

    let Steps { optimizer, watch, ema, .. } = steps;
    if let Some(ema) = ema {
        ema.apply();
    }
    drop(optimizer); // its state makes room for what writing takes
    let on_cpu = place.device == Device::Cpu;
    let phases = on_cpu.then(|| watch.phases());
    let peak = memory.peak();
    let StepCost { tokens, flops, .. } = cost;
    let flops = step as f64 * flops;
    let metrics = RunMetrics {
        train_loss: recorder.loss(),
        steps: step,
        tokens: step * tokens,
        flops,
        parameters: parameters.count(),
        seconds,
        first_step_seconds: first_step,
        tokens_per_s: (step * tokens) as f64 / seconds.max(1e-9),
        mfu: settings.peak_flops.filter(|_| flops > 0.0).map(|peak| flops / seconds.max(1e-9) / peak),
        overhead: phases.map(|phases| phases.overhead(seconds)),
        phases,
        memory_gb: peak.map(|peak| peak.gb),
        device_memory_gb: place.device.peak_gb(),
        memory_alone: peak.is_some_and(|peak| peak.alone),
        stopped_early,
        curve: recorder.finish(step, seconds),
    };
    let origin = Origin { identity: &settings.identity, seed: cx.seed };
    Checkpoint::write(&folder, candidate, metrics, origin, &parameters, place.stop)
}

/// All that a step needs.
struct Steps<'a, T: Trainer> {
    trainer: &'a T,
    model: &'a T::Model,
    parameters: &'a Parameters,
    optimizer: Box<dyn optim::Optimizer>,
    ema: Option<Ema>,
    clip: Option<f64>,
    passes: u32,
    scale: f64,
    draws: Draws,
    watch: Stopwatch,
    stop: &'a Cancellation,
}

impl<T: Trainer> Steps<'_, T> {
    /// One step of the optimiser over all passes; the mean loss, in the unit of curves.
    fn step(&mut self, rate: f64) -> Result<f64, RunFailure> {
        let passes = f64::from(self.passes);
        let mut losses = Vec::with_capacity(self.passes as usize);
        for _ in 0..self.passes {
            if self.stop.is_cancelled() {
                return Err(RunFailure::cancelled());
            }
            let (trainer, model, draws) = (self.trainer, self.model, &mut self.draws);
            let loss = self.watch.forward.time(|| trainer.loss(model, draws))?;
            losses.push(loss.detach());
            self.watch
                .backward
                .time(|| if self.passes == 1 { loss.backward() } else { (loss / passes).backward() });
        }
        let (parameters, optimizer, clip) = (self.parameters, &mut self.optimizer, self.clip);
        let ema = self.ema.as_mut();
        self.watch.optimizer.time(|| {
            let _guard = tch::no_grad_guard();
            if let Some(limit) = clip {
                optim::clip(parameters, limit);
            }
            optimizer.step(rate);
            optim::clear(parameters);
            if let Some(ema) = ema {
                ema.update();
            }
        });
        // Read at last: on CUDA this waits for the device, which by now has the whole step to do.
        let sum: f64 = losses.iter().map(|loss| loss.double_value(&[])).sum();
        Ok(sum / passes * self.scale)
    }
}
