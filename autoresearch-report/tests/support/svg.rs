//! Charts, read back from their mark-up.

/// Where the drawing of rows of intervals ends; what is beyond is cut off there.
pub(crate) const INTERVALS_END: f64 = 649.0;

/// One chart of a page.
pub(crate) struct Chart(String);

impl Chart {
    /// The first chart of the part with this anchor.
    pub(crate) fn first(html: &str, part: &str) -> Self {
        Self::nth(html, part, 0)
    }

    /// The chart after so many others.
    pub(crate) fn nth(html: &str, part: &str, before: usize) -> Self {
        let section = html
            .split(&format!("<section id=\"{part}\""))
            .nth(1)
            .unwrap()
            .split("</section>")
            .next()
            .unwrap();
        let chart = section
            .split("<div class=\"wide chart\"")
            .nth(before + 1)
            .unwrap_or_else(|| panic!("no chart in {part}"));
        Self(chart.split("</svg>").next().unwrap().into())
    }

    fn attribute(element: &str, name: &str) -> Option<String> {
        Some(element.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?.into())
    }

    fn number(element: &str, name: &str) -> f64 {
        Self::attribute(element, name).unwrap().parse().unwrap()
    }

    fn elements(&self, name: &str, class: &str) -> Vec<&str> {
        let (whole, name) = (format!(" class=\"{class}\""), format!("<{name} "));
        let starts = self.0.match_indices(&name).map(|(at, _)| &self.0[at..]);
        starts.filter(|element| element.split('>').next().unwrap().contains(&whole)).collect()
    }

    /// The first and the last label of an axis: where it stands, and what it says.
    pub(crate) fn ends(&self, x: bool) -> ((f64, f64), (f64, f64)) {
        let anchor = if x { "middle" } else { "end" };
        let ticks = self
            .elements("text", "tick")
            .into_iter()
            .filter(|e| Self::attribute(e, "text-anchor").as_deref() == Some(anchor));
        let ticks: Vec<(f64, f64)> = ticks
            .filter_map(|e| {
                let text = e.split('>').nth(1)?.split('<').next()?.replace('−', "-");
                Some((Self::number(e, if x { "x" } else { "y" }), text.parse().ok()?))
            })
            .collect();
        (ticks[0], *ticks.last().unwrap())
    }

    /// The value at a place on an axis.
    pub(crate) fn value(&self, place: f64, x: bool) -> f64 {
        let ((p0, v0), (p1, v1)) = self.ends(x);
        v0 + (place - p0) / (p1 - p0) * (v1 - v0)
    }

    /// Where the marks of a class stand.
    pub(crate) fn dots(&self, class: &str) -> Vec<(f64, f64)> {
        let paths: Vec<String> = self
            .elements("path", &format!("dot {class}"))
            .into_iter()
            .filter_map(|e| Self::attribute(e, "d"))
            .collect();
        let starts = paths.iter().flat_map(|d| d.split('M').skip(1));
        starts
            .map(|start| {
                let (x, rest) = start.split_once(' ').unwrap();
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
                (x.parse().unwrap(), rest[..end].parse().unwrap())
            })
            .collect()
    }

    /// Whose these are.
    pub(crate) fn ids(&self, class: &str) -> Vec<u64> {
        let of = self
            .elements("path", &format!("dot {class}"))
            .into_iter()
            .filter_map(|e| Self::attribute(e, "data-ids"));
        of.flat_map(|ids| ids.split(' ').map(|id| id.parse().unwrap()).collect::<Vec<u64>>()).collect()
    }

    /// The paths of a class, if there are any.
    pub(crate) fn paths(&self, class: &str) -> Vec<String> {
        self.elements("path", class).into_iter().filter_map(|e| Self::attribute(e, "d")).collect()
    }

    /// The first of them.
    pub(crate) fn path(&self, class: &str) -> String {
        self.paths(class).swap_remove(0)
    }

    /// The ends of horizontal lines.
    pub(crate) fn lines(&self, class: &str) -> Vec<(f64, f64)> {
        self.elements("line", class)
            .into_iter()
            .map(|e| (Self::number(e, "x1"), Self::number(e, "x2")))
            .collect()
    }

    /// The lengths of bars.
    pub(crate) fn bars(&self) -> Vec<f64> {
        let all = self.0.split("<rect").skip(1).filter(|e| e.contains(" class=\"bar"));
        all.map(|e| Self::number(e, "width")).collect()
    }

    /// The upper edges of bands, and their heights.
    pub(crate) fn bands(&self) -> Vec<(f64, f64)> {
        let all = self.elements("rect", "band").into_iter();
        all.map(|band| (Self::number(band, "y"), Self::number(band, "height"))).collect()
    }

    /// The values at which the marks of a class stand.
    pub(crate) fn values(&self, class: &str) -> Vec<(f64, f64)> {
        self.dots(class).into_iter().map(|(x, y)| (self.value(x, true), self.value(y, false))).collect()
    }
}
