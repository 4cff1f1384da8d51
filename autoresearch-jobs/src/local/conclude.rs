//! What became of a job: its exit, of all that is known when it is over.

use super::files::{self, Collected};
use super::live::Head;
use super::running::{Over, Running};
use crate::error::LaunchError;
use crate::exit::{Ended, JobExit};
use crate::job::Job;
use crate::limits::LimitKind;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::sync::oneshot;

/// What is needed of a job when it is over.
pub(super) struct Afterwards {
    pub(super) job: Job,
    /// What the sandbox, if there is one, says of how the command in it has ended.
    pub(super) status: Option<File>,
    pub(super) patterns: globset::GlobSet,
    pub(super) folder: PathBuf,
    /// Where it is written that a limit could not be set.
    pub(super) refused: PathBuf,
}

/// Why a job stopped being waited for.
pub(super) enum Stop {
    Ended,
    Limit(LimitKind),
    Cancelled,
    /// The thread that watches is gone.
    Lost,
}

/// What is still to be heard of a job that is being ended.
pub(super) struct Pending {
    pub(super) ended: oneshot::Receiver<()>,
    pub(super) flooded: oneshot::Receiver<()>,
}

pub(super) fn lost() -> LaunchError {
    LaunchError::infrastructure("the thread that watches children is gone")
}

/// Ends what is left of the job, collects its files, and takes its folder and lock away: nobody hears of the end before.
///
/// # Errors
/// It was told to stop; or nothing can be known of it.
pub(super) fn conclude(
    mut running: Running,
    afterwards: &Afterwards,
    stop: Stop,
    mut pending: Pending,
    wall: Duration,
) -> Result<JobExit, LaunchError> {
    running.headless = matches!(stop, Stop::Ended);
    crate::step::made("local ended");
    let over = running.end()?;
    crate::step::made("local processes gone");
    let mut limit = match stop {
        Stop::Cancelled => return Err(LaunchError::Cancelled),
        Stop::Lost => return Err(lost()),
        Stop::Ended => None,
        Stop::Limit(limit) => Some(limit),
    };
    let head = over.said.head.ok_or_else(lost)?;
    if head.status.code() == Some(REFUSED)
        && let Ok(what) = std::fs::read_to_string(&afterwards.refused)
    {
        return Err(LaunchError::Setup(format!(
            "this machine does not grant the limit of {} that the job asks for: {}",
            what.trim(),
            over.said.stderr.trim()
        )));
    }
    if let Some(why) = over.said.lost {
        return Err(LaunchError::Infrastructure(format!("the job's output could not be written: {why}")));
    }
    let Afterwards { job, status, patterns, folder, .. } = afterwards;
    let confined = status.is_some();
    if limit.is_none()
        && head.status.code().is_some_and(|code| code != 0)
        && status.as_ref().is_some_and(|status| !tells_exit(status))
    {
        let said = over.said.stderr.trim();
        // It was set up, and the command is not in it, or what is to interpret that: it will not be there the next time, either.
        if said.starts_with(NO_COMMAND) {
            let program = afterwards.job.command.first().map_or("", String::as_str);
            return Err(LaunchError::Setup(format!(
                "the program {program} cannot be started in the sandbox ({said}); let the job read it, and its interpreter, with \
                 `.readable(…)`"
            )));
        }
        return Err(LaunchError::Infrastructure(format!("the sandbox could not be set up: {said}")));
    }
    let ended = how(head, confined);
    // What has happened in a sandbox is not accounted to its outermost process.
    let cpu = over.cpu.or((!confined).then_some(head.cpu));
    let page = rustix::param::page_size() as u64;
    let of_head = head.peak.filter(|_| !confined);
    let peak_memory = over.peak.or(of_head.max(running.kin.most().map(|pages| pages * page)));
    if limit.is_none() {
        limit = match pending.flooded.try_recv() {
            Ok(()) => Some(LimitKind::Output),
            Err(_) => of_the_kernel(ended, cpu.unwrap_or_default(), &over, job),
        };
    }
    let Collected { files, not_collected } = match &job.collect_into {
        Some(into) if !job.files_out.is_empty() => {
            files::collect_all(patterns, folder, into, job.limits.to_collect())
                .map_err(LaunchError::io("the job's files could not be collected"))?
        }
        _ => Collected::default(),
    };
    crate::step::made("local collected");
    Ok(JobExit {
        limit,
        wall_seconds: wall.as_secs_f64(),
        cpu_seconds: cpu.map(|cpu| cpu.as_secs_f64()),
        peak_memory,
        stdout: over.said.stdout,
        stderr: over.said.stderr,
        place: host().into(),
        files,
        not_collected,
        left_behind: over.left_behind,
        ..JobExit::new(ended)
    })
}

/// Whether the sandbox has had a command that ended. All that could have said so is gone.
fn tells_exit(mut status: &File) -> bool {
    let (mut told, mut piece) = (Vec::new(), [0; 4096]);
    // The end, or nothing more for now.
    while let Ok(n @ 1..) = status.read(&mut piece) {
        told.extend(&piece[..n]);
    }
    String::from_utf8_lossy(&told).contains("\"exit-code\"")
}

/// The name of this machine.
fn host() -> &'static str {
    static HOST: LazyLock<String> = LazyLock::new(|| {
        std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
    });
    &HOST
}

/// What shells and bubblewrap report of a command that a signal has ended: this and the signal.
const OF_A_SIGNAL: i32 = 128;
/// Of a shell that could not set a limit, or enter a group.
const REFUSED: i32 = 125;
/// What bubblewrap says where the command cannot be started.
const NO_COMMAND: &str = "bwrap: execvp ";
const HUP: i32 = 1;
const INT: i32 = 2;
const KILL: i32 = 9;
const TERM: i32 = 15;
const XCPU: i32 = 24;
const XFSZ: i32 = 25;

fn how(head: Head, confined: bool) -> Ended {
    match (head.status.code(), head.status.signal()) {
        (Some(code), _)
            if confined
                && (OF_A_SIGNAL + 1..=OF_A_SIGNAL + 64).contains(&code)
                // Nobody outside can have sent these.
                && ![HUP, INT, TERM].contains(&(code - OF_A_SIGNAL)) =>
        {
            Ended::Signal(code - OF_A_SIGNAL)
        }
        (Some(code), _) => Ended::Status(code),
        (None, signal) => Ended::Signal(signal.unwrap_or(0)),
    }
}

/// The limit that the kernel has enforced, where this is how it ended.
fn of_the_kernel(ended: Ended, cpu: Duration, over: &Over, job: &Job) -> Option<LimitKind> {
    let limits = &job.limits;
    let (signal, certain) = match ended {
        Ended::Signal(signal) => (signal, true),
        Ended::Status(0) => return None,
        // Of a shell, whose child it was. Or else a program's own idea of a status.
        Ended::Status(code) => (code - OF_A_SIGNAL, false),
    };
    let used_up = limits.cpu_time.is_some_and(|limit| cpu >= limit);
    // The kernel counts ticks, and may be early by its own account of what was used.
    let nearly = limits.cpu_time.is_some_and(|limit| cpu >= limit.mul_f64(0.9));
    match signal {
        _ if over.ran_out => Some(LimitKind::Memory),
        XCPU if limits.cpu_time.is_some() && (certain || nearly) => Some(LimitKind::CpuTime),
        KILL if used_up => Some(LimitKind::CpuTime),
        XFSZ if limits.file_size.is_some() => Some(LimitKind::FileSize),
        _ => None,
    }
}
