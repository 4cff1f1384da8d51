//! A process with all that it has started, and the end of all of them.

#[cfg(target_os = "linux")]
use super::kin::Kin;
use std::io;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

/// What the variables that mark processes begin with. They are handed on to agents that agents start, so that the outer
/// ones keep an eye on the inner ones.
pub(super) const MARK: &str = "AUTORESEARCH_AGENT_";

/// How long the end of processes that were told to end is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of that whoever drops a family waits: it may be a thread on which others wait, too.
const AT_ONCE: Duration = Duration::from_millis(500);

/// A started process and its descendants, wherever they went: a group or session of their own, or another parent when
/// theirs had ended. Dropped, all of them are ended; if that takes its time, a thread goes on with it.
///
/// On Linux they are told by a variable in their environment, by their parents as seen from time to time, by the folder
/// they stand in, and by the pipes they write to. What has wiped all four away in an instant is not found: a wrapper with a
/// process namespace, such as bubblewrap, is for those who expect that. Elsewhere it is the process group alone.
///
/// Should this very process be killed, a shell that waits beside it ends the process group, and on Linux whatever carries
/// the variable.
pub(super) struct Family(Option<Members>);

impl Family {
    /// Starts the command, marked, in a process group of its own. `folder` is where none but its processes stand.
    pub(super) fn start(command: Command, folder: &Path) -> io::Result<Self> {
        Members::start(command, folder).map(|members| Self(Some(members)))
    }

    /// What it prints; each once.
    pub(super) fn pipes(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        let child = self.0.as_mut().map(|members| &mut members.child);
        child.map_or((None, None), |child| (child.stdout.take(), child.stderr.take()))
    }

    /// How the process ended, if it has.
    pub(super) fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.as_mut().map_or(Ok(None), Members::status)
    }

    /// Takes note of those that are there now; a millisecond or two.
    pub(super) fn look(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(members) = &mut self.0 {
            members.kin.look();
        }
    }

    /// Ends all that is left and waits until it is gone. Says how many there were beside the process itself.
    ///
    /// # Errors
    /// Something does not end.
    pub(super) fn end(mut self) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), |mut members| members.end(PATIENCE))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if let Some(members) = self.0.take() {
            finish(members, AT_ONCE);
        }
    }
}

/// Ends all of them: in this thread if that is done within `at_once`, else in one of its own.
fn finish(mut members: Members, at_once: Duration) {
    if !at_once.is_zero() && members.end(at_once).is_ok() {
        return;
    }
    let rest = move || {
        if let Err(why) = members.end(PATIENCE) {
            tracing::warn!("an agent was to be ended: {why}");
        }
    };
    if let Err(why) = std::thread::Builder::new().name("agent-end".into()).spawn(rest) {
        tracing::warn!("an agent was to be ended, and there is no thread for it: {why}");
    }
}

/// The process and what is known of the others.
struct Members {
    child: Child,
    #[cfg(unix)]
    watcher: Option<Child>,
    ended: Option<ExitStatus>,
    #[cfg(target_os = "linux")]
    kin: Kin,
}

impl Members {
    fn start(mut command: Command, folder: &Path) -> io::Result<Self> {
        let mark = mark();
        command.env(&mark, "1");
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn()?;
        #[cfg(unix)]
        let watcher = watch(child.id(), &mark);
        #[cfg(target_os = "linux")]
        let kin = Kin::new(mark, folder, &child);
        #[cfg(not(target_os = "linux"))]
        let _ = folder;
        Ok(Self {
            child,
            #[cfg(unix)]
            watcher,
            ended: None,
            #[cfg(target_os = "linux")]
            kin,
        })
    }

    fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    fn end(&mut self, patience: Duration) -> io::Result<usize> {
        let until = Instant::now() + patience;
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
            return Err(io::Error::other(format!("processes of it did not end within {patience:?}")));
        }
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
const WATCH: &str = r#"read -r _; kill -9 "-$1"
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

#[cfg(unix)]
impl Drop for Members {
    fn drop(&mut self) {
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::Stdio;

    fn until(what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(30), "it never came about that {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_watcher_ends_a_group_of_which_none_carries_the_mark() {
        use std::os::unix::process::{CommandExt, ExitStatusExt};
        let mut group = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let mut watcher = watch(group.id(), &mark()).unwrap();
        assert_eq!(group.try_wait().unwrap(), None);
        drop(watcher.stdin.take()); // as when this process ends
        until("the group has ended", || group.try_wait().unwrap().is_some());
        assert_eq!(group.wait().unwrap().signal(), Some(9));
        watcher.wait().unwrap();
    }

    #[test]
    fn what_does_not_end_at_once_is_ended_by_a_thread() {
        let mut sleep = Command::new("sleep");
        sleep.arg("600").stdout(Stdio::null());
        let members = Members::start(sleep, Path::new("/no/such/folder")).unwrap();
        let pid = members.child.id();
        finish(members, Duration::ZERO);
        // Gone, and collected: a process that nobody waits for stays in the list.
        until("it is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    }
}
