//! A child from its start until it is collected and all that it has said is read. Only the hub's thread has any.

use super::cgroup::{Cgroup, Visit};
use super::cpus;
use super::hub::{Said, Start};
use super::proc;
use super::tail::{Tail, Told};
use crate::launch::Watch;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::sched_setaffinity;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;
use wait4::Wait4;

/// More than fits into any pipe.
const MOST_READS: u32 = 256;

/// How a first process ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) status: ExitStatus,
    pub(super) cpu: Duration,
    /// The most memory of its largest process, in bytes, where that is known.
    pub(super) peak: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Source {
    Wake,
    Child,
    Stdout,
    Stderr,
}

/// A child that is not done with.
pub(super) struct Live {
    child: Option<(Child, OwnedFd)>,
    /// It has, and waits to be collected.
    has_ended: bool,
    stdout: Tail,
    stderr: Tail,
    left: Option<u64>,
    /// What it has used is not told by its first process, which only confines it.
    confined: bool,
    watch: Watch,
    ended: Option<oneshot::Sender<()>>,
    flooded: Option<oneshot::Sender<()>>,
    pub(super) finish: Option<mpsc::Sender<Said>>,
}

impl Live {
    pub(super) fn start(start: Start) -> Option<Self> {
        let Start { mut command, cpus, groups, handed, started, ended, flooded, watch, most, .. } = start;
        let confined = handed.is_some();
        match spawn(&mut command, cpus.as_deref(), &groups, handed) {
            Err(why) => {
                let _ = started.send(Err(why));
                None
            }
            Ok((mut child, descriptor)) => {
                let pid = i32::try_from(child.id()).unwrap_or(0);
                let stdout = Tail::new(child.stdout.take().map(OwnedFd::from), start.stdout);
                let stderr = Tail::new(child.stderr.take().map(OwnedFd::from), start.stderr);
                // Not collected yet, so that the number is still this child's.
                let _ = started.send(Ok((pid, proc::started(pid))));
                Some(Self {
                    child: Some((child, descriptor)),
                    has_ended: false,
                    stdout,
                    stderr,
                    left: most,
                    confined,
                    watch,
                    ended: Some(ended),
                    flooded: Some(flooded),
                    finish: None,
                })
            }
        }
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = (Source, std::os::fd::BorrowedFd<'_>)> {
        let child = self.child.as_ref().filter(|_| !self.has_ended);
        let child = child.map(|(_, fd)| (Source::Child, fd.as_fd()));
        let stdout = self.stdout.descriptor().map(|fd| (Source::Stdout, fd));
        let stderr = self.stderr.descriptor().map(|fd| (Source::Stderr, fd));
        child.into_iter().chain(stdout).chain(stderr)
    }

    pub(super) fn advance(&mut self, source: Source) {
        match source {
            Source::Stdout => {
                self.read(true);
            }
            Source::Stderr => {
                self.read(false);
            }
            Source::Child => {
                self.has_ended = true;
                self.ended.take().map(|ended| ended.send(()));
            }
            Source::Wake => {}
        }
    }

    /// Reads once, so that one that talks much leaves room for the others.
    fn read(&mut self, stdout: bool) -> bool {
        let tail = if stdout { &mut self.stdout } else { &mut self.stderr };
        let Told { bytes, more } = tail.read(self.left, |line| {
            if stdout {
                self.watch.tell(line);
            }
        });
        if let Some(left) = &mut self.left {
            match left.checked_sub(bytes) {
                Some(rest) => *left = rest,
                None => {
                    *left = 0;
                    self.flooded.take().map(|flooded| flooded.send(()));
                }
            }
        }
        more
    }

    fn collect(&mut self) -> Option<Head> {
        let (child, _) = self.child.take()?;
        // It has ended, or the descriptor would not have been readable.
        let used =
            child.wait4().inspect_err(|why| tracing::warn!("a child could not be collected: {why}")).ok()?;
        let cpu = used.rusage.utime + used.rusage.stime;
        // A child begins with what this process had when it was started, as far as the kernel's account goes.
        let peak = Some(used.rusage.maxrss)
            .filter(|&peak| !self.confined && own_peak().is_some_and(|own| peak > own));
        Some(Head { status: used.status, cpu, peak })
    }

    /// Answers whoever waits for the end, when it has come.
    pub(super) fn is_over(&mut self) -> bool {
        if !self.has_ended || self.finish.is_none() {
            return false;
        }
        let head = self.collect();
        // All of its processes are gone: what they said is in the pipes, and nothing comes after it.
        for stdout in [true, false] {
            // Somebody who got away must not hold this thread.
            (0..MOST_READS).take_while(|_| self.read(stdout)).for_each(drop);
        }
        let (stdout, mut lost) = self.stdout.end(|line| self.watch.tell(line));
        let (stderr, other) = self.stderr.end(|_| {});
        lost = lost.or(other);
        if let Some(answer) = self.finish.take() {
            let _ = answer.send(Said { head, stdout, stderr, lost });
        }
        true
    }
}

/// Starts it on these CPUs and in these groups, and gives a descriptor that tells its end.
fn spawn(
    command: &mut Command,
    own: Option<&[usize]>,
    groups: &[Cgroup],
    handed: Option<File>,
) -> io::Result<(Child, OwnedFd)> {
    // What this process has inherited, or a library has opened without care, stays here.
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let before = own.map(cpus::pin).transpose()?;
    let visit = Visit::to(groups);
    let spawned = visit.and_then(|_visit| {
        if let Some(file) = &handed {
            fcntl_setfd(file, FdFlags::empty())?;
        }
        let spawned = command.spawn();
        // Before this thread goes back: others in this process start children as well.
        drop(handed);
        spawned
    });
    if let Some(before) = before {
        let _ = sched_setaffinity(None, &before);
    }
    let mut child = spawned?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // Not collected yet, so the number is still this child's.
    let opened = pid
        .ok_or(io::ErrorKind::InvalidInput.into())
        .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
    match opened {
        Ok(descriptor) => Ok((child, descriptor)),
        Err(why) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(why)
        }
    }
}

/// The most memory that this process has had, in bytes.
fn own_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}
