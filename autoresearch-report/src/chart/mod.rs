//! Charts, as SVG. Each is a function of data; colours and strokes are in the style sheet, so that one picture serves
//! light, dark and paper.

pub(crate) mod bars;
pub(crate) mod frame;
pub(crate) mod intervals;
pub(crate) mod legend;
pub(crate) mod mark;
pub(crate) mod progress;
pub(crate) mod scale;
pub(crate) mod scatter;

/// For what width a chart is drawn: letters and marks are of one size in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// A desk's screen, and paper.
    Broad,
    /// A phone's.
    Narrow,
}

impl Width {
    /// In units of about a pixel.
    pub(crate) fn units(self) -> f64 {
        match self {
            Self::Broad => 860.0,
            Self::Narrow => 360.0,
        }
    }
}

/// How marks look; shared by the page and by pictures of their own.
pub(crate) const STYLE: &str = include_str!("chart.css");

/// The style of a picture of its own: light, without variables, which not every program that draws SVG knows.
pub(crate) fn standalone_style() -> String {
    let mut style = STYLE.to_string();
    for (name, value) in LIGHT {
        style = style.replace(&format!("var(--{name})"), value);
    }
    style
        .replace("svg ", "")
        .replace("text{font:12px/1 sans-serif;", "text{font-family:sans-serif;font-size:12px;")
}

/// The colours of the page on white paper.
const LIGHT: [(&str, &str); 13] = [
    ("font", "sans-serif"),
    ("paper", "#ffffff"),
    ("ink", "#1d1c1a"),
    ("quiet", "#5d5952"),
    ("rule", "#e6e2db"),
    ("kept", "#0a5f9e"),
    ("held-back", "#b54807"),
    ("undecided", "#9c4f84"),
    ("rejected", "#8a857c"),
    ("set-aside", "#999389"),
    ("bar", "#c9c4ba"),
    ("failed", "#857f76"),
    ("revoked", "#5d5952"),
];
