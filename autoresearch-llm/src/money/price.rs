//! The price of one model.

use crate::chat::Usage;
use serde::{Deserialize, Serialize};

/// A price cannot be right.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("a price of {0} per million tokens: it must be a number from 0 to 1000000")]
pub struct PriceError(f64);

/// What a model costs, per million tokens, in whatever currency the study's limit is in.
///
/// ```
/// use autoresearch_llm::{Price, Usage};
/// let price = Price::new(3.0, 15.0)?.cached(0.3)?.cache_write(3.75)?;
/// assert_eq!(price.cost(&Usage::new(1_000_000, 0)), 3.0);
/// assert_eq!(price.at_most(2000, 1000), (2000.0 * 3.75 + 1000.0 * 15.0) / 1e6);
/// assert!(Price::new(-1.0, 0.0).is_err());
/// # Ok::<(), autoresearch_llm::PriceError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Plain", into = "Plain")]
pub struct Price {
    prompt: f64,
    cached: f64,
    cache_write: f64,
    answer: f64,
}

/// The same as it is written down: what is left out costs as much as the prompt.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    prompt: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cached: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_write: Option<f64>,
    answer: f64,
}

fn sound(price: f64) -> Result<f64, PriceError> {
    if (0.0..=1e6).contains(&price) { Ok(price) } else { Err(PriceError(price)) }
}

impl Price {
    /// Costs nothing: a model of your own.
    pub const FREE: Self = Self { prompt: 0.0, cached: 0.0, cache_write: 0.0, answer: 0.0 };

    /// So much for a million tokens of prompt and of answer. What a cache holds costs as much as the rest of a prompt, and
    /// so does writing to it.
    ///
    /// # Errors
    /// One is no number from 0 to a million.
    pub fn new(prompt: f64, answer: f64) -> Result<Self, PriceError> {
        let prompt = sound(prompt)?;
        Ok(Self { prompt, cached: prompt, cache_write: prompt, answer: sound(answer)? })
    }

    /// What a million tokens of prompt cost that a cache held.
    ///
    /// # Errors
    /// It is no number from 0 to a million.
    pub fn cached(mut self, price: f64) -> Result<Self, PriceError> {
        self.cached = sound(price)?;
        Ok(self)
    }

    /// What a million tokens of prompt cost that are written to a cache.
    ///
    /// # Errors
    /// It is no number from 0 to a million.
    pub fn cache_write(mut self, price: f64) -> Result<Self, PriceError> {
        self.cache_write = sound(price)?;
        Ok(self)
    }

    /// What calls cost that took this.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let read = usage.cache_read.min(usage.prompt);
        let written = usage.cache_write.min(usage.prompt - read);
        let fresh = usage.prompt - read - written;
        let parts = [
            (fresh, self.prompt),
            (read, self.cached),
            (written, self.cache_write),
            (usage.answer, self.answer),
        ];
        parts.into_iter().map(|(tokens, price)| tokens as f64 * price).sum::<f64>() / 1e6
    }

    /// What a call can cost at most, with so many tokens of prompt and of answer: what to set aside for it. Of the prices
    /// for a prompt the highest is taken; a call that breaks off in the middle and is made again costs more than this.
    pub fn at_most(&self, prompt: u64, answer: u64) -> f64 {
        let dearest = self.prompt.max(self.cached).max(self.cache_write);
        (prompt as f64 * dearest + answer as f64 * self.answer) / 1e6
    }
}

impl TryFrom<Plain> for Price {
    type Error = PriceError;
    fn try_from(plain: Plain) -> Result<Self, PriceError> {
        let price = Self::new(plain.prompt, plain.answer)?;
        let price = plain.cached.map_or(Ok(price), |p| price.cached(p))?;
        plain.cache_write.map_or(Ok(price), |p| price.cache_write(p))
    }
}

impl From<Price> for Plain {
    fn from(price: Price) -> Self {
        let other = |p: f64| (p != price.prompt).then_some(p);
        let (cached, cache_write) = (other(price.cached), other(price.cache_write));
        Self { prompt: price.prompt, cached, cache_write, answer: price.answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_token_has_its_price() {
        let price = Price::new(3.0, 15.0).unwrap().cached(0.3).unwrap().cache_write(3.75).unwrap();
        let usage = Usage { cache_read: 800, cache_write: 100, ..Usage::new(1000, 10) };
        assert_eq!(price.cost(&usage), (100.0 * 3.0 + 800.0 * 0.3 + 100.0 * 3.75 + 10.0 * 15.0) / 1e6);
        assert!(price.cost(&usage) <= price.at_most(1000, 10));
        // Numbers that do not go together never make anything negative.
        let odd = Usage { cache_read: 50, cache_write: 50, ..Usage::new(10, 0) };
        assert_eq!(price.cost(&odd), 10.0 * 0.3 / 1e6);
    }

    #[test]
    fn a_price_is_checked_when_it_is_read() {
        let read = |text: &str| serde_json::from_str::<Price>(text).map_err(|e| e.to_string());
        let price = read(r#"{"prompt": 2, "cached": 0.5, "answer": 8}"#).unwrap();
        assert_eq!(serde_json::to_string(&price).unwrap(), r#"{"prompt":2.0,"cached":0.5,"answer":8.0}"#);
        assert!(read(r#"{"prompt": -2, "answer": 8}"#).unwrap_err().contains("-2 per million"));
        assert!(read(r#"{"prompt": 2, "answer": 8, "output": 1}"#).is_err());
        assert!(Price::new(f64::NAN, 0.0).is_err());
    }
}
