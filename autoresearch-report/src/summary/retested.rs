//! What certification adds to a summary.

use super::{Summary, interval};
use crate::text::{count, of};
use autoresearch_core::{Certified, PartVerdict};
use serde_json::Value;

/// To what is certain, what is not, and the cost.
pub(super) fn add(c: &Certified<Value>, to: &mut Summary) {
    if let Some(claim) = &c.claim {
        let said = format!(
            "what stands gains {} over the baseline on the {} split, on {} with fresh seeds",
            interval(&claim.gain),
            c.split,
            of(claim.pairs.into(), "pair")
        );
        if claim.gain.low.is_some_and(|low| low > 0.0) {
            to.certain.insert(0, format!("Tested again after the study, {said}."));
        } else {
            to.uncertain.insert(0, format!("Tested again after the study, no gain is shown: {said}."));
        }
    }
    let count_of = |verdict| c.parts.iter().filter(|part| part.verdict == verdict).count() as u64;
    let (earn, tested) =
        (count_of(PartVerdict::Earns), c.parts.len() as u64 - count_of(PartVerdict::Untested));
    if tested > 0 && earn > 0 {
        to.certain.insert(
            to.certain.len().min(1),
            format!(
                "Left out one at a time, {} of {} earn their place beside the rest.",
                count(earn),
                of(tested, "part")
            ),
        );
    }
    let lost = tested - earn;
    if lost > 0 {
        to.uncertain.insert(
            0,
            format!(
                "{} of {} could not be shown to earn their place when each was left out.",
                count(lost),
                of(tested, "kept part")
            ),
        );
    }
    if let Some(ratio) = c.ratio.filter(|ratio| *ratio < 0.7) {
        to.uncertain
            .insert(0, format!("All that was kept gains {ratio:.2} of what its edits claimed together."));
    }
    if !c.complete {
        to.uncertain.insert(0, "The certification was cut short; what it says is not complete.".into());
    }
    let cost = c.cost.totals + c.cost.parts + c.cost.transfer;
    to.cost.push(format!("{} more for certification.", of(cost, "run")));
}
