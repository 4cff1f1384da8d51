//! The files that a launch's folder holds for the script that runs it.

use crate::error::LaunchError;
use crate::job::Job;
use crate::limits::JobLimits;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// Runs the command within its limits and writes down how it ended.
pub(super) const RUN: &str = include_str!("run.sh");

/// What a launcher adds to each job: lines of shell that come before the command, and words that stand before it.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub(crate) struct Set {
    /// Such as `module load cuda`.
    pub(crate) before: Vec<String>,
    /// Such as `apptainer exec image.sif`.
    pub(crate) within: Vec<String>,
    /// Whether the engine may start the launch again.
    pub(crate) requeue: bool,
}

/// A word as the shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What the script is told of the launch.
pub(super) fn params(token: &str, job: &Job, set: &Set) -> Result<String, LaunchError> {
    let limits = &job.limits;
    // Relative to where the study stands, as for every launcher; the node stands elsewhere.
    let folder = job.folder.as_ref().map(std::path::absolute).transpose();
    let folder = folder.map_err(LaunchError::io("the current folder is gone"))?.unwrap_or_default();
    let folder = text(&folder)?;
    let hundredths = |limit: Option<Duration>| limit.map(|limit| limit.as_millis().div_ceil(10));
    let number = |n: Option<u128>| n.map(|n| n.to_string()).unwrap_or_default();
    let bytes = |n: Option<u64>| number(n.map(u128::from));
    let values = [
        ("token", token.to_owned()),
        ("folder", quoted(folder)),
        ("requeue", u8::from(set.requeue).to_string()),
        ("wall", number(hundredths(limits.wall_clock))),
        ("cpu", number(hundredths(limits.cpu_time))),
        ("memory", bytes(limits.memory)),
        ("output", bytes(limits.output)),
        ("file_size", bytes(limits.file_size)),
    ];
    Ok(values.map(|(name, value)| format!("{name}={value}\n")).concat())
}

/// The job's variables, as lines for the shell: in a file, since others may read what is on command lines.
pub(super) fn environment(variables: &BTreeMap<String, String>) -> Result<String, LaunchError> {
    let mut lines = String::new();
    for (name, value) in variables {
        let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(LaunchError::Setup(format!(
                "the variable {name:?} cannot be set by the shell that starts jobs on clusters; \
                 use letters, digits and `_`"
            )));
        }
        let _ = writeln!(lines, "export {name}={}", quoted(value));
    }
    Ok(lines)
}

/// What cannot be started is a mistake in the set-up, which the shell's own statuses for it do not tell from the command's.
const PROGRAM: &str = r#"program() {
  case $1 in
  */*) p=$1; [ -e "$p" ] || fail "the program $1 is not there" ;;
  *)
    p=; IFS=:
    for d in $PATH; do [ -f "${d:-.}/$1" ] && [ -x "${d:-.}/$1" ] && { p=${d:-.}/$1; break; }; done
    unset IFS
    [ -n "$p" ] || fail "the program $1 is not installed, or not in PATH ($PATH)" ;;
  esac
  { [ -f "$p" ] && [ -x "$p" ]; } || fail "the program $1 is not executable"
  p=$(head -c 256 "$p" 2>/dev/null | tr -d '\0' | sed -n '1s/^#![[:space:]]*\([^[:space:]]*\).*/\1/p')
  case $p in /*) [ -x "$p" ] || fail "the program $1 begins with #!$p, which is not there" ;; esac
}"#;

/// Becomes the command: with its variables, in its folder, within the limits that the kernel keeps.
pub(super) fn start(job: &Job, set: &Set) -> Result<String, LaunchError> {
    let mut script = String::from(
        "export HOME=\"$2/home\" TMPDIR=\"$2/tmp\"\n\
         . \"$1/env\"; . \"$2/place\"; . \"$1/own\"\n\
         fail() { echo \"$1\" >&9; exit 125; }\n",
    );
    script.push_str("cd \"$3\" || fail \"the job's folder cannot be entered\"\n");
    for line in &set.before {
        if line.contains('\0') {
            return Err(LaunchError::setup("a line to be run before jobs holds a zero byte"));
        }
        let _ = writeln!(script, "{line}\n[ $? = 0 ] || fail 'a line to be run before jobs failed'");
    }
    let program = set.within.first().or(job.command.first()).map_or("", String::as_str);
    let _ = writeln!(script, "{PROGRAM}\nprogram {}", quoted(program));
    limits(&mut script, &job.limits);
    let words: Vec<String> = set.within.iter().chain(&job.command).map(|word| quoted(word)).collect();
    // The command has no way to say that it was not started.
    let _ = writeln!(script, "exec {} 9>&-", words.join(" "));
    Ok(script)
}

fn limits(script: &mut String, limits: &JobLimits) {
    let mut step = |what: &str, line: String| {
        let _ = writeln!(script, "{line} || fail 'this machine does not grant the limit of {what}'");
    };
    if let Some(limit) = limits.cpu_time {
        let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
        // First a signal that says what it is; a second later one that cannot be ignored.
        step("CPU time", format!("ulimit -S -t {seconds} && ulimit -H -t {}", seconds + 1));
    }
    if let Some(limit) = limits.file_size {
        step("file size", format!("ulimit -f {}", limit.div_ceil(512)));
    }
    if let Some(limit) = limits.address_space {
        step("address space", format!("ulimit -v {}", limit.div_ceil(1024)));
    }
}

/// A path as text.
pub(super) fn text(path: &Path) -> Result<&str, LaunchError> {
    let text = path.to_str().filter(|text| !text.contains(['\n', '\0']));
    text.ok_or_else(|| {
        LaunchError::Setup(format!("{path:?} is no path for a cluster: it is no UTF-8, or has a line end"))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_comes_through_the_shell_unchanged() {
        let values = [("A", "it's"), ("B_1", "$HOME `id` \"x\"\nsecond line"), ("C", "")];
        let variables = values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("env"), environment(&variables).unwrap()).unwrap();
        let sh = std::process::Command::new("/bin/sh")
            .args(["-c", ". ./env; printf '%s|%s|%s' \"$A\" \"$B_1\" \"$C\""])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let expected = format!("{}|{}|{}", values[0].1, values[1].1, values[2].1);
        assert_eq!(String::from_utf8(sh.stdout).unwrap(), expected);
        let odd = BTreeMap::from([("a.b".to_owned(), String::new())]);
        assert!(environment(&odd).unwrap_err().to_string().contains("\"a.b\""));
    }
}
