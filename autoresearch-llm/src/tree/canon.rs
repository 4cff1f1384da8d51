//! What of a source file can make a difference: all but comments and white space, where the language is known.

/// The file's text without what makes no difference; all of it where the language is not known, or where telling the two
/// apart would take a parser. Two files with the same text do the same; two with different ones may.
pub(crate) fn canonical(path: &str, text: &str) -> String {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "py" | "pyi" => python(text),
        "rs" | "c" | "h" | "cc" | "cpp" | "hpp" | "cu" | "cuh" | "go" | "java" => braces(text),
        _ => text.into(),
    }
}

/// Python: without comments, blank lines and white space at the ends of lines. Strings stay as they are.
fn python(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The delimiter of the string that is open.
    let mut open: Option<&str> = None;
    for line in text.split('\n') {
        let (mut rest, was_open) = (line, open.is_some());
        let start = out.len();
        while let Some(c) = rest.chars().next() {
            let mut taken = c.len_utf8();
            match open {
                Some(_) if c == '\\' => taken += rest[taken..].chars().next().map_or(0, char::len_utf8),
                Some(delimiter) if rest.starts_with(delimiter) => (taken, open) = (delimiter.len(), None),
                Some(_) => {}
                None if c == '#' => break,
                None => {
                    let opens = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|d| rest.starts_with(d));
                    taken = opens.map_or(taken, str::len);
                    open = opens;
                }
            }
            out.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
        let goes_on = open.is_some_and(|delimiter| delimiter.len() == 3) || line.ends_with('\\');
        if !goes_on {
            // A string of one quote ends with its line.
            open = None;
            out.truncate(start + out[start..].trim_end().len());
        }
        if goes_on || was_open || out.len() > start {
            out.push('\n');
        }
    }
    out
}

/// Languages with `//`: without lines that are nothing but such a comment, blank lines, and white space at the ends of
/// lines. A file in which text may go on over lines (`/*`, raw or long strings) stays as it is.
fn braces(text: &str) -> String {
    let goes_on = ["/*", "r\"", "r#", "R\"", "`", "\"\"\""].iter().any(|mark| text.contains(mark));
    let odd = |line: &str| line.ends_with('\\') || line.matches('"').count() % 2 == 1;
    if goes_on || text.lines().any(odd) {
        return text.into();
    }
    let is_code = |line: &&str| {
        let line = line.trim_start();
        // `///` and `//!` and directives may be read by macros and tools.
        let is_comment = line.strip_prefix("//").is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        !line.is_empty() && !is_comment
    };
    text.lines().filter(is_code).map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(path: &str, one: &str, other: &str) -> bool {
        canonical(path, one) == canonical(path, other)
    }

    #[test]
    fn comments_and_white_space_make_no_difference() {
        assert!(same("a.py", "x = 1\ny = 2\n", "# why\nx = 1  # one\n\n   # more\ny = 2   \n\n"));
        assert!(same("a.py", "s = '#'\n", "s = '#' # a hash\n"));
        assert!(same("a.rs", "let x = 1;\n", "// why\nlet x = 1;  \n\n"));
    }

    #[test]
    fn what_can_make_a_difference_does() {
        assert!(!same("a.py", "if x:\n    y = 1\n", "if x:\n  y = 1\n"));
        assert!(!same("a.py", "s = 'a # b'\n", "s = 'a # c'\n"));
        assert!(!same("a.py", "s = '\\'# b'\n", "s = '\\'# c'\n"));
        assert!(!same("a.py", "s = '''\n# b\n'''\n", "s = '''\n# c\n'''\n"));
        assert!(!same("a.py", "s = '''\na \n'''\n", "s = '''\na\n'''\n"));
        assert!(!same("a.py", "s = '''\n\n'''\n", "s = '''\n'''\n"));
        assert!(!same("a.py", "x = 1\ny = 2\n", "x = 1; y = 2\n"));
        assert!(!same("a.rs", "f(\"\n// a\n\");\n", "f(\"\n// b\n\");\n"));
        assert!(!same("a.rs", "//go:embed a\n", "//go:embed b\n"));
        assert!(!same("a.rs", "/// a\nstruct A;\n", "/// b\nstruct A;\n"));
        assert!(!same("notes.txt", "# a\n", "# b\n"));
    }
}
