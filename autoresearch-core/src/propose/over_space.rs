//! What the proposers over a parameter space share: drafts of candidates, and what was tried before.

use super::draft::{Draft, show};
use super::{Proposal, ProposeContext, ProposeError, Proposed, TrialRecord};
use crate::candidate::Candidate;
use crate::compose::{get_path, set_path};
use crate::space::{ParamSpace, json};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashSet;
use std::ops::RangeInclusive;

/// Random drafts for one proposal before the space counts as (nearly) used up.
const TRIES: usize = 100;
/// Drafts that are then gone through one after the other.
const ENUMERATED: usize = 5_000;
/// A parameter with more values than that counts as continuous.
const VALUES: u32 = 1_000;

/// A space, the part of it that is searched, and fingerprints of all that was settled.
#[derive(Debug, Clone)]
pub(super) struct Searched {
    pub(super) space: ParamSpace,
    only: Option<Vec<String>>,
    tried: HashSet<u64>,
}

impl Searched {
    pub(super) fn new(space: ParamSpace) -> Self {
        Self { space, only: None, tried: HashSet::new() }
    }

    pub(super) fn only<N: Into<String>>(&mut self, names: impl IntoIterator<Item = N>) {
        self.only = Some(names.into_iter().map(Into::into).collect());
    }

    /// Remembers what was settled in eight bytes, so that a proposal costs the same however long the history is.
    pub(super) fn observe<C: Serialize>(&mut self, settled: &TrialRecord<C>) {
        // What cannot be written as JSON is reported when it is the incumbent; here there is nobody to tell.
        if let Ok(value) = json(&settled.proposal.candidate) {
            self.tried.insert(self.space.fingerprint(&value));
        }
    }

    /// Which parameters may be changed, by their places in the space.
    fn selected(&self) -> Result<Vec<usize>, ProposeError> {
        self.space.check().map_err(say)?;
        let params = self.space.params();
        let Some(only) = &self.only else { return Ok((0..params.len()).collect()) };
        if let Some(unknown) = only.iter().find(|name| self.space.get(name).is_none()) {
            return Err(ProposeError::new(format!(
                "`only` names `{unknown}`, which the space does not have"
            )));
        }
        Ok((0..params.len()).filter(|i| params.get(*i).is_some_and(|p| only.contains(&p.name))).collect())
    }
}

fn say(error: impl ToString) -> ProposeError {
    ProposeError::new(error.to_string())
}

/// One call of `propose`: what to build upon, what not to repeat, and the randomness of this call.
pub(super) struct Round<'a> {
    searched: &'a Searched,
    /// The incumbent's JSON.
    parent: Value,
    /// Places of the parameters that may be changed.
    pub(super) selected: Vec<usize>,
    /// The incumbent, what is pending, and what this round has proposed already.
    taken: HashSet<u64>,
    waiting: bool,
    wanted: usize,
    pub(super) rng: ChaCha8Rng,
}

impl<'a> Round<'a> {
    pub(super) fn new<C>(searched: &'a Searched, cx: &ProposeContext<'_, C>) -> Result<Self, ProposeError>
    where
        C: Candidate + Serialize,
    {
        let selected = searched.selected()?;
        let parent = json(cx.incumbent).map_err(say)?;
        // Caught here, a name that is no field of the candidate costs no run.
        searched
            .space
            .validate_json(&parent)
            .map_err(|e| ProposeError::new(format!("the incumbent lies outside of the space: {e}")))?;
        let mut taken = HashSet::from([searched.space.fingerprint(&parent)]);
        for pending in &cx.pending {
            taken.insert(searched.space.fingerprint(&json(&pending.candidate).map_err(say)?));
        }
        let rng = ChaCha8Rng::seed_from_u64(cx.seed);
        let (waiting, wanted) = (cx.under_way, cx.wanted.max(1));
        Ok(Self { searched, parent, selected, taken, waiting, wanted, rng })
    }

    /// The incumbent's JSON.
    pub(super) fn parent(&self) -> &Value {
        &self.parent
    }

    pub(super) fn space(&self) -> &'a ParamSpace {
        &self.searched.space
    }

    /// The incumbent, to be edited.
    pub(super) fn draft(&self) -> Draft<'a> {
        Draft { space: self.space(), value: self.parent.clone() }
    }

    /// As many proposals as are wanted, each from the first draft that is new; when drafts are no longer new, from the
    /// untried settings that change `changes` of the parameters, if all of these are discrete.
    pub(super) fn run<C>(
        mut self,
        changes: RangeInclusive<usize>,
        mut draft: impl FnMut(&mut Self) -> Draft<'a>,
    ) -> Result<Proposed<C>, ProposeError>
    where
        C: Candidate + Serialize + DeserializeOwned,
    {
        if self.space().params().is_empty() {
            return Err(ProposeError::new("the parameter space has no parameters"));
        }
        let mut proposals = Vec::new();
        let mut exhausted = self.selected.is_empty();
        while !exhausted && proposals.len() < self.wanted {
            let mut next = None;
            for _ in 0..TRIES {
                let attempt = draft(&mut self);
                next = self.offer(attempt)?;
                if next.is_some() {
                    break;
                }
            }
            if next.is_none() && self.is_discrete() {
                next = self.enumerate(changes.clone())?;
                exhausted = next.is_none();
            } else if next.is_none() {
                break;
            }
            proposals.extend(next);
        }
        match (proposals.is_empty(), exhausted, self.waiting) {
            (false, ..) => Ok(proposals.into()),
            // What is pending may become the incumbent, which has neighbours of its own.
            (true, true, true) => Ok(Proposed::Wait),
            (true, true, false) => Ok(Proposed::Exhausted),
            (true, false, _) => Err(ProposeError::new(format!(
                "none of {TRIES} random settings was new; does the candidate ignore what it is given?"
            ))),
        }
    }

    /// The draft as a proposal; `None` if it is the incumbent, or was tried.
    fn offer<C>(&mut self, mut draft: Draft<'a>) -> Result<Option<Proposal<C>>, ProposeError>
    where
        C: Candidate + Serialize + DeserializeOwned,
    {
        draft.complete(&mut self.rng);
        let wanted = self.changed(&draft.value);
        if wanted.is_empty() {
            return Ok(None);
        }
        let candidate: C = serde_json::from_value(draft.value.clone())
            .map_err(|e| self.blame::<C>(&wanted, &draft.value, &e))?;
        // What the candidate makes of it is what counts: an `f32` rounds, and a type's own rules may do more.
        let value = json(&candidate).map_err(say)?;
        for name in wanted {
            if get_path(&value, name).is_none() {
                return Err(ProposeError::new(format!(
                    "the candidate does not take `{name}`: it has no such field once it is read back"
                )));
            }
        }
        let changed = self.changed(&value);
        let print = self.space().fingerprint(&value);
        if changed.is_empty() || self.searched.tried.contains(&print) || !self.taken.insert(print) {
            return Ok(None);
        }
        self.space()
            .validate_json(&value)
            .map_err(|e| ProposeError::new(format!("the candidate made another value of a proposal: {e}")))?;
        let titles: Vec<String> = changed
            .iter()
            .map(|name| {
                let (from, to) = show(get_path(&self.parent, name), get_path(&value, name));
                format!("{name} {from} -> {to}")
            })
            .collect();
        let proposal = Proposal::new(candidate).title(titles.join(", "));
        Ok(Some(changed.into_iter().fold(proposal, Proposal::tag)))
    }

    /// The parameters whose values differ from the incumbent's.
    fn changed(&self, value: &Value) -> Vec<&'a str> {
        // Absent and null are the same, and so are 3 and 3.0.
        let differs = |name: &str| {
            let at = |v| get_path(v, name).filter(|v| !v.is_null());
            match (at(&self.parent), at(value)) {
                (Some(a), Some(b)) if a.is_number() && b.is_number() => a.as_f64() != b.as_f64(),
                (a, b) => a != b,
            }
        };
        self.space().params().iter().map(|p| p.name.as_str()).filter(|name| differs(name)).collect()
    }

    /// Says which parameter the candidate's type does not take: serde's own message names no field.
    fn blame<C: DeserializeOwned>(
        &self,
        changed: &[&str],
        value: &Value,
        error: &serde_json::Error,
    ) -> ProposeError {
        let at = |name: &str| get_path(value, name).cloned().unwrap_or_default();
        let alone = |name: &&&str| {
            let mut edited = self.parent.clone();
            set_path(&mut edited, name, at(name));
            serde_json::from_value::<C>(edited).is_err()
        };
        let mut guilty: Vec<&str> = changed.iter().filter(alone).copied().collect();
        if guilty.is_empty() {
            guilty = changed.to_vec(); // valid one by one, but not together
        }
        let guilty: Vec<String> = guilty.into_iter().map(|name| format!("`{name}` = {}", at(name))).collect();
        ProposeError::new(format!("the candidate's type does not take {}: {error}", guilty.join(", ")))
    }

    /// Whether there are only so many settings.
    fn is_discrete(&self) -> bool {
        let params = self.space().params();
        self.selected.iter().all(|i| params.get(*i).is_some_and(|p| p.kind.values(VALUES).is_some()))
    }

    /// The first untried setting among those that change so many of the parameters.
    fn enumerate<C>(&mut self, changes: RangeInclusive<usize>) -> Result<Option<Proposal<C>>, ProposeError>
    where
        C: Candidate + Serialize + DeserializeOwned,
    {
        let mut left = ENUMERATED;
        for count in changes {
            let found = self.descend(0, count, self.draft(), &mut left)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn descend<C>(
        &mut self,
        from: usize,
        count: usize,
        draft: Draft<'a>,
        left: &mut usize,
    ) -> Result<Option<Proposal<C>>, ProposeError>
    where
        C: Candidate + Serialize + DeserializeOwned,
    {
        if count == 0 {
            *left = left.saturating_sub(1);
            return self.offer(draft);
        }
        let rest: Vec<usize> = self.selected.iter().copied().skip(from).collect();
        for (skipped, i) in rest.into_iter().enumerate() {
            let Some(param) = self.space().params().get(i).filter(|_| draft.is_active(i)) else { continue };
            for value in param.kind.values(VALUES).unwrap_or_default() {
                if *left == 0 {
                    return Ok(None);
                }
                if draft.get(i).is_some_and(|here| value.is(&here)) {
                    continue;
                }
                let mut edited = draft.clone();
                edited.set(i, &value);
                let found = self.descend(from + skipped + 1, count - 1, edited, left)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }
}
