//! How what was kept came about, read from a study's events alone: no acceptor, no proposer.

use crate::arm::{Arm, Part, ProposalId, Version};
use crate::candidate::Candidate;
use crate::compose::{Compose, Conflict};
use crate::measure::Direction;
use crate::propose::{Effect, Fate, Proposal};
use crate::state::{Event, StateError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One step from the origin to the kept stack.
#[derive(Debug, Clone)]
pub(super) struct Stage<C> {
    /// The kept edit; more than one only where the first could not be built without the second.
    pub(super) edits: Vec<ProposalId>,
    pub(super) title: String,
    /// The effect recorded when it was kept, edit by edit; `None` where there is none, or it is of several keys.
    pub(super) claimed: Vec<Option<Claimed>>,
    /// The origin with everything up to and including it.
    pub(super) candidate: Arc<C>,
}

/// An effect that was recorded when it was kept.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    /// Of which edits: more than one where they were judged as one.
    pub(super) edits: Vec<ProposalId>,
    pub(super) effect: Effect,
}

/// A study as far as certification needs it.
#[derive(Debug)]
pub(super) struct Lineage<C> {
    pub(super) study: String,
    pub(super) policy: String,
    pub(super) direction: Direction,
    pub(super) origin: Arc<C>,
    pub(super) stages: Vec<Stage<C>>,
    /// The effects recorded with kept proposals, where there is one; that of a unit once.
    pub(super) claims: Vec<Effect>,
    /// How many kept proposals have none.
    pub(super) unclaimed: usize,
    /// How many proposals were kept, and the highest number among them.
    pub(super) keeps: (usize, u64),
    /// Every seed that a run of it had.
    pub(super) seeds: BTreeSet<u64>,
    pub(super) seed: u64,
}

/// A proposal as it was made.
struct Made<C> {
    proposal: Proposal<C>,
    on: Arm,
    version: Version,
}

/// A kept proposal as it was settled.
#[derive(Clone)]
struct Keep {
    proposal: ProposalId,
    units: Option<Vec<u16>>,
    together: Vec<ProposalId>,
    effect: Option<Effect>,
}

impl Keep {
    /// The first edit of its unit.
    fn first(&self) -> ProposalId {
        self.together.first().copied().unwrap_or(self.proposal)
    }

    fn claimed(&self) -> Option<Claimed> {
        let edits = if self.together.is_empty() { vec![self.proposal] } else { self.together.clone() };
        Some(Claimed { edits, effect: self.effect? })
    }
}

struct Reader<'a, C> {
    compose: Option<&'a dyn Compose<C>>,
    made: BTreeMap<ProposalId, Made<C>>,
    /// By version.
    incumbents: Vec<Arc<C>>,
    kept: BTreeMap<u32, Vec<Keep>>,
}

impl<C: Candidate> Lineage<C> {
    /// Reads a study's events, from the first on.
    ///
    /// # Errors
    /// They do not begin a study, or what was kept cannot be put together again without the `Compose` that the study
    /// had.
    pub(super) fn read<'e>(
        events: impl IntoIterator<Item = &'e Event<C>>,
        compose: Option<&dyn Compose<C>>,
    ) -> Result<Self, StateError> {
        let mut events = events.into_iter();
        let Some(Event::Opened { study, baseline, settings, policy, .. }) = events.next() else {
            return Err(StateError::NotAStudy);
        };
        let origin = Arc::new(baseline.clone());
        let mut seeds = BTreeSet::new();
        let (made, kept) = (BTreeMap::new(), BTreeMap::new());
        let mut reader = Reader { compose, made, incumbents: vec![Arc::clone(&origin)], kept };
        for event in events {
            if let Event::Finished { run, .. } = event {
                seeds.insert(run.seed);
            }
            reader.take(event);
        }
        let keeps: Vec<Keep> = reader.kept.values().flatten().cloned().collect();
        let unclaimed = keeps.iter().filter(|keep| keep.effect.is_none()).count();
        let mut units = BTreeSet::new();
        let claims =
            keeps.iter().filter_map(|keep| keep.effect.filter(|_| units.insert(keep.first()))).collect();
        let stages = reader.stages().map_err(|conflict| {
            StateError::Settings(format!(
                "what was kept cannot be put together again: {conflict}; certify it with the `Compose` that the study \
                 had"
            ))
        })?;
        let stages = reader.by_key(&keeps, &origin, &stages).unwrap_or(stages);
        let (study, policy) = (study.clone(), policy.clone());
        let direction = settings.direction;
        let keeps = (keeps.len(), keeps.iter().map(|keep| keep.proposal.0).max().unwrap_or(0));
        Ok(Self {
            study,
            policy,
            direction,
            origin,
            stages,
            claims,
            unclaimed,
            keeps,
            seeds,
            seed: settings.seed,
        })
    }

    /// What is certified, in one line: the same only where study, keeps, origin and every part are the same.
    pub(super) fn identity(&self) -> String {
        let (keeps, last) = self.keeps;
        let candidates =
            std::iter::once(&self.origin).chain(self.stages.iter().map(|stage| &stage.candidate));
        let hash = candidates.fold(FNV_BASIS, |hash, candidate| fnv(hash, &format!("{candidate:?}\n")));
        let (stages, study) = (self.stages.len(), &self.study);
        format!("{keeps} kept proposals up to p{last} of study {study}, in {stages} parts ({hash:016x})")
    }

    /// The last stage's candidate, or the origin.
    pub(super) fn kept(&self) -> &Arc<C> {
        self.stages.last().map_or(&self.origin, |stage| &stage.candidate)
    }
}

impl<C: Candidate> Reader<'_, C> {
    fn take(&mut self, event: &Event<C>) {
        match event {
            Event::Proposed { first, on, version, proposals } => {
                for (id, proposal) in (first.0..).map(ProposalId).zip(proposals) {
                    let made = Made { proposal: proposal.clone(), on: on.clone(), version: *version };
                    self.made.insert(id, made);
                }
            }
            Event::Settled { proposal, fate: Fate::Kept, units, together, version, effect, .. } => {
                let (units, together) = (units.clone(), together.clone());
                let keep = Keep { proposal: *proposal, units, together, effect: *effect };
                self.kept.entry(version.0).or_default().push(keep);
            }
            _ => {}
        }
    }

    /// One incumbent after the other, each part of a step by itself where it can be built by itself.
    fn stages(&mut self) -> Result<Vec<Stage<C>>, Conflict> {
        let mut stages = Vec::new();
        for keeps in std::mem::take(&mut self.kept).into_values() {
            let version = Version(self.incumbents.len() as u32 - 1);
            let arm: Arm = keeps.iter().flat_map(parts).collect();
            let (mut so_far, mut waiting) = (Arm::incumbent(), Vec::new());
            for part in arm.parts() {
                so_far = so_far.with(*part);
                waiting.push(*part);
                let is_last = so_far == arm;
                let candidate = match self.build(version, &so_far) {
                    Ok(candidate) => candidate,
                    Err(conflict) if is_last => return Err(conflict),
                    Err(_) => continue,
                };
                stages.push(self.stage(&std::mem::take(&mut waiting), &keeps, candidate));
            }
            let newest = stages.last().map(|stage: &Stage<C>| Arc::clone(&stage.candidate));
            self.incumbents.extend(newest);
        }
        Ok(stages)
    }

    fn stage(&self, parts: &[Part], keeps: &[Keep], candidate: Arc<C>) -> Stage<C> {
        let mut edits: Vec<ProposalId> = parts.iter().map(|part| part.proposal).collect();
        edits.dedup();
        let titles: Vec<String> = parts.iter().map(|part| self.title(*part)).collect();
        // A proposal of several units has one effect, which cannot be divided among them.
        let whole = |keep: &Keep| keep.claimed().filter(|_| keep.units.as_ref().is_none_or(|u| u.len() == 1));
        let claimed = keeps.iter().filter(|keep| edits.contains(&keep.proposal)).map(whole).collect();
        Stage { edits, title: titles.join(" + "), claimed, candidate }
    }

    /// The same where candidates are made of keys: a stage is what became of one key, in however many steps, since only
    /// its last value is in the kept stack. `None` where they are not.
    fn by_key(&self, keeps: &[Keep], origin: &Arc<C>, stages: &[Stage<C>]) -> Option<Vec<Stage<C>>> {
        let (compose, kept) = (self.compose?, &stages.last()?.candidate);
        let keys: Vec<(&Keep, Vec<String>)> =
            keeps.iter().map(|keep| Some((keep, self.keys(keep)?))).collect::<Option<_>>()?;
        let mut built = Arc::clone(origin);
        let mut by_key = Vec::new();
        for unit in compose.units(origin, kept) {
            built = Arc::new(compose.switch(&built, origin, &unit).ok().filter(|_| !unit.key.is_empty())?);
            let steps =
                || keys.iter().filter(|(_, keys)| keys.contains(&unit.key)).map(|(keep, keys)| (*keep, keys));
            let edits: Vec<ProposalId> = steps().map(|(keep, _)| keep.proposal).collect();
            let title = match (self.value(origin, &unit.key), self.value(kept, &unit.key), &edits[..]) {
                (_, _, []) => return None,
                (Some(from), Some(to), _) => format!("{}: {from} -> {to}", unit.key),
                (None, Some(to), _) => format!("{}: set to {to}", unit.key),
                (_, None, [only]) => format!("{}: {}", unit.key, self.title((*only).into())),
                (_, None, _) => unit.key.clone(),
            };
            let steps_in_words =
                if edits.len() > 1 { format!(" ({} steps)", edits.len()) } else { String::new() };
            let title = title + &steps_in_words;
            // An effect of several keys cannot be divided among them.
            let claimed = steps().map(|(keep, keys)| keep.claimed().filter(|_| keys.len() == 1)).collect();
            by_key.push(Stage { edits, title, claimed, candidate: Arc::clone(&built) });
        }
        (format!("{built:?}") == format!("{kept:?}")).then_some(by_key)
    }

    fn value(&self, candidate: &C, key: &str) -> Option<String> {
        self.compose?.value(candidate, key)
    }

    /// The keys that a kept proposal gave a value; `None` where it has a unit without a key.
    fn keys(&self, keep: &Keep) -> Option<Vec<String>> {
        let (made, parent) = (self.find(keep.proposal).ok()?, self.parent(keep.proposal).ok()?);
        let units = self.compose?.units(&parent, &made.proposal.candidate);
        let kept = |i: &usize| keep.units.as_ref().is_none_or(|kept| kept.contains(&(*i as u16)));
        let keys = (0..units.len()).filter(kept).map(|i| units[i].key.to_string());
        keys.map(|key| (!key.is_empty()).then_some(key)).collect()
    }

    fn title(&self, part: Part) -> String {
        let made = self.made.get(&part.proposal);
        let title = made.map(|made| made.proposal.hypothesis.title.clone()).filter(|title| !title.is_empty());
        let title = title.unwrap_or_else(|| format!("proposal {}", part.proposal.0));
        match part.unit.and_then(|unit| self.unit(part.proposal, unit).ok()) {
            Some(unit) if !unit.key.is_empty() => format!("{}: as in \"{title}\"", unit.key),
            _ => title,
        }
    }

    /// As the state machine materialises arms: what was made for exactly what comes before it needs no merge.
    fn build(&self, version: Version, arm: &Arm) -> Result<Arc<C>, Conflict> {
        let parts = arm.parts();
        let made_for = |i: &usize| {
            let fits = |m: &Made<C>| m.version == version && m.on.parts() == &parts[..*i];
            parts[*i].unit.is_none() && self.made.get(&parts[*i].proposal).is_some_and(fits)
        };
        let ready = (0..parts.len()).rev().find(made_for);
        let mut built = match ready {
            Some(i) => Arc::new(self.find(parts[i].proposal)?.proposal.candidate.clone()),
            None => self.incumbent(version)?,
        };
        for part in &parts[ready.map_or(0, |i| i + 1)..] {
            built = Arc::new(self.apply(&built, *part)?);
        }
        Ok(built)
    }

    fn apply(&self, base: &C, part: Part) -> Result<C, Conflict> {
        let compose = self.compose()?;
        let parent = self.parent(part.proposal)?;
        match part.unit {
            None => compose.apply(base, &parent, &self.find(part.proposal)?.proposal.candidate),
            Some(unit) => compose.switch(base, &parent, &self.unit(part.proposal, unit)?),
        }
    }

    fn unit(&self, proposal: ProposalId, unit: u16) -> Result<crate::compose::Unit<C>, Conflict> {
        let (parent, made) = (self.parent(proposal)?, self.find(proposal)?);
        let mut units = self.compose()?.units(&parent, &made.proposal.candidate);
        if usize::from(unit) < units.len() {
            return Ok(units.swap_remove(usize::from(unit)));
        }
        Err(missing(proposal, &format!("it has {} units, and unit {unit} was kept", units.len())))
    }

    fn parent(&self, proposal: ProposalId) -> Result<Arc<C>, Conflict> {
        let made = self.find(proposal)?;
        if made.on.is_incumbent() { self.incumbent(made.version) } else { self.build(made.version, &made.on) }
    }

    fn find(&self, proposal: ProposalId) -> Result<&Made<C>, Conflict> {
        self.made.get(&proposal).ok_or_else(|| missing(proposal, "it was kept, and it was never made"))
    }

    fn incumbent(&self, version: Version) -> Result<Arc<C>, Conflict> {
        let found = self.incumbents.get(version.0 as usize);
        let reason = || Conflict {
            place: format!("version {} of the incumbent", version.0),
            reason: "it is built upon before it was kept".into(),
        };
        found.cloned().ok_or_else(reason)
    }

    fn compose(&self) -> Result<&dyn Compose<C>, Conflict> {
        self.compose.ok_or_else(|| Conflict {
            place: "the kept stack".into(),
            reason: "its edits were merged, and nothing here says how".into(),
        })
    }
}

const FNV_BASIS: u64 = 0xCBF2_9CE4_8422_2325;

/// FNV-1a (Fowler, Noll & Vo 1991), which is the same in every version of the standard library.
fn fnv(hash: u64, text: &str) -> u64 {
    text.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

fn parts(keep: &Keep) -> Vec<Part> {
    match &keep.units {
        None => vec![keep.proposal.into()],
        Some(units) => units.iter().map(|unit| Part { proposal: keep.proposal, unit: Some(*unit) }).collect(),
    }
}

fn missing(proposal: ProposalId, reason: &str) -> Conflict {
    Conflict { place: format!("proposal {}", proposal.0), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::{FNV_BASIS, fnv};

    /// From the test vectors of the FNV page (Noll).
    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv(FNV_BASIS, "a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(fnv(FNV_BASIS, "foobar"), 0x8594_4171_F739_67E8);
    }
}
