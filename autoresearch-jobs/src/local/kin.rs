//! All processes that a job has started, wherever they went, and the end of them.

use super::cgroup::Cgroup;
use super::proc::{self, Entry};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What the variables that mark processes begin with. Jobs within jobs keep the marks of the outer ones, so that who ends
/// the outer one finds them.
pub(super) const MARK: &str = "AUTORESEARCH_JOB_";

/// How long those are waited for who are about to end.
const ENDING: Duration = Duration::from_secs(1);

/// How long the kernel is given to end what is in a sandbox whose first process has ended.
const AT_ONCE: Duration = Duration::from_millis(20);

/// Who belongs to a job: whoever is in its control groups, carries its mark in the environment, stands in its folder, is in
/// its process group, or descends from somebody who was seen to.
///
/// A process that leaves the group, the session and its parents, wipes the mark away, stands elsewhere, and does all this
/// between two looks, is found by control groups alone. Where those are not permitted, [`Bubblewrap`](crate::Bubblewrap) is
/// the answer.
#[derive(Debug)]
pub(super) struct Kin {
    mark: String,
    /// Folders in which none but its processes stand.
    folders: [PathBuf; 2],
    groups: Vec<Cgroup>,
    /// Everybody seen so far, by number and start.
    seen: HashMap<i32, u64>,
    head: i32,
    /// Older ones are not meant.
    since: u64,
    /// The most pages in memory that were seen.
    most: u64,
    /// Somebody who may have belonged was about to end at the last look.
    ending: bool,
    /// At the last look nobody could be seen.
    blind: bool,
}

impl Kin {
    pub(super) fn new(mark: String, folders: [PathBuf; 2], groups: Vec<Cgroup>, since: u64) -> Self {
        Self {
            mark,
            folders,
            groups,
            seen: HashMap::new(),
            head: 0,
            since,
            most: 0,
            ending: false,
            blind: false,
        }
    }

    /// This is its first process.
    pub(super) fn begins_with(&mut self, pid: i32, started: Option<u64>) {
        self.head = pid;
        self.seen.extend(started.map(|started| (pid, started)));
    }

    pub(super) fn groups(&self) -> &[Cgroup] {
        &self.groups
    }

    /// Whether a control group keeps an eye on every process, so that looks from time to time are not needed.
    fn is_tracked(&self) -> bool {
        self.groups.iter().any(Cgroup::tracks)
    }

    /// What its processes use now, ticks of processor time and pages of memory, and how many they are. Takes note of new ones.
    pub(super) fn usage(&mut self) -> ((u64, u64), u64) {
        let members = self.pids();
        let many = members.len() as u64;
        let entries = members.into_iter().filter_map(proc::entry);
        let (ticks, pages) =
            entries.fold((0, 0), |(ticks, pages), one| (ticks + one.ticks, pages + one.pages));
        self.most = self.most.max(pages);
        // Of those that have ended, the groups alone keep account.
        let cpu = self
            .groups
            .iter()
            .find_map(Cgroup::cpu)
            .map_or(0, |cpu| (cpu.as_secs_f64() * proc::TICKS) as u64);
        ((ticks.max(cpu), pages), many)
    }

    /// Everybody who is alive.
    pub(super) fn pids(&mut self) -> Vec<i32> {
        let found: HashSet<i32> = match self.is_tracked() {
            // The kernel knows them: there is no need to look at all others.
            true => self.groups.iter().flat_map(Cgroup::pids).collect(),
            false => self.members(false).iter().map(|one| one.pid).collect(),
        };
        found.into_iter().collect()
    }

    /// The most pages in memory that were ever seen; `None`: nobody looked in time.
    pub(super) fn most(&self) -> Option<u64> {
        Some(self.most).filter(|&most| most > 0)
    }

    /// Everybody who is alive and belongs. `closely` looks at environments and folders, too.
    fn members(&mut self, closely: bool) -> Vec<Entry> {
        let grouped: HashSet<i32> = self.groups.iter().flat_map(Cgroup::pids).collect();
        let all = proc::all();
        self.blind = all.is_err();
        // Who was seen before is not forgotten for that.
        let Ok(mut strangers) = all.inspect_err(|why| tracing::warn!("processes cannot be looked at: {why}"))
        else {
            return Vec::new();
        };
        // Numbers are given out again: whoever has another start is somebody else.
        let alive: HashMap<i32, u64> = strangers.iter().map(|entry| (entry.pid, entry.started)).collect();
        self.seen.retain(|pid, started| alive.get(pid) == Some(started));
        let mut members = Vec::new();
        loop {
            let first = members.is_empty();
            let (found, rest): (Vec<Entry>, _) = strangers.into_iter().partition(|entry| {
                self.seen.contains_key(&entry.pid)
                    || self.seen.contains_key(&entry.parent)
                    || grouped.contains(&entry.pid)
                    || entry.started >= self.since
                        && (entry.group == self.head && self.head > 0
                            || closely && first && self.is_marked(entry))
            });
            strangers = rest;
            if found.is_empty() {
                // Their environments are gone already, so that nothing tells whose they were.
                self.ending = strangers.iter().any(|entry| entry.ending && entry.started >= self.since);
                return members;
            }
            self.seen.extend(found.iter().map(|entry| (entry.pid, entry.started)));
            members.extend(found);
        }
    }

    fn is_marked(&self, entry: &Entry) -> bool {
        proc::has_variable(entry.pid, &self.mark) || proc::stands_in(entry.pid, &self.folders)
    }

    /// Ends everybody. Says how many there were beside the first process, and whether all of them are gone. `headless`: the
    /// first process has ended by itself. `confined`: then the kernel ends the others.
    pub(super) fn end(&mut self, headless: bool, confined: bool, patience: Duration) -> (u64, bool) {
        // The kernel knows that nobody is left: most jobs end like this. (One that has not ended may not have entered yet.)
        if headless && self.is_tracked() {
            let soon = Instant::now() + if confined { AT_ONCE } else { Duration::ZERO };
            loop {
                if self.groups.iter().all(Cgroup::is_empty) {
                    return (0, true);
                }
                if Instant::now() >= soon {
                    break;
                }
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        let (until, soon) = (Instant::now() + patience, Instant::now() + ENDING);
        let mut others = HashMap::new();
        let mut pause = Duration::from_millis(1);
        // After something was found, two looks in a row: one can miss whoever was started while it was taken.
        let (mut empty, mut wanted) = (0, 1);
        loop {
            let members = self.members(true);
            if members.is_empty() && self.ending && Instant::now() < soon {
                std::thread::sleep(pause);
                continue;
            }
            if self.blind {
                self.groups.iter().for_each(Cgroup::kill);
                if Instant::now() > until {
                    return (others.len() as u64, false);
                }
                std::thread::sleep(ENDING / 20);
                continue;
            }
            if members.is_empty() {
                empty += 1;
                if empty >= wanted {
                    return (others.len() as u64, true);
                }
                continue;
            }
            (empty, wanted) = (0, 2);
            for member in &members {
                kill(member);
                if member.pid != self.head {
                    others.insert(member.pid, member.started);
                }
            }
            self.groups.iter().for_each(Cgroup::kill);
            if Instant::now() > until {
                return (others.len() as u64, false);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
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
