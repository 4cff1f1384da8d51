//! What a job may use, and what it needs.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a job may use at most. `None`: as much as there is.
///
/// A launcher that cannot enforce a limit refuses the job; it never leaves the limit out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobLimits {
    /// Elapsed time, from the start of the command (not from when it began to wait for its place).
    pub wall_clock: Option<Duration>,
    /// Processor time of all processes of the job together; whole seconds are what systems know, so it is rounded up.
    pub cpu_time: Option<Duration>,
    /// Memory that is really in use, of all processes of the job together, in bytes.
    pub memory: Option<u64>,
    /// Address space of each process, in bytes. Far above what is in use: libtorch, CUDA and the like reserve a lot.
    /// Exceeding it makes allocations fail; how that ends is the program's affair.
    pub address_space: Option<u64>,
    /// Standard output and standard error together, in bytes.
    pub output: Option<u64>,
    /// Any single file that the job writes, in bytes; where a shell sets it, rounded up to a multiple of 512. The kernel ends who goes
    /// beyond it with `SIGXFSZ`. A program that ignores that signal, as Python does, has its write fail instead ("File too large"):
    /// no file gets larger, and how the program then ends is its own affair, so that the exit does not name the limit.
    pub file_size: Option<u64>,
    /// What the job adds to the disk in its folder (with what is there already), its home and its temporary files, in bytes: at least
    /// 4 KiB a file, and with files that it has deleted and still has open. Looked at from time to time, so that a job may be over for
    /// a moment. Where jobs run on this machine. What is in memory (`/dev/shm`, and all of `/dev` in a sandbox) is no disk: where
    /// that matters set a limit on memory as well.
    pub disk: Option<u64>,
    /// Processes at once, looked at ten times a second. Where jobs run on this machine.
    pub processes: Option<u64>,
    /// All files together that are [collected](crate::Job::collect), in bytes as they are read. It ends no job: what would go beyond it
    /// is looked at and not copied, and named in [`JobExit::not_collected`](crate::JobExit::not_collected).
    pub collected: Option<u64>,
}

/// What nothing reaches, in bytes, processes or nanoseconds (146 years): systems and shells count in 63 bits, and go wrong above.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
const BEYOND: u64 = 1 << 62;

impl JobLimits {
    /// Without the limits that nothing reaches.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(crate) fn within_reach(&self) -> Self {
        let number = |limit: Option<u64>| limit.filter(|&limit| limit < BEYOND);
        let time = |limit: Option<Duration>| limit.filter(|limit| limit.as_nanos() < u128::from(BEYOND));
        Self {
            wall_clock: time(self.wall_clock),
            cpu_time: time(self.cpu_time),
            memory: number(self.memory),
            address_space: number(self.address_space),
            output: number(self.output),
            file_size: number(self.file_size),
            disk: number(self.disk),
            processes: number(self.processes),
            collected: number(self.collected),
        }
    }

    /// What collected files may come to: no more than the job may have put on the disk, either.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(crate) fn to_collect(&self) -> Option<u64> {
        self.disk.into_iter().chain(self.collected).min()
    }

    /// Refuses the limits that are kept on this machine alone.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(crate) fn kept_on_clusters(&self) -> Result<(), crate::LaunchError> {
        for (name, limit) in [("disk", self.disk), ("processes", self.processes)] {
            if limit.is_some() {
                return Err(crate::LaunchError::Setup(format!(
                    "the job has a limit on {name}, which this launcher does not keep; leave it out, or use one of the cluster's own"
                )));
            }
        }
        Ok(())
    }
}

/// Which limit ended a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitKind {
    /// [`JobLimits::wall_clock`].
    WallClock,
    /// [`JobLimits::cpu_time`].
    CpuTime,
    /// [`JobLimits::memory`].
    Memory,
    /// [`JobLimits::output`].
    Output,
    /// [`JobLimits::file_size`].
    FileSize,
    /// [`JobLimits::disk`].
    Disk,
    /// [`JobLimits::processes`].
    Processes,
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WallClock => "wall-clock time",
            Self::CpuTime => "CPU time",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::FileSize => "file size",
            Self::Disk => "disk space",
            Self::Processes => "processes",
        })
    }
}

/// What a job needs for itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resources {
    /// CPUs; `None`: what the launcher gives by default.
    pub cpus: Option<u32>,
    /// GPUs.
    pub gpus: u32,
    /// The engine's own options, such as Slurm's `partition`. A launcher refuses those that it does not know.
    pub options: BTreeMap<String, String>,
}

/// Bytes, as people read them.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (n as f64, "bytes");
    for larger in UNITS {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "bytes" { format!("{n} bytes") } else { format!("{size:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_nothing_reaches_is_none() {
        let bytes = |limit| JobLimits { output: Some(limit), memory: Some(limit), ..JobLimits::default() };
        assert_eq!(bytes(u64::MAX).within_reach(), JobLimits::default());
        assert_eq!(bytes(BEYOND - 1).within_reach(), bytes(BEYOND - 1));
        let time =
            |limit| JobLimits { cpu_time: Some(limit), wall_clock: Some(limit), ..JobLimits::default() };
        assert_eq!(time(Duration::MAX).within_reach(), JobLimits::default());
        let century = time(Duration::from_secs(100 * 365 * 86_400));
        assert_eq!(century.within_reach(), century);
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(8 << 30), "8.0 GiB");
    }
}
