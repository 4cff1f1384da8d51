//! Signals that a job would inherit as ignored.
//!
//! Whatever a program is started with `nohup`, or by a script with `&`, ignores SIGHUP or SIGINT and SIGQUIT, and so would all that it
//! starts: a job that ends a helper by SIGINT, or waits for its own end by it, would behave otherwise than on a terminal. A
//! signal that has a handler begins anew with its default in what is started (execve(2)). So what is ignored here gets a
//! handler that does nothing, which is to ignore it still.

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Gives every signal that ends a job, and that this process ignores, a handler that does nothing.
pub(super) fn keep_from_jobs() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for signal in ignored(&status) {
        if let Err(why) = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))) {
            tracing::warn!("jobs will ignore signal {signal} as this process does: {why}");
        }
    }
}

/// Those that the process of this `/proc/<pid>/status` ignores.
fn ignored(status: &str) -> Vec<i32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    [SIGHUP, SIGINT, SIGQUIT, SIGTERM].into_iter().filter(|signal| mask >> (signal - 1) & 1 == 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_mask() {
        // As proc(5) has it: the lowest bit is signal 1.
        assert_eq!(
            ignored("Name:\tsh\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001006\n"),
            [SIGINT, SIGQUIT]
        );
        assert_eq!(ignored("SigIgn:\t0000000000000001\n"), [SIGHUP]);
        assert_eq!(ignored("SigIgn:\t0000000000000000\n"), [0; 0]);
        assert_eq!(ignored(""), [0; 0]);
    }
}
