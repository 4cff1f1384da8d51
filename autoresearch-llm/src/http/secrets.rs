//! What must never be seen.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// What a secret is replaced by.
const GONE: &str = "[secret]";

/// Shorter ones are no secrets, and would tear holes into ordinary words.
const SHORTEST: usize = 6;

/// The secrets of one model, to take them out of whatever a server sends back.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl Secrets {
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.0.push(secret.into());
            // The longest first, so that one that is part of another leaves nothing of it.
            self.0.sort_by_key(|s| std::cmp::Reverse(s.expose_secret().len()));
        }
    }

    pub(crate) fn scrub(&self, text: String) -> String {
        let mut text = text;
        for secret in &self.0 {
            if text.contains(secret.expose_secret()) {
                text = text.replace(secret.expose_secret(), GONE);
            }
        }
        text
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} secrets]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_secret_is_left() {
        let mut secrets = Secrets::default();
        for secret in ["sk-canary", "sk-canary-and-more", "1"] {
            secrets.add(secret);
        }
        let text = secrets.scrub("1: bad key sk-canary-and-more, not Bearer sk-canary".into());
        assert_eq!(text, "1: bad key [secret], not Bearer [secret]");
        assert_eq!(format!("{secrets:?}"), "[2 secrets]");
    }
}
