//! Changes of parameters.

mod focus;
mod read;
mod schema;

use super::hint::{quoted, shown};
use super::{Codec, CodecError, Focus};
use autoresearch_core::{
    Candidate, Compose, FieldMerge, Param, ParamSet, ParamSpace, ParamValue, Searchable, SpaceError,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::Arc;

/// Parameters in one change, unless said.
const MOST: usize = 8;

/// Changes of single parameters of a [`ParamSpace`], for any candidate that serde can write and read.
///
/// A change is a list of parameters with their new values, `[{"parameter": "optim.lr", "value": 0.003}]`; what is not in
/// it keeps its value. Read are also `{"optim.lr": 0.003}`, the same nested, numbers in quotes, `8.0` for 8, and choices
/// in other letters: whatever can only mean one thing.
///
/// The change as a whole must lead into the space. A parameter whose condition does not hold afterwards cannot be changed,
/// and one that the change makes active must have, or be given, a valid value. Every problem is named in one message.
///
/// ```
/// use autoresearch_core::{ParamSet, ParamSpace};
/// use autoresearch_llm::{Codec, ParamCodec};
/// use serde_json::json;
///
/// let space = ParamSpace::new().log_float("lr", 1e-4..=1e-1).choice("optim.name", ["adamw", "muon"]);
/// let codec = ParamCodec::over(space);
/// let base = ParamSet::new().with("lr", 1e-3).with("optim.name", "adamw");
///
/// let changed = codec.apply(&base, &json!([{"parameter": "lr", "value": 0.003}]))?;
/// assert_eq!(codec.difference(&base, &changed), "lr 0.001 -> 0.003");
///
/// let error = codec.apply(&base, &json!({"lr": 3, "optim.nam": "muon"})).unwrap_err().to_string();
/// assert!(error.contains("`lr` is 3; it must be a number from 0.0001 to 0.1, log scale"));
/// assert!(error.contains("there is no parameter `optim.nam`; did you mean `optim.name`?"));
/// # Ok::<(), autoresearch_llm::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ParamCodec {
    space: ParamSpace,
    most: usize,
}

impl ParamCodec {
    /// For a type that knows its space.
    pub fn of<C: Searchable>() -> Self {
        Self::over(C::space())
    }

    /// For candidates of this space. A mistake in the space comes out of [`Codec::usable`] and of whatever is applied.
    pub fn over(space: ParamSpace) -> Self {
        Self { space, most: MOST }
    }

    /// At most so many parameters in a change, at least one; 8 unless said. Small models under a grammar fill lists for as
    /// long as they may, until their tokens run out; and what a change of few parameters did is told from noise sooner.
    #[must_use]
    pub fn at_most(mut self, parameters: usize) -> Self {
        self.most = parameters.max(1);
        self
    }

    /// The space.
    pub fn space(&self) -> &ParamSpace {
        &self.space
    }

    fn most(&self) -> usize {
        self.most.min(self.space.params().len().max(1))
    }

    fn now<C: Serialize>(&self, candidate: &C) -> ParamSet {
        self.space.values(candidate).unwrap_or_default()
    }
}

fn say(error: SpaceError) -> CodecError {
    CodecError::new(error.to_string())
}

fn several(problems: Vec<String>) -> CodecError {
    match problems.as_slice() {
        [one] => CodecError::new(one.clone()),
        _ => CodecError::new(problems.join("\n")),
    }
}

impl<C: Candidate + Serialize + DeserializeOwned> Codec<C> for ParamCodec {
    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        Some(Arc::new(self.space.composer()))
    }

    fn schema(&self, base: &C) -> Value {
        schema::schema(&self.space, &self.now(base), self.most())
    }

    fn describe(&self, base: &C) -> String {
        let now = self.now(base);
        let active = self.space.active(base).unwrap_or_default();
        let line = |text: &mut String, param: &Param| {
            let about = param.to_string();
            let about = about.get(param.name.len() + 2..).unwrap_or_default();
            let value = shown(now.get(&param.name));
            let _ = writeln!(text, "- {} = {value}: {about}", param.name);
        };
        let mut text = String::from("Parameters with their present values:\n");
        active.iter().for_each(|param| line(&mut text, param));
        let inactive: Vec<&Param> = self.space.params().iter().filter(|p| !active.contains(p)).collect();
        if !inactive.is_empty() {
            text.push_str(
                "\nWithout effect at present; they can be changed only together with what makes them matter:\n",
            );
            inactive.iter().for_each(|param| line(&mut text, param));
        }
        text.push_str(
            "\nA change is a list of the parameters that change, each once with its new value, such as \
             [{\"parameter\": \"",
        );
        let example = active.first().or(inactive.first());
        text.push_str(example.map_or("name", |p| p.name.as_str()));
        let value = match example.and_then(|p| now.get(&p.name)) {
            Some(text @ ParamValue::Text(_)) => serde_json::json!(text).to_string(),
            Some(value) => shown(Some(value)),
            None => "null".into(),
        };
        let _ = write!(text, "\", \"value\": {value}}}]. What is not in the list keeps its value.");
        if self.most() < self.space.params().len() {
            let _ = write!(text, " At most {} at once.", self.most());
        }
        text
    }

    fn apply(&self, base: &C, change: &Value) -> Result<C, CodecError> {
        let now = self.space.values(base).map_err(say)?;
        let mut change = change.clone();
        change.sort_all_objects(); // what is said of it does not depend on the order, whatever serde_json keeps
        let read = read::change(&self.space, &now, &change).map_err(several)?;
        let changes: Vec<_> = read.iter().filter(|(name, to)| now.get(name) != to.as_ref()).collect();
        if changes.len() > self.most() {
            let (n, most) = (changes.len(), self.most());
            return Err(CodecError::new(format!(
                "the change is of {n} parameters; change at most {most} at once"
            )));
        }
        let set = changes.iter().map(|(name, to)| (name.as_str(), (*to).clone()));
        let changed: C = self.space.changed(base, set).map_err(say)?;
        let after = self.space.values(&changed).map_err(say)?;
        if after == now {
            return Err(CodecError::unchanged(unchanged(&read, &now)));
        }
        let active = self.space.active(&changed).map_err(say)?;
        let before = self.space.active(base).map_err(say)?;
        let mut problems = Vec::new();
        for param in self.space.params() {
            let (is, was) = (active.contains(&param), before.contains(&param));
            if !is && now.get(&param.name) != after.get(&param.name) {
                problems.push(without_effect(param));
            } else if is && let Some(problem) = at_fault(param, &after) {
                let why =
                    if was { "" } else { ". The change makes it matter: give it a value in the same change" };
                problems.push(format!("{problem}{why}"));
            }
        }
        if problems.is_empty() { Ok(changed) } else { Err(several(problems)) }
    }

    fn difference(&self, from: &C, to: &C) -> String {
        let show = |value: &Value| match value {
            Value::Null => "unset".to_string(),
            Value::String(text) => text.clone(),
            other => quoted(other),
        };
        match FieldMerge::new().differences(from, to) {
            Ok(fields) => {
                let each = fields.iter().map(|(name, a, b)| format!("{name} {} -> {}", show(a), show(b)));
                each.collect::<Vec<_>>().join(", ")
            }
            Err(conflict) => conflict.to_string(),
        }
    }

    fn identity(&self, candidate: &C) -> String {
        self.space.effective(candidate).map_or_else(|_| format!("{candidate:?}"), |value| value.to_string())
    }

    fn focus(&self, base: &C, seed: u64) -> Option<Focus> {
        focus::focus(&self.space, &self.space.active(base).ok()?, &self.now(base), seed)
    }

    fn usable(&self, _base: &C) -> Result<(), CodecError> {
        self.space.check().map_err(say)?;
        if self.space.params().is_empty() {
            return Err(CodecError::new("the parameter space is empty: there is nothing to change"));
        }
        Ok(())
    }
}

/// What is wrong with the value that an active parameter has.
fn at_fault(param: &Param, after: &ParamSet) -> Option<String> {
    // Its conditions hold; alone, it would be looked at for them in vain.
    let mut alone = param.clone();
    alone.when.clear();
    let error = ParamSpace::new().param(alone).validate(after).err()?;
    Some(match error {
        SpaceError::Missing { name, allowed } => format!("`{name}` has no value; it must be {allowed}"),
        other => other.to_string(),
    })
}

fn without_effect(param: &Param) -> String {
    let conditions: Vec<String> = param.when.iter().map(ToString::to_string).collect();
    format!(
        "`{}` has no effect here: it matters only when {}. Leave it as it is, or change that too",
        param.name,
        conditions.join(" and ")
    )
}

fn unchanged(read: &read::Change, now: &ParamSet) -> String {
    if read.is_empty() {
        return "the change is empty: give at least one parameter a new value".into();
    }
    let each = read.keys().map(|name| format!("`{name}` is {} already", shown(now.get(name))));
    format!("the change changes nothing: {}", each.collect::<Vec<_>>().join(", "))
}
