//! Random values and random steps, in numbers that people can read.

use super::value::same_number;
use super::{ParamKind, ParamValue};
use crate::compose::Level;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// The least and the largest step, as shares of a parameter's range (of its logarithm, on a log scale).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Steps {
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Steps {
    /// A step's size: log-uniform, so that small and large ones are tried equally often. Always in both directions.
    fn draw(self, rng: &mut impl Rng) -> f64 {
        let size = if self.least < self.most {
            rng.random_range(self.least.ln()..self.most.ln()).exp()
        } else {
            self.most
        };
        if rng.random() { size } else { -size }
    }

    /// From a place in 0..=1 to another. A step that would leave the range ends on the bound, where special values
    /// such as "no dropout" are, or is reflected, by a coin.
    fn take(self, from: f64, rng: &mut impl Rng) -> f64 {
        let to = from + self.draw(rng);
        if (0.0..=1.0).contains(&to) {
            return to;
        }
        let bound = if to < 0.0 { 0.0 } else { 1.0 };
        if bound != from && rng.random() { bound } else { (2.0 * bound - to).clamp(0.0, 1.0) }
    }
}

/// A range with a scale: maps values to 0..=1 and back.
#[derive(Debug, Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
    log: bool,
}

impl Scale {
    fn place(self, x: f64) -> f64 {
        let place = if self.log {
            (x / self.low).ln() / (self.high / self.low).ln()
        } else {
            (x - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }

    fn at(self, place: f64) -> f64 {
        let x = if place <= 0.0 {
            self.low
        } else if place >= 1.0 {
            self.high
        } else if self.log {
            self.low * (self.high / self.low).powf(place)
        } else {
            self.low + (self.high - self.low) * place
        };
        x.clamp(self.low, self.high)
    }

    fn draw(self, rng: &mut impl Rng) -> f64 {
        self.readable(rng.random())
    }

    /// The value at a place, in as many digits as matter.
    fn readable(self, place: f64) -> f64 {
        let x = self.at(place);
        // A thousandth of the range, and on a log scale a hundredth of the value, is as fine as anybody can measure.
        let span = magnitude(self.high - self.low) - 3;
        let digits = if self.log { span.min(magnitude(x) - 2) } else { span };
        round(x, digits).clamp(self.low, self.high)
    }

    fn step(self, from: f64, steps: Steps, rng: &mut impl Rng) -> f64 {
        // A single-precision field at a bound is at the bound; from 0.69999999 to 0.7 is no step.
        let from = [self.low, self.high].into_iter().find(|bound| same_number(*bound, from)).unwrap_or(from);
        let place = self.place(from);
        for _ in 0..8 {
            let to = self.at(steps.take(place, rng));
            if to == self.low || to == self.high {
                if to != from {
                    return to;
                }
                continue;
            }
            // Two digits of the difference: never a step that rounding undoes.
            let to = round(to, magnitude(to - from) - 1).clamp(self.low, self.high);
            if to != from {
                return to;
            }
        }
        if place < 0.5 { self.high } else { self.low }
    }

    /// As [`step`](Self::step) in whole numbers, by at least one.
    fn step_whole(self, from: f64, steps: Steps, rng: &mut impl Rng) -> f64 {
        let to = self.at(steps.take(self.place(from), rng));
        let whole = to.round().clamp(self.low, self.high);
        let one = if to < from { -1.0 } else { 1.0 };
        match whole {
            same if same != from => same,
            _ if (self.low..=self.high).contains(&(from + one)) => from + one,
            _ => from - one,
        }
    }
}

/// The power of ten of the leading digit.
fn magnitude(x: f64) -> i32 {
    if x == 0.0 { 0 } else { x.abs().log10().floor() as i32 }
}

/// Rounds to a multiple of a power of ten. Small ones go through decimal text: 0.0021, not 0.0021000000000000003.
fn round(x: f64, power: i32) -> f64 {
    let rounded = if power < 0 {
        format!("{x:.*}", power.unsigned_abs() as usize).parse().unwrap_or(x)
    } else {
        let unit = 10f64.powi(power);
        (x / unit).round() * unit
    };
    rounded + 0.0 // -0 becomes 0: they are the same value and must be the same JSON
}

impl ParamKind {
    fn scale(&self) -> Option<Scale> {
        match self {
            Self::Float { low, high, log } => Some(Scale { low: *low, high: *high, log: *log }),
            Self::Int { low, high, log } => Some(Scale { low: *low as f64, high: *high as f64, log: *log }),
            Self::Choice { .. } | Self::Bool => None,
        }
    }

    /// Where a value stands among those that it could be.
    pub(crate) fn level(&self, value: &ParamValue) -> Level {
        match (self, self.scale(), value.as_f64()) {
            (_, Some(scale), Some(x)) => Level::Number(scale.place(x)),
            (Self::Choice { values }, ..) if ascending(values) => {
                let here = values.iter().position(|v| v.is(value)).unwrap_or(0);
                Level::Number(here as f64 / (values.len() - 1).max(1) as f64)
            }
            _ => Level::Choice(value.to_string()),
        }
    }

    /// The value at a place from 0 to 1, if values have an order: what [`level`](Self::level) gives back as a number.
    pub(crate) fn at(&self, place: f64) -> Option<ParamValue> {
        match (self, self.scale()) {
            (Self::Float { .. }, Some(scale)) => Some(ParamValue::Float(scale.readable(place))),
            (Self::Int { low, high, .. }, Some(scale)) => {
                Some(ParamValue::Int((scale.at(place).round() as i64).clamp(*low, *high)))
            }
            (Self::Choice { values }, _) if ascending(values) => {
                let last = values.len().saturating_sub(1) as f64;
                values.get((place.clamp(0.0, 1.0) * last).round() as usize).cloned()
            }
            _ => None,
        }
    }

    /// A random value.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> ParamValue {
        match (self, self.scale()) {
            (Self::Float { .. }, Some(scale)) => ParamValue::Float(scale.draw(rng)),
            (Self::Int { low, high, log: false }, _) => ParamValue::Int(rng.random_range(*low..=*high)),
            (Self::Int { low, high, .. }, _) => {
                // Half a step beyond both ends, so that the ends are as likely as their neighbours.
                let scale = Scale { low: *low as f64 - 0.5, high: *high as f64 + 0.5, log: true };
                ParamValue::Int((scale.at(rng.random()).round() as i64).clamp(*low, *high))
            }
            (Self::Choice { values }, _) => {
                values.choose(rng).cloned().unwrap_or(ParamValue::Bool(false)) // never empty
            }
            _ => ParamValue::Bool(rng.random()),
        }
    }

    /// Another value, by a step of random size where values have neighbours.
    pub(crate) fn step(&self, from: &ParamValue, steps: Steps, rng: &mut impl Rng) -> ParamValue {
        match (self, self.scale(), from.as_f64()) {
            (Self::Float { .. }, Some(scale), Some(x)) => ParamValue::Float(scale.step(x, steps, rng)),
            (Self::Int { .. }, Some(scale), Some(x)) => {
                ParamValue::Int(scale.step_whole(x, steps, rng) as i64)
            }
            (Self::Choice { values }, ..) => {
                let here = values.iter().position(|v| v.is(from)).unwrap_or(0);
                let to = if ascending(values) {
                    let scale = Scale { low: 0.0, high: (values.len() - 1) as f64, log: false };
                    scale.step_whole(here as f64, steps, rng) as usize
                } else {
                    (here + rng.random_range(1..values.len())) % values.len()
                };
                values.get(to).cloned().unwrap_or_else(|| from.clone())
            }
            _ => ParamValue::Bool(*from != ParamValue::Bool(true)),
        }
    }

    /// The middle of the range, or the first value.
    pub(crate) fn middle(&self) -> ParamValue {
        match (self, self.scale()) {
            (Self::Float { .. }, Some(scale)) => {
                let x = scale.at(0.5);
                ParamValue::Float(
                    round(x, magnitude(scale.high - scale.low).min(magnitude(x)) - 2)
                        .clamp(scale.low, scale.high),
                )
            }
            (Self::Int { low, high, .. }, Some(scale)) => {
                ParamValue::Int((scale.at(0.5).round() as i64).clamp(*low, *high))
            }
            (Self::Choice { values }, _) => values.first().cloned().unwrap_or(ParamValue::Bool(false)),
            _ => ParamValue::Bool(false),
        }
    }

    /// All values, where they are no more than `limit`.
    pub(crate) fn values(&self, limit: u32) -> Option<Vec<ParamValue>> {
        match self {
            Self::Int { low, high, .. } if high - low < i64::from(limit) => {
                Some((*low..=*high).map(ParamValue::Int).collect())
            }
            Self::Float { .. } | Self::Int { .. } => None,
            Self::Choice { values } => Some(values.clone()),
            Self::Bool => Some(vec![ParamValue::Bool(false), ParamValue::Bool(true)]),
        }
    }
}

fn ascending(values: &[ParamValue]) -> bool {
    let numbers: Option<Vec<f64>> = values.iter().map(ParamValue::as_f64).collect();
    numbers.is_some_and(|n| n.is_sorted())
}
