//! What the tests of launchers share.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

use autoresearch_jobs::Job;
use std::path::Path;

/// A shell script as a job.
pub fn sh(script: &str) -> Job {
    Job::new(["sh", "-c", script])
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Whether the process is there and has not ended.
pub fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// A descriptor that children would inherit, with a number of two digits.
#[cfg(target_os = "linux")]
pub fn inheritable() -> Vec<std::fs::File> {
    use std::os::fd::AsRawFd;
    let open: Vec<std::fs::File> = (0..12).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
    let last = open.last().unwrap();
    rustix::io::fcntl_setfd(last, rustix::io::FdFlags::empty()).unwrap();
    assert!(last.as_raw_fd() > 9);
    open
}

/// Lists what is open in it beside input, output and error.
pub const OPEN: &str =
    "i=3; while [ $i -lt 400 ]; do [ -e /proc/self/fd/$i ] && echo $i is open; i=$((i+1)); done; echo all";
