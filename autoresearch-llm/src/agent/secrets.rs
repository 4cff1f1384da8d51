//! What an agent was told and nobody else should be.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// Shorter values are no secrets worth the name, and would be found everywhere.
const SHORTEST: usize = 8;

/// Values that must not be stored or shown, by the names of their variables. Its `Debug` shows the names alone.
#[derive(Clone, Default)]
pub struct Secrets(Vec<(String, SecretString)>);

impl Secrets {
    /// Adds one, without white space around it, which whoever shows it may leave out. Values of fewer than eight bytes are
    /// left out: they would be found in every text.
    pub fn add(&mut self, name: impl Into<String>, value: SecretString) {
        let value = value.expose_secret().trim();
        if value.len() >= SHORTEST {
            self.0.push((name.into(), value.into()));
            // The longest first, so that one that is part of another leaves nothing of it.
            self.0.sort_by_key(|(_, value)| std::cmp::Reverse(value.expose_secret().len()));
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

    #[test]
    fn nothing_of_a_value_is_left() {
        let mut secrets = Secrets::default();
        secrets.add("PART", SecretString::from("canary-0123"));
        secrets.add("WHOLE", SecretString::from(" canary-0123-and-more\n"));
        secrets.add("SHORT", SecretString::from("       a       "));
        let text = secrets.scrub("a key canary-0123-and-more, another canary-0123");
        assert_eq!(text, "a key [WHOLE], another [PART]");
        assert_eq!(secrets.find("x=canary-0123-and-more"), Some("WHOLE"));
    }
}
