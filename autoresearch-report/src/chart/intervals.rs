//! Effects with their intervals, one a row.

use super::Width;
use super::frame::{c, picture};
use super::mark;
use super::scale::{Scale, span};
use crate::text;
use autoresearch_core::{Effect, Fate};
use maud::{Markup, html};

/// A row: what it is, its estimate and interval, and how it is drawn.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) label: String,
    /// Drawn filled; `None`: there is only [`other`](Self::other).
    pub(crate) mean: Option<f64>,
    pub(crate) interval: Option<(f64, f64)>,
    pub(crate) fate: Option<Fate>,
    /// A second value, drawn hollow: what was claimed, what was measured elsewhere.
    pub(crate) other: Option<f64>,
}

impl Row {
    /// An effect with its interval.
    pub(crate) fn of(label: impl Into<String>, fate: Option<Fate>, effect: Effect) -> Self {
        let interval = effect.low.zip(effect.high);
        Self { label: label.into(), mean: Some(effect.mean), interval, fate, other: None }
    }
}

/// Room for labels before the plot and for numbers behind it, and the height of a row; on narrow ones labels and numbers stand
/// above what they are of.
fn rooms(width: Width) -> (f64, f64, f64) {
    match width {
        Width::Broad => (315.0, 210.0, 22.0),
        Width::Narrow => (18.0, 18.0, 50.0),
    }
}

/// Rows of effects around zero.
pub(crate) fn intervals(rows: &[Row], title: &str, heard: &str, width: Width) -> Option<Markup> {
    let means = rows.iter().flat_map(|row| [row.mean, row.other, Some(0.0)]).flatten();
    let inner = span(means)?;
    // An interval far longer than all effects is cut off.
    let reach = 2.0 * (inner.1 - inner.0).max(1e-12);
    let ends = rows.iter().filter_map(|row| row.interval).flat_map(|(a, b)| [a, b]);
    let domain = span(ends.map(|x| x.clamp(inner.0 - reach, inner.1 + reach)).chain([inner.0, inner.1]))?;
    let (labels, numbers, row_height) = rooms(width);
    let height = 44.0 + row_height * rows.len() as f64;
    let (left, right) = (labels, width.units() - numbers);
    let scale = Scale::padded(domain, 0.04, (left, right));
    let bottom = height - 40.0;
    let marks = html! {
        g class="axes" {
            @for (value, label) in scale.ticks(if width == Width::Broad { 5 } else { 4 }) {
                @let x = c(scale.at(value));
                line class=(if value.abs() < 1e-12 { "axis" } else { "grid" }) x1=(x) x2=(x) y1="4" y2=(c(bottom)) {}
                text class="tick" x=(x) y=(c(bottom + 16.0)) text-anchor="middle" { (label) }
            }
            text class="title" x=(c((left + right) / 2.0)) y=(c(bottom + 34.0)) text-anchor="middle" { (title) }
        }
        @for (i, row) in rows.iter().enumerate() {
            (one(row, &scale, 4.0 + row_height * (i + 1) as f64 - 11.0, width))
        }
    };
    Some(picture((width.units(), height), heard, &marks))
}

fn one(row: &Row, scale: &Scale, y: f64, width: Width) -> Markup {
    let mut dot = String::new();
    if let Some(mean) = row.mean {
        mark::draw(&mut dot, row.fate, scale.at(mean), y);
    }
    let label = text::straight(&row.label);
    let (above, y) = ((c(y - 30.0), c(y - 15.0)), c(y));
    let shown = row.mean.or(row.other).map(|mean| text::estimate(mean, row.interval));
    let numbers = match shown {
        Some((mean, Some((low, high)))) => format!("{mean} [{low}, {high}]"),
        Some((mean, None)) => mean,
        None => String::new(),
    };
    html! {
        @match width {
            Width::Broad => {
                text class="label" x="303" y=(y) dy=".32em" text-anchor="end" { (text::fit(&label, 280.0)) }
                text class="number" x=(c(width.units() - 2.0)) y=(y) dy=".32em" text-anchor="end" { (numbers) }
            }
            Width::Narrow => {
                text class="label" x="0" y=(above.0) dy=".32em" { (text::fit(&label, width.units() - 4.0)) }
                text class="number" x="0" y=(above.1) dy=".32em" { (numbers) }
            }
        }
        @if let Some((low, high)) = row.interval {
            line class={ "interval " (mark::class(row.fate)) } x1=(c(scale.at(low))) x2=(c(scale.at(high))) y1=(y) y2=(y) {}
        }
        @if let Some(other) = row.other {
            circle class="other" cx=(c(scale.at(other))) cy=(y) r="4" {}
        }
        @if !dot.is_empty() { path class={ "dot big " (mark::class(row.fate)) } d=(dot) {} }
    }
}
