//! A measured figure with the bound that it should keep to.

use serde_json::json;

/// How much is played.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    /// As much as the figures need; else just enough to see that it works.
    pub(crate) full: bool,
}

impl Scale {
    /// `full`, or a small part of it.
    pub(crate) fn of(&self, full: u64, small: u64) -> u64 {
        if self.full { full } else { small }
    }
}

/// The bound below which a figure is good.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    /// Told for orientation.
    None,
}

pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) bound: Bound,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str, bound: Bound) -> Self {
        Self { name: name.into(), value, unit, bound }
    }

    fn is_kept(&self) -> Option<bool> {
        match self.bound {
            Bound::AtMost(bound) => Some(self.value <= bound),
            Bound::None => None,
        }
    }

    pub(crate) fn json(&self) -> String {
        let at_most = if let Bound::AtMost(bound) = self.bound { Some(bound) } else { None };
        json!({
            "name": self.name, "value": self.value, "unit": self.unit,
            "at_most": at_most, "ok": self.is_kept(),
        })
        .to_string()
    }

    pub(crate) fn line(&self) -> String {
        let bound = match self.bound {
            Bound::AtMost(bound) => format!("at most {bound}"),
            Bound::None => String::new(),
        };
        let verdict = self.is_kept().map_or("", |kept| if kept { "yes" } else { "NO" });
        format!("{:58} {:>14.3} {:10} {bound:18} {verdict}", self.name, self.value, self.unit)
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
