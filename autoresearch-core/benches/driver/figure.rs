//! A measured figure with the bound that it should keep to.

use serde_json::json;

/// How much is played.
pub struct Scale {
    /// As much as the figures need; else just enough to see that it works.
    pub full: bool,
}

impl Scale {
    /// `full`, or a small part of it.
    pub fn of(&self, full: u64, small: u64) -> u64 {
        if self.full { full } else { small }
    }
}

/// On which side of the bound a figure is good.
#[derive(Clone, Copy)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Told for orientation.
    None,
}

pub struct Figure {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    pub bound: Bound,
}

impl Figure {
    pub fn new(name: &'static str, value: f64, unit: &'static str, bound: Bound) -> Self {
        Self { name, value, unit, bound }
    }

    fn is_kept(&self) -> Option<bool> {
        match self.bound {
            Bound::AtLeast(bound) => Some(self.value >= bound),
            Bound::AtMost(bound) => Some(self.value <= bound),
            Bound::None => None,
        }
    }

    pub fn json(&self) -> String {
        let (at_least, at_most) = match self.bound {
            Bound::AtLeast(bound) => (Some(bound), None),
            Bound::AtMost(bound) => (None, Some(bound)),
            Bound::None => (None, None),
        };
        json!({
            "name": self.name, "value": self.value, "unit": self.unit,
            "at_least": at_least, "at_most": at_most, "ok": self.is_kept(),
        })
        .to_string()
    }

    pub fn line(&self) -> String {
        let bound = match self.bound {
            Bound::AtLeast(bound) => format!("at least {bound}"),
            Bound::AtMost(bound) => format!("at most {bound}"),
            Bound::None => String::new(),
        };
        let verdict = self.is_kept().map_or("", |kept| if kept { "yes" } else { "NO" });
        format!("{:58} {:>14.3} {:10} {bound:18} {verdict}", self.name, self.value, self.unit)
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
