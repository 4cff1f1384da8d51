//! A measured figure with the bound that it should keep to.

use serde_json::json;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

/// How much is played.
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

/// On which side of the bound a figure is good.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Told for orientation.
    None,
}

pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) bound: Bound,
}

impl Figure {
    pub(crate) fn new(name: &'static str, value: f64, unit: &'static str, bound: Bound) -> Self {
        Self { name, value, unit, bound }
    }

    fn is_kept(&self) -> Option<bool> {
        match self.bound {
            Bound::AtLeast(bound) => Some(self.value >= bound),
            Bound::AtMost(bound) => Some(self.value <= bound),
            Bound::None => None,
        }
    }

    pub(crate) fn json(&self) -> String {
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

    pub(crate) fn line(&self) -> String {
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
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds of processor time that this thread has had, where the system tells (Linux); else of the clock. On a machine
/// that others use too, the clock says what they do.
pub(crate) fn processor_seconds() -> f64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    let told = told(Path::new("/proc/thread-self"));
    told.unwrap_or_else(|| BEGUN.get_or_init(Instant::now).elapsed().as_secs_f64())
}

/// The same of all threads of this process together; `None` where the system does not tell.
pub(crate) fn processor_seconds_of_all() -> Option<f64> {
    std::fs::read_dir("/proc/self/task").ok()?.map(|thread| told(&thread.ok()?.path())).sum()
}

fn told(thread: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(thread.join("schedstat")).ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}
