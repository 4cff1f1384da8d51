//! Effects with their intervals, one a row.

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

const WIDTH: f64 = 860.0;
const LABELS: f64 = 315.0;
const NUMBERS: f64 = 210.0;
const ROW: f64 = 22.0;

/// Rows of effects around zero.
pub(crate) fn intervals(rows: &[Row], title: &str, heard: &str) -> Option<Markup> {
    let means = rows.iter().flat_map(|row| [row.mean, row.other, Some(0.0)]).flatten();
    let inner = span(means)?;
    // An interval far longer than all effects is cut off.
    let reach = 2.0 * (inner.1 - inner.0).max(1e-12);
    let ends = rows.iter().filter_map(|row| row.interval).flat_map(|(a, b)| [a, b]);
    let domain = span(ends.map(|x| x.clamp(inner.0 - reach, inner.1 + reach)).chain([inner.0, inner.1]))?;
    let height = 44.0 + ROW * rows.len() as f64;
    let scale = Scale::padded(domain, 0.04, (LABELS, WIDTH - NUMBERS));
    let bottom = height - 40.0;
    let marks = html! {
        g class="axes" {
            @for (value, label) in scale.ticks(5) {
                @let x = c(scale.at(value));
                line class=(if value.abs() < 1e-12 { "axis" } else { "grid" }) x1=(x) x2=(x) y1="4" y2=(c(bottom)) {}
                text class="tick" x=(x) y=(c(bottom + 16.0)) text-anchor="middle" { (label) }
            }
            text class="title" x=(c((LABELS + WIDTH - NUMBERS) / 2.0)) y=(c(bottom + 34.0)) text-anchor="middle" { (title) }
        }
        @for (i, row) in rows.iter().enumerate() {
            (one(row, &scale, 4.0 + ROW * (i as f64 + 0.5)))
        }
    };
    Some(picture((WIDTH, height), heard, &marks))
}

fn one(row: &Row, scale: &Scale, y: f64) -> Markup {
    let mut dot = String::new();
    if let Some(mean) = row.mean {
        mark::draw(&mut dot, row.fate, scale.at(mean), y);
    }
    let y = c(y);
    let shown = row.mean.or(row.other).map(|mean| text::estimate(mean, row.interval));
    let numbers = match shown {
        Some((mean, Some((low, high)))) => format!("{mean} [{low}, {high}]"),
        Some((mean, None)) => mean,
        None => String::new(),
    };
    html! {
        text class="label" x=(c(LABELS - 12.0)) y=(y) dy=".32em" text-anchor="end" { (text::line(&text::straight(&row.label), 46)) }
        @if let Some((low, high)) = row.interval {
            line class={ "interval " (mark::class(row.fate)) } x1=(c(scale.at(low))) x2=(c(scale.at(high))) y1=(y) y2=(y) {}
        }
        @if let Some(other) = row.other {
            circle class="other" cx=(c(scale.at(other))) cy=(y) r="4" {}
        }
        @if !dot.is_empty() { path class={ "dot big " (mark::class(row.fate)) } d=(dot) {} }
        text class="number" x=(c(WIDTH - 2.0)) y=(y) dy=".32em" text-anchor="end" { (numbers) }
    }
}
