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
