//! What the words of a status column mean.

/// What a log says of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Kept,
    Discarded,
    Crashed,
    /// It ended; whether it was kept is not said.
    Ended,
    /// It was stopped early: its value is not that of a whole run.
    Stopped,
    /// It has not ended.
    Open,
}

/// The meaning of a word such as `keep`, `FINISHED`, `OOM`; `None` if it is none of those known.
///
/// `flag` is what the column's name asks, so that yes and no are answers.
pub(super) fn said(word: &str, flag: Flag) -> Option<Said> {
    let word: String = word.trim().to_lowercase();
    // Optuna writes TrialState.COMPLETE in some exports.
    let word = word.rsplit('.').next().unwrap_or_default().replace(['_', '-'], " ");
    let answer = match word.as_str() {
        "true" | "yes" | "y" | "1" => Some(true),
        "false" | "no" | "n" | "0" => Some(false),
        _ => None,
    };
    match (flag, answer) {
        (Flag::Kept, Some(yes)) => return Some(if yes { Said::Kept } else { Said::Discarded }),
        (Flag::Failed, Some(yes)) => return Some(if yes { Said::Crashed } else { Said::Ended }),
        _ => {}
    }
    Some(match word.as_str() {
        "keep" | "kept" | "accept" | "accepted" | "merge" | "merged" | "improved" | "improvement"
        | "improve" | "better" | "best" | "new best" | "adopted" | "commit" | "committed" | "baseline" => {
            Said::Kept
        }
        "discard" | "discarded" | "reject" | "rejected" | "revert" | "reverted" | "drop" | "dropped"
        | "worse" | "no improvement" | "not improved" | "undo" | "undone" | "held back" | "set aside"
        | "neutral" | "regressed" | "regression" => Said::Discarded,
        "crash" | "crashed" | "fail" | "failed" | "failure" | "error" | "errored" | "oom"
        | "out of memory" | "timeout" | "timed out" | "invalid" | "buggy" | "aborted" | "abort"
        | "killed" | "nan" | "diverged" => Said::Crashed,
        "finished" | "finish" | "complete" | "completed" | "done" | "ok" | "success" | "succeeded"
        | "terminated" | "ended" => Said::Ended,
        "pruned" | "stopped" | "early stopped" | "preempted" | "cancelled" | "canceled" => Said::Stopped,
        "running" | "pending" | "waiting" | "queued" | "scheduled" | "paused" | "in progress" | "started" => {
            Said::Open
        }
        _ => return None,
    })
}

/// What the name of a status column asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    /// Nothing that yes or no would answer.
    None,
    /// Whether the row was kept: `kept`, `accepted`.
    Kept,
    /// Whether the run failed: `is_buggy`, `crashed`.
    Failed,
}

impl Flag {
    pub(super) fn of(name: &str) -> Self {
        for token in super::names::tokens(name) {
            match token.as_str() {
                "kept" | "keep" | "accepted" | "accept" | "improved" | "merged" | "adopted" => {
                    return Self::Kept;
                }
                "buggy" | "crashed" | "failed" | "diverged" | "oom" => return Self::Failed,
                _ => {}
            }
        }
        Self::None
    }
}
