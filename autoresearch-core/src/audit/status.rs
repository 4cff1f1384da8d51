//! What the words of a status column mean.

use super::number::{Cell, number};

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

/// The meaning of a cell by its leading words: `KEEP (new best)`, `discard: memory`, `**keep**`. A cell that begins with a
/// word for kept and goes on about a revert has no meaning that could be relied on.
pub(super) fn leading(cell: &str, flag: Flag) -> Option<Said> {
    if let Some(whole) = said(cell, flag) {
        return Some(whole);
    }
    if matches!(number(cell), Cell::Number(_)) {
        return None;
    }
    let lower = cell.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let (n, found) =
        (1..=words.len().min(3)).rev().find_map(|n| Some((n, said(&words[..n].join(" "), flag)?)))?;
    let undone = |word: &str| {
        ["reverted", "revert", "discarded", "discard", "rejected", "reject", "undone", "not"].contains(&word)
    };
    (found != Said::Kept || !words[n..].iter().any(|word| undone(word))).then_some(found)
}

/// Whether a cell is one of the `words`, or begins with one of them.
pub(super) fn begins_with(cell: &str, words: &[String]) -> bool {
    let cell = cell.to_lowercase();
    let cell = cell.trim_start_matches(|c: char| !c.is_alphanumeric());
    words.iter().any(|word| {
        let word = word.to_lowercase();
        let word = word.trim().trim_start_matches(|c: char| !c.is_alphanumeric());
        cell.strip_prefix(word)
            .is_some_and(|rest| !word.is_empty() && !rest.starts_with(|c: char| c.is_alphanumeric()))
    })
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
        | "worse" | "no improvement" | "not improved" | "not kept" | "not accepted" | "no change"
        | "undo" | "undone" | "held back" | "set aside" | "neutral" | "regressed" | "regression" => {
            Said::Discarded
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_words() {
        for (cell, meaning) in [
            ("KEEP (new best)", Some(Said::Kept)),
            ("**keep**", Some(Said::Kept)),
            ("discard: memory", Some(Said::Discarded)),
            ("No improvement, slower", Some(Said::Discarded)),
            ("Timed out after 5 min", Some(Said::Crashed)),
            ("improved, then reverted", None),
            ("not sure", None),
            ("parked", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(leading(cell, Flag::None), meaning, "{cell}");
        }
        assert_eq!(leading("yes, by far", Flag::Kept), Some(Said::Kept));
        assert_eq!(leading("0.5", Flag::Kept), None);
        assert!(begins_with("Yes (best)", &["yes".into()]) && !begins_with("yesterday", &["yes".into()]));
    }
}
