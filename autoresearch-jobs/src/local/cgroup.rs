//! Control groups, where they may be made: they know every process of a job, and count its memory as a whole.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What a group is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The unified hierarchy (version 2); whether it counts memory here.
    Unified { memory: bool },
    /// Version 1: knows its processes, and can hold them still while they are ended.
    Freezer,
    /// Version 1: counts processor time.
    Cpu,
    /// Version 1: counts memory.
    Memory,
}

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

/// A place where groups of version 1 may be made, and the group that this process is in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Old {
    base: PathBuf,
    home: PathBuf,
}

/// Where groups may be made on this machine, as was tried once.
#[derive(Debug, Default)]
struct Places {
    /// The unified hierarchy (version 2), and whether it counts memory there.
    unified: Option<(PathBuf, bool)>,
    freezer: Option<Old>,
    cpu: Option<Old>,
    memory: Option<Old>,
}

impl Places {
    /// Both of version 1 that take the place of the unified hierarchy.
    fn quick(&self) -> Option<[(&Old, Kind); 2]> {
        Some([(self.freezer.as_ref()?, Kind::Freezer), (self.cpu.as_ref()?, Kind::Cpu)])
    }
}

fn places() -> &'static Places {
    static PLACES: OnceLock<Places> = OnceLock::new();
    PLACES.get_or_init(|| {
        let found = find().unwrap_or_default();
        tracing::debug!(?found, "control groups");
        found
    })
}

/// Whether the memory of a job can be counted and limited as a whole.
pub(super) fn counts_memory() -> bool {
    places().memory.is_some() || places().unified.as_ref().is_some_and(|(_, memory)| *memory)
}

/// Whether the kernel can keep account of all processes of a job.
pub(super) fn contains_all() -> bool {
    places().unified.is_some() || places().quick().is_some()
}

/// The groups that a job is to have: what knows its processes and counts their time, and what counts its memory where that is
/// limited. None where they may not be made.
pub(super) fn plan(name: &str, memory: bool) -> Vec<Cgroup> {
    let places = places();
    let unified = places.unified.as_ref();
    let counted = unified.is_some_and(|(_, counts)| *counts);
    let mut groups = Vec::new();
    match (places.quick(), unified) {
        (Some(quick), _) if !(memory && counted) => {
            groups.extend(quick.map(|(old, kind)| Cgroup { path: old.base.join(name), kind }));
        }
        (_, Some((base, counts))) => {
            groups.push(Cgroup { path: base.join(name), kind: Kind::Unified { memory: *counts } });
        }
        _ => {}
    }
    if let Some(old) = places.memory.as_ref().filter(|_| memory && !counted) {
        groups.push(Cgroup { path: old.base.join(name), kind: Kind::Memory });
    }
    groups
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
            if let Some(home) = group.home() {
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

    fn home(&self) -> Option<&Path> {
        let old = match self.kind {
            Kind::Unified { .. } => None,
            Kind::Freezer => places().freezer.as_ref(),
            Kind::Cpu => places().cpu.as_ref(),
            Kind::Memory => places().memory.as_ref(),
        };
        old.map(|old| &*old.home)
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
            false => self.pids().is_empty(),
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

fn find() -> Option<Places> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut places = Places::default();
    for line in mounts.lines() {
        let Some((front, back)) = line.split_once(" - ") else { continue };
        let (front, back): (Vec<&str>, Vec<&str>) = (front.split(' ').collect(), back.split(' ').collect());
        let (Some(root), Some(point), Some(kind)) = (front.get(3), front.get(4), back.first()) else {
            continue;
        };
        let controls: Vec<&str> = back.last().map(|options| options.split(',').collect()).unwrap_or_default();
        // Where this process is, as seen from the mount; else the top of what is mounted.
        let here = |controller: &str| {
            let line = own.lines().find_map(|line| {
                let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
                controllers.split(',').any(|c| c == controller).then_some(path)
            });
            let below = line.and_then(|path| Path::new(path).strip_prefix(root).ok());
            [below.map(|below| Path::new(point).join(below)), Some(point.into())]
        };
        // Of one that does more than this a job would notice: a group of `cpu` has a share of its own.
        let alone = |name: &str| controls.contains(&name) && !controls.contains(&"cpu");
        let old = |name: &str, file: &str| {
            let [home, top] = here(name);
            let home = home?;
            let bases = [Some(home.clone()), top].into_iter().flatten();
            let base = { bases }.find(|base| may_visit(base, &home, file))?;
            Some(Old { base, home })
        };
        match *kind {
            "cgroup2" if places.unified.is_none() => {
                let mut bases = here("").into_iter().flatten();
                places.unified = bases.find_map(|base| Some((base.clone(), may_enter(&base, "memory.max")?)));
            }
            "cgroup" if alone("freezer") && places.freezer.is_none() => {
                places.freezer = old("freezer", "freezer.state");
            }
            "cgroup" if alone("cpuacct") && places.cpu.is_none() => {
                places.cpu = old("cpuacct", "cpuacct.usage");
            }
            "cgroup" if alone("memory") && places.memory.is_none() => {
                places.memory = old("memory", "memory.limit_in_bytes");
            }
            _ => {}
        }
    }
    Some(places)
}

/// A group to try things with.
fn trial(base: &Path) -> Option<Cgroup> {
    let path = base.join(super::claim::mark().to_lowercase());
    fs::create_dir(&path).ok()?;
    Some(Cgroup { path, kind: Kind::Cpu })
}

/// Whether a thread can go to a group that is made here, and come back; and that has this file.
fn may_visit(base: &Path, home: &Path, file: &str) -> bool {
    let Some(group) = trial(base) else { return false };
    let (tasks, home) = (group.path.join("tasks"), home.join("tasks"));
    let tried =
        std::thread::spawn(move || fs::write(&tasks, "0").and_then(|()| fs::write(&home, "0")).is_ok());
    let can = tried.join().unwrap_or(false) && group.path.join(file).exists();
    group.remove();
    can
}

/// Whether a process can enter a group that is made here; and if so, whether it has this file.
fn may_enter(base: &Path, file: &str) -> Option<bool> {
    let group = trial(base)?;
    let mut sh = Command::new("/bin/sh");
    sh.args(["-c", r#"echo 0 > "$1""#, "sh"]).arg(group.path.join("cgroup.procs"));
    sh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let entered = sh.status().is_ok_and(|status| status.success());
    let has = group.path.join(file).exists();
    group.remove();
    entered.then_some(has)
}
