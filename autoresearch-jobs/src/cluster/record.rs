//! How the command of a launch ended, as the script has written it down.

use super::folder::LaunchFolder;
use super::follow::end_of;
use crate::error::LaunchError;
use crate::exit::{Ended, JobExit};
use crate::job::Job;
use crate::limits::LimitKind;
use serde::Deserialize;

/// What shells report of a command that a signal has ended: this and the signal.
const OF_A_SIGNAL: i32 = 128;
/// What comes from people and machines that shut down, as a shell reports it.
const HUP: i32 = OF_A_SIGNAL + 1;
const INT: i32 = OF_A_SIGNAL + 2;
const TERM: i32 = OF_A_SIGNAL + 15;
const KILL: i32 = 9;
const XCPU: i32 = 24;
const XFSZ: i32 = 25;

/// Written when everything of the job has ended.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Record {
    pub(super) token: String,
    pub(super) incarnation: u32,
    status: i32,
    /// Which limit has ended it, or `terminated`: the engine has told it to end.
    stop: String,
    /// Why the command was not started.
    refused: String,
    wall: f64,
    /// What the shell says of its children, as in `0m1.250s 0m0.010s`.
    used: String,
    /// The most processor time that was seen, in hundredths of a second.
    sampled: u64,
    peak: u64,
    place: String,
    left_behind: u64,
}

impl Record {
    /// Whether the engine has told the job to end.
    pub(crate) fn terminated(&self) -> bool {
        self.stop == "terminated"
    }

    /// The exit, with the ends of what was said. Files are collected by [`LaunchFolder::collect`].
    ///
    /// # Errors
    /// The command was never started, for a reason that is not the job's; or what it said cannot be read.
    pub(crate) fn exit(&self, folder: &LaunchFolder, job: &Job) -> Result<JobExit, LaunchError> {
        let most = job.limits.output.unwrap_or(u64::MAX);
        let (out, err) = (folder.stdout(self.incarnation), folder.stderr(self.incarnation));
        let unread = || LaunchError::io("what the job has said cannot be read");
        let (stdout, out) = end_of(&out, most).map_err(unread())?;
        let (stderr, err) = end_of(&err, most).map_err(unread())?;
        if !self.refused.is_empty() {
            let said = stderr.trim();
            let said = if said.is_empty() { String::new() } else { format!(": {said}") };
            return Err(LaunchError::Setup(format!("on {}: {}{said}", self.place, self.refused)));
        }
        let ended = match self.status {
            // Of the command's own doing, since the engine has not told it to end: else it could blame the machine.
            status @ (HUP | INT | TERM) if !self.terminated() => Ended::Status(status),
            status if (OF_A_SIGNAL + 1..=OF_A_SIGNAL + 64).contains(&status) => {
                Ended::Signal(status - OF_A_SIGNAL)
            }
            status => Ended::Status(status),
        };
        let cpu = cpu_of(&self.used).unwrap_or(0.0).max(self.sampled as f64 / 100.0);
        let mut limit = match self.stop.as_str() {
            "wall_clock" => Some(LimitKind::WallClock),
            "cpu_time" => Some(LimitKind::CpuTime),
            "memory" => Some(LimitKind::Memory),
            "output" => Some(LimitKind::Output),
            _ => None,
        };
        if limit.is_none() && job.limits.output.is_some_and(|most| out + err > most) {
            limit = Some(LimitKind::Output);
        }
        if limit.is_none() && !self.terminated() {
            limit = of_the_kernel(self.status, cpu, job);
        }
        Ok(JobExit {
            limit,
            wall_seconds: self.wall,
            cpu_seconds: Some(cpu),
            peak_memory: (self.peak > 0).then_some(self.peak),
            stdout,
            stderr,
            place: self.place.clone(),
            left_behind: self.left_behind,
            ..JobExit::new(ended)
        })
    }
}

/// The limit that the kernel has enforced, where this is how it ended.
fn of_the_kernel(status: i32, cpu: f64, job: &Job) -> Option<LimitKind> {
    match status - OF_A_SIGNAL {
        XCPU if job.limits.cpu_time.is_some() => Some(LimitKind::CpuTime),
        KILL if job.limits.cpu_time.is_some_and(|limit| cpu >= limit.as_secs_f64()) => {
            Some(LimitKind::CpuTime)
        }
        XFSZ if job.limits.file_size.is_some() => Some(LimitKind::FileSize),
        _ => None,
    }
}

/// Seconds, of `0m1.250s 0m0.010s`.
fn cpu_of(used: &str) -> Option<f64> {
    let one = |text: &str| {
        let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.replace(',', ".").parse::<f64>().ok()?)
    };
    let parts: Option<Vec<f64>> = used.split_whitespace().map(one).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.iter().sum())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_of_shells_are_read() {
        assert_eq!(cpu_of("0m0.590000s 0m0.010000s"), Some(0.6)); // dash
        assert_eq!(cpu_of("1m0.500s 0m0.250s"), Some(60.75)); // bash
        assert_eq!((cpu_of(""), cpu_of("no")), (None, None));
    }
}
