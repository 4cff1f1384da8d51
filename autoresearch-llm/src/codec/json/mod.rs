//! Changes of any struct.

mod fit;
mod schema;

use super::hint::{cut, quoted, unquoted};
use super::{Codec, CodecError};
use autoresearch_core::{Candidate, Compose, FieldMerge};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

type Check<T> = dyn Fn(&T) -> Result<(), String> + Send + Sync;

/// Changes of any struct of your own: a model gives the new value, as the schema of its type says.
///
/// The schema asks for all of the fields, as strict providers want it. A change that leaves some out is taken too: what is
/// missing keeps its value, at any depth of structs. Lists, maps and enums are replaced as a whole. Fields that the type
/// does not have are refused, whatever serde would do. What a type's serde accepts beyond its schema (aliases) is not.
///
/// The type must read back from what it writes, and write the same thing the same way: a set that is hashed (`HashSet`) is
/// a list in any order, so that duplicates are not known again; a `HashMap` is fine. Two things have no strict schema: maps with free keys, and types that
/// contain themselves, of which the inner one is described as any value. `apply` takes both.
///
/// ```
/// use autoresearch_llm::{Codec, JsonCodec};
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use serde_json::json;
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
/// struct Recipe { lr: f64, layers: Vec<u32> }
///
/// let codec = JsonCodec::new().check(|r: &Recipe| match r.lr {
///     lr if lr > 0.0 => Ok(()),
///     lr => Err(format!("`lr` is {lr}; it must be above 0")),
/// });
/// let base = Recipe { lr: 1e-3, layers: vec![64, 64] };
/// let changed = codec.apply(&base, &json!({"layers": [64, 128]}))?;
/// assert_eq!(changed, Recipe { lr: 1e-3, layers: vec![64, 128] });
/// let error = codec.apply(&base, &json!({"layer": [64]})).unwrap_err();
/// assert_eq!(error.to_string(), "there is no field `layer`; did you mean `layers`?");
/// assert!(codec.apply(&base, &json!({"lr": -1})).is_err());
/// # Ok::<(), autoresearch_llm::CodecError>(())
/// ```
pub struct JsonCodec<T> {
    /// As the type says it: for reading.
    full: Arc<Value>,
    /// For the model.
    strict: Arc<Value>,
    check: Option<Arc<Check<T>>>,
}

impl<T> Clone for JsonCodec<T> {
    fn clone(&self) -> Self {
        Self { full: self.full.clone(), strict: self.strict.clone(), check: self.check.clone() }
    }
}

impl<T> fmt::Debug for JsonCodec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checked = self.check.is_some();
        f.debug_struct("JsonCodec").field("schema", &self.strict).field("checked", &checked).finish()
    }
}

impl<T: JsonSchema> Default for JsonCodec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: JsonSchema> JsonCodec<T> {
    /// Accepts whatever the type accepts.
    pub fn new() -> Self {
        let full = schema::of::<T>();
        let strict = schema::strict(&full);
        Self { full: Arc::new(full), strict: Arc::new(strict), check: None }
    }

    /// Has `check` look at every changed value; its message goes to the model, so it should say which field is wrong and
    /// what would do.
    #[must_use]
    pub fn check(mut self, check: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.check = Some(Arc::new(check));
        self
    }
}

fn written<T: Serialize>(candidate: &T) -> Result<Value, CodecError> {
    let mut value = serde_json::to_value(candidate)
        .map_err(|e| CodecError::new(format!("the candidate cannot be written as JSON: {e}")))?;
    value.sort_all_objects(); // whatever order other crates have serde_json keep
    Ok(value)
}

impl<T: Candidate + Serialize + DeserializeOwned + JsonSchema> Codec<T> for JsonCodec<T> {
    fn composer(&self) -> Option<Arc<dyn Compose<T>>> {
        Some(Arc::new(FieldMerge::new()))
    }

    fn schema(&self, _base: &T) -> Value {
        (*self.strict).clone()
    }

    fn describe(&self, base: &T) -> String {
        // As a value first: that has its fields in order, as maps that are hashed do not.
        let now = match written(base) {
            Ok(value) => format!("{value:#}"),
            Err(e) => format!("({e})"),
        };
        format!(
            "The present value:\n{now}\n\nIts JSON schema:\n{}\n\nA change is the new value as JSON. Fields that are left \
             out keep their value; lists and maps are replaced as a whole.",
            *self.strict
        )
    }

    fn apply(&self, base: &T, change: &Value) -> Result<T, CodecError> {
        let now = written(base)?;
        let change = unquoted(change);
        // Enums and newtypes of lists are values as well; for a struct an object is wanted.
        if now.is_object() && !change.is_object() && self.full.get("properties").is_some() {
            return Err(CodecError::new(fit::no_object(&change)));
        }
        let mut problems = Vec::new();
        let fitted = fit::fit(&self.full, &now, &change, &mut problems);
        if !problems.is_empty() {
            return Err(CodecError::new(problems.join("\n")));
        }
        let changed: T = serde_path_to_error::deserialize(&fitted).map_err(|e| {
            let path = e.path().to_string();
            let place = if path == "." { "the change".into() } else { format!("`{path}`") };
            CodecError::new(cut(&format!("{place} is wrong: {}", e.into_inner()), 600))
        })?;
        if written(&changed)? == now {
            return Err(CodecError::new("the change changes nothing: every field has this value already"));
        }
        if let Some(check) = &self.check {
            check(&changed).map_err(CodecError::new)?;
        }
        Ok(changed)
    }

    fn difference(&self, from: &T, to: &T) -> String {
        match FieldMerge::new().differences(from, to) {
            Ok(fields) => {
                let place = |path: &str| if path.is_empty() { String::new() } else { format!("{path} ") };
                let each = fields
                    .iter()
                    .map(|(path, a, b)| format!("{}{} -> {}", place(path), quoted(a), quoted(b)));
                each.collect::<Vec<_>>().join(", ")
            }
            Err(conflict) => conflict.to_string(),
        }
    }

    fn identity(&self, candidate: &T) -> String {
        written(candidate).map_or_else(|_| format!("{candidate:?}"), |value| value.to_string())
    }
}
