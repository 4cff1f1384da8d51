//! JSON objects, as far as numbers stand in them: whoever prints one decides how large it is, and not how much memory it takes.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::fmt;

/// A value of JSON without what holds no number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Number(Number),
    Text(Box<str>),
    /// A list of numbers alone.
    Numbers(Vec<Number>),
    /// By their names, in order; of two with one name the last counts.
    Object(Vec<(Box<str>, Json)>),
    /// Anything else.
    Other,
}

impl Json {
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }

    pub(super) fn entries(&self) -> &[(Box<str>, Self)] {
        match self {
            Self::Object(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            _ => None,
        }
    }
}

/// As it is written, where it is short.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Numbers(_) => f.write_str("a list"),
            Self::Object(_) => f.write_str("an object"),
            Self::Other => f.write_str("something that is no number"),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Number::from_f64(number).map_or(Json::Other, Json::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut numbers = Vec::new();
        while let Some(value) = list.next_element::<Json>()? {
            let Json::Number(number) = value else {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Json::Other);
            };
            numbers.push(number);
        }
        Ok(Json::Numbers(numbers))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry::<Box<str>, Json>()? {
            entries.push((name, value));
        }
        Ok(Json::Object(entries))
    }
}
