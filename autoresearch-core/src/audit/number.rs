//! Numbers as logs write them.

/// What a cell of a numeric column holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    /// A finite number.
    Number(f64),
    /// NaN or an infinity: the run diverged.
    NotFinite,
    /// Nothing, or a sign for nothing.
    Missing,
    /// Something else.
    Text,
}

/// Units that may stand behind a number, with a space between.
const UNITS: &[&str] = &[
    "bpb", "bpc", "bits", "bit", "nats", "nat", "ppl", "db", "pt", "pts", "points", "percent", "pp", "s",
    "sec", "ms", "min", "h", "gb", "mb",
];

/// Reads a cell: `0.9979`, `1e-3`, `93.2 %`, `**0.998**`, `0.998 bpb`, `93.2±0.3`, `nan`, `-`, nothing.
pub(super) fn number(cell: &str) -> Cell {
    let cell = cell.trim();
    if let Ok(value) = cell.parse::<f64>() {
        return if value.is_finite() { Cell::Number(value) } else { Cell::NotFinite };
    }
    if is_missing(cell) {
        return Cell::Missing;
    }
    if !cell.starts_with(|c: char| c.is_ascii_digit() || "+-.*`\u{2212}".contains(c)) {
        return Cell::Text;
    }
    let cell = cell.trim_matches(['*', '`']).trim();
    let cell =
        cell.split(['\u{b1}']).next().and_then(|c| c.split("+/-").next()).unwrap_or_default().trim_end();
    let plain = cell.strip_suffix('%').map_or(cell, str::trim_end);
    let plain = match plain.rsplit_once(' ') {
        Some((number, unit)) if UNITS.contains(&unit.to_lowercase().as_str()) => number.trim_end(),
        _ => plain,
    };
    let plain = plain.replace('\u{2212}', "-");
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => Cell::Number(value),
        Ok(_) => Cell::NotFinite,
        Err(_) => decimal_comma(&plain),
    }
}

/// Whether a cell of text was meant for a number: it begins like one.
pub(super) fn like_a_number(cell: &str) -> bool {
    let cell = cell
        .trim()
        .trim_start_matches(['*', '`', '~', '$', '\u{2248}', '=', '<', '>', '+', '-', '\u{2212}', '.', ' ']);
    cell.starts_with(|c: char| c.is_ascii_digit())
}

/// `0,9979`: one comma between digits. `1,234` is left alone, since it may be a thousand.
fn decimal_comma(cell: &str) -> Cell {
    match cell.split_once(',') {
        Some((whole, digits))
            if digits.bytes().all(|b| b.is_ascii_digit())
                && (digits.len() != 3 || whole.trim_start_matches('-') == "0") =>
        {
            format!("{whole}.{digits}")
                .parse()
                .ok()
                .filter(|v: &f64| v.is_finite())
                .map_or(Cell::Text, Cell::Number)
        }
        _ => Cell::Text,
    }
}

fn is_missing(cell: &str) -> bool {
    cell.len() <= 4
        && ["", "-", "--", "\u{2013}", "\u{2014}", "none", "null", "na", "n/a", "?", "."]
            .contains(&cell.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        for (text, value) in [
            ("0.997900", 0.9979),
            ("1e-3", 0.001),
            (" +2 ", 2.0),
            ("93.2%", 93.2),
            ("0,9979", 0.9979),
            ("0,997", 0.997),
            ("**0.9980**", 0.998),
            ("`-1.5`", -1.5),
            ("0.998 bpb", 0.998),
            ("12 s", 12.0),
            ("93.2\u{b1}0.3", 93.2),
            ("93.2 +/- 0.3 %", 93.2),
            ("\u{2212}3.2", -3.2),
        ] {
            assert_eq!(number(text), Cell::Number(value), "{text}");
        }
        for text in ["", " ", "-", "None", "N/A", "null"] {
            assert_eq!(number(text), Cell::Missing, "{text}");
        }
        for text in ["nan", "NaN", "inf", "-Infinity", "1e999"] {
            assert_eq!(number(text), Cell::NotFinite, "{text}");
        }
        for text in ["1,234", "1.2.3", "1,2,3", "abc", "0x1f", "12 layers", "**keep**"] {
            assert_eq!(number(text), Cell::Text, "{text}");
        }
    }
}
