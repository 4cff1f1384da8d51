//! From values to places on the paper, and the round numbers at an axis.

use crate::text;

/// A linear scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// The values at both ends.
    pub(crate) domain: (f64, f64),
    /// Where these are drawn.
    pub(crate) range: (f64, f64),
}

impl Scale {
    /// A scale whose ends are apart, whatever was asked for.
    pub(crate) fn new(domain: (f64, f64), range: (f64, f64)) -> Self {
        let (a, b) = domain;
        let fine = a.is_finite() && b.is_finite() && b > a && (b - a).is_finite();
        let (a, b) = if fine {
            (a, b)
        } else {
            let middle = [a, b].into_iter().find(|x| x.is_finite()).unwrap_or(0.0).clamp(-1e300, 1e300);
            let room = (middle.abs() * 0.05).max(1e-9);
            (middle - room, middle + room)
        };
        Self { domain: (a, b), range }
    }

    /// The same with room at both ends, as a share of the whole.
    pub(crate) fn padded(domain: (f64, f64), room: f64, range: (f64, f64)) -> Self {
        let by = (domain.1 - domain.0) * room;
        Self::new((domain.0 - by, domain.1 + by), range)
    }

    /// Where a value is drawn; values outside are drawn at the edge.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let (a, b) = self.domain;
        let share = ((value - a) / (b - a)).clamp(0.0, 1.0);
        self.range.0 + share * (self.range.1 - self.range.0)
    }

    /// Whether a value lies outside.
    pub(crate) fn misses(&self, value: f64) -> bool {
        !(self.domain.0..=self.domain.1).contains(&value)
    }

    /// About `wanted` round numbers within the domain, with their labels (after Heckbert 1990, *Graphics Gems*).
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<(f64, String)> {
        let (a, b) = self.domain;
        let rough = (b - a) / wanted.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough * 0.8);
        let step = step.unwrap_or(power * 10.0);
        let decimals = (-(step * 1.0001).log10().floor()).max(0.0) as usize;
        let first = (a / step).ceil();
        let label = |x: f64| {
            let x = if x.abs() < step * 1e-6 { 0.0 } else { x };
            let large = a.abs().max(b.abs());
            if decimals > 6 || large >= 1e6 {
                text::number(x)
            } else {
                format!("{x:.decimals$}").replace('-', "−")
            }
        };
        (0..50)
            .map(|i| (first + f64::from(i)) * step)
            .take_while(|x| *x <= b + step * 1e-9)
            .map(|x| (x, label(x)))
            .collect()
    }
}

/// The smallest and the largest of the finite values.
pub(crate) fn span(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.into_iter().filter(|x| x.is_finite());
    finite.fold(None, |span, x| match span {
        None => Some((x, x)),
        Some((a, b)) => Some((a.min(x), b.max(x))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let labels = |a, b| -> Vec<String> {
            Scale::new((a, b), (0.0, 1.0)).ticks(5).into_iter().map(|t| t.1).collect()
        };
        assert_eq!(labels(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-0.013, 0.022), ["−0.01", "0.00", "0.01", "0.02"]);
        assert_eq!(labels(0.0, 700.0), ["0", "200", "400", "600"]);
    }

    #[test]
    fn no_domain_is_too_odd() {
        let odd = [(1.0, 1.0), (f64::NAN, 2.0), (0.0, 0.0), (2.0, 1.0), (f64::NEG_INFINITY, f64::INFINITY)];
        for domain in odd.into_iter().chain([(-f64::MAX, f64::MAX), (1e300, 1e300), (1e-320, 2e-320)]) {
            let scale = Scale::new(domain, (0.0, 100.0));
            assert!(scale.at(1.0).is_finite() && scale.ticks(5).len() < 50, "{domain:?}");
        }
    }
}
