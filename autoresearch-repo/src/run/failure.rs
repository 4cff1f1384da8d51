//! What a proposer is told of a run that failed.

use crate::task::CommandLine;
use autoresearch_core::RunFailure;
use autoresearch_jobs::{Ended, JobExit};
use autoresearch_llm::{SecretString, Secrets};

/// Bytes of the log that are told.
const TAIL: usize = 2000;

/// Values that commands were given and nobody else should read.
pub(super) fn secrets(names: &[String]) -> Secrets {
    let mut secrets = Secrets::default();
    for name in names {
        if let Ok(value) = std::env::var(name) {
            secrets.add(name.clone(), SecretString::from(value));
        }
    }
    secrets
}

/// The exit of a command that ran in a shell, which reports of a signal as 128 and its number; those that people send stay as they are,
/// for they may be the command's own.
pub(super) fn through_shell(mut exit: JobExit, command: &CommandLine) -> JobExit {
    const PEOPLE: [i32; 3] = [1, 2, 15];
    if let (CommandLine::Shell(_), Ended::Status(code @ 129..=192)) = (command, exit.ended)
        && !PEOPLE.contains(&(code - 128))
    {
        exit.ended = Ended::Signal(code - 128);
    }
    exit
}

/// A failure with the end of the log.
pub(super) fn with_log(failure: &RunFailure, exit: &JobExit, secrets: &Secrets) -> RunFailure {
    let mut message = secrets.scrub(failure.message());
    for (name, text) in [("standard error", &exit.stderr), ("standard output", &exit.stdout)] {
        let text = secrets.scrub(text.trim_end());
        if !text.is_empty() {
            let plain = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{FFFD}' } else { c };
            let shown: String = end_of(&text, TAIL).chars().map(plain).collect();
            message.push_str(&format!("\nthe end of its {name}:\n{shown}"));
        }
    }
    again(failure, message)
}

/// The same failure with another message.
fn again(failure: &RunFailure, message: String) -> RunFailure {
    use autoresearch_core::Fault;
    match failure.fault() {
        Fault::Candidate => RunFailure::candidate(message).kind(failure.what()),
        Fault::Infrastructure => RunFailure::infrastructure(message),
        Fault::Cancelled => RunFailure::cancelled(),
    }
}

fn end_of(text: &str, most: usize) -> &str {
    let mut from = text.len().saturating_sub(most);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}
