//! How far proposals got, and why others did not.

use super::predicted::median;
use super::{Stack, Trial};
use autoresearch_core::Fate;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many proposals got how far. Each number counts those that got at least so far.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Funnel {
    /// Made.
    pub proposed: u64,
    /// Had a run that gave a number or failed by their own fault.
    pub screened: u64,
    /// Had a fresh run that tests. Fewer than were kept, where a policy keeps what its own runs chose.
    pub confirmed: u64,
    /// Were accepted on validation, so that the holdout was asked; `None`: there is no holdout.
    pub held_out: Option<u64>,
    /// Are part of the incumbent.
    pub kept: u64,
    /// Are being judged, or wait for it.
    pub open: u64,
    /// Of which something is part of the unproven stack that is built upon now: open ones, and some that were set aside as a
    /// whole.
    pub stacked: u64,
    /// How many ended with which fate.
    pub fates: BTreeMap<String, u64>,
    /// Why the others were not kept and are not in the stack, the most frequent reason first; numbers in reasons are left out so that equal reasons
    /// are counted together. At most 30.
    pub reasons: Vec<Reason>,
}

/// Why proposals were not kept.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Reason {
    /// Their fate.
    pub fate: Fate,
    /// How far they came.
    pub stage: Stage,
    /// The reason, with `#` for numbers; empty: it says nothing besides numbers.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The middle one of their measured improvements; `None`: none was measured.
    pub median: Option<f64>,
}

/// How far a proposal came that was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// It had no run.
    NotRun,
    /// Its runs looked at it, and that was all.
    FirstLook,
    /// It was tested on fresh runs.
    Tested,
    /// The holdout was asked about it.
    HeldOut,
}

impl Stage {
    fn of(trial: &Trial) -> Self {
        match trial {
            Trial { held_out: Some(_), .. } | Trial { fate: Some(Fate::HeldBack), .. } => Self::HeldOut,
            Trial { confirming: 1.., .. } => Self::Tested,
            Trial { runs: 1.., .. } => Self::FirstLook,
            _ => Self::NotRun,
        }
    }

    /// In the words of a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NotRun => "before any run",
            Self::FirstLook => "at a first look",
            Self::Tested => "on fresh runs",
            Self::HeldOut => "at or after the holdout",
        }
    }
}

/// Proposals that fell alike: their fate in a word, the stage, the reason.
type Group = (&'static str, Stage, String);

pub(super) fn funnel(trials: &[Trial], stack: Option<&Stack>, holdout: bool) -> Funnel {
    let mut funnel = Funnel { held_out: holdout.then_some(0), ..Funnel::default() };
    let mut reasons: BTreeMap<Group, (Fate, u64, Vec<f64>)> = BTreeMap::new();
    for trial in trials {
        let kept = matches!(trial.fate, Some(Fate::Kept | Fate::Revoked));
        let asked = trial.held_out.is_some() || (kept && holdout) || trial.fate == Some(Fate::HeldBack);
        let confirmed = trial.confirming > 0 || ((asked || kept) && !trial.is_chosen());
        funnel.proposed += 1;
        funnel.screened += u64::from(trial.runs > 0 || asked || kept);
        funnel.confirmed += u64::from(confirmed);
        funnel.kept += u64::from(trial.fate == Some(Fate::Kept));
        if let Some(held_out) = &mut funnel.held_out {
            *held_out += u64::from(asked);
        }
        let stacked = matches!(trial.fate, None | Some(Fate::SetAside))
            && stack.is_some_and(|s| s.members.binary_search(&trial.id).is_ok());
        funnel.stacked += u64::from(stacked);
        let Some(fate) = trial.fate else {
            funnel.open += 1;
            continue;
        };
        *funnel.fates.entry(fate.to_string()).or_default() += 1;
        if fate != Fate::Kept && !stacked {
            let key = (word(fate), Stage::of(trial), cause(&trial.reason));
            let of = reasons.entry(key).or_insert((fate, 0, Vec::new()));
            of.1 += 1;
            of.2.extend(trial.effect.map(|effect| effect.mean));
        }
    }
    let of = |((_, stage, reason), (fate, count, effects)): (_, (Fate, u64, Vec<f64>))| Reason {
        fate,
        stage,
        reason,
        count,
        median: (!effects.is_empty()).then(|| median(&effects)),
    };
    funnel.reasons = reasons.into_iter().map(of).collect();
    funnel.reasons.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    funnel.reasons.truncate(30);
    funnel
}

/// A fate as one word for sorting and for style sheets.
pub(crate) fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Kept => "kept",
        Fate::Rejected => "rejected",
        Fate::HeldBack => "held-back",
        Fate::SetAside => "set-aside",
        Fate::Undecided => "undecided",
        Fate::Failed => "failed",
        Fate::Conflict => "conflict",
        Fate::Revoked => "revoked",
        _ => "other",
    }
}

/// What a reason says besides numbers; nothing, where its words only say what the numbers are ("# pairs: # [#, #]").
fn cause(reason: &str) -> String {
    const UNITS: [&str; 8] = ["pair", "pairs", "run", "runs", "in", "of", "s", "gain"];
    let text = without_numbers(reason);
    let mut words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    if words.all(|word| UNITS.contains(&word)) { String::new() } else { text }
}

/// The text with `#` for every number in it.
pub(super) fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let end = number
            .char_indices()
            .find(|(i, c)| {
                let next = number[i + c.len_utf8()..].chars().next();
                let within = matches!(c, '.' | 'e') && next.is_some_and(|n| n.is_ascii_digit() || n == '-');
                let minus = *c == '-' && number[..*i].ends_with('e');
                !(c.is_ascii_digit() || within || minus)
            })
            .map_or(number.len(), |(i, _)| i);
        out.push_str(before.strip_suffix(['-', '+']).unwrap_or(before));
        out.push('#');
        rest = &number[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_left_out_of_reasons() {
        let text = without_numbers("gain -0.0012 of 3 runs (p = 1.5e-3), v2.");
        assert_eq!(text, "gain # of # runs (p = #), v#.");
        assert_eq!(cause("7 pairs: +0.0097 [+0.0027, +0.0168]"), "");
        assert_eq!(cause("-0.2775 in 1 run(s)"), "");
        assert_eq!(cause("screening: -0.3, not above 0.01"), "screening: #, not above #");
    }
}
