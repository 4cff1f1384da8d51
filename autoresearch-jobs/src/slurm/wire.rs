//! What Slurm's programs print.

use std::collections::HashMap;

/// What `squeue` is to print of a job, `|` between: id (with the index in its array), state, name, nodes, reason.
///
/// Why not `--json`? Slurm 22.05 prints all jobs of everybody with it, whatever it is asked for, which is megabytes on a full
/// cluster, and its shape has changed with every release; these letters mean the same in all of them.
pub(super) const FORMAT: &str = "%i|%T|%j|%N|%r";

/// Where a job is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not been started, or is to be started again.
    Waiting,
    /// It is running, stopped, or being cleaned up after.
    AtWork,
    /// Nothing of it is running any more.
    Ended,
}

/// A job as Slurm knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// Such as `RUNNING`.
    pub(super) name: String,
    pub(super) job_name: String,
    pub(super) nodes: String,
    pub(super) reason: String,
    /// Status and signal of the batch script, where they were asked for.
    pub(super) exit: Option<(i32, i32)>,
}

impl State {
    pub(super) fn phase(&self) -> Phase {
        match self.name.as_str() {
            "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT" => {
                Phase::Waiting
            }
            "COMPLETED" | "CANCELLED" | "FAILED" | "TIMEOUT" | "PREEMPTED" | "NODE_FAIL" | "BOOT_FAIL"
            | "DEADLINE" | "OUT_OF_MEMORY" | "REVOKED" => Phase::Ended,
            _ => Phase::AtWork,
        }
    }

    /// Whether the job cannot start as it is, as far as Slurm can say: waiting for nodes or for a turn is another thing.
    pub(super) fn hopeless(&self) -> bool {
        const STARTS: [&str; 8] = [
            "Partition",
            "Association",
            "QOS",
            "Invalid",
            "JobHeld",
            "ReqNodeNotAvail",
            "Bad",
            "Reservation",
        ];
        const WHOLE: [&str; 5] = [
            "DependencyNeverSatisfied",
            "AccountNotAllowed",
            "QOSNotAllowed",
            "launch failed requeued held",
            "job requeued in held state",
        ];
        // Of these some pass when other jobs of the same account end.
        let passes = ["Grp", "PerUser", "PerAccount", "MaxJobs", "MaxSubmit", "JobLimit", "JobsLimit"];
        let reason = self.reason.trim();
        self.phase() == Phase::Waiting
            && !passes.iter().any(|part| reason.contains(part))
            && (STARTS.iter().any(|start| reason.starts_with(start)) || WHOLE.contains(&reason))
    }
}

/// The jobs that `squeue` has printed in [`FORMAT`], by their ids.
pub(super) fn jobs(printed: &str) -> Result<HashMap<String, State>, String> {
    let mut jobs = HashMap::new();
    for line in printed.lines().filter(|line| !line.trim().is_empty()) {
        let mut parts = line.splitn(3, '|');
        // The job's name may hold anything, the other parts hold no `|`.
        let split = (|| {
            let (id, name, rest) = (parts.next()?, parts.next()?, parts.next()?);
            let (rest, reason) = rest.rsplit_once('|')?;
            let (job_name, nodes) = rest.rsplit_once('|')?;
            id.starts_with(|c: char| c.is_ascii_digit()).then_some((id, name, job_name, nodes, reason))
        })();
        let Some((id, name, job_name, nodes, reason)) = split else {
            return Err(format!("squeue printed {line:?}, which is not what it was asked for"));
        };
        let state = State {
            name: name.into(),
            job_name: job_name.into(),
            nodes: nodes.into(),
            reason: reason.into(),
            exit: None,
        };
        jobs.insert(id.trim().into(), state);
    }
    Ok(jobs)
}

/// A job as `scontrol show job --oneliner` prints it.
pub(super) fn job(printed: &str) -> Option<State> {
    let field = |name: &str| {
        let words = printed.split_whitespace();
        words.filter_map(|word| word.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let exit = field("ExitCode").and_then(|code| {
        let (status, signal) = code.split_once(':')?;
        Some((status.parse().ok()?, signal.parse().ok()?))
    });
    Some(State {
        name: field("JobState")?.into(),
        job_name: field("JobName").unwrap_or_default().into(),
        nodes: field("NodeList").filter(|nodes| *nodes != "(null)").unwrap_or_default().into(),
        reason: field("Reason").unwrap_or_default().into(),
        exit,
    })
}

/// The id that `sbatch --parsable` prints: `123`, or `123;cluster`.
pub(super) fn submitted(printed: &str) -> Option<&str> {
    let line = printed.lines().rfind(|line| !line.trim().is_empty())?;
    let id = line.split(';').next()?.trim();
    (!id.is_empty() && id.chars().all(|c| c.is_ascii_digit())).then_some(id)
}

/// Whether what `sbatch` complains of may pass by itself.
pub(super) fn passes(complaint: &str) -> bool {
    const PASSING: [&str; 14] = [
        "Unable to contact slurm controller",
        "Socket timed out",
        "Connection refused",
        "Connection timed out",
        "Connection reset",
        "Communication connection failure",
        "Zero Bytes were transmitted",
        "Slurm temporarily unable to accept job",
        "Resource temporarily unavailable",
        "Job violates accounting/QOS policy (job submit limit",
        "in standby mode",
        "Slurmctld is shutting down",
        "Failed to contact",
        "MUNGE",
    ];
    let complaint = complaint.to_lowercase();
    PASSING.iter().any(|part| complaint.contains(&part.to_lowercase()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// As `squeue` of Slurm 22.05.8 has printed it; the job's name in the last line was changed.
    const SQUEUE: &str = "4|FAILED|sbatch||BadConstraints\n\
         2|PENDING|sbatch||PartitionNodeLimit\n\
         1_0|RUNNING|namex|n1|None\n\
         1_1|FAILED|a|b|n1|NonZeroExitCode\n";
    /// Likewise of `scontrol --oneliner show job`, shortened.
    const SCONTROL: &str = "JobId=1 ArrayJobId=1 ArrayTaskId=1 JobName=namex UserId=root(0) GroupId=root(0) \
         JobState=FAILED Reason=NonZeroExitCode Dependency=(null) Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=7:0 \
         RunTime=00:00:03 ReqNodeList=(null) ExcNodeList=(null) NodeList=n1 BatchHost=n1";

    #[test]
    fn what_squeue_prints_is_understood() {
        let jobs = jobs(SQUEUE).unwrap();
        assert_eq!(jobs.len(), 4);
        assert_eq!((jobs["1_0"].phase(), jobs["1_0"].nodes.as_str()), (Phase::AtWork, "n1"));
        assert_eq!((jobs["2"].phase(), jobs["2"].hopeless()), (Phase::Waiting, true));
        assert_eq!((jobs["1_1"].phase(), jobs["1_1"].job_name.as_str()), (Phase::Ended, "a|b"));
        assert!(super::jobs("slurm_load_jobs error").is_err());
        assert_eq!(super::jobs("").unwrap().len(), 0);
    }

    #[test]
    fn waiting_for_a_turn_is_not_hopeless() {
        let state = |reason: &str| State {
            name: "PENDING".into(),
            job_name: String::new(),
            nodes: String::new(),
            reason: reason.into(),
            exit: None,
        };
        for reason in [
            "Resources",
            "Priority",
            "None",
            "Licenses",
            "BeginTime",
            "QOSMaxJobsPerUserLimit",
            "AssocGrpCPULimit",
            "JobArrayTaskLimit",
        ] {
            assert!(!state(reason).hopeless(), "{reason}");
        }
        for reason in [
            "PartitionNodeLimit",
            "PartitionTimeLimit",
            "BadConstraints",
            "JobHeldUser",
            "InvalidAccount",
            "ReqNodeNotAvail, UnavailableNodes:n1",
            "launch failed requeued held",
        ] {
            assert!(state(reason).hopeless(), "{reason}");
        }
    }

    #[test]
    fn what_scontrol_prints_is_understood() {
        let state = job(SCONTROL).unwrap();
        assert_eq!((state.name.as_str(), state.exit, state.nodes.as_str()), ("FAILED", Some((7, 0)), "n1"));
        assert_eq!(job("slurm_load_jobs error: Invalid job id specified"), None);
    }

    #[test]
    fn ids_and_complaints() {
        assert_eq!(submitted("17\n"), Some("17"));
        assert_eq!(submitted("warning\n17;cluster\n"), Some("17"));
        assert_eq!(submitted("Submitted batch job 17"), None);
        assert!(passes(
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"
        ));
        assert!(!passes("sbatch: error: Batch job submission failed: Invalid partition name specified"));
    }
}
