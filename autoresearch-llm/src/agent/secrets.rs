//! What an agent was told and nobody else should be.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// Shorter values are no secrets worth the name, and would be found everywhere.
const SHORTEST: usize = 8;

/// Values that must not be stored or shown, by the names of their variables. Its `Debug` shows the names alone.
#[derive(Clone, Default)]
pub struct Secrets(Vec<(String, SecretString)>);

impl Secrets {
    /// Adds one. Values of fewer than eight bytes are left out: they would be found in every text.
    pub fn add(&mut self, name: impl Into<String>, value: SecretString) {
        if value.expose_secret().len() >= SHORTEST {
            self.0.push((name.into(), value));
        }
    }

    /// The text with each value replaced by `[its name]`.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.0 {
            if text.contains(value.expose_secret()) {
                text = text.replace(value.expose_secret(), &format!("[{name}]"));
            }
        }
        text
    }

    /// The name of a value that the text holds.
    pub fn find(&self, text: &str) -> Option<&str> {
        let found = self.0.iter().find(|(_, value)| text.contains(value.expose_secret()));
        found.map(|(name, _)| name.as_str())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_their_names() {
        let mut secrets = Secrets::default();
        secrets.add("KEY", SecretString::from("canary-0123"));
        secrets.add("SHORT", SecretString::from("a"));
        assert_eq!(secrets.scrub("a canary-0123canary-0123 b"), "a [KEY][KEY] b");
        assert_eq!(secrets.find("my canary-0123"), Some("KEY"));
        assert_eq!(secrets.find("a short one"), None);
        assert_eq!(format!("{secrets:?}"), r#"["KEY"]"#);
    }
}
