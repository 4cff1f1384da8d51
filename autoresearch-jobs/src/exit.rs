//! How a job ended.

use crate::limits::{LimitKind, bytes};
use autoresearch_core::{FailureKind, RunFailure};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the job's first process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By itself, with this status; 0 is success.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

/// What became of a job that was started: it ended by itself, or a limit ended it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobExit {
    /// How its first process ended.
    pub ended: Ended,
    /// The limit that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitKind>,
    /// Elapsed time in seconds.
    pub wall_seconds: f64,
    /// Processor time in seconds, where known: of the whole job where the launcher counts that, else of its first process and
    /// of what that has waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// The most memory in bytes, where known: of the whole job where the launcher counts that, else the most that was seen
    /// from time to time or that its largest process had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// The end of standard output, at most [`SHOWN`](Self::SHOWN) bytes.
    #[serde(default)]
    pub stdout: String,
    /// The end of standard error, at most [`SHOWN`](Self::SHOWN) bytes.
    #[serde(default)]
    pub stderr: String,
    /// Where it ran: the name of the machine.
    #[serde(default)]
    pub place: String,
    /// The files that were collected, by their relative paths.
    #[serde(default)]
    pub files: Vec<String>,
    /// Files that matched and were not collected, each with the reason, where the launcher tells: names that are no UTF-8, files
    /// that nobody can read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_collected: Vec<String>,
    /// How many processes it had left behind, which were ended. Behind a sandbox mostly 0: the kernel ends them with the sandbox, before
    /// anybody counts.
    #[serde(default)]
    pub left_behind: u64,
}

impl JobExit {
    /// The most bytes of each stream that are kept.
    pub const SHOWN: usize = 8192;

    /// An exit of which only this is known.
    pub fn new(ended: Ended) -> Self {
        Self {
            ended,
            limit: None,
            wall_seconds: 0.0,
            cpu_seconds: None,
            peak_memory: None,
            stdout: String::new(),
            stderr: String::new(),
            place: String::new(),
            files: Vec::new(),
            not_collected: Vec::new(),
            left_behind: 0,
        }
    }

    /// Whether it ended by itself and with status 0.
    pub fn success(&self) -> bool {
        self.ended == Ended::Status(0) && self.limit.is_none()
    }

    /// The failure that this exit is; `None` for a success.
    ///
    /// A limit, a bad status and a crash are the candidate's fault. So is `SIGKILL` that the launcher has not sent: it is how
    /// systems end what takes the memory of others. `SIGTERM`, `SIGINT` and `SIGHUP` come from people and from machines that shut
    /// down, and are the infrastructure's.
    pub fn failure(&self) -> Option<RunFailure> {
        if self.success() {
            return None;
        }
        let kind = match (self.limit, self.ended) {
            (Some(LimitKind::WallClock | LimitKind::CpuTime), _) => FailureKind::Timeout,
            (Some(LimitKind::Memory), _) | (None, Ended::Signal(KILL)) => FailureKind::OutOfMemory,
            (None, Ended::Signal(HUP | INT | TERM)) => {
                return Some(RunFailure::infrastructure(self.to_string()));
            }
            _ => FailureKind::Crash,
        };
        Some(RunFailure::candidate(self.to_string()).kind(kind))
    }
}

const HUP: i32 = 1;
const INT: i32 = 2;
const KILL: i32 = 9;
const TERM: i32 = 15;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Status(0) => return f.write_str("ended well"),
            Self::Status(status) => return write!(f, "ended with status {status}"),
            Self::Signal(HUP) => "SIGHUP",
            Self::Signal(INT) => "SIGINT",
            Self::Signal(4) => "SIGILL",
            Self::Signal(6) => "SIGABRT",
            Self::Signal(7) => "SIGBUS",
            Self::Signal(8) => "SIGFPE",
            Self::Signal(KILL) => "SIGKILL",
            Self::Signal(11) => "SIGSEGV",
            Self::Signal(TERM) => "SIGTERM",
            Self::Signal(24) => "SIGXCPU",
            Self::Signal(25) => "SIGXFSZ",
            Self::Signal(other) => return write!(f, "was ended by signal {other}"),
        };
        write!(f, "was ended by {name}")
    }
}

impl fmt::Display for JobExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Some(limit) => write!(f, "the job went over its limit of {limit}")?,
            None => write!(f, "the job {}", self.ended)?,
        }
        write!(f, " after {:.1} s", self.wall_seconds)?;
        if let Some(peak) = self.peak_memory {
            write!(f, ", with {} at most", bytes(peak))?;
        }
        if !self.place.is_empty() {
            write!(f, ", on {}", self.place)?;
        }
        if self.left_behind > 0 {
            write!(f, "; {} processes that it left behind were ended", self.left_behind)?;
        }
        if let Some(first) = self.not_collected.first() {
            write!(f, "; {} files were not collected: {first}", self.not_collected.len())?;
        }
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let lines: Vec<&str> = said.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        if !self.success() && !lines.is_empty() {
            // Of a panic its message and not the end of the trace below that.
            let panic =
                lines.iter().rposition(|line| line.starts_with("thread '") && line.contains("panicked at"));
            let told = match panic {
                Some(at) => &lines[at..(at + 2).min(lines.len())],
                None => &lines[lines.len().saturating_sub(5)..],
            };
            // Terminals take orders from such characters.
            let plain = |c: char| if c.is_control() && c != '\t' { '\u{FFFD}' } else { c };
            let told: String = told.join(" | ").chars().map(plain).collect();
            write!(f, "; it said last: {told}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use autoresearch_core::Fault;

    #[test]
    fn whose_fault_an_exit_is() {
        let exit = |ended, limit| JobExit { limit, ..JobExit::new(ended) };
        let cases = [
            (exit(Ended::Status(1), None), Fault::Candidate, FailureKind::Crash),
            (exit(Ended::Signal(11), None), Fault::Candidate, FailureKind::Crash),
            (exit(Ended::Signal(9), None), Fault::Candidate, FailureKind::OutOfMemory),
            (exit(Ended::Signal(15), None), Fault::Infrastructure, FailureKind::Infrastructure),
            (exit(Ended::Signal(9), Some(LimitKind::WallClock)), Fault::Candidate, FailureKind::Timeout),
            (exit(Ended::Signal(24), Some(LimitKind::CpuTime)), Fault::Candidate, FailureKind::Timeout),
            (exit(Ended::Status(1), Some(LimitKind::Memory)), Fault::Candidate, FailureKind::OutOfMemory),
            (exit(Ended::Signal(9), Some(LimitKind::Output)), Fault::Candidate, FailureKind::Crash),
        ];
        for (exit, fault, kind) in cases {
            let failure = exit.failure().unwrap();
            assert_eq!((failure.fault(), failure.what()), (fault, kind), "{exit}");
        }
        assert_eq!(JobExit::new(Ended::Status(0)).failure(), None);
    }

    #[test]
    fn an_exit_says_what_happened_and_survives_json() {
        let mut exit = JobExit::new(Ended::Signal(11));
        (exit.wall_seconds, exit.peak_memory, exit.place) = (2.5, Some(3 << 20), "node7".into());
        exit.stderr = "one\ntwo\n\n".into();
        let shown = "the job was ended by SIGSEGV after 2.5 s, with 3.0 MiB at most, on node7; it said last: one | two";
        assert_eq!(exit.to_string(), shown);
        let mut panicked = exit.clone();
        panicked.stderr = "thread 'main' (7) panicked at x.rs:1:2:\nno data\nstack backtrace:\n 0: a\n 1: b\n 2: c\n 3: d\n".into();
        assert!(panicked.to_string().ends_with("panicked at x.rs:1:2: | no data"), "{panicked}");
        let json = serde_json::to_string(&exit).unwrap();
        assert_eq!(serde_json::from_str::<JobExit>(&json).unwrap(), exit);
    }
}
