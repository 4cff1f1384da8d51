//! Signals that this process ignores, and its jobs are not to.
//!
//! What is ignored stays so in children, and a study is often started by `nohup`, or in the background of a script, where shells have
//! `SIGINT` and `SIGQUIT` ignored. A job would then not be able to end a child of its own by these. Nothing but a program
//! between `fork` and `exec` can take that back without unsafe code: `env` of coreutils 8.31 and later.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const ENV: &str = "/usr/bin/env";

/// Those that people and shells send, by number and name.
const SIGNALS: [(u32, &str); 4] = [(1, "HUP"), (2, "INT"), (3, "QUIT"), (15, "TERM")];

/// What stands before a command so that it begins with the usual: nothing where this process ignores none of them, or where there is
/// no such program. As was found once: a process that begins so stays so.
pub(super) fn defaults() -> &'static [OsString] {
    static WORDS: OnceLock<Vec<OsString>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let names = ignored(&status).join(",");
        if names.is_empty() {
            return Vec::new();
        }
        let words: Vec<OsString> = vec![ENV.into(), format!("--default-signal={names}").into()];
        let mut tried = Command::new(ENV);
        tried.args(&words[1..]).arg("true");
        tried.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match tried.status() {
            Ok(status) if status.success() => words,
            _ => {
                tracing::warn!(
                    "this process ignores {names}, and so do its jobs: `env` cannot take that back here"
                );
                Vec::new()
            }
        }
    })
}

fn ignored(status: &str) -> Vec<&'static str> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    SIGNALS.into_iter().filter(|(number, _)| mask >> (number - 1) & 1 == 1).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read() {
        // As of a process that a shell has put into the background, with Rust's own SIGPIPE.
        assert_eq!(ignored("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001006\n"), ["INT", "QUIT"]);
        assert_eq!(ignored("SigIgn:\t0000000000004001\n"), ["HUP", "TERM"]);
        assert_eq!(ignored("SigIgn:\t0000000000001000\n"), [""; 0]);
    }
}
