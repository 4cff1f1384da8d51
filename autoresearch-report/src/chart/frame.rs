//! The frame of a chart: its size, its axes, and what people hear who do not see it.

use super::legend::Key;
use super::scale::Scale;
use crate::text;
use maud::{Markup, html};

/// A chart's size and scales, in units of about a pixel.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    pub(crate) x_title: String,
    pub(crate) y_title: String,
}

/// Room at the left, right, top and bottom.
pub(crate) const ROOM: (f64, f64, f64, f64) = (64.0, 26.0, 26.0, 40.0);

/// A coordinate to a tenth of a unit, in as few characters as possible.
pub(crate) fn c(x: f64) -> String {
    let tenths = (x * 10.0).round() / 10.0;
    if tenths == 0.0 { "0".into() } else { format!("{tenths}") }
}

impl Frame {
    /// A frame of this size for these values; y grows upwards.
    pub(crate) fn new(size: (f64, f64), x: (f64, f64), y: (f64, f64)) -> Self {
        let (left, right, top, bottom) = ROOM;
        Self {
            width: size.0,
            height: size.1,
            x: Scale::new(x, (left, size.0 - right)),
            y: Scale::padded(y, 0.06, (size.1 - bottom, top)),
            x_title: String::new(),
            y_title: String::new(),
        }
    }

    pub(crate) fn titled(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        (self.x_title, self.y_title) = (x.into(), y.into());
        self
    }

    /// Grid, axis labels and titles.
    pub(crate) fn axes(&self) -> Markup {
        let (x0, x1) = self.x.range;
        let (y0, y1) = self.y.range;
        let x_ticks = self.x.ticks(((x1 - x0) / 90.0) as usize);
        let y_ticks = self.y.ticks(((y0 - y1) / 45.0) as usize);
        html! {
            g class="axes" {
                @for (value, label) in &y_ticks {
                    @let y = c(self.y.at(*value));
                    line class="grid" x1=(c(x0)) x2=(c(x1)) y1=(y) y2=(y) {}
                    text class="tick" x=(c(x0 - 8.0)) y=(y) dy=".32em" text-anchor="end" { (label) }
                }
                @for (value, label) in &x_ticks {
                    text class="tick" x=(c(self.x.at(*value))) y=(c(y0 + 16.0)) text-anchor="middle" { (label) }
                }
                line class="axis" x1=(c(x0)) x2=(c(x1)) y1=(c(y0)) y2=(c(y0)) {}
                text class="title" x=(c((x0 + x1) / 2.0)) y=(c(y0 + 34.0)) text-anchor="middle" { (self.x_title) }
                text class="title" x="4" y="13" { (self.y_title) }
            }
        }
    }

    /// The whole picture around `marks`; `heard` says in words what is to be seen.
    pub(crate) fn picture(&self, heard: &str, marks: &Markup) -> Markup {
        picture((self.width, self.height), heard, &html! { (self.axes()) (marks) })
    }
}

/// An SVG element of this size.
pub(crate) fn picture(size: (f64, f64), heard: &str, inner: &Markup) -> Markup {
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", c(size.0), c(size.1))) role="img" aria-label=(heard) {
            desc { (heard) }
            (inner)
        }
    }
}

/// An SVG element as a file of its own, on paper of its own, between its title and its legend.
pub(crate) fn standalone(svg: &Markup, title: &str, size: (f64, f64), legend: &[Key], style: &str) -> String {
    const TOP: f64 = 34.0;
    let inner = &svg.0;
    let (head, rest) = inner.split_once('>').unwrap_or((inner, ""));
    let rest = rest.strip_suffix("</svg>").unwrap_or(rest);
    let (keys, below) = if legend.is_empty() {
        (Markup::default(), 0.0)
    } else {
        super::legend::lines(legend, size.0 - 12.0)
    };
    let (width, height) = (c(size.0), c(TOP + size.1 + below + 10.0));
    let outer = html! {
        text class="heading" x="4" y="21" { (text::fit(title, 0.75 * size.0)) }
    };
    let bottom = html! {
        g transform=(format!("translate(0 {})", c(TOP + size.1 + 8.0))) { (keys) }
    };
    let before = format!("viewBox=\"0 0 {} {}\"", c(size.0), c(size.1));
    let head = head.replace(&before, &format!("viewBox=\"0 0 {width} {height}\""));
    let title = html! { title { (title) } };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{head} width=\"{width}\" height=\"{height}\">{}<style>{style}</style>\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>{}<g transform=\"translate(0 {})\">{rest}</g>{}</svg>\n",
        title.0,
        outer.0,
        c(TOP),
        bottom.0
    )
}
