//! Prices of many models.

use super::Price;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A table of prices, per million tokens: your own, or the one that comes with this crate.
///
/// Look-ups go by the name that a model is asked for by: the same name, or the longest one in the table that it has a date
/// (or `latest`) added to. Anything else has no price here, however much it looks alike: what to do then is the caller's to
/// say.
///
/// ```
/// use autoresearch_llm::{Price, Prices};
/// let prices = Prices::builtin().with("my-model", Price::FREE);
/// assert_eq!(prices.of("gpt-4o-2024-08-06"), prices.of("gpt-4o"));
/// assert_ne!(prices.of("gpt-4o-mini"), prices.of("gpt-4o"));
/// assert_eq!(prices.of("my-model-large"), None);
/// println!("prices of {}", prices.dated());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// The day that the figures are of.
    #[serde(default)]
    dated: String,
    #[serde(default)]
    currency: String,
    #[serde(default)]
    source: String,
    models: BTreeMap<String, Price>,
}

impl Prices {
    /// No prices yet.
    pub fn new() -> Self {
        let (dated, currency, source) = Default::default();
        Self { dated, currency, source, models: BTreeMap::new() }
    }

    /// The table in this crate, in US dollars: the prices that some providers had for calls one at a time on the day that
    /// [`dated`](Self::dated) names. Check them: prices change, and those for long prompts, batches and other services
    /// than the maker's own differ.
    pub fn builtin() -> Self {
        serde_json::from_str(include_str!("prices.json")).unwrap_or_default()
    }

    /// The price of one more model; it takes the place of another one under the same name.
    #[must_use]
    pub fn with(mut self, model: impl Into<String>, price: Price) -> Self {
        self.models.insert(model.into(), price);
        self
    }

    /// The day that the figures are of, as year-month-day; empty where nobody said.
    pub fn dated(&self) -> &str {
        &self.dated
    }

    /// The currency of the figures; empty where nobody said.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Where the figures are from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The price of a model, if it is known.
    pub fn of(&self, model: &str) -> Option<Price> {
        let cuts = model.char_indices().rev().filter(|(_, c)| matches!(c, '-' | '@')).map(|(at, _)| at);
        let dated = cuts.filter(|at| is_date(&model[at + 1..])).map(|at| &model[..at]);
        std::iter::once(model).chain(dated).find_map(|name| self.models.get(name)).copied()
    }
}

impl Default for Prices {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether it is what providers add to a name for a version: `2024-08-06`, `20250514`, `0613`, `05-20`, `latest`.
fn is_date(text: &str) -> bool {
    let digits = |n: usize, part: &str| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        [one] => one == "latest" || digits(8, one) || digits(4, one),
        [month, day] => digits(2, month) && digits(2, day),
        [year, month, day] => digits(4, year) && digits(2, month) && digits(2, day),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_crate_is_sound() {
        let prices = Prices::builtin();
        assert!(prices.models.len() > 10, "it does not parse");
        assert!(is_date(prices.dated()) && prices.currency() == "USD" && !prices.source().is_empty());
        for (name, price) in &prices.models {
            assert!(
                price.at_most(1_000_000, 0) <= price.at_most(0, 1_000_000),
                "{name}: answers cost more than prompts"
            );
            assert!(price.cost(&crate::Usage::new(1, 1)) > 0.0, "{name}");
        }
        let text = serde_json::to_string(&prices).unwrap();
        assert_eq!(serde_json::from_str::<Prices>(&text).unwrap(), prices);
    }

    #[test]
    fn only_dates_may_be_added_to_a_name() {
        let price = |p| Price::new(p, p).unwrap();
        let prices = Prices::new().with("m", price(1.0)).with("m-4-0613", price(2.0)).with("m-4", price(3.0));
        for (name, found) in [
            ("m", Some(1.0)),
            ("m-20250514", Some(1.0)),
            ("m@20250514", Some(1.0)),
            ("m-latest", Some(1.0)),
            ("m-05-20", Some(1.0)),
            ("m-4-2024-08-06", Some(3.0)),
            ("m-4-0613", Some(2.0)),
            ("m-4-0614", Some(3.0)),
            ("m-mini", None),
            ("m-5", None),
            ("m-mini-2024-08-06", None),
            ("vendor/m", None),
            ("m:free", None),
            ("", None),
            ("m-é", None),
        ] {
            assert_eq!(prices.of(name), found.map(price), "{name}");
        }
    }
}
