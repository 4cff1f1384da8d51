//! Parameter spaces: what a candidate's numbers and choices may be.

mod change;
mod draw;
mod error;
mod inside;
mod param;
mod set;
mod value;

pub(crate) use draw::Steps;
pub use error::SpaceError;
pub(crate) use inside::json;
pub use param::{Condition, Param, ParamKind};
pub use set::ParamSet;
pub use value::ParamValue;

use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::ops::RangeInclusive;

/// Integers up to here are the same as integers, as floats and in anybody's JSON.
const MAX_INT: i64 = 1 << 53;

/// The parameters that are searched, in order. Names are dotted paths into the candidate's JSON.
///
/// ```
/// use autoresearch_core::ParamSpace;
/// # use serde::{Deserialize, Serialize};
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// struct Optim { name: String, lr: f64, momentum: f64 }
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// struct Recipe { width: u32, optim: Optim, data: String }
///
/// impl Recipe {
///     fn space() -> ParamSpace {
///         ParamSpace::new()
///             .choice("width", [32, 64, 128, 256])
///             .choice("optim.name", ["adamw", "muon"])
///             .log_float("optim.lr", 1e-4..=1e-1).doc("peak learning rate, after the warm-up")
///             .float("optim.momentum", 0.8..=0.99).when("optim.name", "muon")
///     }                                                            // `data` is not searched: it stays as it is
/// }
///
/// let optim = Optim { name: "adamw".into(), lr: 0.5, momentum: 0.0 };
/// let error = Recipe::space().validate(&Recipe { width: 64, optim, data: "web".into() }).unwrap_err();
/// assert_eq!(error.to_string(), "`optim.lr` is 0.5; it must be a number from 0.0001 to 0.1, log scale");
/// ```
/// # Mistakes
/// A call that makes no sense (an empty range, a name that is taken, a condition that can never hold) does not panic
/// and needs no `?`: the space keeps the first mistake and gives it back from [`check`](Self::check) and from
/// whatever uses the space. One unit test with `Recipe::space().check()` settles it.
///
/// # Conditions
/// A parameter whose [`when`](Self::when) does not hold is *inactive*: it is neither checked nor proposed, and stays
/// at whatever value the candidate has for it. When a proposal makes it active and it has no valid value, the
/// proposal gives it one as well. It is inactive also where the parameter that it depends on is.
///
/// # As JSON
/// A list of [`Param`]s; reading one back runs the same checks, and a space with a mistake cannot be written.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(try_from = "Vec<Param>")]
pub struct ParamSpace {
    params: Vec<Param>,
    mistake: Option<SpaceError>,
}

/// A type of candidate that knows what of it is searched, for those who are told the type alone.
///
/// ```
/// use autoresearch_core::{ParamSpace, Searchable};
/// struct Rate { lr: f64 }
/// impl Searchable for Rate {
///     fn space() -> ParamSpace {
///         ParamSpace::new().log_float("lr", 1e-4..=1e-1)
///     }
/// }
/// ```
pub trait Searchable {
    /// Its parameters, as they are named in its JSON.
    fn space() -> ParamSpace;
}

impl ParamSpace {
    /// A space without parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// A number that is searched by differences: dropout, momentum.
    #[must_use]
    pub fn float(self, name: impl Into<String>, range: RangeInclusive<f64>) -> Self {
        self.number(name, range, false)
    }

    /// A positive number that is searched by factors: learning rates, weight decays.
    #[must_use]
    pub fn log_float(self, name: impl Into<String>, range: RangeInclusive<f64>) -> Self {
        self.number(name, range, true)
    }

    fn number(self, name: impl Into<String>, range: RangeInclusive<f64>, log: bool) -> Self {
        let (low, high) = range.into_inner();
        self.param(Param::new(name, ParamKind::Float { low, high, log }))
    }

    /// A whole number that is searched by differences.
    #[must_use]
    pub fn int(self, name: impl Into<String>, range: RangeInclusive<i64>) -> Self {
        self.whole(name, range, false)
    }

    /// A positive whole number that is searched by factors: widths, batch sizes.
    #[must_use]
    pub fn log_int(self, name: impl Into<String>, range: RangeInclusive<i64>) -> Self {
        self.whole(name, range, true)
    }

    fn whole(self, name: impl Into<String>, range: RangeInclusive<i64>, log: bool) -> Self {
        let (low, high) = range.into_inner();
        self.param(Param::new(name, ParamKind::Int { low, high, log }))
    }

    /// One of these texts or numbers. Numbers in ascending order count as neighbours of each other.
    #[must_use]
    pub fn choice<V: Into<ParamValue>>(
        self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.param(Param::new(name, ParamKind::Choice { values }))
    }

    /// Yes or no.
    #[must_use]
    pub fn bool(self, name: impl Into<String>) -> Self {
        self.param(Param::new(name, ParamKind::Bool))
    }

    /// The parameter before this call matters only when the parameter `on`, which comes earlier, has this value.
    /// Several calls: only when all hold.
    #[must_use]
    pub fn when(self, on: impl Into<String>, is: impl Into<ParamValue>) -> Self {
        self.when_any(on, [is])
    }

    /// The parameter before this call matters only when the parameter `on`, which comes earlier, has one of these
    /// values.
    #[must_use]
    pub fn when_any<V: Into<ParamValue>>(
        self,
        on: impl Into<String>,
        is: impl IntoIterator<Item = V>,
    ) -> Self {
        let condition = Condition { on: on.into(), is: is.into_iter().map(Into::into).collect() };
        self.amend("when", |param| param.when.push(condition))
    }

    /// Says what the parameter before this call is, for people and models who propose.
    #[must_use]
    pub fn doc(self, doc: impl Into<String>) -> Self {
        self.amend("doc", |param| param.doc = doc.into())
    }

    /// The parameter before this call may be unset: `None`, or no such field. Being unset is accepted, and never
    /// proposed; for that, put a [`bool`](Self::bool) before it.
    #[must_use]
    pub fn optional(self) -> Self {
        self.amend("optional", |param| param.optional = true)
    }

    /// Adds a parameter that was taken from another space, or read from a file.
    #[must_use]
    pub fn param(mut self, param: Param) -> Self {
        // After a mistake nothing is added: a `when` that follows would amend the wrong parameter.
        if self.mistake.is_none() {
            match self.problem(&param) {
                Some(problem) => self.mistake = Some(SpaceError::definition(&param.name, problem)),
                None => self.params.push(param),
            }
        }
        self
    }

    /// Keeps these parameters alone, in the order of the space: a short search finds more among few. What the others are
    /// conditions of must be kept with them.
    ///
    /// ```
    /// # use autoresearch_core::ParamSpace;
    /// let all = ParamSpace::new().choice("optimizer", ["adamw", "muon"]).log_float("lr", 1e-4..=1e-1).bool("tied");
    /// assert_eq!(all.clone().only(["lr", "optimizer"]).params().len(), 2);
    /// assert!(all.only(["learning_rate"]).check().is_err());
    /// ```
    #[must_use]
    pub fn only<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        if self.mistake.is_some() {
            return self;
        }
        let names: Vec<&str> = names.into_iter().collect();
        if let Some(unknown) = names.iter().find(|name| self.get(name).is_none()) {
            let problem = "there is no such parameter to keep".to_string();
            self.mistake = Some(SpaceError::definition(unknown, problem));
            return self;
        }
        let kept = self.params.into_iter().filter(|param| names.contains(&param.name.as_str()));
        kept.fold(Self::new(), Self::param)
    }

    fn amend(mut self, call: &str, change: impl FnOnce(&mut Param)) -> Self {
        match self.params.pop() {
            Some(last) if self.mistake.is_some() => self.params.push(last),
            Some(mut last) => {
                change(&mut last);
                return self.param(last);
            }
            None if self.mistake.is_some() => {}
            None => self.mistake = Some(SpaceError::definition(call, "there is no parameter before it")),
        }
        self
    }

    /// What is wrong with this parameter as the next one of the space.
    fn problem(&self, param: &Param) -> Option<String> {
        let name = &param.name;
        if !is_path(name) {
            return Some("that is no name; write it like `lr` or `optim.lr`".into());
        }
        for earlier in self.params.iter().map(|p| &p.name) {
            if earlier == name {
                return Some("the name is taken; a parameter is described once".into());
            }
            if is_within(name, earlier) || is_within(earlier, name) {
                return Some(format!(
                    "it clashes with `{earlier}`: one of them would be inside of the other"
                ));
            }
        }
        param.kind.problem().or_else(|| param.when.iter().find_map(|condition| self.never(condition)))
    }

    fn never(&self, condition: &Condition) -> Option<String> {
        let Condition { on, is } = condition;
        let Some(other) = self.get(on) else {
            return Some(format!("its condition is on `{on}`, which is not among the parameters before it"));
        };
        if is.is_empty() {
            return Some(format!("its condition on `{on}` has no values, so that it could never hold"));
        }
        let wrong = is.iter().find(|value| !other.kind.contains(value))?;
        Some(format!("its condition wants `{on}` to be {wrong}, but that is {}", other.kind))
    }

    /// The first mistake in the description, if there is one.
    ///
    /// # Errors
    /// [`SpaceError::Definition`].
    pub fn check(&self) -> Result<(), SpaceError> {
        self.mistake.clone().map_or(Ok(()), Err)
    }

    /// The parameters, in order.
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// The parameter of this name.
    pub fn get(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|p| p.name == name)
    }
}

/// Whether every part of a dotted name is there.
fn is_path(name: &str) -> bool {
    name.split('.').all(|part| !part.trim().is_empty())
}

/// Whether `inner` is a path that goes through `outer`.
fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}

/// One parameter a line, as a person or a model would want to read them.
impl fmt::Display for ParamSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.params.iter().try_for_each(|param| writeln!(f, "{param}"))
    }
}

impl TryFrom<Vec<Param>> for ParamSpace {
    type Error = SpaceError;
    fn try_from(params: Vec<Param>) -> Result<Self, SpaceError> {
        let space = params.into_iter().fold(Self::new(), Self::param);
        space.check().map(|()| space)
    }
}

impl Serialize for ParamSpace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.check().map_err(S::Error::custom)?;
        self.params.serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
