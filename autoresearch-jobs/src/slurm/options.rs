//! Which of `sbatch`'s options a job may set.

use crate::error::LaunchError;
use crate::job::Job;
use std::collections::BTreeMap;
use std::time::Duration;

/// Those that take a value.
const VALUED: [&str; 44] = [
    "account",
    "acctg-freq",
    "bb",
    "begin",
    "comment",
    "constraint",
    "cluster-constraint",
    "core-spec",
    "cores-per-socket",
    "cpu-freq",
    "cpus-per-gpu",
    "deadline",
    "delay-boot",
    "dependency",
    "distribution",
    "exclude",
    "extra-node-info",
    "gpu-bind",
    "gpu-freq",
    "gpus-per-socket",
    "gres",
    "gres-flags",
    "hint",
    "licenses",
    "mail-type",
    "mail-user",
    "mcs-label",
    "mem",
    "mem-bind",
    "mem-per-cpu",
    "mem-per-gpu",
    "mincpus",
    "nice",
    "nodelist",
    "nodes",
    "partition",
    "prefer",
    "priority",
    "qos",
    "reservation",
    "switches",
    "threads-per-core",
    "time",
    "tmp",
];
/// Those that take one or none.
const FLAGS: [&str; 7] =
    ["contiguous", "exclusive", "oversubscribe", "reboot", "spread-job", "use-min-nodes", "wckey"];
/// Those that the launcher sets.
const OWN: [&str; 13] = [
    "array",
    "chdir",
    "cpus-per-task",
    "error",
    "export",
    "gpus",
    "job-name",
    "no-requeue",
    "output",
    "parsable",
    "requeue",
    "wait",
    "wrap",
];
/// What the script that runs the command needs for itself, beside the job's own memory.
const SCRIPT: u64 = 64;
/// For the script's beginning and end, beside the job's own time.
const AROUND: Duration = Duration::from_secs(60);

/// The options for `sbatch` that a job comes to. `common` are those of the launcher; the job's own go before.
pub(super) fn options(
    common: &BTreeMap<String, String>,
    gpu_type: Option<&str>,
    defaults: (Option<u32>, u32),
    job: &Job,
) -> Result<Vec<String>, LaunchError> {
    let mut all = common.clone();
    all.extend(job.resources.options.clone());
    for (name, value) in &all {
        check(name, value)?;
    }
    let cpus = job.resources.cpus.or(defaults.0);
    let gpus = if job.resources.gpus > 0 { job.resources.gpus } else { defaults.1 };
    if gpus > 0 && !all.contains_key("gres") {
        let kind = gpu_type.map(|kind| format!("{kind}:")).unwrap_or_default();
        all.insert("gres".into(), format!("gpu:{kind}{gpus}"));
    }
    if let Some(memory) = job.limits.memory
        && !["mem", "mem-per-cpu", "mem-per-gpu"].iter().any(|name| all.contains_key(*name))
    {
        all.insert("mem".into(), format!("{}M", memory.div_ceil(1 << 20) + SCRIPT));
    }
    if let Some(limit) = job.limits.wall_clock
        && !all.contains_key("time")
    {
        let minutes = limit.saturating_add(AROUND).as_secs_f64() / 60.0;
        all.insert("time".into(), format!("{:.0}", minutes.ceil()));
    }
    all.entry("nodes".into()).or_insert_with(|| "1".into());
    let mut words: Vec<String> = vec!["--ntasks=1".into()];
    words.extend(cpus.map(|cpus| format!("--cpus-per-task={cpus}")));
    // A task for each node: with several nodes the command runs on the first, and reaches the others with `srun`.
    if all.get("nodes").is_some_and(|nodes| nodes != "1") {
        words[0] = "--ntasks-per-node=1".into();
    }
    words.extend(all.into_iter().map(|(name, value)| match value.as_str() {
        "" => format!("--{name}"),
        value => format!("--{name}={value}"),
    }));
    Ok(words)
}

fn check(name: &str, value: &str) -> Result<(), LaunchError> {
    let wrong = |why: String| Err(LaunchError::Setup(why));
    if OWN.contains(&name) {
        return wrong(format!("Slurm's option {name:?} is set by the launcher; leave it out"));
    }
    let flag = FLAGS.contains(&name);
    if !flag && !VALUED.contains(&name) {
        return wrong(format!(
            "{name:?} is no option that jobs of Slurm may have; those are {}, {}",
            VALUED.join(", "),
            FLAGS.join(", ")
        ));
    }
    if value.is_empty() && !flag {
        return wrong(format!("Slurm's option {name:?} needs a value"));
    }
    if value.chars().any(char::is_control) {
        return wrong(format!(
            "Slurm's option {name:?} has the value {value:?}, with a character that is none"
        ));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_needs_becomes_options() {
        let common =
            BTreeMap::from([("partition".into(), "gpu".into()), ("exclusive".into(), String::new())]);
        let job = Job::new(["a"]).cpus(4).memory((1 << 30) + 1).wall_clock(Duration::from_secs(61));
        let job = job.option("partition", "big");
        let all = options(&common, Some("a100"), (Some(1), 2), &job).unwrap();
        assert_eq!(
            all,
            [
                "--ntasks=1",
                "--cpus-per-task=4",
                "--exclusive",
                "--gres=gpu:a100:2",
                "--mem=1089M",
                "--nodes=1",
                "--partition=big",
                "--time=3"
            ]
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let one = |name: &str, value: &str| {
            let job = Job::new(["a"]).option(name, value);
            options(&BTreeMap::new(), None, (None, 0), &job).map_err(|why| why.to_string())
        };
        assert!(one("output", "x").unwrap_err().contains("set by the launcher"));
        assert!(one("partion", "x").unwrap_err().contains("no option"));
        assert!(one("partition", "").unwrap_err().contains("needs a value"));
        assert!(one("partition", "a\nb").unwrap_err().contains("character"));
        assert!(one("nodes", "3").unwrap().contains(&"--ntasks-per-node=1".to_owned()));
    }
}
