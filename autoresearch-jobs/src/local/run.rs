//! One launch on this machine: its start, and the wait for its end.

use super::conclude::{Pending, Stop, conclude, lost};
use super::hub::Start;
use super::kin::Kin;
use super::places;
use super::prepare::{Prepared, prepare};
use super::proc::TICKS;
use super::space;
use super::{Confine, Engine};
use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::Job;
use crate::launch::Watch;
use crate::limits::LimitKind;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often memory and processor time are looked at where the kernel does not watch over them.
const SAMPLE: Duration = Duration::from_millis(100);
/// How often new processes are taken note of, and memory.
const LOOK: Duration = Duration::from_millis(250);
/// How often at most the disk is looked at.
const DISK: Duration = Duration::from_millis(500);

pub(super) async fn launch(
    engine: &Arc<Engine>,
    confine: Option<Arc<dyn Confine>>,
    id: &JobId,
    job: &Job,
    watch: &Watch,
) -> Result<JobExit, LaunchError> {
    job.check()?;
    engine.refuse(job)?;
    let places = tokio::select! {
        biased;
        () = watch.cancel.cancelled() => return Err(LaunchError::Cancelled),
        places = engine.places(job) => places?,
    };
    let cpus = places.cpus();
    let ready = async {
        engine.sweep().await?;
        let (engine, id, job) = (Arc::clone(engine), id.clone(), job.clone());
        blocking(move || prepare(&engine, confine, &id, &job, places)).await?
    };
    let prepared = tokio::select! {
        biased;
        () = watch.cancel.cancelled() => return Err(LaunchError::Cancelled),
        prepared = ready => prepared?,
    };
    run(prepared, cpus, id, job, watch).await
}

async fn run(
    prepared: Prepared,
    cpus: Option<Vec<usize>>,
    id: &JobId,
    job: &Job,
    watch: &Watch,
) -> Result<JobExit, LaunchError> {
    let Prepared { mut running, command, handed, stdout, stderr, afterwards, spaces } = prepared;
    let (started, has_started) = oneshot::channel();
    let (ended, has_ended) = oneshot::channel();
    let (flooded, has_flooded) = oneshot::channel();
    let mut pending = Pending { ended: has_ended, flooded: has_flooded };
    running.hub.start(Start {
        key: running.key,
        command,
        cpus,
        groups: running.kin.groups().to_vec(),
        handed,
        stdout,
        stderr,
        most: job.limits.output,
        watch: watch.clone(),
        started,
        ended,
        flooded,
    });
    let pid = has_started.await.map_err(|_| lost())?;
    let (pid, since) = pid.map_err(|why| match why.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::InvalidInput => {
            LaunchError::Setup(format!("`{job}` cannot be started: {why}"))
        }
        _ => LaunchError::Infrastructure(format!("`{job}` cannot be started now: {why}")),
    })?;
    let begun = Instant::now();
    running.kin.begins_with(pid, since);
    crate::step::made("local started");
    tracing::debug!(%id, pid, "started");
    // What confines it are processes, too, and none of the job's.
    let own = running.confine.as_ref().map_or(0, |confine| confine.processes());
    let stop = tokio::select! {
        biased;
        ended = &mut pending.ended => ended.map_or(Stop::Lost, |()| Stop::Ended),
        Ok(()) = &mut pending.flooded => Stop::Limit(LimitKind::Output),
        () = watch.cancel.cancelled() => Stop::Cancelled,
        () = sleep(job.limits.wall_clock) => Stop::Limit(LimitKind::WallClock),
        limit = sample(&mut running.kin, job, &spaces, own) => Stop::Limit(limit),
    };
    let wall = begun.elapsed();
    blocking(move || conclude(running, &afterwards, stop, pending, wall)).await?
}

async fn sleep(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Looks at what the job uses as often as needed; ends when it is too much.
async fn sample(kin: &mut Kin, job: &Job, spaces: &[PathBuf], own: u64) -> LimitKind {
    let memory = job.limits.memory.filter(|_| !places::counts_memory() || kin.groups().is_empty());
    let (cpu, processes) = (job.limits.cpu_time, job.limits.processes);
    let page = rustix::param::page_size() as u64;
    let often = memory.is_some() || cpu.is_some() || processes.is_some();
    let mut next_disk = Instant::now() + DISK;
    loop {
        tokio::time::sleep(if often { SAMPLE } else { LOOK }).await;
        let ((ticks, pages), many) = kin.usage();
        if processes.is_some_and(|limit| many.saturating_sub(own) > limit) {
            return LimitKind::Processes;
        }
        if memory.is_some_and(|limit| pages.saturating_mul(page) > limit) {
            return LimitKind::Memory;
        }
        if cpu.is_some_and(|limit| ticks as f64 / TICKS > limit.as_secs_f64()) {
            return LimitKind::CpuTime;
        }
        if let Some(limit) = job.limits.disk
            && Instant::now() >= next_disk
        {
            let (spaces, pids, begun) = (spaces.to_vec(), kin.pids(), Instant::now());
            let taken = blocking(move || space::taken(&spaces, &pids)).await;
            if taken.is_ok_and(|taken| taken > limit) {
                return LimitKind::Disk;
            }
            // A twentieth of the time at most, however many files there are.
            next_disk = Instant::now() + DISK.max(begun.elapsed() * 20);
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LaunchError> {
    tokio::task::spawn_blocking(work).await.map_err(|why| LaunchError::Infrastructure(why.to_string()))
}
