//! Bars, one a row, each with its number.

use super::frame::{c, picture};
use maud::{Markup, html};

/// A bar: what it is, how long, and what is written at its end.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) written: String,
    /// Its class in the style sheet.
    pub(crate) class: &'static str,
}

const WIDTH: f64 = 860.0;
const LABELS: f64 = 200.0;
const NUMBERS: f64 = 190.0;
const ROW: f64 = 26.0;

/// Horizontal bars from zero.
pub(crate) fn bars(bars: &[Bar], heard: &str) -> Option<Markup> {
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    if most <= 0.0 || !most.is_finite() {
        return None;
    }
    let room = WIDTH - LABELS - NUMBERS;
    let marks = html! {
        @for (i, bar) in bars.iter().enumerate() {
            @let (y, length) = (ROW * i as f64, (room * bar.value / most).max(if bar.value > 0.0 { 1.0 } else { 0.0 }));
            text class="label" x=(c(LABELS - 12.0)) y=(c(y + ROW / 2.0)) dy=".32em" text-anchor="end" { (bar.label) }
            rect class={ "bar " (bar.class) } x=(c(LABELS)) y=(c(y + 5.0)) width=(c(length)) height=(c(ROW - 10.0)) rx="1.5" {}
            text class="number" x=(c(LABELS + length + 8.0)) y=(c(y + ROW / 2.0)) dy=".32em" { (bar.written) }
        }
    };
    Some(picture((WIDTH, ROW * bars.len() as f64 + 2.0), heard, &marks))
}
