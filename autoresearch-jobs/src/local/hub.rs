//! The one thread that starts children, reads what they say, and collects them.
//!
//! A thread of its own and for good, for three reasons. What is to die with its parent dies with the *thread* that has
//! started it (`PR_SET_PDEATHSIG`), and the runtime's threads come and go. A child inherits the CPUs that the thread is
//! pinned to, so that it needs no helper program. And waiting takes no timer: the thread sleeps in `poll` on the descriptors
//! of children (`pidfd`) and pipes, whatever runtime there is above.

use super::cgroup::Cgroup;
use super::live::{Head, Live, Source};
use crate::launch::Watch;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;

/// What was said, when all is over.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// How the first process ended; `None`: there is none, or nothing can be known of it.
    pub(super) head: Option<Head>,
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
    /// In which it is born, as far as they can be [visited](super::cgroup::Visit).
    pub(super) groups: Vec<Cgroup>,
    /// What it is to have open beside the three, under the number that it has here.
    pub(super) handed: Option<File>,
    pub(super) stdout: Option<File>,
    pub(super) stderr: Option<File>,
    /// The most bytes of output.
    pub(super) most: Option<u64>,
    pub(super) watch: Watch,
    /// Told the number of the child and when it was started, which together name it for good.
    pub(super) started: oneshot::Sender<io::Result<(i32, Option<u64>)>>,
    /// Told when it has ended. It keeps its number until it is [finished](Hub::finish).
    pub(super) ended: oneshot::Sender<()>,
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
    super::signals::keep_from_jobs();
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

    /// Collects the child, and gives what it has said; `None`: it does not end. Before that its number is nobody else's, so that
    /// it can be ended with all of its group by then, and not after.
    pub(super) fn finish(&self, key: u64, patience: Duration) -> Option<Said> {
        let (answer, answered) = mpsc::channel();
        self.ask(Request::Finish(key, answer));
        answered.recv_timeout(patience).ok()
    }

    fn run(&self) {
        // The thread that has asked for this one first may be pinned, and jobs would be with it.
        super::cpus::unpin();
        let mut live: BTreeMap<u64, Live> = BTreeMap::new();
        loop {
            // What is told of lines is a stranger's, and may panic when it is dropped.
            match catch_unwind(AssertUnwindSafe(|| self.turn(&mut live))) {
                Ok(Ok(())) => {}
                Ok(Err(why)) => {
                    // Out of memory for the kernel: nothing to be done but to try again.
                    tracing::warn!("waiting for children failed: {why}");
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(_) => tracing::warn!("who was told lines of output panicked"),
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
