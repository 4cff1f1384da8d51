//! What a command may use.

use super::units::Bytes;
use autoresearch_jobs::Job;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What each command may use, in human units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table of limits, as in `{ minutes = 10, memory = \"8 GiB\" }`"
)]
pub struct LimitsSpec {
    /// Elapsed time in minutes (240); in code, `None` is no limit.
    pub minutes: Option<f64>,
    /// Processor time of all processes together, in minutes; unless said, none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_minutes: Option<f64>,
    /// Memory of all processes together. Unless said: of nine tenths of the machine's (or of the control group's that this process is
    /// in) an equal share for each of the runs that the task has at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Standard output and standard error together (64 MiB).
    pub output: Bytes,
    /// What a command may add to the disk (16 GiB), at least 4 KiB a file. A single file is stopped by the kernel; the sum is looked
    /// at from time to time, and may be over for a moment.
    pub disk: Bytes,
    /// How many processes and threads a command may have at once (4096), looked at from time to time.
    pub processes: u64,
}

impl Default for LimitsSpec {
    fn default() -> Self {
        let (output, disk) = (Bytes(64 << 20), Bytes(16 << 30));
        Self { minutes: Some(240.0), cpu_minutes: None, memory: None, output, disk, processes: 4096 }
    }
}

/// More minutes than this are no limit.
const MOST_MINUTES: f64 = 1e7;

impl LimitsSpec {
    /// The key that makes no sense, and why.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        let minutes = [("limits.minutes", self.minutes), ("limits.cpu_minutes", self.cpu_minutes)];
        for (key, value) in minutes {
            if let Some(minutes) = value.filter(|minutes| !is_time(*minutes)) {
                return Some((
                    key,
                    format!(
                        "{minutes:?} minutes are no limit; give a number above 0 and below {MOST_MINUTES:?}, or leave it out"
                    ),
                ));
            }
        }
        if self.memory.is_some_and(|memory| memory.0 < 1 << 20) {
            return Some(("limits.memory", "below 1 MiB nothing runs; give more".into()));
        }
        if self.disk.0 < 1 << 12 || self.output.0 < 1 << 10 || self.processes < 2 {
            let message = "disk must be 4 KiB or more, output 1 KiB or more, and processes 2 or more";
            return Some(("limits", message.into()));
        }
        None
    }

    /// A job with these limits; `share` is of memory, where no limit is said.
    pub(crate) fn on(&self, job: Job, minutes: Option<f64>, share: Option<u64>) -> Job {
        let time = |minutes: f64| Duration::from_secs_f64((minutes * 60.0).clamp(0.001, MOST_MINUTES * 60.0));
        let mut job = job.output(self.output.0).file_size(self.disk.0);
        if let Some(minutes) = minutes.or(self.minutes) {
            job = job.wall_clock(time(minutes));
        }
        if let Some(minutes) = self.cpu_minutes {
            job = job.cpu_time(time(minutes));
        }
        if let Some(memory) = self.memory.map(|memory| memory.0).or(share) {
            job = job.memory(memory);
        }
        job
    }
}

/// The memory of the machine, or less where the control group of this process has a limit, in bytes; nothing where neither is known.
pub(super) fn memory_here() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let all = line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1024)?;
    // In a container these are its own.
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits =
        groups.iter().filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    Some(limits.fold(all, u64::min))
}

pub(super) fn is_time(minutes: f64) -> bool {
    minutes > 0.0 && minutes <= MOST_MINUTES
}
