//! Control groups, where they may be made: they know every process of a job, and count its memory as a whole.

use super::places::{Kind, home};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A control group of one job.
///
/// How it is entered makes a difference of a hundred times. A process that enters a group of the unified hierarchy waits until every
/// processor has passed through the scheduler (an RCU grace period, 5 to 20 ms, unless somebody has just done the same): the
/// kernel has to hold off forks. With version 1 a single thread can move and holds off nobody (0.05 ms), so that the thread that starts
/// a job goes into the group, starts it there, and comes back: the job is born in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cgroup {
    path: PathBuf,
    kind: Kind,
}

/// Makes them, all or none.
pub(super) fn make(groups: &[Cgroup], memory: Option<u64>) -> io::Result<()> {
    let made = groups.iter().try_for_each(|group| group.make(memory));
    if made.is_err() {
        groups.iter().for_each(Cgroup::remove);
    }
    made
}

/// While it is there, what this thread starts is born in the groups. (In those of version 1; the others are entered by the
/// processes themselves.)
pub(super) struct Visit(Vec<PathBuf>);

impl Visit {
    /// Takes this thread there.
    ///
    /// # Errors
    /// It cannot enter one; it is back where it was.
    pub(super) fn to(groups: &[Cgroup]) -> io::Result<Self> {
        let mut visit = Self(Vec::new());
        for group in groups {
            if let Some(home) = home(group.kind) {
                visit.0.push(home.join("tasks"));
                fs::write(group.path.join("tasks"), "0")?;
            }
        }
        Ok(visit)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        for home in &self.0 {
            if let Err(why) = fs::write(home, "0") {
                tracing::error!("the thread that starts jobs cannot go back to {}: {why}", home.display());
            }
        }
    }
}

impl Cgroup {
    pub(super) fn new(path: PathBuf, kind: Kind) -> Self {
        Self { path, kind }
    }

    /// One that an earlier process has made and written down.
    pub(super) fn at(path: &Path) -> Self {
        let has = |file: &str| path.join(file).exists();
        let kind = match () {
            () if has("cgroup.events") => Kind::Unified { memory: has("memory.max") },
            () if has("freezer.state") => Kind::Freezer,
            () if has("memory.limit_in_bytes") => Kind::Memory,
            () => Kind::Cpu,
        };
        Self { path: path.into(), kind }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn is_unified(&self) -> bool {
        matches!(self.kind, Kind::Unified { .. })
    }

    /// Whether none of its processes can get away from it, and all can be ended at once.
    pub(super) fn tracks(&self) -> bool {
        self.is_unified() || self.kind == Kind::Freezer
    }

    fn counts_memory(&self) -> bool {
        matches!(self.kind, Kind::Unified { memory: true } | Kind::Memory)
    }

    fn make(&self, limit: Option<u64>) -> io::Result<()> {
        fs::create_dir(&self.path)?;
        let (most, with_swap) = match self.is_unified() {
            true => ("memory.max", "memory.swap.max"),
            false => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
        };
        if let Some(limit) = limit.filter(|_| self.counts_memory()) {
            // What is beyond any machine is no limit, and too large a number for the kernel.
            let limit = limit.min(i64::MAX as u64);
            fs::write(self.path.join(most), limit.to_string())?;
            let swap = if self.is_unified() { 0 } else { limit };
            let _ = fs::write(self.path.join(with_swap), swap.to_string());
        }
        Ok(())
    }

    /// The file that the first process writes 0 to in order to enter, unless it is [born](Visit) in it.
    pub(super) fn door(&self) -> Option<PathBuf> {
        self.is_unified().then(|| self.path.join("cgroup.procs"))
    }

    pub(super) fn pids(&self) -> Vec<i32> {
        let read = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        read.lines().filter_map(|line| line.parse().ok()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        match self.is_unified() {
            true => number(&self.path.join("cgroup.events"), "populated") == Some(0),
            // What cannot be read is not known to be empty, unless the group is gone.
            false => match fs::read_to_string(self.path.join("cgroup.procs")) {
                Ok(pids) => pids.trim().is_empty(),
                Err(why) => why.kind() == io::ErrorKind::NotFound,
            },
        }
    }

    /// Ends everybody in it at once (of the unified hierarchy with Linux 5.14 and later; before, one by one is all there is).
    pub(super) fn kill(&self) {
        match self.kind {
            Kind::Unified { .. } => drop(fs::write(self.path.join("cgroup.kill"), "1")),
            Kind::Freezer => self.kill_frozen(),
            Kind::Cpu | Kind::Memory => {}
        }
    }

    /// Held still nobody can start others, and nobody's number is given to somebody else.
    fn kill_frozen(&self) {
        let me = i32::try_from(std::process::id()).unwrap_or(0);
        let state = self.path.join("freezer.state");
        if self.pids().contains(&me) || fs::write(&state, "FROZEN").is_err() {
            return;
        }
        let until = Instant::now() + Duration::from_millis(50);
        let frozen = || fs::read_to_string(&state).is_ok_and(|state| state.trim() == "FROZEN");
        while !frozen() && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(200));
        }
        for pid in self.pids().into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        if let Err(why) = fs::write(&state, "THAWED") {
            tracing::warn!("{}: {why}", state.display());
        }
    }

    /// The most memory so far in bytes.
    pub(super) fn peak(&self) -> Option<u64> {
        let file = if self.is_unified() { "memory.peak" } else { "memory.max_usage_in_bytes" };
        if !self.counts_memory() {
            return None;
        }
        fs::read_to_string(self.path.join(file)).ok()?.trim().parse().ok()
    }

    /// The processor time so far, of all that was ever in it. (Only some groups count it.)
    pub(super) fn cpu(&self) -> Option<Duration> {
        match self.kind {
            Kind::Unified { .. } => {
                number(&self.path.join("cpu.stat"), "usage_usec").map(Duration::from_micros)
            }
            Kind::Cpu => {
                let used = fs::read_to_string(self.path.join("cpuacct.usage")).ok()?;
                used.trim().parse().ok().map(Duration::from_nanos)
            }
            Kind::Freezer | Kind::Memory => None,
        }
    }

    /// Whether a process was killed since the memory was used up.
    pub(super) fn ran_out(&self) -> bool {
        let file = if self.is_unified() { "memory.events" } else { "memory.oom_control" };
        self.counts_memory() && number(&self.path.join(file), "oom_kill").is_some_and(|kills| kills > 0)
    }

    /// Takes it away, and first those that jobs of the job have made below it. What has just ended may still be in it for a moment.
    pub(super) fn remove(&self) {
        for below in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            if below.file_type().is_ok_and(|kind| kind.is_dir()) {
                Self { path: below.path(), ..self.clone() }.remove();
            }
        }
        let until = Instant::now() + Duration::from_secs(2);
        loop {
            match fs::remove_dir(&self.path) {
                Err(why) if why.kind() == io::ErrorKind::NotFound => return,
                Ok(()) => return,
                Err(why) if Instant::now() > until => {
                    tracing::warn!("the control group {} stays behind: {why}", self.path.display());
                    return;
                }
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// The number behind a name in a file of such lines.
fn number(file: &Path, name: &str) -> Option<u64> {
    let read = fs::read_to_string(file).ok()?;
    read.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}
