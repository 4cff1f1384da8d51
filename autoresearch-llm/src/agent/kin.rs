//! Who belongs to a process: all that it has started, wherever they went (Linux).

use super::proc::{self, Entry};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

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
        Self { mark, folder: folder.into(), pipes: out.into_iter().chain(err).collect(), seen, head, since }
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
