//! Bars, one a row, each with its number.

use super::Width;
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

/// Room for labels before the bars, for numbers behind the longest, and the height of a row; on narrow ones labels stand
/// above their bars.
fn rooms(width: Width) -> (f64, f64, f64) {
    match width {
        Width::Broad => (200.0, 190.0, 26.0),
        Width::Narrow => (0.0, 150.0, 40.0),
    }
}

/// Horizontal bars from zero.
pub(crate) fn bars(bars: &[Bar], heard: &str, width: Width) -> Option<Markup> {
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    if most <= 0.0 || !most.is_finite() {
        return None;
    }
    let (labels, numbers, row) = rooms(width);
    let room = width.units() - labels - numbers;
    let marks = html! {
        @for (i, bar) in bars.iter().enumerate() {
            @let (y, length) = (row * (i + 1) as f64 - 26.0, (room * bar.value / most).max(if bar.value > 0.0 { 1.0 } else { 0.0 }));
            @match width {
                Width::Broad => { text class="label" x=(c(labels - 12.0)) y=(c(y + 13.0)) dy=".32em" text-anchor="end" { (bar.label) } }
                Width::Narrow => { text class="label" x="0" y=(c(y - 4.0)) dy=".32em" { (bar.label) } }
            }
            rect class={ "bar " (bar.class) } x=(c(labels)) y=(c(y + 5.0)) width=(c(length)) height="16" rx="1.5" {}
            text class="number" x=(c(labels + length + 8.0)) y=(c(y + 13.0)) dy=".32em" { (bar.written) }
        }
    };
    Some(picture((width.units(), row * bars.len() as f64 + 2.0), heard, &marks))
}
