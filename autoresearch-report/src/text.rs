//! Texts and numbers as they are shown. What users wrote is data: it is shortened, and made harmless where it stands.

/// A text on one line, without control characters, of at most `most` characters; what is cut off is marked. Marks that turn the
/// direction of what follows them are told by their numbers, and of marks above and below a letter three are left.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut space = true; // none at the start
    let (mut count, mut marks) = (0, 0);
    for c in text.chars() {
        let c = if c.is_control() || c.is_whitespace() || is_noncharacter(c) { ' ' } else { c };
        if (c == ' ' && space) || is_heaped(c, &mut marks) {
            continue;
        }
        space = c == ' ';
        if count >= most {
            out.truncate(out.trim_end().len());
            out.push('…');
            return out;
        }
        count += add(&mut out, c);
    }
    out.truncate(out.trim_end().len());
    out
}

/// A text of several lines, at most `lines` of them and `most` characters; control characters but line ends are taken
/// out, and marks are as in [`line`].
pub(crate) fn block(text: &str, lines: usize, most: usize) -> String {
    let mut out = String::new();
    let (mut count, mut ends, mut marks) = (0, 0, 0);
    for c in text.chars() {
        if count >= most || ends == lines {
            out.push('…');
            return out;
        }
        count += match c {
            '\n' => {
                ends += 1;
                out.push('\n');
                1
            }
            '\t' => {
                out.push_str("    ");
                1
            }
            c if c.is_control() || is_noncharacter(c) => 1,
            c if is_heaped(c, &mut marks) => 1,
            c => add(&mut out, c),
        };
    }
    out
}

/// Adds a character, or the number of one that would turn what follows it; says how many that are.
fn add(out: &mut String, c: char) -> usize {
    if forces(c) {
        let name = format!("[U+{:04X}]", u32::from(c));
        out.push_str(&name);
        name.len()
    } else {
        out.push(c);
        1
    }
}

/// Whether a character is one more mark on a letter than any script has use for: heaps of them reach over other lines. Those that
/// are made for all scripts are counted; marks of one script (vowels, tones) are its letters.
fn is_heaped(c: char, marks: &mut u32) -> bool {
    const MOST: u32 = 3;
    let mark = matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}');
    *marks = if mark { *marks + 1 } else { 0 };
    *marks > MOST
}

/// How many pixels a character takes in letters of twelve. Estimated: letters of most scripts take seven, narrow ones four, wide
/// ones eleven, those of East Asia and signs beyond twelve and more.
fn pixels(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '(' | ')' | '[' | ']' | ' ' => 4.0,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '—' | '…' => 11.0,
        'A'..='Z' => 8.5,
        '\u{1100}'..='\u{11ff}'
        | '\u{2e80}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ff60}' => 12.5,
        '\u{10000}'.. => 16.0,
        _ => 7.0,
    }
}

/// How many pixels a text takes in letters of twelve, about.
pub(crate) fn width(text: &str) -> f64 {
    text.chars().map(pixels).sum()
}

/// A text on one line that takes at most so many pixels in letters of twelve, about; what is cut off is marked.
pub(crate) fn fit(text: &str, most: f64) -> String {
    let whole = line(text, usize::MAX);
    if width(&whole) <= most {
        return whole;
    }
    let mut left = most - pixels('…');
    let kept: String = whole
        .chars()
        .take_while(|c| {
            left -= pixels(*c);
            left >= 0.0
        })
        .collect();
    format!("{}…", kept.trim_end())
}

/// What may not stand in XML.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Whether a character forces a direction upon what follows it (Unicode Standard Annex 9): a text with one may look like
/// another.
fn forces(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character changes the direction of what follows it: harmless within an element that isolates it, and taken
/// out where there is none.
fn turns(c: char) -> bool {
    forces(c) || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}')
}

/// The text without marks that turn the direction of writing, for where nothing isolates it: plain text, pictures.
pub(crate) fn straight(text: &str) -> String {
    text.chars().filter(|c| !turns(*c)).collect()
}

/// A text as one cell of a Markdown table: no mark-up of any kind is left in it.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::new();
    for c in straight(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A number to about four figures, with a proper minus sign.
pub(crate) fn number(x: f64) -> String {
    let a = x.abs();
    let text = if !x.is_finite() {
        return "–".into();
    } else if x == 0.0 {
        "0".into()
    } else if !(1e-4..1e6).contains(&a) {
        format!("{x:.2e}")
    } else {
        let before = a.log10().floor() as i32 + 1;
        let decimals = (4 - before.min(4)).clamp(0, 6) as usize;
        format!("{x:.decimals$}")
    };
    text.replace('-', "−")
}

/// A whole number as such, any other to four figures.
pub(crate) fn figure(x: f64) -> String {
    if x.fract() == 0.0 && (0.0..1e15).contains(&x) { count(x as u64) } else { number(x) }
}

/// An amount of money: hundredths, and more of what is less than a tenth.
pub(crate) fn money(x: f64) -> String {
    if x >= 0.1 || x == 0.0 { format!("{x:.2}") } else { format!("{x:.4}") }
}

/// A number with its sign.
pub(crate) fn signed(x: f64) -> String {
    let text = number(x);
    if x > 0.0 { format!("+{text}") } else { text }
}

/// An estimate with its interval, all to the place of the second figure of the interval's half.
pub(crate) fn estimate(mean: f64, interval: Option<(f64, f64)>) -> (String, Option<(String, String)>) {
    let Some((low, high)) = interval else { return (signed(mean), None) };
    let half = (high - low) / 2.0;
    let places = 1.0 - half.log10().floor();
    if !(half.is_finite() && half > 0.0 && (0.0..=9.0).contains(&places)) || mean.abs().max(half) >= 1e9 {
        return (signed(mean), Some((signed(low), signed(high))));
    }
    let places = places as usize;
    let text = |x: f64| {
        let text = format!("{x:+.places$}").replace('-', "−");
        // Nothing is below zero by nothing.
        if text.contains(|c: char| ('1'..='9').contains(&c)) { text } else { format!("{:.places$}", 0.0) }
    };
    (text(mean), Some((text(low), text(high))))
}

/// Seconds in the unit that suits them.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds.max(0.0) {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 90.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s if s < 48.0 * 3600.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

/// A count with thin spaces between the thousands.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

/// "1 run", "2 runs".
pub(crate) fn of(n: u64, one: &str) -> String {
    format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Milliseconds since 1970 as a date and a time, UTC (Hinnant 2013, civil from days).
pub(crate) fn date(millis: i64) -> String {
    let seconds = millis.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest / 60 % 60)
}

/// What a part says of itself, without the signs of Rust's own descriptions: `Rules { alpha: 0.1 }` is `(alpha 0.1)`.
pub(crate) fn described(text: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_u32;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(" { ") {
            // The name of the type before it says nothing.
            let name = out.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
            if out.get(name..).is_some_and(|name| name.starts_with(char::is_uppercase)) {
                out.truncate(name);
                out.push('(');
                (depth, rest) = (depth + 1, after);
                continue;
            }
        }
        if depth > 0 {
            if let Some(after) = rest.strip_prefix(" }") {
                out.push(')');
                (depth, rest) = (depth - 1, after);
                continue;
            }
            if let Some(after) = rest.strip_prefix(": ") {
                out.push(' ');
                rest = after;
                continue;
            }
        }
        out.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_cleaned() {
        assert_eq!(line(" a\u{0}\n\tb  c ", 99), "a b c");
        assert_eq!(line("abcdef", 3), "abc…");
        assert_eq!(line("äöü", 3), "äöü");
        assert_eq!(block("a\nb\u{7}\nc", 2, 99), "a\nb\n…");
        assert_eq!(straight("a\u{202e}b\u{2069}"), "ab");
        assert_eq!(line("a\u{202e}bc\u{200f}d", 99), "a[U+202E]bc\u{200f}d");
        assert_eq!(block("a\n\u{2066}b", 9, 99), "a\n[U+2066]b");
        assert_eq!(line(&format!("x{}y\u{301}", "\u{308}".repeat(50)), 99), "x\u{308}\u{308}\u{308}y\u{301}");
        assert_eq!(block(&"\u{336}".repeat(50), 9, 99).chars().count(), 3);
        assert_eq!(
            [fit("short", 300.0), fit("abcdefgh", 50.0), fit("wwwwwwww", 50.0)],
            ["short", "abcde…", "www…"]
        );
        assert_eq!(fit("学習率を二倍", 50.0), "学習率…");
        assert_eq!(markdown("a|<b>`c`"), "a\\|&lt;b&gt;\\`c\\`");
    }

    #[test]
    fn descriptions_are_without_braces() {
        let policy = "scout Rules { alpha: 0.1, seeds: Equal, inner: Some(Other { x: 1 }) }";
        assert_eq!(described(policy), "scout (alpha 0.1, seeds Equal, inner Some((x 1)))");
        let others = ["guarded alpha=0.1 horizon=200", "a { b: c }", "x: {} y }", " { ", "Ä { ", ""];
        assert_eq!(
            others.map(described),
            ["guarded alpha=0.1 horizon=200", "a { b: c }", "x: {} y }", " { ", "(", ""]
        );
    }

    #[test]
    fn numbers_have_four_figures() {
        let shown = [0.0, 1.23456, -0.001234, 123.456, 12345.6, 4.2e-7, 0.05].map(number);
        assert_eq!(shown, ["0", "1.235", "−0.001234", "123.5", "12346", "4.20e−7", "0.05000"]);
        let shown = estimate(0.02904, Some((0.02091, 0.03716)));
        assert_eq!(shown, ("+0.0290".into(), Some(("+0.0209".into(), "+0.0372".into()))));
        assert_eq!(estimate(1.0, Some((f64::NAN, 2.0))).0, "+1.000");
        assert_eq!([20.0, 0.5, 1e18].map(figure), ["20", "0.5000", "1.00e18"]);
        assert_eq!([2.3, 0.0031, 0.0].map(money), ["2.30", "0.0031", "0.00"]);
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(of(1, "run"), "1 run");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400_000), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_709_210_096_000), "2024-02-29 12:34 UTC");
    }
}
