//! A rule as part of the settings: stored by what it says of itself.

use super::rule::{HoldoutRule, OneBit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// The rule of a [`Holdout`](super::Holdout). Settings are equal if their rules describe themselves equally; those
/// read from a store know no more than that, and take the rule itself from whoever opens the study again.
#[derive(Clone)]
pub(crate) struct Mechanism {
    name: String,
    rule: Option<Arc<dyn HoldoutRule>>,
}

impl Mechanism {
    pub(crate) fn new(rule: impl HoldoutRule + 'static) -> Self {
        Self { name: rule.describe(), rule: Some(Arc::new(rule)) }
    }

    /// The rule. `check` has made sure that it is here.
    pub(crate) fn get(&self) -> &dyn HoldoutRule {
        self.rule.as_deref().unwrap_or(&OneBit)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        match self.rule {
            Some(_) => Ok(()),
            None => Err(format!(
                "the holdout's rule was stored as \"{}\", and a rule cannot be read back; give it again with \
                 `Holdout::rule`",
                self.name
            )),
        }
    }

    pub(crate) fn is_default(&self) -> bool {
        self.name == OneBit.describe()
    }
}

impl Default for Mechanism {
    fn default() -> Self {
        Self::new(OneBit)
    }
}

impl PartialEq for Mechanism {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Serialize for Mechanism {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Mechanism {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Self { name: String::deserialize(deserializer)?, rule: None };
        Ok(if stored.is_default() { Self::default() } else { stored })
    }
}
