//! The executor that trains within this process, written once for every [`Trainer`].

mod hopeless;
mod phases;
mod recorder;
mod run;

pub use hopeless::{Hopeless, HopelessError};
pub use phases::Phases;

use crate::blocking::on_thread;
use crate::checkpoint::{Checkpoint, Origin};
use crate::{Device, Devices, Seeds, Trainer};
use autoresearch_core::{Executor, Fidelity, RunContext, RunFailure, async_trait};
use run::{Place, Settings, train};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// An executor that trains the model of a [`Trainer`] within this process, on a thread of its own.
///
/// **Repeatable.** Candidate, seed and a budget in steps, tokens or operations give the same weights bit for bit, on
/// one kind of processor, with one libtorch and equal numbers of threads; so do the losses of the curve. Times,
/// memory and with them the bytes of the file are not the same: [`Checkpoint::digest`] compares weights. On CUDA
/// nothing is promised: some of its kernels add up in any order.
///
/// **Seeds.** The run's seed governs initial weights, the order of batches and dropout, each by a stream of its own
/// ([`Seeds`]).
///
/// **Threads.** One libtorch thread a run unless said. Several runs at once with one thread each do more work than one
/// run with several, and with more threads than idle cores training becomes many times slower: give
/// cores / runs in flight, no more. Only with equal numbers of threads are results the same bit for bit.
///
/// **Stopping.** A cancelled run, or one whose future is dropped, stops before its next pass, or between two parts of
/// writing its checkpoint, and leaves no file. The thread ends a little after the future; its device is taken until then.
/// Token shards are given up between two documents; a vocabulary, which is learned from 64 MB of text at most, is finished
/// first.
///
/// **Failures.** The loss is checked at every step (on a CPU this costs nothing: libtorch has computed it by then).
/// A loss that is not finite is the candidate's failure and names the step. Memory that libtorch or the model's
/// parameters are refused is the candidate's too, as out of memory. Linux mostly refuses nothing and kills the process
/// instead, which no code in it can report: a limit on the address space (`ulimit -v`) turns that into a refusal.
pub struct Training<T> {
    pub(crate) trainer: Arc<T>,
    fidelity: Fidelity,
    threads: i32,
    devices: Devices,
    seeds: Seeds,
    peak_flops: Option<f64>,
    hopeless: Option<Arc<Hopeless>>,
}

impl<T: Trainer> Training<T> {
    /// Trains for 1,000 steps a run, with one thread, on the processor.
    pub fn of(trainer: T) -> Self {
        Self {
            trainer: Arc::new(trainer),
            fidelity: Fidelity::steps(1_000),
            threads: 1,
            devices: Devices::shared(Device::Cpu),
            seeds: Seeds::of_run(),
            peak_flops: None,
            hopeless: None,
        }
    }

    /// How long a run goes on, where the study does not say.
    ///
    /// Never more than was granted, but at least one step. With a wall-clock budget equal seeds give equal results no
    /// longer, and the load of the machine becomes part of the noise.
    #[must_use]
    pub fn fidelity(mut self, fidelity: Fidelity) -> Self {
        self.fidelity = fidelity;
        self
    }

    /// libtorch threads a run.
    #[must_use]
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = i32::try_from(threads.max(1)).unwrap_or(i32::MAX);
        self
    }

    /// Trains all runs on one device, shared by those under way at once. A device that is not there fails the run as
    /// the infrastructure's fault.
    #[must_use]
    pub fn device(self, device: Device) -> Self {
        self.devices(Devices::shared(device))
    }

    /// Trains on these CUDA cards, one run a card: a run takes a free one and waits while there is none. The wait
    /// counts towards a time limit on the run, so have no more runs in flight than cards.
    #[must_use]
    pub fn gpus(self, indices: impl IntoIterator<Item = u32>) -> Self {
        self.devices(Devices::one_run_each(indices.into_iter().map(Device::Cuda)))
    }

    /// Trains on the devices of a pool, which others may draw on as well.
    #[must_use]
    pub fn devices(mut self, devices: Devices) -> Self {
        self.devices = devices;
        self
    }

    /// Holds initial weights, order or dropout fixed over all runs, for a look at what the noise is made of.
    #[must_use]
    pub fn seeds(mut self, seeds: Seeds) -> Self {
        self.seeds = seeds;
        self
    }

    /// What the device can do at best, in floating-point operations a second, at the precision that is trained in:
    /// then runs report the share that they made of it (model-FLOPs utilisation; Chowdhery et al., 2022).
    #[must_use]
    pub fn peak_flops(mut self, flops_per_s: f64) -> Self {
        self.peak_flops = (flops_per_s.is_finite() && flops_per_s > 0.0).then_some(flops_per_s);
        self
    }

    /// Ends runs early that have no hope left against a reference; see [`Hopeless`] for what that does to results.
    #[must_use]
    pub fn stop_hopeless(mut self, hopeless: Hopeless) -> Self {
        self.hopeless = Some(Arc::new(hopeless));
        self
    }

    fn settings(&self, cx: &RunContext) -> Settings {
        let fidelity = cx.fidelity.unwrap_or(self.fidelity);
        Settings {
            fidelity,
            identity: self.identity_with(fidelity),
            seeds: self.seeds.resolve(cx.seed),
            peak_flops: self.peak_flops,
            hopeless: self.hopeless.clone(),
        }
    }

    fn identity_with(&self, fidelity: Fidelity) -> String {
        let mut identity = format!("{}, {fidelity}, {} threads", self.trainer.identity(), self.threads);
        if self.devices.kind() != Device::Cpu.kind() {
            identity += &format!(", on {}", self.devices.kind());
        }
        identity += &self.seeds.to_string();
        if let Some(hopeless) = &self.hopeless {
            identity += &format!(", {hopeless}");
        }
        identity
    }
}

impl<T> Clone for Training<T> {
    fn clone(&self) -> Self {
        Self {
            trainer: Arc::clone(&self.trainer),
            devices: self.devices.clone(),
            hopeless: self.hopeless.clone(),
            ..*self
        }
    }
}

impl<T> fmt::Debug for Training<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Training({}, {} threads)", self.fidelity, self.threads)
    }
}

#[async_trait]
impl<T: Trainer> Executor<T::Candidate> for Training<T> {
    type Output = Checkpoint<T::Candidate>;

    async fn execute(&self, candidate: T::Candidate, cx: RunContext) -> Result<Self::Output, RunFailure> {
        let (trainer, settings) = (Arc::clone(&self.trainer), self.settings(&cx));
        let cancel = cx.cancel.clone();
        let permit = tokio::select! {
            permit = self.devices.take() => permit?,
            () = cancel.cancelled() => return Err(RunFailure::cancelled()),
        };
        let begun = Instant::now();
        // The thread keeps the permit, since it outlives a dropped future for the rest of a pass.
        let train = move |stop: &_| {
            train(&*trainer, candidate, &settings, &cx, Place { device: permit.device(), begun, stop })
        };
        on_thread(self.threads, &cancel, train).await
    }

    async fn reopen(&self, candidate: &T::Candidate, cx: &RunContext) -> Option<Self::Output> {
        let (folder, settings) = (cx.directory().ok()?, self.settings(cx));
        let (candidate, seed) = (candidate.clone(), cx.seed);
        let find = move || find(&folder, &candidate, &settings, seed);
        tokio::task::spawn_blocking(find).await.ok().flatten()
    }

    fn identity(&self) -> String {
        self.identity_with(self.fidelity)
    }
}

fn find<C: serde::Serialize + Clone>(
    folder: &Path,
    candidate: &C,
    settings: &Settings,
    seed: u64,
) -> Option<Checkpoint<C>> {
    Checkpoint::find(folder, candidate, Origin { identity: &settings.identity, seed })
}
