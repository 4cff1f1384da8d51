//! A process with all that it has started, and the end of all of them.

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// What the variables that mark processes begin with. They are handed on to agents that agents start, so that the outer
/// ones keep an eye on the inner ones.
pub(super) const MARK: &str = "AUTORESEARCH_AGENT_";

/// How long the end of processes that were told to end is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A started process and its descendants, wherever they went: a group or session of their own, or another parent when
/// theirs had ended. Dropped, all of them are ended.
///
/// On Linux they are told by a variable in their environment, by their parents as seen from time to time, by the folder
/// they stand in, and by the pipes they write to. What has wiped all four away in an instant is not found: a wrapper with a
/// process namespace, such as bubblewrap, is for those who expect that. Elsewhere it is the process group alone.
///
/// Should this very process be killed, a shell that waits beside it ends the process group, and on Linux whatever carries
/// the variable.
pub(super) struct Family {
    child: Child,
    #[cfg(unix)]
    watcher: Option<Child>,
    ended: Option<ExitStatus>,
    over: bool,
    #[cfg(target_os = "linux")]
    kin: kin::Kin,
}

impl Family {
    /// Starts the command, marked, in a process group of its own. `folder` is where none but its processes stand.
    pub(super) fn start(mut command: Command, folder: &std::path::Path) -> io::Result<Self> {
        let mark = mark();
        command.env(&mark, "1");
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn()?;
        #[cfg(unix)]
        let watcher = watch(child.id(), &mark);
        #[cfg(target_os = "linux")]
        let kin = kin::Kin::new(mark, folder, &child);
        #[cfg(not(target_os = "linux"))]
        let _ = folder;
        Ok(Self {
            child,
            #[cfg(unix)]
            watcher,
            ended: None,
            over: false,
            #[cfg(target_os = "linux")]
            kin,
        })
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How the process ended, if it has.
    pub(super) fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Takes note of those that are there now; a millisecond or two.
    pub(super) fn look(&mut self) {
        #[cfg(target_os = "linux")]
        self.kin.look();
    }

    /// Ends all that is left and waits until it is gone. Says how many there were beside the process itself.
    ///
    /// # Errors
    /// Something does not end.
    pub(super) fn end(&mut self) -> io::Result<usize> {
        let until = Instant::now() + PATIENCE;
        if self.status().ok().flatten().is_none() {
            // Not collected yet, so the number is still this group's.
            #[cfg(unix)]
            if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw)
            {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = self.child.kill();
        }
        #[cfg(target_os = "linux")]
        let (others, gone) = self.kin.end(until);
        #[cfg(not(target_os = "linux"))]
        let (others, gone) = (0, true);
        while self.status()?.is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        if !gone || self.ended.is_none() {
            return Err(io::Error::other(format!("processes of it did not end within {PATIENCE:?}")));
        }
        self.over = true;
        #[cfg(unix)]
        self.dismiss();
        Ok(others)
    }

    /// Nothing is left to watch; and the number of the group may soon be somebody else's.
    #[cfg(unix)]
    fn dismiss(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            let _ = watcher.kill();
            let _ = watcher.wait();
        }
    }
}

/// Reads until its input ends, as it does when the process that holds the other end is gone; then it ends the group, and
/// twice whoever has the variable in its environment.
#[cfg(unix)]
const WATCH: &str = r#"read -r _; kill -9 -- "-$1"
for _ in 1 2; do
    for file in /proc/[0-9]*/environ; do
        grep -aqs "$2=" "$file" && { pid=${file#/proc/}; kill -9 "${pid%/environ}"; }
    done
done"#;

#[cfg(unix)]
fn watch(group: u32, mark: &str) -> Option<Child> {
    use std::process::Stdio;
    let mut sh = Command::new("/bin/sh");
    sh.args(["-c", WATCH, "sh"]).arg(group.to_string()).arg(mark).current_dir("/");
    sh.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // In a group of its own, so that what ends this process from the terminal leaves it alone.
    std::os::unix::process::CommandExt::process_group(&mut sh, 0);
    let watcher = sh.spawn();
    if let Err(why) = &watcher {
        tracing::debug!("no shell watches over an agent: {why}");
    }
    watcher.ok()
}

impl Drop for Family {
    fn drop(&mut self) {
        if !self.over
            && let Err(why) = self.end()
        {
            tracing::warn!("an agent was to be ended: {why}");
        }
        #[cfg(unix)]
        self.dismiss();
    }
}

/// A name that no other call of any process of this machine has.
fn mark() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    format!("{MARK}{}_{}_{call}", std::process::id(), since.as_nanos())
}

#[cfg(target_os = "linux")]
mod kin {
    use super::super::proc::{self, Entry};
    use super::{Child, Duration, Instant, PathBuf};
    use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
    use std::collections::HashMap;
    use std::os::fd::AsRawFd;

    /// Who belongs to the family.
    pub(super) struct Kin {
        mark: String,
        folder: PathBuf,
        pipes: Vec<PathBuf>,
        /// Everybody seen so far, by number and start.
        seen: HashMap<i32, u64>,
        head: i32,
        since: u64,
    }

    impl Kin {
        pub(super) fn new(mark: String, folder: &std::path::Path, child: &Child) -> Self {
            let pipe = |fd: i32| std::fs::read_link(format!("/proc/self/fd/{fd}")).ok();
            let out = child.stdout.as_ref().and_then(|out| pipe(out.as_raw_fd()));
            let err = child.stderr.as_ref().and_then(|err| pipe(err.as_raw_fd()));
            let head = i32::try_from(child.id()).unwrap_or(0);
            let started = proc::started(head);
            let seen = started.map(|started| (head, started)).into_iter().collect();
            let since = started.unwrap_or(0);
            Self {
                mark,
                folder: folder.into(),
                pipes: out.into_iter().chain(err).collect(),
                seen,
                head,
                since,
            }
        }

        /// Takes note of children of those that are known.
        pub(super) fn look(&mut self) {
            self.members(false);
        }

        /// Everybody who is alive and belongs. `closely` looks at environments, folders and pipes, too.
        fn members(&mut self, closely: bool) -> Vec<Entry> {
            let mut strangers = proc::all();
            // Numbers are given out again: whoever has another start is somebody else.
            let alive: HashMap<i32, u64> = strangers.iter().map(|entry| (entry.pid, entry.started)).collect();
            self.seen.retain(|pid, started| alive.get(pid) == Some(started));
            let mut members = Vec::new();
            loop {
                let (found, rest): (Vec<Entry>, _) = strangers.into_iter().partition(|entry| {
                    self.seen.contains_key(&entry.pid)
                        || self.seen.contains_key(&entry.parent)
                        || closely && members.is_empty() && self.is_marked(entry)
                });
                strangers = rest;
                if found.is_empty() {
                    return members;
                }
                self.seen.extend(found.iter().map(|entry| (entry.pid, entry.started)));
                members.extend(found);
            }
        }

        /// Older ones are not meant: a shell of somebody who looks into the folder.
        fn is_marked(&self, entry: &Entry) -> bool {
            entry.started >= self.since
                && (proc::has_variable(entry.pid, &self.mark)
                    || proc::touches(entry.pid, &self.folder, &self.pipes))
        }

        /// Ends everybody. Says how many there were beside the head of the family, and whether all of them are gone.
        pub(super) fn end(&mut self, until: Instant) -> (usize, bool) {
            let (mut others, mut empty) = (HashMap::new(), 0);
            let mut pause = Duration::from_millis(1);
            // Two looks in a row: one can miss whoever was started while it was taken.
            while empty < 2 {
                let members = self.members(true);
                empty = if members.is_empty() { empty + 1 } else { 0 };
                for member in &members {
                    kill(member);
                    if member.pid != self.head {
                        others.insert(member.pid, member.started);
                    }
                }
                if Instant::now() > until {
                    return (others.len(), members.is_empty());
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            (others.len(), true)
        }
    }

    /// Through a descriptor, which means the process that was looked at and none that has its number now.
    fn kill(member: &Entry) {
        let Some(pid) = Pid::from_raw(member.pid) else { return };
        let descriptor = pidfd_open(pid, PidfdFlags::empty());
        if proc::entry(member.pid).is_none_or(|now| now.started != member.started) {
            return;
        }
        let _ = match descriptor {
            Ok(descriptor) => pidfd_send_signal(descriptor, Signal::KILL),
            Err(_) => kill_process(pid, Signal::KILL), // before Linux 5.3
        };
    }
}
