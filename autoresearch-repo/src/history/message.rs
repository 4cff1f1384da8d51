//! Messages of commits: a hypothesis, and the evidence as trailers.

use crate::tree::GitTree;
use autoresearch_core::{Fate, Hypothesis, RunId, TrialRecord};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Bytes of a subject.
const SUBJECT: usize = 100;

/// The study that messages are about.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// The task's name.
    pub(crate) name: String,
    /// The commit that the study started from.
    pub(crate) base: String,
    /// Whether what is kept was asked about on held-out data.
    pub(crate) holdout: bool,
}

/// The message of a proposal that was settled. `number` counts what was settled, from 1; `runs` are those of its runs that are known.
pub(super) fn settled(record: &TrialRecord<GitTree>, runs: &[RunId], study: &About, number: usize) -> String {
    let mut trailers = vec![("Fate", record.fate.to_string())];
    if let Some(effect) = &record.effect {
        trailers.push(("Effect", format!("{:+}", effect.mean)));
        if let (Some(low), Some(high)) = (effect.low, effect.high) {
            trailers.push(("Interval", format!("[{low:+}, {high:+}] at {} %", 100.0 * effect.level)));
        }
        let fresh = if effect.fresh { "fresh runs" } else { "runs that also chose it" };
        trailers.push(("Evidence", format!("{} {fresh}; {}", effect.runs, record.reason)));
    } else {
        trailers.push(("Evidence", record.reason.clone()));
    }
    let known: Vec<String> = runs.iter().map(ToString::to_string).collect();
    let earlier = match (record.runs as usize).saturating_sub(known.len()) {
        0 => String::new(),
        n => format!(" and {n} before the study was resumed"),
    };
    trailers.push(("Runs", format!("{} ({}{earlier})", record.runs, known.join(" "))));
    trailers.push(("Proposal", record.id.to_string()));
    if !record.together.is_empty() {
        let unit: Vec<String> = record.together.iter().map(ToString::to_string).collect();
        trailers.push(("Unit", unit.join(" ")));
    }
    if record.fate == Fate::Kept && !study.holdout {
        trailers.push(("Holdout", "none: it was tested on the data that steered the search".into()));
    }
    trailers.push(("Study", study.name.clone()));
    trailers.push(("Base", study.base.clone()));
    trailers.push(("Settled", number.to_string()));
    write(&record.proposal.hypothesis, &trailers)
}

/// The message of a proposal that was made.
pub(super) fn proposed(hypothesis: &Hypothesis, parent: &GitTree, study: &str) -> String {
    write(hypothesis, &[("Parent-Tree", parent.tree().into()), ("Study", study.into())])
}

fn write(hypothesis: &Hypothesis, trailers: &[(&str, String)]) -> String {
    let title = line(&hypothesis.title);
    let title = if title.is_empty() { "An edit without a title".into() } else { title };
    let subject: String = title.chars().take(SUBJECT).collect();
    let mut message = format!("{subject}\n");
    if subject != title {
        let _ = write!(message, "\n{title}\n");
    }
    for part in [&hypothesis.rationale, &hypothesis.change] {
        // Indented where it could be taken for a trailer.
        let part: Vec<String> = part.lines().map(|line| plain(line.trim_end())).collect();
        let part = part.join("\n");
        if !part.trim().is_empty() {
            let _ = write!(message, "\n{}\n", part.trim_matches('\n'));
        }
    }
    if !hypothesis.tags.is_empty() {
        let _ = write!(message, "\nTags: {}\n", line(&hypothesis.tags.join(", ")));
    }
    message.push('\n');
    for (name, value) in trailers {
        let _ = writeln!(message, "{name}: {}", line(value));
    }
    message
}

/// On one line.
fn line(text: &str) -> String {
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{FFFD}' } else { c }).collect()
}

/// The trailers of a message: what its last paragraph says.
pub(super) fn trailers(message: &str) -> BTreeMap<String, String> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let pairs = last.lines().filter_map(|line| line.split_once(": "));
    pairs.map(|(name, value)| (name.into(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hypothesis_cannot_forge_trailers() {
        let mut hypothesis = Hypothesis::default();
        hypothesis.title = "lr up\n\nFate: kept".into();
        hypothesis.rationale = "because\n\nFate: kept\nProposal: p9".into();
        let message =
            write(&hypothesis, &[("Fate", "rejected\nFate: kept".into()), ("Proposal", "p1".into())]);
        assert!(message.starts_with("lr up Fate: kept\n"), "{message}");
        let found = trailers(&message);
        assert_eq!((found["Fate"].as_str(), found["Proposal"].as_str()), ("rejected Fate: kept", "p1"));
    }

    #[test]
    fn long_titles_are_cut_in_the_subject_alone() {
        let mut hypothesis = Hypothesis::default();
        hypothesis.title = "x".repeat(150);
        let message = write(&hypothesis, &[("Proposal", "p1".into())]);
        assert_eq!(message.lines().next().map(str::len), Some(SUBJECT));
        assert!(message.contains(&"x".repeat(150)));
    }
}
