//! One launch on this machine, from its preparation to its end.

use super::cgroup::{self, Cgroup};
use super::claim::{Claim, END, mark};
use super::command::{self, Environment};
use super::files;
use super::hub::{Head, Hub, Said, Start, hub};
use super::kin::{Kin, MARK};
use super::proc::TICKS;
use super::{Confine, Engine, Places};
use crate::error::LaunchError;
use crate::exit::{Ended, JobExit};
use crate::id::JobId;
use crate::job::Job;
use crate::launch::Watch;
use crate::limits::LimitKind;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often memory and processor time are looked at where the kernel does not watch over them.
const SAMPLE: Duration = Duration::from_millis(100);
/// How often new processes are taken note of, and memory.
const LOOK: Duration = Duration::from_millis(250);

/// Everything that a launch has on this machine. Dropped, all of it is gone.
struct Running {
    hub: Arc<Hub>,
    key: u64,
    kin: Kin,
    claim: Claim,
    /// Its first process has ended by itself.
    headless: bool,
    over: bool,
}

/// What is known when everything has ended.
struct Over {
    left_behind: u64,
    said: Said,
    cpu: Option<Duration>,
    peak: Option<u64>,
    ran_out: bool,
}

impl Running {
    /// Ends all processes, waits until they are gone, and takes the control groups away.
    fn end(&mut self) -> Result<Over, LaunchError> {
        self.over = true;
        self.hub.pass(END);
        let (left_behind, gone) = self.kin.end(self.headless, END);
        let said = self.hub.finish(self.key, END);
        let groups = self.kin.groups();
        let peak = groups.iter().filter_map(Cgroup::peak).max();
        let cpu = groups.iter().find_map(Cgroup::cpu);
        let ran_out = groups.iter().any(Cgroup::ran_out);
        let Some(said) = said.filter(|_| gone) else {
            self.claim.is_unended();
            return Err(LaunchError::Infrastructure(format!(
                "processes of the job were killed and did not end within {END:?}, as happens while a disk or a driver of the \
                 system hangs"
            )));
        };
        groups.iter().for_each(Cgroup::remove);
        Ok(Over { left_behind, said, cpu, peak, ran_out })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over
            && let Err(why) = self.end()
        {
            tracing::warn!("{why}");
        }
    }
}

/// What is ready to be started.
struct Prepared {
    running: Running,
    command: std::process::Command,
    stdout: Option<File>,
    stderr: Option<File>,
    patterns: globset::GlobSet,
    folder: PathBuf,
    refused: PathBuf,
}

/// The folders that a job sees.
#[derive(Debug)]
pub(crate) struct Folders {
    pub(crate) work: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) temporary: PathBuf,
}

fn prepare(
    engine: &Engine,
    confine: Option<&dyn Confine>,
    id: &JobId,
    job: &Job,
    gpus: Option<&[String]>,
) -> Result<Prepared, LaunchError> {
    let patterns = files::patterns(job)?;
    let hub = hub().map_err(LaunchError::io("cannot start the thread that watches children"))?;
    let claim = Claim::take(&engine.root()?, &id.run_key())?;
    let own = claim.make_folder()?.to_path_buf();
    let folders = Folders { work: own.join("work"), home: own.join("home"), temporary: own.join("tmp") };
    for folder in [&folders.work, &folders.home, &folders.temporary] {
        std::fs::create_dir(folder).map_err(LaunchError::io(format!("cannot make {}", folder.display())))?;
    }
    let folders = match &job.folder {
        Some(folder) => Folders { work: existing(folder)?, ..folders },
        None => folders,
    };
    files::put(job, &folders.work)?;
    let mut environment = job.environment();
    let mark = mark();
    let outer = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(MARK));
    environment.extend(outer.chain([(OsString::from(&mark), OsString::from("1"))]));
    for (name, folder) in [("HOME", &folders.home), ("TMPDIR", &folders.temporary)] {
        environment.entry(name.into()).or_insert_with(|| folder.into());
    }
    if let Some(gpus) = gpus {
        environment.insert("CUDA_VISIBLE_DEVICES".into(), gpus.join(",").into());
    }
    let words = words(confine, job, &folders, &environment)?;
    let open = |path: &Option<PathBuf>| {
        let opened = path.as_ref().map(|path| {
            File::create(path)
                .map_err(LaunchError::io(format!("cannot write the output to {}", path.display())))
        });
        opened.transpose()
    };
    let (stdout, stderr) = (open(&job.stdout)?, open(&job.stderr)?);
    let groups = cgroup::make(&mark.to_lowercase(), job.limits.memory).unwrap_or_else(|why| {
        tracing::debug!("no control group: {why}");
        Vec::new()
    });
    let kin = claim.note(id, &mark, &groups).inspect_err(|_| groups.iter().for_each(Cgroup::remove))?;
    let refused = own.join("refused");
    let command = command::build(&words, job, &environment, &folders.work, &groups, &refused);
    static KEYS: AtomicU64 = AtomicU64::new(0);
    let key = KEYS.fetch_add(1, Ordering::Relaxed);
    let running = Running { hub, key, kin, claim, headless: false, over: false };
    Ok(Prepared { running, command, stdout, stderr, patterns, folder: folders.work, refused })
}

fn existing(folder: &Path) -> Result<PathBuf, LaunchError> {
    match std::path::absolute(folder) {
        Ok(path) if path.is_dir() => Ok(path),
        _ => Err(LaunchError::Setup(format!(
            "the job's folder {} is not there; make it first",
            folder.display()
        ))),
    }
}

/// The program by its path and its arguments, behind what confines it.
fn words(
    confine: Option<&dyn Confine>,
    job: &Job,
    folders: &Folders,
    environment: &Environment,
) -> Result<Vec<OsString>, LaunchError> {
    let name = job.command.first().map_or("", String::as_str);
    let program = command::find(name, &folders.work, environment)?;
    let mut words =
        confine.map(|confine| confine.words(job, folders, &program)).transpose()?.unwrap_or_default();
    words.push(program.into());
    words.extend(job.command.iter().skip(1).map(OsString::from));
    Ok(words)
}

/// Why a job stopped being waited for.
enum Stop {
    Ended(Head),
    Limit(LimitKind),
    Cancelled,
    /// The thread that watches is gone.
    Lost,
}

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
    engine.sweep().await?;
    let confined = confine.is_some();
    let (prepared, places) = {
        let (engine, id, job) = (Arc::clone(engine), id.clone(), job.clone());
        blocking(move || {
            let prepared = prepare(&engine, confine.as_deref(), &id, &job, places.gpus())?;
            Ok::<_, LaunchError>((prepared, places))
        })
        .await??
    };
    let exit = run(prepared, confined, &places, id, job, watch).await?;
    drop(places);
    Ok(exit)
}

async fn run(
    prepared: Prepared,
    confined: bool,
    places: &Places,
    id: &JobId,
    job: &Job,
    watch: &Watch,
) -> Result<JobExit, LaunchError> {
    let Prepared { mut running, command, stdout, stderr, patterns, folder, refused } = prepared;
    let (started, has_started) = oneshot::channel();
    let (ended, mut has_ended) = oneshot::channel();
    let (flooded, mut has_flooded) = oneshot::channel();
    running.hub.start(Start {
        key: running.key,
        command,
        cpus: places.cpus(),
        stdout,
        stderr,
        most: job.limits.output,
        watch: watch.clone(),
        started,
        ended,
        flooded,
    });
    let lost = || LaunchError::infrastructure("the thread that watches children is gone");
    let pid = has_started.await.map_err(|_| lost())?;
    let pid = pid.map_err(|why| LaunchError::Setup(format!("`{job}` cannot be started: {why}")))?;
    let begun = Instant::now();
    running.kin.begins_with(pid);
    tracing::debug!(%id, pid, "started");
    let stop = tokio::select! {
        biased;
        head = &mut has_ended => head.map_or(Stop::Lost, Stop::Ended),
        Ok(()) = &mut has_flooded => Stop::Limit(LimitKind::Output),
        () = watch.cancel.cancelled() => Stop::Cancelled,
        () = sleep(job.limits.wall_clock) => Stop::Limit(LimitKind::WallClock),
        limit = sample(&mut running.kin, job) => Stop::Limit(limit),
    };
    let wall_seconds = begun.elapsed().as_secs_f64();
    running.headless = matches!(stop, Stop::Ended(_));
    let (running, over) = blocking(move || {
        let over = running.end();
        (running, over)
    })
    .await?;
    let over = over?;
    let (head, mut limit) = match stop {
        Stop::Cancelled => return Err(LaunchError::Cancelled),
        Stop::Lost => return Err(lost()),
        Stop::Ended(head) => (head, None),
        Stop::Limit(limit) => (has_ended.await.map_err(|_| lost())?, Some(limit)),
    };
    if let Ok(what) = std::fs::read_to_string(&refused) {
        return Err(LaunchError::Setup(format!(
            "this machine does not grant the limit of {} that the job asks for: {}",
            what.trim(),
            over.said.stderr.trim()
        )));
    }
    if let Some(why) = over.said.lost {
        return Err(LaunchError::Infrastructure(format!("the job's output could not be written: {why}")));
    }
    let ended = how(head, confined);
    // What has happened in a sandbox is not accounted to its outermost process.
    let cpu = over.cpu.or((!confined).then_some(head.cpu));
    let page = rustix::param::page_size() as u64;
    let of_head = head.peak.filter(|_| !confined);
    let peak_memory = over.peak.or(of_head.max(running.kin.most().map(|pages| pages * page)));
    if limit.is_none() {
        limit = match has_flooded.try_recv() {
            Ok(()) => Some(LimitKind::Output),
            Err(_) => of_the_kernel(ended, cpu.unwrap_or_default(), &over, job),
        };
    }
    let files = match &job.collect_into {
        Some(into) if !job.files_out.is_empty() => {
            let into = into.clone();
            let collected = blocking(move || files::collect(&patterns, &folder, &into)).await?;
            collected.map_err(LaunchError::io("the job's files could not be collected"))?
        }
        _ => Vec::new(),
    };
    let exit = JobExit {
        limit,
        wall_seconds,
        cpu_seconds: cpu.map(|cpu| cpu.as_secs_f64()),
        peak_memory,
        stdout: over.said.stdout,
        stderr: over.said.stderr,
        place: std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().into(),
        files,
        left_behind: over.left_behind,
        ..JobExit::new(ended)
    };
    // The folder and the lock are gone before anybody hears of the end.
    blocking(move || drop(running)).await?;
    Ok(exit)
}

/// What shells and bubblewrap report of a command that a signal has ended: this and the signal.
const OF_A_SIGNAL: i32 = 128;
const KILL: i32 = 9;
const XCPU: i32 = 24;
const XFSZ: i32 = 25;

fn how(head: Head, confined: bool) -> Ended {
    match (head.status.code(), head.status.signal()) {
        (Some(code), _) if confined && (OF_A_SIGNAL + 1..=OF_A_SIGNAL + 64).contains(&code) => {
            Ended::Signal(code - OF_A_SIGNAL)
        }
        (Some(code), _) => Ended::Status(code),
        (None, signal) => Ended::Signal(signal.unwrap_or(0)),
    }
}

/// The limit that the kernel has enforced, where this is how it ended.
fn of_the_kernel(ended: Ended, cpu: Duration, over: &Over, job: &Job) -> Option<LimitKind> {
    let limits = &job.limits;
    let signal = match ended {
        Ended::Signal(signal) => signal,
        Ended::Status(0) => return None,
        Ended::Status(code) => code - OF_A_SIGNAL,
    };
    let used_up = limits.cpu_time.is_some_and(|limit| cpu >= limit);
    match signal {
        _ if over.ran_out => Some(LimitKind::Memory),
        // The kernel counts ticks, and may be early by its own account of what was used.
        XCPU if limits.cpu_time.is_some() => Some(LimitKind::CpuTime),
        KILL if used_up => Some(LimitKind::CpuTime),
        XFSZ if limits.file_size.is_some() => Some(LimitKind::FileSize),
        _ => None,
    }
}

async fn sleep(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Looks at what the job uses as often as needed; ends when it is too much.
async fn sample(kin: &mut Kin, job: &Job) -> LimitKind {
    let memory = job.limits.memory.filter(|_| !cgroup::counts_memory() || kin.groups().is_empty());
    let cpu = job.limits.cpu_time;
    let page = rustix::param::page_size() as u64;
    loop {
        if memory.is_none() && cpu.is_none() {
            tokio::time::sleep(LOOK).await;
            kin.usage();
            continue;
        }
        tokio::time::sleep(SAMPLE).await;
        let (ticks, pages) = kin.usage();
        if memory.is_some_and(|limit| pages.saturating_mul(page) > limit) {
            return LimitKind::Memory;
        }
        if cpu.is_some_and(|limit| ticks as f64 / TICKS > limit.as_secs_f64()) {
            return LimitKind::CpuTime;
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LaunchError> {
    tokio::task::spawn_blocking(work).await.map_err(|why| LaunchError::Infrastructure(why.to_string()))
}
