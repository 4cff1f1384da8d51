//! Whether a candidate lies in the space, and which parameters matter for it.

use super::{Param, ParamSet, ParamSpace, ParamValue, SpaceError};
use crate::compose::{FieldMerge, get_path, set_path};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

impl ParamSpace {
    /// Whether every active parameter of the candidate has a value that it can take. What the space does not name may
    /// be anything.
    ///
    /// # Errors
    /// Names the first parameter at fault, its value, and what would be allowed; or the space's own mistake.
    pub fn validate<C: Serialize + ?Sized>(&self, candidate: &C) -> Result<(), SpaceError> {
        self.validate_json(&json(candidate)?)
    }

    /// [`validate`](Self::validate), for those who need no reason.
    pub fn contains<C: Serialize + ?Sized>(&self, candidate: &C) -> bool {
        self.validate(candidate).is_ok()
    }

    /// The parameters that matter for this candidate: those without a condition, and those whose conditions hold.
    ///
    /// # Errors
    /// The candidate does not go through JSON; or the space's own mistake.
    pub fn active<C: Serialize + ?Sized>(&self, candidate: &C) -> Result<Vec<&Param>, SpaceError> {
        self.check()?;
        let active = self.activity(&json(candidate)?);
        Ok(self.params.iter().zip(active).filter_map(|(param, active)| active.then_some(param)).collect())
    }

    /// A random setting, the same for the same seed. Inactive parameters get the middle of their range or their first
    /// value, so that the set converts to a struct that has a field for every parameter.
    ///
    /// # Errors
    /// Only the space's own mistake.
    ///
    /// ```
    /// # use autoresearch_core::ParamSpace;
    /// let space = ParamSpace::new().log_float("lr", 1e-4..=1e-1).int("layers", 1..=12).bool("bias");
    /// let some = space.sample(7)?;
    /// assert!(space.contains(&some) && some.float("lr")? >= 1e-4);
    /// assert_eq!(some, space.sample(7)?);
    /// # Ok::<(), autoresearch_core::SpaceError>(())
    /// ```
    pub fn sample(&self, seed: u64) -> Result<ParamSet, SpaceError> {
        self.check()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut object, mut set) = (Value::Object(serde_json::Map::new()), ParamSet::new());
        for (i, param) in self.params.iter().enumerate() {
            // Conditions look back only, so that what is set so far decides.
            let value =
                if self.is_active(i, &object) { param.kind.draw(&mut rng) } else { param.kind.middle() };
            set_path(&mut object, &param.name, value.to_json());
            set.set(param.name.as_str(), value);
        }
        Ok(set)
    }

    /// The merge for candidates of this space: field by field, and what comes out must lie in the space.
    ///
    /// A proposer over a space of its own gives this from [`Proposer::composer`](crate::Proposer::composer).
    pub fn composer(&self) -> FieldMerge {
        let (space, scales) = (self.clone(), self.clone());
        FieldMerge::new()
            .checked(move |merged| space.validate_json(merged).map_err(|e| e.to_string()))
            .placed(move |name, value| Some(scales.get(name)?.kind.level(&ParamValue::from_json(value)?)))
    }

    pub(crate) fn validate_json(&self, candidate: &Value) -> Result<(), SpaceError> {
        self.check()?;
        for (param, active) in self.params.iter().zip(self.activity(candidate)) {
            if active {
                param.validate(candidate)?;
            }
        }
        Ok(())
    }

    /// For each parameter, whether it matters for this candidate.
    pub(crate) fn activity(&self, candidate: &Value) -> Vec<bool> {
        (0..self.params.len()).map(|i| self.is_active(i, candidate)).collect()
    }

    pub(crate) fn is_active(&self, i: usize, candidate: &Value) -> bool {
        self.params.get(i).is_some_and(|param| {
            param.when.iter().all(|condition| {
                let held = get_path(candidate, &condition.on).and_then(ParamValue::from_json);
                let holds = held.is_some_and(|held| condition.is.iter().any(|value| value.is(&held)));
                // `on` comes earlier, so this ends.
                holds
                    && self
                        .params
                        .iter()
                        .position(|p| p.name == condition.on)
                        .is_some_and(|j| self.is_active(j, candidate))
            })
        })
    }

    /// A number for what the candidate *does*: equal for candidates that differ in inactive parameters only.
    ///
    /// 64 bits that live no longer than the process. A collision would cost one proposal that could have been made.
    pub(crate) fn fingerprint(&self, candidate: &Value) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.effective_json(candidate).to_string().hash(&mut hasher);
        hasher.finish()
    }
}

impl Param {
    /// Whether the candidate's value is one that this parameter can take, given that it is active.
    pub(crate) fn validate(&self, candidate: &Value) -> Result<(), SpaceError> {
        match get_path(candidate, &self.name) {
            None | Some(Value::Null) if self.optional => Ok(()),
            None | Some(Value::Null) => {
                Err(SpaceError::Missing { name: self.name.clone(), allowed: self.kind.to_string() })
            }
            Some(held) => match ParamValue::from_json(held) {
                Some(value) if self.kind.contains(&value) => Ok(()),
                _ => Err(self.outside(held)),
            },
        }
    }
}

pub(crate) fn json<C: Serialize + ?Sized>(candidate: &C) -> Result<Value, SpaceError> {
    serde_json::to_value(candidate).map_err(SpaceError::candidate)
}
