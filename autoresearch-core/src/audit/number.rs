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

/// Reads a cell: `0.9979`, `1e-3`, `93.2 %`, `nan`, `-`, nothing.
pub(super) fn number(cell: &str) -> Cell {
    let cell = cell.trim();
    if is_missing(cell) {
        return Cell::Missing;
    }
    let plain = cell.strip_suffix('%').map_or(cell, str::trim_end);
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => Cell::Number(value),
        Ok(_) => Cell::NotFinite,
        Err(_) => decimal_comma(plain),
    }
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
    ["", "-", "--", "\u{2013}", "\u{2014}", "none", "null", "na", "n/a", "?", "."]
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
        ] {
            assert_eq!(number(text), Cell::Number(value), "{text}");
        }
        for text in ["", " ", "-", "None", "N/A", "null"] {
            assert_eq!(number(text), Cell::Missing, "{text}");
        }
        for text in ["nan", "NaN", "inf", "-Infinity", "1e999"] {
            assert_eq!(number(text), Cell::NotFinite, "{text}");
        }
        for text in ["1,234", "1.2.3", "1,2,3", "abc", "0x1f", "12 s"] {
            assert_eq!(number(text), Cell::Text, "{text}");
        }
    }
}
