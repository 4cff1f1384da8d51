//! How far proposals got, and why others did not.

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
    /// The reason, with `#` for numbers.
    pub reason: String,
    /// How many.
    pub count: u64,
}

pub(super) fn funnel(trials: &[Trial], stack: Option<&Stack>, holdout: bool) -> Funnel {
    let mut funnel = Funnel { held_out: holdout.then_some(0), ..Funnel::default() };
    let mut reasons: BTreeMap<(&'static str, String), (Fate, u64)> = BTreeMap::new();
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
            let key = (word(fate), without_numbers(&trial.reason));
            reasons.entry(key).or_insert((fate, 0)).1 += 1;
        }
    }
    let of = |((_, reason), (fate, count))| Reason { fate, reason, count };
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

/// The text with `#` for every number in it.
fn without_numbers(text: &str) -> String {
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
    }
}
