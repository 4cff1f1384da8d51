//! The candidate that an arm stands for, and what else only those who see candidates can say of arms.

use super::Live;
use crate::accept::{Ledger, Merging};
use crate::arm::{Arm, Part, ProposalId};
use crate::candidate::Candidate;
use crate::compose::{Change, Compose, Conflict};
use crate::state::Stale;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The part of a study's state that is about candidates, beside the ledger; borrowed apart, so that the acceptor can
/// be asked while it is at hand.
pub(super) struct Workshop<'a, C> {
    pub(super) incumbent: &'a Arc<C>,
    pub(super) live: &'a BTreeMap<ProposalId, Live<C>>,
    pub(super) aside: &'a BTreeMap<ProposalId, Live<C>>,
    pub(super) ledger: &'a Ledger,
    pub(super) compose: Option<&'a dyn Compose<C>>,
    pub(super) stale: Stale,
}

impl<C: Candidate> Workshop<'_, C> {
    /// Applies an arm's changes to the incumbent, oldest first.
    pub(super) fn materialise(&self, arm: &Arm) -> Result<Arc<C>, Conflict> {
        let parts = arm.parts();
        // The newest proposal that was made for exactly what comes before it needs no merge, nor does what it contains.
        let ready = (0..parts.len()).rev().find(|&i| self.made_for(parts[i], &parts[..i]));
        let mut built = match ready {
            Some(i) => Arc::new(self.change(parts[i])?.proposal.candidate.clone()),
            None => Arc::clone(self.incumbent),
        };
        for part in &parts[ready.map_or(0, |i| i + 1)..] {
            built = Arc::new(self.apply(&built, *part)?);
        }
        Ok(built)
    }

    fn made_for(&self, part: Part, before: &[Part]) -> bool {
        let made = self.ledger.pending(part.proposal);
        let fits = |p: &crate::accept::Pending| p.version == self.ledger.version && p.on.parts() == before;
        part.unit.is_none() && made.is_some_and(fits)
    }

    fn change(&self, part: Part) -> Result<&Live<C>, Conflict> {
        self.find(part.proposal).ok_or_else(|| Conflict {
            place: format!("proposal {}", part.proposal.0),
            reason: "it is settled already".into(),
        })
    }

    fn find(&self, proposal: ProposalId) -> Option<&Live<C>> {
        self.live.get(&proposal).or_else(|| self.aside.get(&proposal))
    }

    fn apply(&self, base: &C, part: Part) -> Result<C, Conflict> {
        let change = self.change(part)?;
        let place = || format!("proposal {}", part.proposal.0);
        let made = self.ledger.pending(part.proposal);
        if self.stale == Stale::Drop && made.is_some_and(|made| made.version != self.ledger.version) {
            let reason = "the incumbent has changed since it was made, and stale proposals are to be dropped";
            return Err(Conflict { place: place(), reason: reason.into() });
        }
        let compose = self.compose.ok_or_else(|| Conflict {
            place: place(),
            reason: "the incumbent has changed since it was made, and the study does not know how to merge \
                     candidates; give it a `Compose`"
                .into(),
        })?;
        guarded(|| match part.unit {
            None => compose.apply(base, &change.parent, &change.proposal.candidate),
            Some(k) => match change.units.get(usize::from(k)) {
                Some(unit) => compose.switch(base, &change.parent, unit),
                None => Err(Conflict {
                    place: place(),
                    reason: format!("it has {} units, and unit {k} is asked for", change.units.len()),
                }),
            },
        })
    }
}

/// A merge that panics is a merge that failed.
fn guarded<C>(merge: impl FnOnce() -> Result<C, Conflict>) -> Result<C, Conflict> {
    catch_unwind(AssertUnwindSafe(merge))
        .unwrap_or_else(|_| Err(Conflict { place: "the merge".into(), reason: "it panicked".into() }))
}

impl<C: Candidate> Merging for Workshop<'_, C> {
    fn composes(&self, arm: &Arm) -> bool {
        self.materialise(arm).is_ok()
    }

    fn needs(&self, later: ProposalId, earlier: ProposalId) -> bool {
        let (Some(compose), Some(later), Some(earlier)) =
            (self.compose, self.find(later), self.find(earlier))
        else {
            return true;
        };
        fn change<C>(live: &Live<C>) -> Change<'_, C> {
            Change { parent: &live.parent, edited: &live.proposal.candidate }
        }
        let asked = catch_unwind(AssertUnwindSafe(|| compose.needs(change(later), change(earlier))));
        asked.unwrap_or(true)
    }

    fn coverage(&self, arm: &Arm) -> Option<f64> {
        let stack = self.materialise(arm).ok()?;
        self.compose?.coverage(self.incumbent, &stack)
    }
}
