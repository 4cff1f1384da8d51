//! What must never be seen.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// What a secret is replaced by.
const GONE: &str = "[secret]";

/// Shorter ones are no secrets, and would tear holes into ordinary words.
const SHORTEST: usize = 6;

/// What servers that ask for no key are given in place of one. They are no secrets, and words of ordinary texts.
const DUMMIES: &[&str] = &[
    "ollama",
    "lm-studio",
    "lmstudio",
    "llama.cpp",
    "llama-cpp",
    "localai",
    "sglang",
    "no-key",
    "no-key-required",
    "sk-no-key-required",
    "not-needed",
    "none-needed",
    "unused",
    "placeholder",
    "dummy-key",
    "api-key",
    "api_key",
    "secret",
    "anything",
    "token-abc123", // in vLLM's documentation
];

/// The secrets of one model, to take them out of whatever a server sends back.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl Secrets {
    /// Adds a secret, and what stands in it behind the name of a scheme (`Bearer sk-…`). Short ones and the well-known
    /// words for no key are left out.
    pub(crate) fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        self.one(secret);
        if let Some((_, key)) = secret.split_once(char::is_whitespace) {
            self.one(key.trim());
        }
    }

    fn one(&mut self, secret: &str) {
        if secret.len() >= SHORTEST && !DUMMIES.iter().any(|dummy| secret.eq_ignore_ascii_case(dummy)) {
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

    #[test]
    fn a_key_is_known_without_its_scheme_and_a_word_for_none_is_no_key() {
        let mut secrets = Secrets::default();
        for secret in [" Bearer  sk-canary-0123\n", "ollama", "LM-Studio", "Bearer token-abc123"] {
            secrets.add(secret);
        }
        let text = "sk-canary-0123 on ollama or lm-studio with token-abc123".to_owned();
        assert_eq!(secrets.scrub(text), "[secret] on ollama or lm-studio with token-abc123");
    }
}
