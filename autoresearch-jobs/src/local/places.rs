//! Where control groups may be made, and which ones a job is to have.

use super::cgroup::Cgroup;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What a group is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The unified hierarchy (version 2); whether it counts memory here.
    Unified { memory: bool },
    /// Version 1: knows its processes, and can hold them still while they are ended.
    Freezer,
    /// Version 1: counts processor time.
    Cpu,
    /// Version 1: counts memory.
    Memory,
}

/// A place where groups of version 1 may be made, and the group that this process is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Old {
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
            groups.extend(quick.map(|(old, kind)| Cgroup::new(old.base.join(name), kind)));
        }
        (_, Some((base, counts))) => {
            groups.push(Cgroup::new(base.join(name), Kind::Unified { memory: *counts }));
        }
        _ => {}
    }
    if let Some(old) = places.memory.as_ref().filter(|_| memory && !counted) {
        groups.push(Cgroup::new(old.base.join(name), Kind::Memory));
    }
    groups
}

/// The group of version 1 that this process is in.
pub(super) fn home(kind: Kind) -> Option<&'static Path> {
    let old = match kind {
        Kind::Unified { .. } => None,
        Kind::Freezer => places().freezer.as_ref(),
        Kind::Cpu => places().cpu.as_ref(),
        Kind::Memory => places().memory.as_ref(),
    };
    old.map(|old| &*old.home)
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
    Some(Cgroup::new(path, Kind::Cpu))
}

/// Whether a thread can go to a group that is made here, and come back; and that has this file.
fn may_visit(base: &Path, home: &Path, file: &str) -> bool {
    let Some(group) = trial(base) else { return false };
    let (tasks, home) = (group.path().join("tasks"), home.join("tasks"));
    let tried =
        std::thread::spawn(move || fs::write(&tasks, "0").and_then(|()| fs::write(&home, "0")).is_ok());
    let can = tried.join().unwrap_or(false) && group.path().join(file).exists();
    group.remove();
    can
}

/// Whether a process can enter a group that is made here; and if so, whether it has this file.
fn may_enter(base: &Path, file: &str) -> Option<bool> {
    let group = trial(base)?;
    let mut sh = Command::new("/bin/sh");
    sh.args(["-c", r#"echo 0 > "$1""#, "sh"]).arg(group.path().join("cgroup.procs"));
    sh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let entered = sh.status().is_ok_and(|status| status.success());
    let has = group.path().join(file).exists();
    group.remove();
    entered.then_some(has)
}
