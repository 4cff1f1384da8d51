//! Charts, as SVG. Each is a function of data; colours and strokes are in the style sheet, so that one picture serves
//! light, dark and paper.

pub(crate) mod bars;
pub(crate) mod frame;
pub(crate) mod intervals;
pub(crate) mod mark;
pub(crate) mod progress;
pub(crate) mod scale;
pub(crate) mod scatter;

/// How marks look; shared by the page and by pictures of their own.
pub(crate) const STYLE: &str = include_str!("chart.css");
