//! A small writer of SVG: readable on light and on dark pages, without fonts or styles of its own.
use std::fmt::Write as _;

/// Text and axes: dark enough for white pages, light enough for black ones.
const INK: &str = "#7d7d7d";

/// What a policy looks like: its colour and the shape of its points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub(super) colour: &'static str,
    pub(super) shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Circle,
    Square,
    Diamond,
    Triangle,
    Cross,
}

/// A drawing in the making.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    title: String,
    description: String,
    body: String,
}

/// Where a label stands with respect to its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Svg {
    pub(super) fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        let (title, description) = (escaped(title), escaped(description));
        Self { width, height, title, description, body: String::new() }
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, size: u32, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        let _ = writeln!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" fill="{INK}">{text}</text>"#
        );
    }

    /// A line of the axes.
    pub(super) fn rule(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), opacity: f64, dashed: bool) {
        let dash = if dashed { r#" stroke-dasharray="4 3""# } else { "" };
        let _ = writeln!(
            self.body,
            r#"<path d="M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}" stroke="{INK}" stroke-opacity="{opacity}"{dash}/>"#
        );
    }

    /// A line through points.
    pub(super) fn curve(&mut self, points: &[(f64, f64)], look: Look, width: f64) {
        let mut path = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
        }
        let colour = look.colour;
        let _ =
            writeln!(self.body, r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>"#);
    }

    pub(super) fn point(&mut self, (x, y): (f64, f64), look: Look) {
        let path = match look.shape {
            Shape::Circle => "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
            Shape::Square => "m-3.5-3.5h7v7h-7z",
            Shape::Diamond => "m0-5l5 5l-5 5l-5-5z",
            Shape::Triangle => "m0-5l4.8 8.4h-9.6z",
            Shape::Cross => "m-4-2l2-2l2 2l2-2l2 2l-2 2l2 2l-2 2l-2-2l-2 2l-2-2l2-2z",
        };
        let colour = look.colour;
        let _ = writeln!(self.body, r#"<path d="M{x:.1} {y:.1}{path}" fill="{colour}"/>"#);
    }

    pub(super) fn finish(self) -> String {
        let Self { width, height, title, description, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" aria-labelledby=\"title desc\" font-family=\"sans-serif\">\n\
             <title id=\"title\">{title}</title>\n<desc id=\"desc\">{description}</desc>\n{body}</svg>\n"
        )
    }
}

/// Where values lie on the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    /// Smallest and largest value.
    pub(super) values: (f64, f64),
    /// Where they lie.
    pub(super) places: (f64, f64),
    pub(super) logarithmic: bool,
}

impl Axis {
    /// The place of a value; what lies outside is put on the edge.
    pub(super) fn at(&self, value: f64) -> f64 {
        let (least, most) = self.values;
        let scale = |x: f64| if self.logarithmic { x.max(f64::MIN_POSITIVE).ln() } else { x };
        let share = (scale(value) - scale(least)) / (scale(most) - scale(least));
        let (from, to) = self.places;
        from + (to - from) * share.clamp(0.0, 1.0)
    }
}

/// Round numbers from 0 until beyond `most`: at most eight of them.
pub(super) fn ticks(most: f64) -> Vec<f64> {
    let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
    let power = 10f64.powf((most / 7.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| s * 7.0 >= most);
    let step = step.unwrap_or(10.0 * power);
    (0..=(most / step).ceil() as u32).map(|i| f64::from(i) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_values() {
        let axis = Axis { values: (0.1, 10.0), places: (0.0, 200.0), logarithmic: true };
        assert!((axis.at(1.0) - 100.0).abs() < 1e-9 && axis.at(-3.0) == 0.0 && axis.at(99.0) == 200.0);
        let axis = Axis { values: (0.0, 10.0), places: (100.0, 0.0), logarithmic: false };
        assert_eq!((axis.at(0.0), axis.at(2.5)), (100.0, 75.0));
    }

    #[test]
    fn ticks_are_round_and_reach_far_enough() {
        assert_eq!(ticks(71.0), [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert_eq!(ticks(7.0), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        for most in [0.3, 1.0, 88.0, 1234.0, f64::NAN, -1.0] {
            let ticks = ticks(most);
            assert!(ticks.len() <= 9 && !ticks.last().is_some_and(|last| *last < most), "{most}: {ticks:?}");
        }
    }

    #[test]
    fn labels_are_escaped() {
        let mut svg = Svg::new(10.0, 10.0, "a < b", "c & d");
        svg.text((1.0, 1.0), Anchor::Start, 10, "\"e\" > f");
        let svg = svg.finish();
        assert!(
            svg.contains("a &lt; b</title>")
                && svg.contains("c &amp; d")
                && svg.contains("&quot;e&quot; &gt; f")
        );
    }
}
