//! The candidate that an arm stands for.

use super::Live;
use crate::accept::Ledger;
use crate::arm::{Arm, ProposalId};
use crate::candidate::Candidate;
use crate::compose::{Compose, Conflict};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Applies an arm's changes to the incumbent, oldest first. A function of the fields it reads, so that the acceptor
/// can be asked while it is at hand.
pub(super) fn materialise<C: Candidate>(
    incumbent: &Arc<C>,
    live: &BTreeMap<ProposalId, Live<C>>,
    ledger: &Ledger,
    compose: Option<&dyn Compose<C>>,
    arm: &Arm,
) -> Result<Arc<C>, Conflict> {
    let mut built = Arc::clone(incumbent);
    let mut on = Arm::incumbent();
    for part in arm.parts() {
        let no_longer = || Conflict {
            place: format!("proposal {}", part.proposal.0),
            reason: "it is settled already".into(),
        };
        let change = live.get(&part.proposal).ok_or_else(no_longer)?;
        let made = ledger.live.get(&part.proposal).ok_or_else(no_longer)?;
        if part.unit.is_none() && made.version == ledger.version && made.on == on {
            // It was made for exactly this: no merge needed.
            built = Arc::new(change.proposal.candidate.clone());
        } else {
            let compose = compose.ok_or_else(|| Conflict {
                place: format!("proposal {}", part.proposal.0),
                reason:
                    "the incumbent has changed since it was made, and the study does not know how to merge \
                             candidates; give it a `Compose`"
                        .into(),
            })?;
            let edited = &change.proposal.candidate;
            built = Arc::new(match part.unit {
                None => apply(compose, &built, &change.parent, edited)?,
                Some(k) => {
                    let units = compose.units(&change.parent, edited);
                    let unit = units.get(usize::from(k)).ok_or_else(|| Conflict {
                        place: format!("proposal {}", part.proposal.0),
                        reason: format!("it has {} units, and unit {k} is asked for", units.len()),
                    })?;
                    apply(compose, &built, &change.parent, &unit.edited)?
                }
            });
        }
        on = on.with(*part);
    }
    Ok(built)
}

/// A merge that panics is a merge that failed.
fn apply<C>(compose: &dyn Compose<C>, base: &C, parent: &C, edited: &C) -> Result<C, Conflict> {
    let merged = catch_unwind(AssertUnwindSafe(|| compose.apply(base, parent, edited)));
    merged.unwrap_or_else(|_| Err(Conflict { place: "the merge".into(), reason: "it panicked".into() }))
}
