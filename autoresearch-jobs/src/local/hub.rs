//! The one thread that starts children, reads what they say, and collects them.
//!
//! A thread of its own and for good, for three reasons. What is to die with its parent dies with the *thread* that has
//! started it (`PR_SET_PDEATHSIG`), and the runtime's threads come and go. A child inherits the CPUs that the thread is
//! pinned to, so that it needs no helper program. And waiting takes no timer: the thread sleeps in `poll` on the descriptors
//! of children (`pidfd`) and pipes, whatever runtime there is above.

use super::tail::{Tail, Told};
use crate::launch::Watch;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
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

/// What was said, when all is over.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// Why output could not be written to its file.
    pub(super) lost: Option<String>,
}

/// What is to be started.
pub(super) struct Start {
    pub(super) key: u64,
    pub(super) command: Command,
    pub(super) cpus: Option<Vec<usize>>,
    pub(super) stdout: Option<File>,
    pub(super) stderr: Option<File>,
    /// The most bytes of output.
    pub(super) most: Option<u64>,
    pub(super) watch: Watch,
    /// Told the number of the child.
    pub(super) started: oneshot::Sender<io::Result<i32>>,
    /// Told how it ended.
    pub(super) ended: oneshot::Sender<Head>,
    /// Told when it has said too much.
    pub(super) flooded: oneshot::Sender<()>,
}

enum Request {
    Start(Box<Start>),
    /// Answers when all that was asked for before is done.
    Pass(mpsc::Sender<()>),
    /// Answers when the child is collected and all that it has said is read.
    Finish(u64, mpsc::Sender<Said>),
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Hub {
    requests: Mutex<Vec<Request>>,
    wake: OwnedFd,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request")
    }
}

/// The thread of this process, started when it is first asked for.
///
/// # Errors
/// The system has no descriptors or threads left.
pub(super) fn hub() -> io::Result<Arc<Hub>> {
    static HUB: OnceLock<Arc<Hub>> = OnceLock::new();
    static FIRST: Mutex<()> = Mutex::new(());
    let _one = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(hub) = HUB.get() {
        return Ok(Arc::clone(hub));
    }
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let hub = Arc::new(Hub { requests: Mutex::default(), wake });
    let own = Arc::clone(&hub);
    std::thread::Builder::new().name("autoresearch-jobs".into()).spawn(move || own.run())?;
    Ok(Arc::clone(HUB.get_or_init(|| hub)))
}

impl Hub {
    fn ask(&self, request: Request) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    pub(super) fn start(&self, start: Start) {
        self.ask(Request::Start(Box::new(start)));
    }

    /// Waits until all that was asked for before is done: from then on a child is there, or will never be.
    pub(super) fn pass(&self, patience: Duration) {
        let (answer, answered) = mpsc::channel();
        self.ask(Request::Pass(answer));
        let _ = answered.recv_timeout(patience);
    }

    /// What the child has said, when it is collected; `None`: it does not end.
    pub(super) fn finish(&self, key: u64, patience: Duration) -> Option<Said> {
        let (answer, answered) = mpsc::channel();
        self.ask(Request::Finish(key, answer));
        answered.recv_timeout(patience).ok()
    }

    fn run(&self) {
        let mut live: BTreeMap<u64, Live> = BTreeMap::new();
        loop {
            if let Err(why) = self.turn(&mut live) {
                // Out of memory for the kernel: nothing to be done but to try again.
                tracing::warn!("waiting for children failed: {why}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn turn(&self, live: &mut BTreeMap<u64, Live>) -> io::Result<()> {
        let mut what = vec![(0, Source::Wake)];
        let mut fds = vec![PollFd::new(&self.wake, PollFlags::IN)];
        for (key, one) in live.iter() {
            for (source, fd) in one.sources() {
                what.push((*key, source));
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
        }
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(why) => return Err(why.into()),
        }
        let ready: Vec<(u64, Source)> =
            fds.iter().zip(what).filter(|(fd, _)| !fd.revents().is_empty()).map(|(_, what)| what).collect();
        for (key, source) in ready {
            match (source, live.get_mut(&key)) {
                (Source::Wake, _) => self.serve(live),
                (source, Some(one)) => one.advance(source),
                (_, None) => {}
            }
        }
        live.retain(|_, one| !one.is_over());
        Ok(())
    }

    fn serve(&self, live: &mut BTreeMap<u64, Live>) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.wake, &mut count);
        let requests = std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner));
        for request in requests {
            match request {
                Request::Start(start) => {
                    let key = start.key;
                    if let Some(one) = Live::start(*start) {
                        live.insert(key, one);
                    }
                }
                Request::Pass(answer) => drop(answer.send(())),
                Request::Finish(key, answer) => match live.get_mut(&key) {
                    Some(one) => one.finish = Some(answer),
                    None => drop(answer.send(Said::default())),
                },
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Wake,
    Child,
    Stdout,
    Stderr,
}

/// A child that is not done with.
struct Live {
    /// Until it is collected.
    child: Option<(Child, OwnedFd)>,
    stdout: Tail,
    stderr: Tail,
    left: Option<u64>,
    watch: Watch,
    ended: Option<oneshot::Sender<Head>>,
    flooded: Option<oneshot::Sender<()>>,
    finish: Option<mpsc::Sender<Said>>,
}

impl Live {
    fn start(start: Start) -> Option<Self> {
        let Start { mut command, cpus, started, ended, flooded, watch, most, .. } = start;
        match spawn(&mut command, cpus.as_deref()) {
            Err(why) => {
                let _ = started.send(Err(why));
                None
            }
            Ok((mut child, descriptor)) => {
                let pid = i32::try_from(child.id()).unwrap_or(0);
                let stdout = Tail::new(child.stdout.take().map(OwnedFd::from), start.stdout);
                let stderr = Tail::new(child.stderr.take().map(OwnedFd::from), start.stderr);
                let _ = started.send(Ok(pid));
                Some(Self {
                    child: Some((child, descriptor)),
                    stdout,
                    stderr,
                    left: most,
                    watch,
                    ended: Some(ended),
                    flooded: Some(flooded),
                    finish: None,
                })
            }
        }
    }

    fn sources(&self) -> impl Iterator<Item = (Source, std::os::fd::BorrowedFd<'_>)> {
        let child = self.child.as_ref().map(|(_, fd)| (Source::Child, fd.as_fd()));
        let stdout = self.stdout.descriptor().map(|fd| (Source::Stdout, fd));
        let stderr = self.stderr.descriptor().map(|fd| (Source::Stderr, fd));
        child.into_iter().chain(stdout).chain(stderr)
    }

    fn advance(&mut self, source: Source) {
        match source {
            Source::Stdout => {
                self.read(true);
            }
            Source::Stderr => {
                self.read(false);
            }
            Source::Child => self.collect(),
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

    fn collect(&mut self) {
        let Some((child, _)) = self.child.take() else { return };
        // It has ended, or the descriptor would not be readable.
        match child.wait4() {
            Ok(used) => {
                let cpu = used.rusage.utime + used.rusage.stime;
                // A child begins with what this process had when it was started, as far as the kernel's account goes.
                let peak = Some(used.rusage.maxrss).filter(|&peak| own_peak().is_some_and(|own| peak > own));
                let head = Head { status: used.status, cpu, peak };
                if let Some(ended) = self.ended.take() {
                    let _ = ended.send(head);
                }
            }
            Err(why) => {
                tracing::warn!("a child could not be collected: {why}");
                self.ended = None;
            }
        }
    }

    /// Answers whoever waits for the end, when it has come.
    fn is_over(&mut self) -> bool {
        if self.child.is_some() || self.finish.is_none() {
            return false;
        }
        // All of its processes are gone: what they said is in the pipes, and nothing comes after it.
        for stdout in [true, false] {
            // Somebody who got away must not hold this thread.
            (0..MOST_READS).take_while(|_| self.read(stdout)).for_each(drop);
        }
        let (stdout, mut lost) = self.stdout.end(|line| self.watch.tell(line));
        let (stderr, other) = self.stderr.end(|_| {});
        lost = lost.or(other);
        if let Some(answer) = self.finish.take() {
            let _ = answer.send(Said { stdout, stderr, lost });
        }
        true
    }
}

/// Starts it on these CPUs, and gives a descriptor that tells its end.
fn spawn(command: &mut Command, cpus: Option<&[usize]>) -> io::Result<(Child, OwnedFd)> {
    let before = cpus.map(pin).transpose()?;
    let spawned = command.spawn();
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

/// Pins this thread, and gives what it was pinned to.
fn pin(cpus: &[usize]) -> io::Result<CpuSet> {
    let before = sched_getaffinity(None)?;
    let mut set = CpuSet::new();
    cpus.iter().for_each(|&cpu| set.set(cpu));
    sched_setaffinity(None, &set)?;
    Ok(before)
}

/// The CPUs that this process may use.
pub(super) fn cpus() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// The most memory that this process has had, in bytes.
fn own_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Reads what is there, without waiting.
pub(super) fn read_now(pipe: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match pipe.read(buffer) {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
