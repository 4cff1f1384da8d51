//! Any edit of any tree, written in any form, is made as it was meant.

use autoresearch_llm::{Codec, EditCodec, Files};
use proptest::prelude::*;
use serde_json::{Value, json};
use similar::TextDiff;
use std::collections::BTreeMap;

/// Lines that repeat, differ in white space, and look like parts of edits.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-c]{1,2}",
        2 => prop::sample::select(vec![
            "", " ", "  x", "x  ", "\tx", "}", "- a", "+ b", "-- c", "++ d", "@ e", "ü ∆", "```", "``` py", "`x`", "=====", "<< a",
            "\\ b", "# src/f.py", "--- a", "+++ b", "@@ -1 +1 @@", "diff --git a/x b/x",
        ]).prop_map(String::from),
        1 => ".{0,12}".prop_map(|text| text.replace(['\n', '\r'], " ")),
    ]
}

fn text() -> impl Strategy<Value = String> {
    (prop::collection::vec(line(), 0..14), any::<bool>()).prop_map(|(lines, ended)| {
        let text = lines.join("\n");
        if ended && !text.is_empty() { text + "\n" } else { text }
    })
}

/// A text and another one that shares most of its lines.
fn edited() -> impl Strategy<Value = (String, String)> {
    let change = (any::<prop::sample::Index>(), 0..3usize, prop::collection::vec(line(), 0..3));
    (text(), prop::collection::vec(change, 1..4), any::<bool>()).prop_map(|(old, changes, ended)| {
        let mut lines: Vec<String> = old.lines().map(String::from).collect();
        for (at, cut, with) in changes {
            let at = at.index(lines.len() + 1);
            let end = (at + cut).min(lines.len());
            lines.splice(at..end, with);
        }
        let mut new = lines.join("\n");
        if ended && !new.is_empty() {
            new.push('\n');
        }
        (old, new)
    })
}

/// Whole lines that look like nothing but themselves.
fn plain() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-c]{1,2}", 1..9).prop_map(|lines| lines.join("\n") + "\n")
}

fn slices(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn diff(path: &str, old: &str, new: &str, context: usize) -> String {
    let (a, b) = (slices(old), slices(new));
    let mut config = TextDiff::configure();
    let diff = config.newline_terminated(true).diff_slices(&a, &b);
    diff.unified_diff().context_radius(context).header(&format!("a/{path}"), &format!("b/{path}")).to_string()
}

/// The change as one passage of whole lines, widened until it is there once.
fn passage(old: &str, new: &str) -> Option<(String, String)> {
    let (a, b) = (slices(old), slices(new));
    let mut before = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - before;
    let mut after = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    loop {
        let (search, replace) = (a[before..a.len() - after].concat(), b[before..b.len() - after].concat());
        let times = (0..=old.len()).filter(|i| old.get(*i..).is_some_and(|t| t.starts_with(&search))).count();
        if times == 1 && !search.is_empty() {
            return Some((search, replace));
        }
        if before == 0 && after == 0 {
            return None; // an empty file
        }
        (before, after) = (before.saturating_sub(1), after.saturating_sub(1));
    }
}

fn with(tree: &BTreeMap<String, String>, path: &str, text: Option<&str>) -> Files {
    let mut tree = tree.clone();
    match text {
        Some(text) => drop(tree.insert(path.into(), text.into())),
        None => drop(tree.remove(path)),
    }
    Files::new(tree).unwrap()
}

fn codec() -> EditCodec {
    EditCodec::new(["src/**"]).unwrap().creating().deleting()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn in_every_form((old, new) in edited(), other in text(), crlf: bool, context in 1..4usize, off in 0..9usize) {
        prop_assume!(old != new);
        let stored = |text: &str| if crlf { text.replace('\n', "\r\n") } else { text.to_string() };
        // With a single line at most there is nothing that says how lines end.
        prop_assume!(!crlf || old.contains('\n'));
        let tree = BTreeMap::from([
            ("src/f.py".to_string(), stored(&old)), ("src/other.py".to_string(), other), ("g.py".to_string(), "g\n".into())]);
        let base = Files::new(tree.clone()).unwrap();
        let wanted = with(&tree, "src/f.py", Some(&stored(&new)));
        let check = |form: &str, change: Value| {
            let got = codec().apply(&base, &change);
            prop_assert_eq!(got.as_ref().map_err(ToString::to_string), Ok(&wanted), "{}: {}", form, change);
            Ok(())
        };
        check("whole", json!([{"file": "src/f.py", "text": new}]))?;
        if let Some((search, replace)) = passage(&old, &new) {
            check("passage", json!([{"file": "src/f.py", "find": search, "replace": replace}]))?;
            check("stored passage", json!([{"path": "src/f.py", "search": stored(&search), "replace": stored(&replace)}]))?;
            let complete = |text: &str| text.is_empty() || text.ends_with('\n');
            if complete(&search) && complete(&replace) {
                check("block", json!(format!("src/f.py\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n")))?;
            }
        }
        if !old.is_empty() {
            let exact = diff("src/f.py", &old, &new, context);
            check("diff", json!(exact))?;
            check("git", json!(format!("diff --git a/src/f.py b/src/f.py\nindex 1..2 100644\n{exact}")))?;
            // Wrong line numbers are no matter where all of the file is context; nor is the missing last newline.
            let all = diff("src/f.py", &old, &new, 1000).replace("@@ -1,", &format!("@@ -{},", 1 + off));
            check("shifted", json!(all.trim_end_matches('\n')))?;
        }
        // A longer fence than any in the text; a fence gives whole lines. At its head a diff is a diff.
        let mut head = new.lines().filter(|line| !line.trim().is_empty()).take(2);
        if new.ends_with('\n') && !head.any(|line| ["@@ ", "--- ", "diff "].iter().any(|d| line.starts_with(d))) {
            check("fence", json!(format!("Here:\n\n`````src/f.py\n{new}`````\n")))?;
        }
    }

    #[test]
    fn of_files_that_come_and_go(old in text(), new in text()) {
        let tree = BTreeMap::from([("src/f.py".to_string(), old.clone()), ("g.py".to_string(), "g\n".into())]);
        let base = Files::new(tree.clone()).unwrap();
        let apply = |change: Value| codec().apply(&base, &change).map_err(|e| format!("{change}: {e}"));
        let made = with(&tree, "src/new.py", Some(&new));
        prop_assert_eq!(apply(json!([{"file": "src/new.py", "text": new}])), Ok(made.clone()));
        if !new.is_empty() {
            let text = diff("src/new.py", "", &new, 3).replace("--- a/src/new.py", "--- /dev/null");
            prop_assert_eq!(apply(json!(text)), Ok(made));
        }
        let gone = with(&tree, "src/f.py", None);
        prop_assert_eq!(apply(json!([{"file": "src/f.py", "delete": true}])), Ok(gone.clone()));
        if !old.is_empty() {
            let text = diff("src/f.py", &old, "", 3).replace("+++ b/src/f.py", "+++ /dev/null");
            prop_assert_eq!(apply(json!(text)), Ok(gone));
            let moved = with(&with(&tree, "src/f.py", None).iter().map(|(p, t)| (p.into(), t.into())).collect(), "src/m.py", Some(&old));
            let text = "diff --git a/src/f.py b/src/m.py\nrename from src/f.py\nrename to src/m.py\n";
            prop_assert_eq!(apply(json!(text)), Ok(moved));
        }
    }

    /// Several files in one answer, each in a form of its own, with prose around them.
    #[test]
    fn in_mixed_forms(
        edits in prop::collection::vec((plain(), plain(), 0..7usize), 1..5),
        prose in prop::sample::select(vec!["", "\n", "I change this:\n\n", "1. Next\n   - faster\n\n", "```\nexample\n```\n"]),
    ) {
        let path = |i: usize| format!("src/f{i}.py");
        let tree: BTreeMap<String, String> = edits.iter().enumerate().map(|(i, (old, ..))| (path(i), old.clone())).collect();
        let base = Files::new(tree.clone()).unwrap();
        let mut wanted = tree;
        let mut answer = String::new();
        for (i, (old, new, form)) in edits.iter().enumerate() {
            let path = path(i);
            wanted.insert(path.clone(), new.clone());
            if old == new {
                continue;
            }
            let (search, replace) = passage(old, new).unwrap();
            let block = format!("<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n");
            let diff = diff(&path, old, new, 3);
            answer += prose;
            answer += &match form {
                0 => format!("{path}\n{block}"),
                1 => format!("{path}\n```python\n{block}```\n"),
                2 => format!("```\n{path}\n{block}```\n"),
                3 => format!("{diff}\n"),
                4 => format!("```diff\n{diff}```\n"),
                5 => format!("```{path}\n{new}```\n"),
                _ => format!("diff --git a/{path} b/{path}\nindex 1..2 100644\n{diff}"),
            };
        }
        let wanted = Files::new(wanted).unwrap();
        prop_assume!(wanted != base);
        let got = codec().apply(&base, &json!(answer));
        prop_assert_eq!(got.as_ref().map_err(ToString::to_string), Ok(&wanted), "{}", answer);
    }
}
