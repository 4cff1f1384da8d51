//! A network namespace of a test's own, which ends with everything in it when the test does, however that comes about.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Space {
    pub(crate) name: String,
    /// Waits for the end of its input, which this process holds, and then clears away.
    watchdog: Child,
}

impl Space {
    /// Makes one, with nothing in it but a loopback; `None`: none can be made here. What is in it when it ends is killed, and the
    /// folder deleted.
    pub(crate) fn make(prefix: &str, folder: &Path) -> Option<Self> {
        clear_leftovers(prefix);
        let name = format!("{prefix}{}", std::process::id());
        let watchdog = stop(&name, Some(folder)).stdin(Stdio::piped()).process_group(0).spawn().unwrap();
        let made = ip(&["netns", "add", &name]);
        let space = Self { name, watchdog };
        if !made {
            return None;
        }
        assert!(ip(&["-n", &space.name, "link", "set", "lo", "up"]));
        Some(space)
    }

    pub(crate) fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// Processes in it, but for this one.
    pub(crate) fn pids(&self) -> BTreeSet<i32> {
        let listed = Command::new("ip").args(["netns", "pids", &self.name]).stdin(Stdio::null()).output();
        let text = listed.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default();
        let own = std::process::id() as i32;
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(|pid| *pid != own).collect()
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// Kills these processes, and waits until they are gone.
pub(crate) fn end(processes: &BTreeSet<i32>) {
    for pid in processes.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let _ = kill_process(pid, Signal::KILL);
    }
    let until = Instant::now() + Duration::from_secs(10);
    while processes.iter().any(|pid| alive(*pid)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Ends a namespace with all that is in it but for this process, when its input ends.
fn stop(namespace: &str, folder: Option<&Path>) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/stop.sh"));
    command.arg(namespace).arg(std::process::id().to_string()).args(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn ip(words: &[&str]) -> bool {
    Command::new("ip").args(words).stdin(Stdio::null()).output().is_ok_and(|done| done.status.success())
}

/// Of tests that were killed together with their watchdogs.
fn clear_leftovers(prefix: &str) {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(prefix).and_then(|pid| pid.parse::<i32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{pid}")).exists() {
            let _ = stop(&name, None).stdin(Stdio::null()).status();
        }
    }
}
