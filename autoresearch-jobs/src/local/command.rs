//! The command line that a job becomes.
//!
//! Limits are set by a few lines of `/bin/sh` that then become the command (`exec`): the one way to set them between `fork` and
//! `exec` that needs neither unsafe code nor a program that may not be there, and that leaves no moment in which the command
//! runs without them. The same lines enter the control groups, and close what this process has inherited and would hand on:
//! whatever is open in a sandbox can be read there. Without limits, groups and such descriptors there is no shell.

use super::cgroup::Cgroup;
use crate::error::LaunchError;
use crate::job::Job;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) type Environment = BTreeMap<OsString, OsString>;

/// What nothing reaches. Shells reckon in 64 bits and say nothing when a number is too large for that: the limit would be 0.
const NO_LIMIT: u64 = 1 << 62;

/// What the command enters and leaves on its way.
pub(super) struct Ways<'a> {
    pub(super) groups: &'a [Cgroup],
    /// Where it is written that a limit could not be set.
    pub(super) refused: &'a Path,
    /// Where a sandbox says how the command in it has ended.
    pub(super) status: Option<&'a Path>,
}

/// The descriptor at which a sandbox says how the command in it has ended.
pub(crate) const STATUS: u32 = 9;

/// The command, in a process group of its own, with the limits that the kernel keeps.
pub(super) fn build(
    words: &[OsString],
    job: &Job,
    environment: &Environment,
    folder: &Path,
    ways: &Ways<'_>,
) -> Result<Command, LaunchError> {
    let Ways { groups, refused, status } = ways;
    let open = descriptors();
    let shell = shell(&open)?;
    let keep = environment.contains_key(OsStr::new("PWD"));
    let script = script(job, groups.len(), &open, keep, status.is_some());
    let mut command = match script {
        Some(script) => {
            let mut sh = Command::new(shell);
            sh.args(["-c", &script, "sh"]).arg(refused).args(*status);
            sh.args(groups.iter().map(Cgroup::door)).args(words);
            sh
        }
        None => {
            let mut command = Command::new(words.first().map_or(OsStr::new(""), |word| word));
            command.args(words.iter().skip(1));
            command
        }
    };
    command.current_dir(folder).env_clear().envs(environment);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0);
    Ok(command)
}

/// What is open in this process, beside the three of every process, and would be open in a child.
fn descriptors() -> Vec<u32> {
    /// As the kernel shows it, in octal.
    const CLOSE_ON_EXEC: u32 = 0o2_000_000;
    let listed = std::fs::read_dir("/proc/self/fdinfo").into_iter().flatten().flatten();
    let is_handed_on = |fd: &u32| {
        let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        flags.is_some_and(|flags| flags & CLOSE_ON_EXEC == 0)
    };
    let numbers = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|fd| *fd > 2).filter(is_handed_on).collect()
}

/// A shell that can close these: the plain one knows numbers of one digit.
fn shell(open: &[u32]) -> Result<&'static str, LaunchError> {
    if open.iter().all(|fd| *fd < 10) {
        return Ok("/bin/sh");
    }
    let bash = ["/bin/bash", "/usr/bin/bash"].into_iter().find(|path| Path::new(path).exists());
    bash.ok_or_else(|| {
        LaunchError::Setup(format!(
            "this process was started with open files (descriptors {open:?}) that jobs must not have, and there is no `bash` to \
             close them; install bash, or start the study without them"
        ))
    })
}

fn script(job: &Job, groups: usize, open: &[u32], keep_pwd: bool, status: bool) -> Option<String> {
    let mut lines = String::new();
    if status {
        lines.push_str("status=$1; shift\n");
    }
    if !open.is_empty() {
        let closing: Vec<String> = open.iter().map(|fd| format!("{fd}>&-")).collect();
        lines.push_str(&format!("exec {}\n", closing.join(" ")));
    }
    let mut step = |what: &str, line: &str| {
        lines.push_str(&format!("{line} || {{ echo '{what}' >\"$refused\"; exit 125; }}\n"));
    };
    for _ in 0..groups {
        step("a control group", "echo 0 >\"$1\" && shift");
    }
    let limits = &job.limits;
    if let Some(limit) = limits.cpu_time {
        let seconds = limit.as_secs().saturating_add(u64::from(limit.subsec_nanos() > 0));
        // First a signal that says what it is; a second later one that cannot be ignored.
        if seconds < NO_LIMIT {
            step("CPU time", &format!("ulimit -S -t {seconds} && ulimit -H -t {}", seconds + 1));
        }
    }
    if let Some(limit) = limits.file_size.filter(|limit| *limit < NO_LIMIT) {
        step("file size", &format!("ulimit -f {}", limit.div_ceil(512)));
    }
    if let Some(limit) = limits.address_space.filter(|limit| *limit < NO_LIMIT) {
        step("address space", &format!("ulimit -v {}", limit.div_ceil(1024)));
    }
    let unset = if keep_pwd { "" } else { "unset PWD\n" };
    let told = if status { format!(" {STATUS}>\"$status\"") } else { String::new() };
    (!lines.is_empty()).then(|| format!("refused=$1; shift\n{lines}{unset}exec \"$@\"{told}"))
}

/// The file that the name means: in the folders of `PATH`, or, with a slash in it, from the job's folder.
pub(super) fn find(program: &str, folder: &Path, environment: &Environment) -> Result<PathBuf, LaunchError> {
    let runs = |path: &Path| {
        path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let path = folder.join(program);
        return match (runs(&path), path.exists()) {
            (true, _) => Ok(path),
            (false, true) => Err(LaunchError::Setup(format!(
                "{program} is not executable; `chmod +x {program}`, or name its interpreter"
            ))),
            (false, false) => {
                Err(LaunchError::Setup(format!("the program {program} is not there; check the path")))
            }
        };
    }
    let path =
        environment.get(OsStr::new("PATH")).cloned().unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let found = std::env::split_paths(&path).map(|place| place.join(program)).find(|path| runs(path));
    found.ok_or_else(|| {
        LaunchError::Setup(format!(
            "the program `{program}` is not installed, or not in PATH ({}); install it or name it by its path",
            path.to_string_lossy()
        ))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::limits::JobLimits;
    use std::time::Duration;

    #[test]
    fn there_is_no_shell_without_need() {
        assert_eq!(
            script(
                &Job::new(["true"]).wall_clock(Duration::from_secs(1)).memory(5).output(5),
                0,
                &[],
                false,
                false
            ),
            None
        );
        let most = Job::new(["true"]).cpu_time(Duration::MAX).file_size(u64::MAX);
        assert_eq!(
            script(
                &Job { limits: JobLimits { address_space: Some(u64::MAX), ..most.limits }, ..most },
                0,
                &[],
                false,
                false
            ),
            None
        );
        let script = script(
            &Job::new(["true"]).cpu_time(Duration::from_millis(1500)).file_size(1000),
            1,
            &[3, 11],
            false,
            true,
        )
        .unwrap();
        assert!(script.contains("exec 3>&- 11>&-\n"), "{script}");
        assert!(
            script.contains("-S -t 2 ") && script.contains("-H -t 3 ") && script.contains("-f 2 "),
            "{script}"
        );
    }

    #[test]
    fn a_missing_program_is_said_to_be_missing() {
        let environment = Environment::from([("PATH".into(), "/usr/bin:/bin".into())]);
        let find = |program: &str| find(program, Path::new("/"), &environment).map_err(|why| why.to_string());
        assert!(find("sh").unwrap().ends_with("bin/sh"));
        assert_eq!(find("bin/sh").unwrap(), Path::new("/bin/sh"));
        assert!(find("no-such-program").unwrap_err().contains("not in PATH (/usr/bin:/bin)"));
        assert!(find("/etc/passwd").unwrap_err().contains("chmod +x"));
        assert!(find("./no").unwrap_err().contains("not there"));
    }
}
