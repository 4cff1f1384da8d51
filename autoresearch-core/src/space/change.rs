//! Reading and setting a candidate's parameters by name.

use super::{ParamSet, ParamSpace, ParamValue, SpaceError, json};
use crate::compose::{get_path, set_path};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

impl ParamSpace {
    /// The values that the candidate has for the parameters of the space, active or not. What is unset is left out.
    ///
    /// # Errors
    /// The candidate does not go through JSON, or holds a list or an object for a parameter; or the space's own mistake.
    pub fn values<C: Serialize + ?Sized>(&self, candidate: &C) -> Result<ParamSet, SpaceError> {
        self.check()?;
        let object = json(candidate)?;
        let mut set = ParamSet::new();
        for param in &self.params {
            match get_path(&object, &param.name) {
                None | Some(Value::Null) => {}
                Some(held) => {
                    let value = ParamValue::from_json(held).ok_or_else(|| param.outside(held))?;
                    set.set(param.name.as_str(), value);
                }
            }
        }
        Ok(set)
    }

    /// The candidate with these values for parameters of the space; `None` unsets. Values are put in as they are:
    /// [`validate`](Self::validate) says whether what comes out lies in the space.
    ///
    /// ```
    /// # use autoresearch_core::{ParamSet, ParamSpace};
    /// let space = ParamSpace::new().log_float("optim.lr", 1e-4..=1e-1).float("clip", 0.1..=2.0).optional();
    /// let set = ParamSet::new().with("optim.lr", 1e-3).with("clip", 1.0);
    /// let changed = space.changed(&set, [("optim.lr", Some(3e-3.into())), ("clip", None)])?;
    /// assert_eq!(changed, ParamSet::new().with("optim.lr", 3e-3));
    /// # Ok::<(), autoresearch_core::SpaceError>(())
    /// ```
    /// # Errors
    /// A name that the space does not have; a candidate that does not go through JSON, there or back; the space's own
    /// mistake.
    pub fn changed<'a, C: Serialize + DeserializeOwned>(
        &self,
        candidate: &C,
        values: impl IntoIterator<Item = (&'a str, Option<ParamValue>)>,
    ) -> Result<C, SpaceError> {
        self.check()?;
        let mut object = json(candidate)?;
        for (name, value) in values {
            if self.get(name).is_none() {
                return Err(SpaceError::candidate(format!("the space has no parameter `{name}`")));
            }
            set_path(&mut object, name, value.map_or(Value::Null, |value| value.to_json()));
        }
        serde_json::from_value(object).map_err(SpaceError::candidate)
    }

    /// What of the candidate has an effect, as JSON: inactive parameters are null. Two candidates do the same if and only
    /// if this is the same.
    ///
    /// # Errors
    /// The candidate does not go through JSON; or the space's own mistake.
    pub fn effective<C: Serialize + ?Sized>(&self, candidate: &C) -> Result<Value, SpaceError> {
        self.check()?;
        Ok(self.effective_json(&json(candidate)?))
    }

    pub(crate) fn effective_json(&self, candidate: &Value) -> Value {
        let mut effective = candidate.clone();
        for (param, active) in self.params.iter().zip(self.activity(candidate)) {
            if !active {
                set_path(&mut effective, &param.name, Value::Null);
            }
        }
        effective
    }
}
