//! Text from outside, made so that it cannot pass for anything but a quotation.

/// Characters that change how text around them reads, or end a line without being a line feed.
fn is_trick(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text without tricks, each run of white space one space.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    // Whoever writes megabytes is not read to the end.
    let (head, tail) = ends(text, 8 * most);
    let words = |part: &str| {
        let clean: String = part
            .chars()
            .map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c })
            .filter(|c| !is_trick(*c))
            .collect();
        clean.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    match tail {
        None => cut(&words(head), most),
        Some(tail) => cut(&format!("{} … {}", words(head), words(tail)), most),
    }
}

/// The same in double quotes that the text cannot close.
pub(crate) fn quote(text: &str, most: usize) -> String {
    let line = one_line(text, most);
    let mut quoted = String::with_capacity(line.len() + 2);
    quoted.push('"');
    for c in line.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Several lines, each marked as quoted, so that none can pass for the text around them.
pub(crate) fn block(text: &str, most_lines: usize, most: usize) -> String {
    let (head, tail) = ends(text, most);
    let mut lines: Vec<String> = Vec::new();
    let mut more = tail.is_some();
    for line in head.lines() {
        if lines.len() == most_lines {
            more = true;
            break;
        }
        let clean: String =
            line.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !is_trick(*c)).collect();
        lines.push(format!("    | {}", cut(clean.trim_end(), 240)));
    }
    if more {
        lines.push("    | …".into());
    }
    lines.join("\n")
}

/// The beginning and the end of a text, so many bytes together; the end only where something is missing between them.
fn ends(text: &str, most: usize) -> (&str, Option<&str>) {
    if text.len() <= most {
        return (text, None);
    }
    let (head, tail) = (text.floor_char_boundary(most / 2), text.ceil_char_boundary(text.len() - most / 2));
    (&text[..head], Some(&text[tail..]))
}

/// At most so many characters: a third from the beginning and the rest from the end, where errors say what they are.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_string();
    }
    let most = most.max(3) - 1;
    let head: String = text.chars().take(most / 3).collect();
    let tail: String = text.chars().skip(count - (most - most / 3)).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_end_of_a_long_text_is_kept() {
        let text = format!("Traceback{}ValueError: nan", " at line".repeat(100_000));
        let quoted = quote(&text, 60);
        assert!(quoted.starts_with("\"Traceback") && quoted.ends_with("ValueError: nan\""), "{quoted}");
        assert!(quoted.chars().count() <= 62, "{quoted}");
        assert_eq!(quote("a \"b\"\n\\ c\u{202e}\u{2028}d", 60), "\"a \\\"b\\\" \\\\ c d\"");
    }

    proptest! {
        #[test]
        fn a_quotation_cannot_be_closed_from_inside(text in "\\PC*|[\"\\\\\n\r|]*", most in 4usize..80) {
            let quoted = quote(&text, most);
            prop_assert!(!quoted.contains('\n'));
            // It reads back as one JSON string: nothing within ended it.
            let back: String = serde_json::from_str(&quoted).expect("one string");
            prop_assert!(back.chars().count() <= most);
            prop_assert!(block(&text, 5, 400).lines().all(|line| line.starts_with("    | ")));
        }
    }
}
