//! The command line that a job becomes.
//!
//! Limits are set by a few lines of `/bin/sh` that then become the command (`exec`): the one way to set them between `fork` and
//! `exec` that needs neither unsafe code nor a program that may not be there, and that leaves no moment in which the command
//! runs without them. The same lines enter the control groups that a job is not born in. Without such limits and groups there is no
//! shell.

use super::cgroup::Cgroup;
use crate::error::LaunchError;
use crate::job::Job;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) type Environment = BTreeMap<OsString, OsString>;

/// What the command enters on its way.
pub(super) struct Ways<'a> {
    pub(super) groups: &'a [Cgroup],
    /// Where it is written that a limit could not be set.
    pub(super) refused: &'a Path,
}

/// The command, in a process group of its own, with the limits that the kernel keeps.
pub(super) fn build(
    words: &[OsString],
    job: &Job,
    environment: &Environment,
    folder: &Path,
    ways: &Ways<'_>,
) -> Result<Command, LaunchError> {
    let Ways { groups, refused } = ways;
    let doors: Vec<PathBuf> = groups.iter().filter_map(Cgroup::door).collect();
    let keep = environment.contains_key(OsStr::new("PWD"));
    let mut command = match script(job, doors.len(), keep) {
        Some(script) => {
            let mut sh = Command::new("/bin/sh");
            sh.args(["-c", &script, "sh"]).arg(refused).args(doors).args(words);
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

fn script(job: &Job, groups: usize, keep_pwd: bool) -> Option<String> {
    let mut lines = String::new();
    let mut step = |what: &str, line: &str| {
        lines.push_str(&format!("{line} || {{ echo '{what}' >\"$refused\"; exit 125; }}\n"));
    };
    for _ in 0..groups {
        step("a control group", "echo 0 >\"$1\" && shift");
    }
    // Shells reckon in 64 bits and say nothing when a number is too large for that: the limit would be 0.
    let limits = job.limits.within_reach();
    if let Some(limit) = limits.cpu_time {
        let seconds = limit.as_secs().saturating_add(u64::from(limit.subsec_nanos() > 0));
        // First a signal that says what it is; a second later one that cannot be ignored.
        step("CPU time", &format!("ulimit -S -t {seconds} && ulimit -H -t {}", seconds + 1));
    }
    if let Some(limit) = limits.file_size {
        step("file size", &format!("ulimit -f {}", limit.div_ceil(512)));
    }
    if let Some(limit) = limits.address_space {
        step("address space", &format!("ulimit -v {}", limit.div_ceil(1024)));
    }
    let unset = if keep_pwd { "" } else { "unset PWD\n" };
    (!lines.is_empty()).then(|| format!("refused=$1; shift\n{lines}{unset}exec \"$@\""))
}

/// The file that the name means: in the folders of `PATH`, or, with a slash in it, from the job's folder.
pub(super) fn find(program: &str, folder: &Path, environment: &Environment) -> Result<PathBuf, LaunchError> {
    let runs = |path: &Path| {
        path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let path = folder.join(program);
        return match (runs(&path), path.exists()) {
            (true, _) => interpreted(path),
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
    let found = found.ok_or_else(|| {
        LaunchError::Setup(format!(
            "the program `{program}` is not installed, or not in PATH ({}); install it or name it by its path",
            path.to_string_lossy()
        ))
    });
    found.and_then(interpreted)
}

/// The kernel says of a script whose interpreter is missing that the script is, and a shell makes a status of it.
fn interpreted(program: PathBuf) -> Result<PathBuf, LaunchError> {
    // As many bytes as the kernel reads.
    let mut first = Vec::new();
    let read = File::open(&program).and_then(|file| file.take(256).read_to_end(&mut first));
    let line = first.split(|&byte| byte == b'\n').next().and_then(|line| line.strip_prefix(b"#!"));
    let words = line.map(|line| line.trim_ascii().split(u8::is_ascii_whitespace));
    let interpreter = words.and_then(|mut words| words.next()).map(|name| Path::new(OsStr::from_bytes(name)));
    match interpreter.filter(|path| read.is_ok() && path.is_absolute() && !path.exists()) {
        Some(interpreter) => Err(LaunchError::Setup(format!(
            "{} begins with #!{}, which is not there; install that, or name the interpreter in the command",
            program.display(),
            interpreter.display()
        ))),
        None => Ok(program),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::limits::JobLimits;
    use std::time::Duration;

    #[test]
    fn there_is_no_shell_without_need() {
        let second = Duration::from_secs(1);
        let plain = Job::new(["true"]).wall_clock(second).memory(5).output(5);
        assert_eq!(script(&plain, 0, false), None);
        let most = Job::new(["true"]).cpu_time(Duration::MAX).file_size(u64::MAX);
        let most = Job { limits: JobLimits { address_space: Some(u64::MAX), ..most.limits }, ..most };
        assert_eq!(script(&most, 0, false), None);
        let limited = Job::new(["true"]).cpu_time(Duration::from_millis(1500)).file_size(1000);
        let script = script(&limited, 1, false).unwrap();
        assert!(script.contains("echo 0 >\"$1\" && shift"), "{script}");
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
        let folder = tempfile::tempdir().unwrap();
        let script = |first: &str| {
            let path = folder.path().join("script");
            std::fs::write(&path, format!("#!{first}\necho\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            find(path.to_str().unwrap())
        };
        let why = script(" /no/such/python -u").unwrap_err();
        assert!(why.contains("script") && why.contains("#!/no/such/python,"), "{why}");
        assert!(script("/bin/sh -e").is_ok() && script("").is_ok());
    }
}
