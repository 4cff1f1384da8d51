//! A settled proposal, as a model is told of it.

use crate::prompt::{Told, block, one_line, quote};
use autoresearch_core::{Candidate, Effect, Fate, Hypothesis, Proposal, ProposalId, TrialRecord};

/// Characters of a title that are told.
const TITLE: usize = 120;
/// Characters of a change on one line that are told.
const CHANGE: usize = 200;
/// Characters of a reason that are told.
const REASON: usize = 300;

/// What is remembered of a settled proposal that may be told.
#[derive(Debug, Clone)]
pub(crate) struct Digest {
    pub(crate) id: ProposalId,
    /// The estimate, to order near misses by.
    pub(crate) mean: f64,
    pub(crate) told: Told,
}

impl Digest {
    pub(crate) fn of<C: Candidate>(record: &TrialRecord<C>) -> Self {
        let mut told = hypothesis(&record.proposal.hypothesis);
        told.id = record.id.to_string();
        told.fate = fate(record);
        // That the holdout said no is all that anybody may learn from it: neither by how much nor about what else.
        if record.fate != Fate::HeldBack {
            told.effect = record.effect.as_ref().map(effect).unwrap_or_default();
            told.reason = reason(record);
        }
        told.line = line(&told);
        Self { id: record.id, mean: record.effect.map_or(f64::NEG_INFINITY, |e| e.mean), told }
    }
}

/// A proposal that is being judged, and what it seems to add where a stack has taken it up.
pub(crate) fn pending<C>(proposal: &Proposal<C>, seems: Option<&Effect>) -> Told {
    let mut told = hypothesis(&proposal.hypothesis);
    if let Some(seems) = seems {
        told.fate = "taken up, not proved yet".into();
        told.effect = effect(seems);
    }
    told.line = line(&told);
    told
}

fn hypothesis(hypothesis: &Hypothesis) -> Told {
    let change = hypothesis.change.trim();
    // Often the title says it all.
    let change = match change {
        "" => String::new(),
        same if one_line(same, TITLE) == one_line(&hypothesis.title, TITLE) => String::new(),
        long if long.contains('\n') => format!("\n{}", block(long, 16, 1200)),
        short => quote(short, CHANGE),
    };
    Told { title: quote(&hypothesis.title, TITLE), change, ..Told::default() }
}

fn fate<C>(record: &TrialRecord<C>) -> String {
    let word = match record.fate {
        Fate::Kept => "kept",
        Fate::Rejected => "not better",
        Fate::HeldBack => "held back: better at first, and not confirmed on data that nobody sees",
        Fate::SetAside => "set aside: not better where it was tried first",
        Fate::Undecided => "undecided",
        Fate::Failed => "failed",
        Fate::Conflict => "did not apply any more to what stood by then",
        Fate::Revoked => "kept at first, and taken back: not useful after all",
        other => return other.to_string(),
    };
    match record.keys.as_slice() {
        [] => word.into(),
        keys => format!("{word} (as for {})", one_line(&keys.join(", "), TITLE)),
    }
}

/// Why, where that is more than the effect says.
fn reason<C>(record: &TrialRecord<C>) -> String {
    let said = match record.fate {
        Fate::Kept | Fate::HeldBack => return String::new(),
        Fate::Failed | Fate::Conflict => record.reason.as_str(),
        _ => match record.effect {
            // Policies begin with the evidence; what else there is stands behind a semicolon.
            Some(_) => record.reason.split_once("; ").map_or("", |(_, rest)| rest),
            None => record.reason.as_str(),
        },
    };
    if said.trim().is_empty() { String::new() } else { quote(said, REASON) }
}

fn line(told: &Told) -> String {
    let mut line = String::from("-");
    let mut add = |before: &str, text: &str| {
        if !text.is_empty() {
            line += before;
            line += text;
        }
    };
    add(" ", &told.id);
    add(" ", &told.title);
    add(" - ", &told.fate);
    add(", effect ", &told.effect);
    add(": ", &told.reason);
    add("; change: ", &told.change);
    line
}

/// An effect with its interval.
pub(crate) fn effect(effect: &Effect) -> String {
    let mut text = signed(effect.mean);
    match (effect.low, effect.high) {
        (Some(low), Some(high)) => text += &format!(" [{}, {}]", signed(low), signed(high)),
        _ => text += " [no interval]",
    }
    if !effect.fresh {
        text += " (from the runs that chose it, so perhaps luck)";
    }
    text
}

/// Three significant digits, with a sign.
pub(crate) fn signed(x: f64) -> String {
    let size = x.abs();
    if size == 0.0 || !size.is_finite() {
        return format!("{x}");
    }
    if (1e-4..1e5).contains(&size) {
        let decimals = (2 - size.log10().floor() as i32).max(0);
        format!("{x:+.*}", decimals as usize)
    } else {
        format!("{x:+.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::signed;

    #[test]
    fn three_digits_whatever_the_scale() {
        for (x, text) in [
            (0.0, "0"),
            (0.012345, "+0.0123"),
            (-1.5, "-1.50"),
            (1234.5, "+1234"),
            (-3.21e-7, "-3.21e-7"),
            (4.5e9, "+4.50e9"),
        ] {
            assert_eq!(signed(x), text);
        }
    }
}
