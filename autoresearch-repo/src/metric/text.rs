//! Numbers in lines of text.

use super::Hit;
use regex::Regex;

/// What stands behind a prefix, line by line.
pub(super) fn lines(stdout: &str, prefix: &str) -> impl Iterator<Item = Hit> {
    // `loss` is not the beginning of `loss_total`.
    let open = prefix.ends_with(|c: char| !c.is_alphanumeric() && c != '_');
    let after = move |line: &str| {
        let rest = line.trim_start().strip_prefix(prefix)?;
        let parted = open || rest.starts_with(|c: char| c.is_whitespace() || c == ':' || c == '=');
        parted.then(|| {
            rest.trim_start_matches(|c: char| c.is_whitespace() || c == ':' || c == '=')
                .trim_end()
                .to_string()
        })
    };
    stdout.lines().filter_map(after).map(hit)
}

/// What the group of an expression holds, match by match.
pub(super) fn matches(stdout: &str, expression: &Regex) -> impl Iterator<Item = Hit> {
    let group = |found: regex::Captures<'_>| found.get(1).map(|group| group.as_str().trim().to_string());
    expression.captures_iter(stdout).filter_map(group).map(hit)
}

fn hit(text: String) -> Hit {
    Hit { text, object: None, key: String::new() }
}
