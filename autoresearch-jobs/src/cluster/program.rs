//! Runs an engine's own client.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What clients need of the driver's environment; whatever else is in it, keys among them, is not theirs.
const PASSED: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "SLURM_CONF",
    "SLURM_CONF_SERVER",
    "SLURM_CLUSTERS",
    "KRB5CCNAME",
];

/// The most bytes of an answer. A queue of a hundred thousand jobs has fewer.
const MOST: u64 = 64 << 20;

/// What a client has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) good: bool,
    pub(crate) stdout: String,
    /// In one line.
    pub(crate) stderr: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The program is not there.
    Missing,
    /// It could not be started, or took too long.
    Failed(String),
}

/// Runs a program, which is given this on standard input, to its end. Blocks.
pub(crate) fn run(program: &Path, args: &[String], input: &str, within: Duration) -> Result<Said, NoAnswer> {
    let failed = |why: std::io::Error| NoAnswer::Failed(format!("{}: {why}", program.display()));
    let mut command = Command::new(program);
    command.args(args).env_clear();
    command.envs(PASSED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A client may be a script around the real one: both are to end together.
    command.process_group(0);
    let mut child = command.spawn().map_err(|why| match why.kind() {
        ErrorKind::NotFound => NoAnswer::Missing,
        _ => failed(why),
    })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        // A client that ends without reading all of it says why.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
        let (stdout, stderr) = (scope.spawn(move || read(stdout)), scope.spawn(move || read(stderr)));
        let ended = wait(&mut child, within);
        let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
        match ended {
            Ok(Some(good)) => {
                let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
                Ok(Said { good, stdout, stderr: lines.join("; ") })
            }
            Ok(None) => Err(NoAnswer::Failed(format!(
                "{} has not answered for {:.0} s",
                program.display(),
                within.as_secs_f64()
            ))),
            Err(why) => Err(failed(why)),
        }
    })
}

/// Whether it ended well; `None`: it took too long, and was ended.
fn wait(child: &mut Child, within: Duration) -> std::io::Result<Option<bool>> {
    let (begun, mut nap) = (Instant::now(), Duration::from_millis(1));
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if begun.elapsed() > within {
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(20));
    }
}

fn read(stream: Option<impl Read>) -> String {
    let mut text = Vec::new();
    let _ = stream.map(|stream| stream.take(MOST).read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn answers_errors_and_silence_are_told_apart() {
        let sh = |script: &str| {
            let args = ["-c".to_owned(), script.to_owned()];
            run(Path::new("/bin/sh"), &args, "given", Duration::from_millis(700))
        };
        let said = sh("cat; echo no >&2; echo way >&2; exit 1").unwrap();
        assert_eq!(said, Said { good: false, stdout: "given".into(), stderr: "no; way".into() });
        assert!(matches!(sh("sleep 60; :"), Err(NoAnswer::Failed(why)) if why.contains("has not answered")));
        assert_eq!(sh("echo \"[$CARGO_MANIFEST_DIR]\"").unwrap().stdout, "[]\n");
        assert_eq!(run(Path::new("/no/such"), &[], "", Duration::from_secs(1)), Err(NoAnswer::Missing));
    }
}
