//! What Slurm's programs print.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What `squeue` is to print of a job, `|` between: id (with the index in its array), state, nodes, reason, name. The name last: it
/// may hold anything, line ends among that.
///
/// Why not `--json`? Slurm 22.05 prints all jobs of everybody with it, whatever it is asked for, which is megabytes on a full
/// cluster, and its shape has changed with every release; these letters mean the same in all of them.
pub(super) const FORMAT: &str = "%i|%T|%N|%r|%j";

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

/// What is to be expected of a job that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// It starts when nodes are there and it is its turn, whenever that is. Nodes that are down or reserved come back.
    Open,
    /// Somebody, or Slurm, holds it back until somebody lets it go.
    Held,
    /// It asks for what it cannot have.
    Never,
}

/// A job as Slurm knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// Such as `RUNNING`. Of the thousands of jobs that one look may show, most say the same: texts are shared.
    pub(super) name: Arc<str>,
    pub(super) job_name: Arc<str>,
    pub(super) nodes: Arc<str>,
    pub(super) reason: Arc<str>,
    /// Status and signal of the batch script, where they were asked for.
    pub(super) exit: Option<(i32, i32)>,
}

impl State {
    pub(super) fn phase(&self) -> Phase {
        match &*self.name {
            "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT"
            | "RESV_DEL_HOLD" => Phase::Waiting,
            "COMPLETED" | "CANCELLED" | "FAILED" | "TIMEOUT" | "PREEMPTED" | "NODE_FAIL" | "BOOT_FAIL"
            | "DEADLINE" | "OUT_OF_MEMORY" | "REVOKED" | "LAUNCH_FAILED" | "RECONFIG_FAIL" => Phase::Ended,
            _ => Phase::AtWork,
        }
    }

    /// Whether it is a state that this was written for. What a later Slurm may have more is taken for one of work.
    pub(super) fn is_known(&self) -> bool {
        const AT_WORK: [&str; 10] = [
            "RUNNING",
            "SUSPENDED",
            "COMPLETING",
            "RESIZING",
            "SIGNALING",
            "STAGE_OUT",
            "STOPPED",
            "POWER_UP_NODE",
            "UPDATE_DB",
            "EXPEDITING",
        ];
        self.phase() != Phase::AtWork || AT_WORK.contains(&&*self.name)
    }

    /// Whether it will start, as far as Slurm can say.
    pub(super) fn outlook(&self) -> Outlook {
        const NEVER: [&str; 5] = ["Partition", "Association", "QOS", "Invalid", "Bad"];
        const WHOLE: [&str; 5] = [
            "DependencyNeverSatisfied",
            "AccountNotAllowed",
            "QOSNotAllowed",
            "MaxMemPerLimit",
            "ReservationDeleted",
        ];
        // Some pass when other jobs of the same account end; a partition that is down comes back.
        let passes = ["Grp", "PerUser", "PerAccount", "MaxJobs", "MaxSubmit", "JobLimit", "JobsLimit"];
        let back = ["PartitionDown", "PartitionInactive", "QOSUsageThreshold"];
        let reason = self.reason.trim();
        if self.phase() != Phase::Waiting || back.contains(&reason) {
            return Outlook::Open;
        }
        // "QOSMaxCpuPerJobLimit", "AssocMaxGRESPerJob", "AssocMaxCpuPerNode": of one job's own size
        if reason.contains("PerJob") || reason.contains("PerNode") {
            return Outlook::Never;
        }
        if passes.iter().any(|part| reason.contains(part)) {
            return Outlook::Open;
        }
        // "JobHeldUser", "JobHoldMaxRequeue", "launch failed requeued held", "job requeued in held state"
        if &*self.name == "RESV_DEL_HOLD"
            || reason.starts_with("JobHeld")
            || reason.starts_with("JobHold")
            || reason.contains("requeued") && reason.contains("held")
        {
            return Outlook::Held;
        }
        let never = NEVER.iter().any(|start| reason.starts_with(start)) || WHOLE.contains(&reason);
        if never { Outlook::Never } else { Outlook::Open }
    }
}

/// The jobs that `squeue` has printed in [`FORMAT`], by their ids. Lines that are no jobs are left out: the rest of a name with a
/// line end in it, or `CLUSTER: …`.
///
/// # Errors
/// Something was printed, and nothing of it is a job.
pub(super) fn jobs(printed: &str) -> Result<HashMap<String, State>, String> {
    let (mut jobs, mut odd, mut texts) = (HashMap::new(), None, HashSet::new());
    for line in printed.lines().filter(|line| !line.trim().is_empty()) {
        match state(line, &mut texts) {
            Some((id, state)) => drop(jobs.insert(id, state)),
            None if line.starts_with("CLUSTER: ") => {}
            None => odd = odd.or(Some(line)),
        }
    }
    match odd {
        Some(line) if jobs.is_empty() => {
            Err(format!("squeue printed {line:?}, which is not what it was asked for"))
        }
        _ => Ok(jobs),
    }
}

fn state(line: &str, texts: &mut HashSet<Arc<str>>) -> Option<(String, State)> {
    let mut parts = line.splitn(5, '|');
    let id = parts.next()?.trim();
    let mut part = || {
        let text = parts.next()?;
        let shared = texts.get(text).cloned().unwrap_or_else(|| Arc::from(text));
        texts.insert(Arc::clone(&shared));
        Some(shared)
    };
    let state = State { name: part()?, nodes: part()?, reason: part()?, job_name: part()?, exit: None };
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let is_job = id.starts_with(|c: char| c.is_ascii_digit()) && !state.name.is_empty();
    (is_job && state.name.chars().all(is_name)).then(|| (id.to_owned(), state))
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

/// Whether `sbatch` complains that there would be too many jobs: fewer at once may be taken.
pub(super) fn too_many(complaint: &str) -> bool {
    let complaint = complaint.to_lowercase();
    ["submit limit", "submitjob", "maxarraysize", "too many", "array size"]
        .iter()
        .any(|part| complaint.contains(part))
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
    const SQUEUE: &str = "4|FAILED||BadConstraints|sbatch\n\
         2|PENDING||PartitionNodeLimit|sbatch\n\
         1_0|RUNNING|n1|None|namex\n\
         1_1|FAILED|n1|NonZeroExitCode|a|b\n";
    /// Likewise of `scontrol --oneliner show job`, shortened.
    const SCONTROL: &str = "JobId=1 ArrayJobId=1 ArrayTaskId=1 JobName=namex UserId=root(0) GroupId=root(0) \
         JobState=FAILED Reason=NonZeroExitCode Dependency=(null) Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=7:0 \
         RunTime=00:00:03 ReqNodeList=(null) ExcNodeList=(null) NodeList=n1 BatchHost=n1";

    #[test]
    fn what_squeue_prints_is_understood() {
        let jobs = jobs(SQUEUE).unwrap();
        assert_eq!(jobs.len(), 4);
        assert_eq!((jobs["1_0"].phase(), &*jobs["1_0"].nodes), (Phase::AtWork, "n1"));
        assert_eq!((jobs["2"].phase(), jobs["2"].outlook()), (Phase::Waiting, Outlook::Never));
        assert_eq!((jobs["1_1"].phase(), &*jobs["1_1"].job_name), (Phase::Ended, "a|b"));
        assert!(super::jobs("slurm_load_jobs error").is_err());
        assert_eq!(super::jobs("").unwrap().len(), 0);
        // Somebody's job has a name of three lines; and with `SLURM_CLUSTERS` each cluster has a headline.
        let odd = "CLUSTER: one\n7|RUNNING|n1|None|first\nsecond|line\n\n8|PENDING||Priority|x\n";
        let mut ids: Vec<String> = super::jobs(odd).unwrap().into_keys().collect();
        ids.sort();
        assert_eq!(ids, ["7", "8"]);
        assert_eq!(super::jobs("CLUSTER: one\n").unwrap().len(), 0);
    }

    #[test]
    fn waiting_for_a_turn_is_no_fault() {
        let state = |reason: &str| State {
            name: "PENDING".into(),
            job_name: "".into(),
            nodes: "".into(),
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
            "ReqNodeNotAvail, UnavailableNodes:n1",
            "ReqNodeNotAvail, Reserved for maintenance",
            "Reservation",
            "PartitionDown",
            "PartitionInactive",
        ] {
            assert_eq!(state(reason).outlook(), Outlook::Open, "{reason}");
        }
        for reason in [
            "PartitionNodeLimit",
            "PartitionTimeLimit",
            "BadConstraints",
            "InvalidAccount",
            "QOSMaxCpuPerJobLimit",
            "MaxMemPerLimit",
            "AssocMaxGRESPerJob",
            "AssocMaxMemPerJob",
            "AssocMaxCpuPerNode",
            "ReservationDeleted",
        ] {
            assert_eq!(state(reason).outlook(), Outlook::Never, "{reason}");
        }
        for reason in [
            "JobHeldUser",
            "JobHeldAdmin",
            "JobHoldMaxRequeue",
            "launch failed requeued held",
            "job requeued in held state",
        ] {
            assert_eq!(state(reason).outlook(), Outlook::Held, "{reason}");
        }
    }

    #[test]
    fn what_scontrol_prints_is_understood() {
        let state = job(SCONTROL).unwrap();
        assert_eq!((&*state.name, state.exit, &*state.nodes), ("FAILED", Some((7, 0)), "n1"));
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
        let limit = "sbatch: error: QOSMaxSubmitJobPerUserLimit; sbatch: error: Batch job submission failed: Job violates \
                     accounting/QOS policy (job submit limit, user's size and/or time limits)";
        assert!(passes(limit) && too_many(limit));
        assert!(!too_many("Unable to contact slurm controller (connect failure)"));
    }
}
