//! Control groups, where they may be made: they know every process of a job, and count its memory as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A control group of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cgroup {
    path: PathBuf,
    unified: bool,
    memory: bool,
}

/// Where groups may be made on this machine, as was tried once.
#[derive(Debug, Default)]
struct Places {
    /// The unified hierarchy (version 2), and whether it counts memory there.
    unified: Option<(PathBuf, bool)>,
    /// The memory hierarchy of version 1.
    memory: Option<PathBuf>,
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
    places().unified.is_some()
}

/// The groups that a job is to have, which its first process enters: one that knows its processes, and one that counts its memory
/// where that is limited. None where they may not be made.
pub(super) fn plan(name: &str, memory: bool) -> Vec<Cgroup> {
    let unified = places().unified.as_ref();
    let counted = unified.is_some_and(|(_, counts)| *counts);
    let unified =
        unified.map(|(base, counts)| Cgroup { path: base.join(name), unified: true, memory: *counts });
    let apart = places().memory.as_ref().filter(|_| memory && !counted);
    let apart = apart.map(|base| Cgroup { path: base.join(name), unified: false, memory: true });
    unified.into_iter().chain(apart).collect()
}

/// Makes them, all or none.
pub(super) fn make(groups: &[Cgroup], memory: Option<u64>) -> io::Result<()> {
    let made = groups.iter().try_for_each(|group| group.make(memory));
    if made.is_err() {
        groups.iter().for_each(Cgroup::remove);
    }
    made
}

impl Cgroup {
    /// One that an earlier process has made and written down.
    pub(super) fn at(path: &Path) -> Self {
        let unified = path.join("cgroup.events").exists();
        Self { path: path.into(), unified, memory: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_unified(&self) -> bool {
        self.unified
    }

    fn make(&self, limit: Option<u64>) -> io::Result<()> {
        fs::create_dir(&self.path)?;
        let (most, with_swap) = match self.unified {
            true => ("memory.max", "memory.swap.max"),
            false => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
        };
        if let Some(limit) = limit.filter(|_| self.memory) {
            // What is beyond any machine is no limit, and too large a number for the kernel.
            let limit = limit.min(i64::MAX as u64);
            fs::write(self.path.join(most), limit.to_string())?;
            let swap = if self.unified { 0 } else { limit };
            let _ = fs::write(self.path.join(with_swap), swap.to_string());
        }
        Ok(())
    }

    /// The file that a process writes 0 to in order to enter.
    pub(super) fn door(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    pub(super) fn pids(&self) -> Vec<i32> {
        let read = fs::read_to_string(self.door()).unwrap_or_default();
        read.lines().filter_map(|line| line.parse().ok()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        match self.unified {
            true => number(&self.path.join("cgroup.events"), "populated") == Some(0),
            false => self.pids().is_empty(),
        }
    }

    /// Ends everybody in it at once (Linux 5.14 and later; before, one by one is all there is).
    pub(super) fn kill(&self) {
        if self.unified {
            let _ = fs::write(self.path.join("cgroup.kill"), "1");
        }
    }

    /// The most memory so far in bytes.
    pub(super) fn peak(&self) -> Option<u64> {
        let file = if self.unified { "memory.peak" } else { "memory.max_usage_in_bytes" };
        fs::read_to_string(self.path.join(file)).ok()?.trim().parse().ok().filter(|_| self.memory)
    }

    /// The processor time so far, of all that was ever in it. (The unified hierarchy always counts it.)
    pub(super) fn cpu(&self) -> Option<Duration> {
        let used = number(&self.path.join("cpu.stat"), "usage_usec").filter(|_| self.unified)?;
        Some(Duration::from_micros(used))
    }

    /// Whether a process was killed since the memory was used up.
    pub(super) fn ran_out(&self) -> bool {
        let file = if self.unified { "memory.events" } else { "memory.oom_control" };
        self.memory && number(&self.path.join(file), "oom_kill").is_some_and(|kills| kills > 0)
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
        let counts_memory = back.last().is_some_and(|options| options.split(',').any(|o| o == "memory"));
        // Where this process is, as seen from the mount; else the top of what is mounted.
        let here = |controller: &str| {
            let line = own.lines().find_map(|line| {
                let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
                controllers.split(',').any(|c| c == controller).then_some(path)
            });
            let below = line.and_then(|path| Path::new(path).strip_prefix(root).ok());
            [below.map(|below| Path::new(point).join(below)), Some(point.into())]
        };
        match *kind {
            "cgroup2" if places.unified.is_none() => {
                let mut bases = here("").into_iter().flatten();
                places.unified = bases.find_map(|base| Some((base.clone(), may_enter(&base, "memory.max")?)));
            }
            "cgroup" if counts_memory && places.memory.is_none() => {
                let mut bases = here("memory").into_iter().flatten();
                places.memory = bases.find(|base| may_enter(base, "memory.limit_in_bytes") == Some(true));
            }
            _ => {}
        }
    }
    Some(places)
}

/// Whether a process can enter a group that is made here; and if so, whether it has this file.
fn may_enter(base: &Path, file: &str) -> Option<bool> {
    let path = base.join(super::claim::mark().to_lowercase());
    fs::create_dir(&path).ok()?;
    let group = Cgroup { path, unified: false, memory: false };
    let mut sh = Command::new("/bin/sh");
    sh.args(["-c", r#"echo 0 > "$1""#, "sh"]).arg(group.door());
    sh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let entered = sh.status().is_ok_and(|status| status.success());
    let has = group.path.join(file).exists();
    group.remove();
    entered.then_some(has)
}
