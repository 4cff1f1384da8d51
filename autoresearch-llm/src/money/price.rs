//! Prices by the token.

use crate::chat::Usage;
use serde::{Deserialize, Serialize};

/// What a model's tokens cost, each for a million of them, in the currency of
/// [`Limits::money`](autoresearch_core::Limits::money).
///
/// ```
/// use autoresearch_llm::{Price, Usage};
/// let price = Price::new(3.0, 15.0);
/// assert!((price.cost(&Usage::new(1_000, 200)) - 0.006).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// A million tokens of prompt that no cache held.
    pub prompt: f64,
    /// A million tokens of prompt that a cache held.
    pub cached: f64,
    /// A million tokens of prompt that were written to a cache.
    pub cache_write: f64,
    /// A million tokens of answer.
    pub answer: f64,
}

impl Price {
    /// These prices for a million tokens of prompt and of answer, caches being as dear as the prompt.
    pub fn new(prompt: f64, answer: f64) -> Self {
        Self { prompt, cached: prompt, cache_write: prompt, answer }
    }

    /// What this much cost.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let read = usage.cache_read.min(usage.prompt);
        let written = usage.cache_write.min(usage.prompt - read);
        let plain = usage.prompt - read - written;
        let of = |tokens: u64, price: f64| tokens as f64 * price;
        let prompt = of(plain, self.prompt) + of(read, self.cached) + of(written, self.cache_write);
        (prompt + of(usage.answer, self.answer)) / 1e6
    }

    /// The most that a call with so many tokens can cost, whatever a cache does.
    pub fn most(&self, prompt_tokens: u64, answer_tokens: u64) -> f64 {
        let prompt = self.prompt.max(self.cached).max(self.cache_write);
        (prompt_tokens as f64 * prompt + answer_tokens as f64 * self.answer) / 1e6
    }
}
