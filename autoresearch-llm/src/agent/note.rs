//! What an agent may say about its change: a title, a rationale, an expectation, tags.

use super::tail::start_of;
use crate::prompt::one_line;
use crate::propose::tags;
use autoresearch_core::Hypothesis;
use serde_json::Value;

/// The files that it may be in, relative to the folder.
pub(super) const NOTES: [&str; 2] = ["PROPOSAL.md", "PROPOSAL.json"];
const TITLE: usize = 200;
const RATIONALE: usize = 4000;

/// The hypothesis in a note. It never fails: what is not understood is left out.
pub(super) fn read(text: &str) -> Hypothesis {
    let mut hypothesis = match serde_json::from_str(text) {
        Ok(Value::Object(note)) => from_json(&note),
        _ => from_text(text),
    };
    hypothesis.title = one_line(&hypothesis.title, TITLE);
    hypothesis.rationale = start_of(hypothesis.rationale.trim(), RATIONALE).to_owned();
    hypothesis.expected = hypothesis.expected.filter(|expected| expected.is_finite());
    hypothesis
}

fn from_json(note: &serde_json::Map<String, Value>) -> Hypothesis {
    let text = |name: &str| note.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut hypothesis = Hypothesis::default();
    hypothesis.title = text("title");
    hypothesis.rationale = text("rationale");
    hypothesis.expected = ["expected", "expected_gain"].iter().find_map(|name| note.get(*name)?.as_f64());
    hypothesis.tags = tags(note.get("tags"));
    hypothesis
}

/// Lines `title:`, `expected:` and `tags:` in any order at the beginning, then the rationale. Without a `title:` the
/// first line is the title.
fn from_text(text: &str) -> Hypothesis {
    let mut hypothesis = Hypothesis::default();
    let mut lines = text.trim_start_matches('\u{feff}').trim_start().lines().peekable();
    while let Some(line) = lines.peek() {
        let Some((name, value)) = line.split_once(':') else { break };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "title" => hypothesis.title = value.into(),
            "expected" | "expected_gain" => hypothesis.expected = value.parse().ok(),
            "tags" => hypothesis.tags = tags(Some(&value.into())),
            _ => break,
        }
        lines.next();
    }
    if hypothesis.title.is_empty() {
        hypothesis.title = lines.next().unwrap_or_default().trim_start_matches('#').trim().into();
    }
    hypothesis.rationale = lines.collect::<Vec<_>>().join("\n");
    hypothesis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_in_three_forms() {
        let note =
            read("title: shorter  warm-up\nexpected: 0.01\ntags: lr, schedule\n\nIt is too long.\nBy far.\n");
        assert_eq!(note.title, "shorter warm-up");
        assert_eq!((note.expected, note.tags), (Some(0.01), vec!["lr".to_owned(), "schedule".into()]));
        assert_eq!(note.rationale, "It is too long.\nBy far.");
        let note = read("# Shorter warm-up\n\nWhy: it is too long.");
        assert_eq!(
            (note.title.as_str(), note.rationale.as_str()),
            ("Shorter warm-up", "Why: it is too long.")
        );
        let note = read(r#"{"title": "a", "rationale": "b", "expected_gain": 0.5, "tags": ["c", 4]}"#);
        assert_eq!((note.title.as_str(), note.rationale.as_str(), note.expected), ("a", "b", Some(0.5)));
        assert_eq!(note.tags, ["c"]);
    }

    #[test]
    fn junk_is_cut_and_left_out() {
        let note = read(&format!("title: {}\nexpected: inf\ntags: ,,{}\n", "t".repeat(999), "x,".repeat(99)));
        assert_eq!((note.title.chars().count(), note.expected), (TITLE, None));
        assert_eq!(note.tags, ["x"]);
        assert_eq!(read(""), Hypothesis::default());
        assert_eq!(read("[1, 2]").title, "[1, 2]");
    }

    #[test]
    fn marks_of_a_portfolio_are_not_for_agents_to_give() {
        assert_eq!(read("title: t\ntags: by:rules, #LR\n").tags, ["by-rules", "lr"]);
        assert_eq!(read(r#"{"title": "t", "tags": ["by:rules", "a\u202eb"]}"#).tags, ["by-rules", "ab"]);
        assert_eq!(read("title: a\u{1b}[2Jb\u{200b}\n").title, "a [2Jb");
    }
}
