//! Changes of source files: the forms that are read, and the messages of refusals.

use crate::{assert_strict, refused};
use autoresearch_llm::{Codec, EditCodec, EditFormat, Files};
use serde_json::{Value, json};

const TRAIN: &str = "import torch\n\nlr = 0.1\nsteps = 100\n\n\ndef main():\n    model = Net(64)\n    fit(model, lr, steps)\n\n\nmain()\n";

fn base() -> Files {
    Files::new([
        ("src/train.py", TRAIN),
        ("src/win.py", "a = 1\r\nb = 2\r\nc = 3\r\n"),
        ("src/open.py", "x = 1\ny = 2"),
        ("src/empty.py", ""),
        ("eval.py", "print(loss)\n"),
    ])
    .unwrap()
}

fn codec() -> EditCodec {
    EditCodec::new(["src/**"]).unwrap()
}

fn free() -> EditCodec {
    codec().creating().deleting()
}

#[track_caller]
fn applied(change: impl Into<Value>) -> Files {
    let change = change.into();
    free().apply(&base(), &change).unwrap_or_else(|e| panic!("{change}: {e}"))
}

#[track_caller]
fn train(change: impl Into<Value>) -> String {
    applied(change).get("src/train.py").unwrap().to_string()
}

#[test]
fn one_edit_in_every_form() {
    let wanted = TRAIN.replace("lr = 0.1", "lr = 0.3");
    let changes: Vec<Value> = vec![
        json!([{"file": "src/train.py", "find": "lr = 0.1", "replace": "lr = 0.3"}]),
        json!([{"path": "src/train.py", "search": "lr = 0.1\n", "replace": "lr = 0.3\n"}]),
        json!({"edits": [{"path": "./src/train.py", "old_string": "lr = 0.1", "new_string": "lr = 0.3"}]}),
        json!({"path": "src/train.py", "search": "lr = 0.1", "replace": "lr = 0.3"}),
        json!([{"file": "src/train.py", "text": wanted}]),
        json!({"files": [{"path": "src/train.py", "content": wanted}]}),
        json!("[{\"file\": \"src/train.py\", \"find\": \"lr = 0.1\", \"replace\": \"lr = 0.3\"}]"),
        "I raise the rate.\n\nsrc/train.py\n<<<<<<< SEARCH\nlr = 0.1\n=======\nlr = 0.3\n>>>>>>> REPLACE\n\nThat is all.".into(),
        "src/train.py\n```python\n<<<<<<< SEARCH\nlr = 0.1\n=======\nlr = 0.3\n>>>>>>> REPLACE\n```\n".into(),
        "```python\nsrc/train.py\n<<<<<<< SEARCH\nlr = 0.1\n=======\nlr = 0.3\n>>>>>>> REPLACE\n```\n".into(),
        "**`src/train.py`:**\n\n<<<<<<< SEARCH\r\nlr = 0.1  \r\n=======\r\nlr = 0.3\r\n>>>>>>> REPLACE\r\n".into(),
        "```python src/train.py\n<<<<<<< SEARCH\nlr = 0.1\n=======\nlr = 0.3\n>>>>>>> REPLACE\n```".into(),
        format!("Here:\n```src/train.py\n{wanted}```\n").into(),
        format!("```python:src/train.py\n{wanted}```\n").into(),
        format!("```py title=\"src/train.py\"\n{wanted}```\n").into(),
        "--- a/src/train.py\n+++ b/src/train.py\n@@ -1,4 +1,4 @@\n import torch\n \n-lr = 0.1\n+lr = 0.3\n steps = 100\n".into(),
        // Without prefixes, with times, wrong numbers and counts, and blank context without its space.
        "--- src/train.py\t2026-01-01\n+++ src/train.py\t2026-01-02\n@@ -90,2 +91,7 @@ def\n import torch\n\n-lr = 0.1\n+lr = 0.3\n steps = 100\n".into(),
        "Sure:\n```diff\ndiff --git a/src/train.py b/src/train.py\nindex 123..456 100644\n--- a/src/train.py\n+++ b/src/train.py\n@@ -3 +3 @@\n-lr = 0.1\n+lr = 0.3\n```\nDone.\n".into(),
        "```diff\n--- a/src/train.py\n+++ b/src/train.py\n@@\n-lr = 0.1\n+lr = 0.3\n```".into(),
        "--- a/src/train.py\n+++ b/src/train.py\n@@ ... @@\n \n-lr = 0.1   \n+lr = 0.3\n\nThat was it.\n".into(),
        json!({"diff": "--- a/src/train.py\n+++ b/src/train.py\n@@ -3,1 +3,1 @@\n-lr = 0.1\n+lr = 0.3"}),
        json!({"path": "src/train.py", "diff": "--- a/src/train.py\n+++ b/src/train.py\n@@ -3,1 +3,1 @@\n-lr = 0.1\n+lr = 0.3"}),
        // Named once, for all that is within.
        json!({"file": "src/train.py", "diff": "@@ -3,1 +3,1 @@\n-lr = 0.1\n+lr = 0.3"}),
        json!({"file": "src/train.py", "edits": [{"find": "lr = 0.1", "replace": "lr = 0.3"}]}),
        json!({"files": [{"path": "./src/train.py", "changes": [{"diff": "@@ @@\n-lr = 0.1\n+lr = 0.3"}]}]}),
        json!({"file": "src/train.py", "edits": "<<<<<<< SEARCH\nlr = 0.1\n=======\nlr = 0.3\n>>>>>>> REPLACE"}),
        json!({"file": "src/train.py", "text": null, "edits": [{"find": "lr = 0.1", "replace": "lr = 0.3"}]}),
    ];
    for change in changes {
        let files = free().apply(&base(), &change).unwrap_or_else(|e| panic!("{change}: {e}"));
        assert_eq!(files.get("src/train.py"), Some(wanted.as_str()), "{change}");
        assert_eq!(files.len(), base().len());
    }
}

#[test]
fn an_edit_is_never_of_another_file_than_the_one_it_is_under() {
    let one = EditCodec::new(["eval.py"]).unwrap();
    // The only file that may be edited is not the one that is named.
    let hunk = json!({"file": "src/train.py", "diff": "@@ @@\n-print(loss)\n+print(0)"});
    assert!(refused(&one, &base(), &hunk).starts_with("`src/train.py` may not be edited"));
    for inner in [
        "--- a/src/open.py\n+++ b/src/open.py\n@@ -1 +1 @@\n-x = 1\n+x = 9\n",
        "src/open.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 9\n>>>>>>> REPLACE",
    ] {
        let text = refused(&free(), &base(), &json!({"file": "src/train.py", "diff": inner}));
        let expected =
            "the edit of `src/train.py` holds one of `src/open.py`: name each file with its own edits";
        assert_eq!(text, expected);
    }
    // A file of its own is what counts.
    let own = json!({"file": "src/train.py", "edits": [{"file": "src/open.py", "find": "x = 1", "replace": "x = 9"}]});
    assert_eq!(applied(own).get("src/open.py"), Some("x = 9\ny = 2"));
}

#[test]
fn a_fence_below_a_path_is_a_whole_file_only_where_that_is_meant() {
    let block = "<<<<<<< SEARCH\nlr = 0.1\n=======\nlr = 0.3\n>>>>>>> REPLACE\n";
    let wanted = TRAIN.replace("lr = 0.1", "lr = 0.3");
    // A passage of the file as it is: what is changed comes below, in it.
    for before in [
        "src/train.py:\n```python\nlr = 0.1\nsteps = 100\n```\n",
        "`src/train.py`\n```\n\n\tmain()\n\n```\nbecomes\n",
    ] {
        assert_eq!(train(format!("{before}{block}")), wanted);
    }
    let excerpt = json!(format!("src/train.py:\n```python\nlr = 0.3\n```\n"));
    for codec in [free(), free().format(EditFormat::UnifiedDiff)] {
        let text = refused(&codec, &base(), &excerpt);
        assert_eq!(
            text,
            "the fence below `src/train.py` is neither named as a whole file nor a passage that is in it: begin it with \
             ```src/train.py if it is all of the file, and write a search/replace block or a diff if it is a part"
        );
    }
    let whole = json!(format!("### File: `src/train.py`\n```python\n{wanted}```\n"));
    let files = free().format(EditFormat::WholeFiles).apply(&base(), &whole).unwrap();
    assert_eq!(files.get("src/train.py"), Some(wanted.as_str()));
    // Files that are new, or empty, can only be written as a whole.
    for path in ["src/new.py", "src/empty.py"] {
        assert_eq!(applied(format!("{path}:\n```python\nz = 1\n```\n")).get(path), Some("z = 1\n"));
    }
}

#[test]
fn edits_below_a_line_about_another_file_are_refused() {
    let first = "src/train.py\n<<<<<<< SEARCH\nlr = 0.1\n=======\nlr = 0.3\n>>>>>>> REPLACE\n";
    let base = Files::new([("src/train.py", TRAIN), ("src/b.py", "steps = 100\n")]).unwrap();
    let block = "<<<<<<< SEARCH\nsteps = 100\n=======\nsteps = 200\n>>>>>>> REPLACE\n";
    for (between, line) in [
        ("\nNow in `src/b.py`:\n", 9),
        ("And, in b.py,\n\nthe same:\n```python\n", 11),
        ("\nFor src/train.py that was it; for src/b.py:\n\n", 10),
    ] {
        for edit in [block, "@@ -4 +4 @@\n-steps = 100\n+steps = 200\n"] {
            let text = refused(&free(), &base, &json!(format!("{first}{between}{edit}")));
            assert_eq!(
                text,
                format!(
                    "the edit at line {line} names no file, and the text before it speaks of `{}` rather than `src/train.py`: \
                     put the path of its file alone on the line before it",
                    if between.contains("src/b.py") { "src/b.py" } else { "b.py" }
                )
            );
        }
    }
    // The path alone is what hunks are of, and those after them.
    let hunks =
        "src/b.py\n@@ @@\n-steps = 100\n+steps = 200\n\nAnd a line more:\n@@ @@\n steps = 200\n+x = 1\n";
    let text = refused(&free(), &base, &json!(format!("{first}{hunks}")));
    assert!(
        text.starts_with("`src/b.py`: the context and removed lines of a hunk, from \"steps = 200\""),
        "{text}"
    );
    let headed = "--- a/src/b.py\n+++ b/src/b.py\n@@ @@\n-steps = 100\n+steps = 200\n\nAnd:\n\n@@ @@\n-lr = 0.1\n+lr = 1\n";
    let text = refused(&free(), &base, &json!(format!("{first}{headed}")));
    assert!(
        text.starts_with("`src/b.py`: the context and removed lines of a hunk, from \"lr = 0.1\""),
        "{text}"
    );
    for between in ["\nAnd in `train.py`, too:\n", "Also:\n", "", "\nAs in torch/optim.py:\n"] {
        let files = free().apply(&base, &json!(format!("{first}{between}{block}"))).unwrap();
        let wanted = TRAIN.replace("lr = 0.1", "lr = 0.3").replace("100", "200");
        assert_eq!(files.get("src/train.py"), Some(wanted.as_str()), "{between}");
        assert_eq!(files.get("src/b.py"), Some("steps = 100\n"));
    }
    // The file that is spoken of may not be edited: that does not make it the other one.
    let only = EditCodec::new(["src/train.py"]).unwrap();
    assert!(refused(&only, &base, &json!(format!("In b.py:\n{block}"))).contains("speaks of `b.py`"));
}

#[test]
fn many_wrong_edits_are_explained_within_bounds() {
    let many: String = (0..4000).map(|i| format!("value_{i} = {}\n", i * 7919)).collect();
    let base = Files::new([("src/many.py", many)]).unwrap();
    let wrong = |i: usize| json!({"file": "src/many.py", "find": format!("valeu_{i} == x"), "replace": ""});
    let text = refused(&codec(), &base, &Value::from((0..200).map(wrong).collect::<Vec<_>>()));
    assert!(text.ends_with("\nand 188 more edits cannot be made"), "{text}");
    // The first is explained; the lines of the file are gone through once.
    assert_eq!(text.matches("The nearest passage begins").count(), 1, "{text}");
    assert!(text.len() < 4000, "{}", text.len());
    let dividers =
        "src/many.py\n<<<<<<< SEARCH\n".to_string() + &"=======\n".repeat(20_000) + ">>>>>>> REPLACE";
    let text = refused(&codec(), &base, &json!(dividers));
    assert!(text.contains("has 20000 lines `=======`, too many to tell which one divides it"), "{text}");
}

#[test]
fn where_one_file_may_be_edited_it_need_not_be_named() {
    let codec = EditCodec::new(["src/train.py"]).unwrap();
    for change in [
        "<<<<<<< SEARCH\nlr = 0.1\n=======\nlr = 0.3\n>>>>>>> REPLACE",
        "@@ -3,1 +3,1 @@\n-lr = 0.1\n+lr = 0.3\n",
    ] {
        let files = codec.apply(&base(), &json!(change)).unwrap();
        assert_eq!(files.get("src/train.py").unwrap(), TRAIN.replace("lr = 0.1", "lr = 0.3"));
    }
    let text = refused(&free(), &base(), &json!("<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE"));
    assert!(text.contains("names no file: put its path on the line before"), "{text}");
    let text = refused(&free(), &base(), &json!("@@ -1 +1 @@\n-x\n+y\n"));
    assert!(text.contains("belongs to no file: begin its diff with `--- a/path`"), "{text}");
}

#[test]
fn several_edits_of_several_files_at_once() {
    let change = "src/train.py\n<<<<<<< SEARCH\nlr = 0.1\n=======\nlr = 0.3\n>>>>>>> REPLACE\n<<<<<<< SEARCH\n    model = Net(64)\n\
                  =======\n    model = Net(128)\n>>>>>>> REPLACE\n\nsrc/new.py\n<<<<<<< SEARCH\n=======\nz = 1\n>>>>>>> REPLACE\n";
    let files = applied(change);
    assert_eq!(files.get("src/train.py").unwrap(), TRAIN.replace("0.1", "0.3").replace("64", "128"));
    assert_eq!(files.get("src/new.py"), Some("z = 1\n"));
    let change = "--- a/src/train.py\n+++ b/src/train.py\n@@ -3,1 +3,1 @@\n-lr = 0.1\n+lr = 0.3\n@@ -8,2 +8,1 @@\n-    model = Net(64)\n-    \
                  fit(model, lr, steps)\n+    pass\n--- a/src/open.py\n+++ b/src/open.py\n@@ -1,1 +1,1 @@\n-x = 1\n+x = 9\n";
    let files = applied(change);
    assert!(files.get("src/train.py").unwrap().contains("main():\n    pass\n\n\nmain()"));
    assert_eq!(files.get("src/open.py"), Some("x = 9\ny = 2"));
}

#[test]
fn fences_one_after_the_other_are_all_read() {
    let block = |path: &str, from: &str, to: &str| {
        format!("{path}\n```python\n<<<<<<< SEARCH\n{from}\n=======\n{to}\n>>>>>>> REPLACE\n```\n")
    };
    let (one, two) = (block("src/train.py", "lr = 0.1", "lr = 0.3"), block("src/open.py", "x = 1", "x = 9"));
    let change = format!("First:\n\n{one}\nThen, for example\n```\nnothing\n```\nand:\n\n{two}\nDone.");
    let files = applied(change);
    assert_eq!(files.get("src/train.py").unwrap(), TRAIN.replace("0.1", "0.3"));
    assert_eq!(files.get("src/open.py"), Some("x = 9\ny = 2"));
}

#[test]
fn ends_of_lines_stay_as_they_were() {
    for change in [
        json!([{"file": "src/win.py", "find": "b = 2\nc = 3", "replace": "b = 5\nd = 4\nc = 3"}]),
        json!([{"file": "src/win.py", "find": "b = 2\r\nc", "replace": "b = 5\r\nd = 4\r\nc"}]),
        json!("src/win.py\n<<<<<<< SEARCH\nb = 2\n=======\nb = 5\nd = 4\n>>>>>>> REPLACE\n"),
        json!(
            "--- a/src/win.py\n+++ b/src/win.py\n@@ -1,3 +1,4 @@\n a = 1\n-b = 2\n+b = 5\n+d = 4\n c = 3\n"
        ),
        json!([{"file": "src/win.py", "text": "a = 1\nb = 5\nd = 4\nc = 3\n"}]),
    ] {
        assert_eq!(applied(change).get("src/win.py"), Some("a = 1\r\nb = 5\r\nd = 4\r\nc = 3\r\n"));
    }
    // A file without a newline at its end.
    for (change, expected) in [
        (json!([{"file": "src/open.py", "find": "y = 2", "replace": "y = 3"}]), "x = 1\ny = 3"),
        (json!([{"file": "src/open.py", "find": "y = 2\n", "replace": "y = 3\n"}]), "x = 1\ny = 3"),
        (json!("src/open.py\n<<<<<<< SEARCH\ny = 2\n=======\ny = 3\n>>>>>>> REPLACE"), "x = 1\ny = 3"),
        (json!("--- a/src/open.py\n+++ b/src/open.py\n@@ -2 +2 @@\n-y = 2\n+y = 3\n"), "x = 1\ny = 3"),
        (
            json!("--- a/src/open.py\n+++ b/src/open.py\n@@ -2 +2,2 @@\n y = 2\n+z = 3\n"),
            "x = 1\ny = 2\nz = 3",
        ),
        (
            json!(
                "--- a/src/open.py\n+++ b/src/open.py\n@@ -2 +2 @@\n-y = 2\n\\ No newline at end of file\n+y = 2\n"
            ),
            "x = 1\ny = 2\n",
        ),
    ] {
        assert_eq!(applied(change.clone()).get("src/open.py"), Some(expected), "{change}");
    }
    let change = "--- a/src/train.py\n+++ b/src/train.py\n@@ -12 +12 @@\n-main()\n+main()\n\\ No newline at end of file\n";
    assert_eq!(train(change), TRAIN.trim_end());
}

#[test]
fn files_are_made_deleted_and_renamed_where_that_is_allowed() {
    let new = "--- /dev/null\n+++ b/src/new.py\n@@ -0,0 +1,2 @@\n+a = 1\n+b = 2\n";
    assert_eq!(applied(new).get("src/new.py"), Some("a = 1\nb = 2\n"));
    let git = "diff --git a/src/new.py b/src/new.py\nnew file mode 100644\nindex 000..111\n--- /dev/null\n+++ b/src/new.py\n@@ -0,0 +1 @@\n+a\n";
    assert_eq!(applied(git).get("src/new.py"), Some("a\n"));
    let bare = "diff --git a/src/none.py b/src/none.py\nnew file mode 100644\nindex 000..000\n";
    assert_eq!(applied(bare).get("src/none.py"), Some(""));
    assert_eq!(
        applied(json!([{"file": "src/new.py", "find": "", "replace": "a\n"}])).get("src/new.py"),
        Some("a\n")
    );
    assert_eq!(applied(json!([{"file": "src/new.py", "text": "a\r\n"}])).get("src/new.py"), Some("a\r\n"));
    assert_eq!(
        applied(json!([{"file": "src/empty.py", "find": "", "replace": "a\n"}])).get("src/empty.py"),
        Some("a\n")
    );

    for gone in [
        json!("--- a/src/open.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-x = 1\n-y = 2\n"),
        json!("diff --git a/src/open.py b/src/open.py\ndeleted file mode 100644\n"),
        json!([{"file": "src/open.py", "delete": true}]),
        json!([{"file": "src/open.py", "text": null}]),
        json!([{"file": "src/open.py", "find": "", "replace": ""}]),
    ] {
        assert_eq!(applied(gone.clone()).get("src/open.py"), None, "{gone}");
        let text = refused(&codec(), &base(), &gone);
        assert_eq!(text, "`src/open.py`: files may not be deleted");
    }
    let moved = "diff --git a/src/open.py b/src/lib/open.py\nsimilarity index 90%\nrename from src/open.py\nrename to src/lib/open.py\n\
                 --- a/src/open.py\n+++ b/src/lib/open.py\n@@ -1,2 +1,2 @@\n-x = 1\n+x = 7\n y = 2\n";
    let files = applied(moved);
    assert_eq!((files.get("src/open.py"), files.get("src/lib/open.py")), (None, Some("x = 7\ny = 2")));
    let plain = "diff --git a/src/open.py b/src/o.py\nrename from src/open.py\nrename to src/o.py\n";
    assert_eq!(applied(plain).get("src/o.py"), Some("x = 1\ny = 2"));
    let text = refused(&codec(), &base(), &json!(plain));
    assert_eq!(
        text,
        "there is no file `src/o.py`, and new files may not be made; did you mean `src/open.py`?"
    );
    let text = refused(&codec(), &base(), &json!(new));
    assert!(text.starts_with("there is no file `src/new.py`, and new files may not be made"), "{text}");
    let onto = "diff --git a/src/open.py b/src/win.py\nrename from src/open.py\nrename to src/win.py\n";
    assert_eq!(
        refused(&free(), &base(), &json!(onto)),
        "`src/open.py` cannot become `src/win.py`: there is such a file"
    );
}

#[test]
fn only_files_of_the_tree_that_may_be_edited_are_touched() {
    for (path, expected) in [
        ("eval.py", "`eval.py` may not be edited; what may is src/**"),
        ("../eval.py", "`../eval.py` is no path of a file here: it may not lead out of the tree with `..`"),
        ("src/../../x", "`src/../../x` is no path of a file here: it may not lead out of the tree with `..`"),
        (
            "/etc/passwd",
            "`/etc/passwd` is no path of a file here: it must be relative to the top of the tree",
        ),
        ("C:/x.py", "`C:/x.py` is no path of a file here: it must be relative to the top of the tree"),
        ("src\\train.py", "`src\\train.py` is no path of a file here: its parts are separated by `/`"),
        ("src//train.py", "`src//train.py` is no path of a file here: it has an empty part, or `.`"),
        (
            "src/.git/config",
            "`src/.git/config` is no path of a file here: what is in `.git` is not a file of the tree",
        ),
        ("src/a\u{0}b", "`src/a\u{0}b` is no path of a file here: it contains control characters"),
        ("", "`` is no path of a file here: it is empty"),
        (
            "train.py",
            "there is no file `train.py` that may be edited; did you mean `src/train.py`? What may is src/**",
        ),
        ("zzzzzzz.rs", "there is no file `zzzzzzz.rs` that may be edited. What may is src/**"),
    ] {
        let edit = json!([{"file": path, "text": "x"}]);
        assert_eq!(refused(&free(), &base(), &edit), expected, "{path}");
    }
    let text = refused(&codec(), &base(), &json!([{"file": "src/tran.py", "find": "a", "replace": "b"}]));
    assert_eq!(text, "there is no file `src/tran.py`; did you mean `src/train.py`?");
    let text = refused(&free(), &base(), &json!([{"file": "src/train.py/x.py", "text": "x"}]));
    assert_eq!(text, "`src/train.py/x.py`: `src/train.py` is a file and cannot be a folder too");
    let small = free().file_bytes(10);
    let text = refused(&small, &base(), &json!([{"file": "src/new.py", "text": "12345678901"}]));
    assert_eq!(text, "`src/new.py` would be 11 bytes; at most 10 are allowed");
    // What is larger already may get smaller.
    assert!(
        small.apply(&base(), &json!([{"file": "src/train.py", "find": "lr = 0.1\n", "replace": ""}])).is_ok()
    );
    assert!(EditCodec::new(["src/["]).unwrap_err().to_string().starts_with("`src/[` is no glob:"));
    assert!(
        EditCodec::new(["lib/**"])
            .unwrap()
            .usable(&base())
            .unwrap_err()
            .to_string()
            .contains("none matches lib/**")
    );
}

#[test]
fn a_passage_that_is_not_there_is_answered_with_the_nearest() {
    let change = json!([{"file": "src/train.py", "find": "def main():\n    model = Net(32)\n    fit(model, lr)\n", "replace": ""}]);
    assert_eq!(
        refused(&codec(), &base(), &change),
        "`src/train.py`: the search text \"def main():\\n    model = Net(32)\\n    fit(model, lr)\\n\" is not in the file. The \
         nearest passage begins at line 7; lines with - are as you gave them, lines with + as they are in the file:\n \
         def main():\n-    model = Net(32)\n-    fit(model, lr)\n+    model = Net(64)\n+    fit(model, lr, steps)"
    );
    let change = json!([{"file": "src/train.py", "find": "\tmodel = Net(64)", "replace": ""}]);
    let text = refused(&codec(), &base(), &change);
    assert!(
        text.ends_with(
            "-\tmodel = Net(64)\n+    model = Net(64)\n(Some of these lines differ in white space alone.)"
        ),
        "{text}"
    );
    let change = json!([{"file": "src/train.py", "find": "modle = Nett(64)", "replace": ""}]);
    assert!(refused(&codec(), &base(), &change).contains("begins at line 8"));
    let change = json!([{"file": "src/train.py", "find": "Ωmega∆ is nowhere", "replace": ""}]);
    assert_eq!(
        refused(&codec(), &base(), &change),
        "`src/train.py`: the search text \"Ωmega∆ is nowhere\" is not in the file"
    );
    let change =
        "--- a/src/train.py\n+++ b/src/train.py\n@@ -3,2 +3,2 @@\n-lr = 0.2\n+lr = 0.3\n steps = 100\n";
    let text = refused(&codec(), &base(), &json!(change));
    assert!(
        text.starts_with(
            "`src/train.py`: the context and removed lines of a hunk, from \"lr = 0.2\", are not in the file."
        ),
        "{text}"
    );
    assert!(
        text.contains("begins at line 3") && text.contains("-lr = 0.2\n+lr = 0.1\n steps = 100"),
        "{text}"
    );
}

#[test]
fn a_passage_that_is_there_often_is_answered_with_its_places() {
    let change = json!([{"file": "src/train.py", "find": "lr", "replace": "rate"}]);
    assert_eq!(
        refused(&codec(), &base(), &change),
        "`src/train.py`: the text is there 2 times, at lines 3, 9: give more of the lines around it, so that it is there once"
    );
    let base = Files::new([("src/a.py", "aaa\n"), ("src/b.py", &*"x\ny\n".repeat(7))]).unwrap();
    let text = refused(&codec(), &base, &json!([{"file": "src/a.py", "find": "aa", "replace": "b"}]));
    assert!(text.contains("there 2 times, at lines 1, 1"), "{text}");
    let diff =
        |line: usize| format!("--- a/src/b.py\n+++ b/src/b.py\n@@ -{line},2 +{line},2 @@\n-x\n+z\n y\n");
    let text = refused(&codec(), &base, &json!(diff(2)));
    assert!(
        text.contains("the hunk fits in several places")
            && text.contains("7 times, at lines 1, 3, 5, 7, 9, ..."),
        "{text}"
    );
    // At the line that it says, it is the one that is meant.
    let files = codec().apply(&base, &json!(diff(3))).unwrap();
    assert_eq!(files.get("src/b.py").unwrap(), format!("x\ny\nz\ny\n{}", "x\ny\n".repeat(5)));
    // A block is of whole lines.
    let base = Files::new([("src/a.py", "abc\nc\n")]).unwrap();
    let files =
        codec().apply(&base, &json!("src/a.py\n<<<<<<< SEARCH\nc\n=======\nd\n>>>>>>> REPLACE")).unwrap();
    assert_eq!(files.get("src/a.py"), Some("abc\nd\n"));
}

#[test]
fn edits_that_cannot_be_made_together_are_refused() {
    let edit = |find: &str, replace: &str| json!({"file": "src/train.py", "find": find, "replace": replace});
    let text = refused(&codec(), &base(), &json!([edit("lr = 0.1\nsteps", "x"), edit("steps = 100", "y")]));
    assert_eq!(text, "`src/train.py`: two edits change the same text at line 4: make one of them");
    let whole = json!({"file": "src/train.py", "text": "x"});
    let text = refused(&codec(), &base(), &json!([edit("lr = 0.1", "lr = 1"), whole]));
    assert!(
        text.starts_with("`src/train.py` is written, renamed or deleted as a whole and changed besides"),
        "{text}"
    );
    // The same said twice is said once.
    let twice =
        codec().apply(&base(), &json!([edit("lr = 0.1", "lr = 1"), edit("lr = 0.1", "lr = 1")])).unwrap();
    assert_eq!(twice.get("src/train.py").unwrap(), TRAIN.replace("lr = 0.1", "lr = 1"));
    // All problems at once, and none of the edits.
    let text = refused(
        &codec(),
        &base(),
        &json!([edit("lr = 0.1", "lr = 1"), edit("nowhere at all", ""), {"file": "eval.py", "text": ""}]),
    );
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.contains("`src/train.py`: the search text \"nowhere at all\"")
            && text.contains("`eval.py` may not"),
        "{text}"
    );
}

#[test]
fn answers_that_are_no_edits_say_what_would_be() {
    for (change, part) in [
        (json!("I would raise the learning rate."), "there is no edit in \"I would raise"),
        (json!("```python\nlr = 0.3\n```"), "there is no edit in"),
        (json!([]), "there is no edit in the answer; write [{\"file\": path, \"find\""),
        (json!(3), "the change is a number; write"),
        (json!([{"find": "a", "replace": "b"}]), "names no `file`; write"),
        (json!([{"file": 3, "text": "b"}]), "`file` is 3; it must be the path of a file"),
        (json!([{"file": "src/train.py"}]), "the edit of `src/train.py` says nothing to do"),
        (json!([{"file": "src/train.py", "find": "a"}]), "the edit of `src/train.py` has no `replace`"),
        (json!([{"file": "src/train.py", "replace": "a"}]), "the edit of `src/train.py` has no `find`"),
        (
            json!([{"file": "src/train.py", "find": 3, "replace": ""}]),
            "of `src/train.py` is a number; it must be a text",
        ),
        (
            json!([{"file": "src/train.py", "find": "", "replace": "x"}]),
            "`src/train.py`: the search text is empty, but the file is not",
        ),
        (
            json!([{"file": "src/train.py", "find": "lr", "replace": "lr"}]),
            "`src/train.py`: the text is there 2 times",
        ),
        (
            json!([{"file": "src/train.py", "find": "steps = 100", "replace": "steps = 100"}]),
            "the change changes nothing",
        ),
        (json!([{"file": "src/train.py", "text": TRAIN}]), "the change changes nothing"),
        (
            json!("src/train.py\n<<<<<<< SEARCH\nlr = 0.1\n=======\nlr = 0.3\n"),
            "block for `src/train.py` is never closed",
        ),
        (
            json!("src/train.py\n<<<<<<< SEARCH\nlr = 0.1\n>>>>>>> REPLACE\n"),
            "has no `=======` between the two texts",
        ),
        (json!("```src/train.py\nlr = 0.1\n"), "the fence with the text of `src/train.py` is never closed"),
        (json!("--- a/src/train.py\n+++ b/src/train.py\n"), "the diff of `src/train.py` has no hunks"),
        (
            json!(
                "--- a/src/train.py\n+++ b/src/train.py\n@@ -3,3 +3,3 @@\n-lr = 0.1\n+lr = 0.3\nsteps = 100\n"
            ),
            "in the diff of `src/train.py`, the line \"steps = 100\" of the hunk `@@ -3,3 +3,3 @@` begins with none of",
        ),
        (
            json!("--- a/src/train.py\n+++ b/src/train.py\n@@ -3,0 +3,1 @@\n+lr = 0.3\n"),
            "`src/train.py`: a hunk has neither context nor removed lines",
        ),
        (
            json!("--- /dev/null\n+++ b/src/train.py\n@@ -0,0 +1 @@\n+x\n"),
            "`src/train.py`: the diff makes a new file, but there is one",
        ),
    ] {
        let text = refused(&free(), &base(), &change);
        assert!(text.contains(part), "{change}\n  {text}");
    }
}

#[test]
fn dividers_within_a_text_are_told_from_the_one_between() {
    let base = Files::new([("a.rst", "Title\n=======\n\nText\n")]).unwrap();
    let codec = EditCodec::new(["*.rst"]).unwrap();
    let change =
        "a.rst\n<<<<<<< SEARCH\nTitle\n=======\n\nText\n=======\nTitle\n=======\n\nMore\n>>>>>>> REPLACE";
    let files = codec.apply(&base, &json!(change)).map_err(|e| e.to_string());
    // "Title" alone is in the file as well: which divider is meant cannot be told.
    assert!(files.unwrap_err().contains("several lines `=======`"));
    let change = "a.rst\n<<<<<<< SEARCH\n\nText\n=======\n\nBold\n=======\n>>>>>>> REPLACE";
    let files = codec.apply(&base, &json!(change)).map(|f| f.get("a.rst").map(String::from));
    assert_eq!(files.unwrap().as_deref(), Some("Title\n=======\n\nBold\n=======\n"));
}

#[test]
fn lines_that_look_like_headers_of_diffs_are_lines_where_the_counts_say_so() {
    let base = Files::new([("src/q.sql", "-- old\nselect 1;\n")]).unwrap();
    let change = "--- a/src/q.sql\n+++ b/src/q.sql\n@@ -1,2 +1,2 @@\n--- old\n+++ new\n select 1;\n";
    let files = codec().apply(&base, &json!(change)).unwrap();
    assert_eq!(files.get("src/q.sql"), Some("++ new\nselect 1;\n"));
}

#[test]
fn prose_after_a_diff_is_prose_and_lines_beyond_the_counts_are_lines() {
    let change = "--- a/src/train.py\n+++ b/src/train.py\n@@ -3,1 +3,1 @@\n-lr = 0.1\n+lr = 0.3\n\nThis helps:\nit is faster.\n";
    assert_eq!(train(change), TRAIN.replace("0.1", "0.3"));
    let change = "--- a/src/train.py\n+++ b/src/train.py\n@@ -3,1 +3,1 @@\n-lr = 0.1\n+lr = 0.3\n-steps = 100\n+steps = 200\n";
    assert_eq!(train(change), TRAIN.replace("0.1", "0.3").replace("100", "200"));
}

#[test]
fn schemas_of_all_formats_are_such_that_strict_modes_take_them() {
    for format in [EditFormat::SearchReplace, EditFormat::UnifiedDiff, EditFormat::WholeFiles] {
        for codec in [codec().format(format), free().format(format)] {
            assert_strict(&codec.schema(&base()));
            let text = codec.describe(&base());
            assert!(text.contains("src/train.py (may be edited):\n```\nimport torch\n"), "{text}");
            assert!(
                text.contains("Only these may be edited: src/**.") && !text.contains("print(loss)"),
                "{text}"
            );
        }
    }
    let schema = codec().schema(&base());
    let order: Vec<&String> = schema["items"]["properties"].as_object().unwrap().keys().collect();
    assert_eq!(order, ["file", "find", "replace"], "models write them in this order");
    assert!(jsonschema::is_valid(&schema, &json!([{"file": "src/win.py", "find": "a", "replace": "b"}])));
    assert!(!jsonschema::is_valid(&schema, &json!([{"file": "eval.py", "find": "a", "replace": "b"}])));
    assert!(<EditCodec as Codec<Files>>::takes_text(&codec()));
}

#[test]
fn descriptions_show_what_fits_and_fences_hold() {
    let base =
        Files::new([("a.md", "```\ncode\n```\n"), ("b.py", &*"x".repeat(500)), ("eval.py", "print(1)")])
            .unwrap();
    let codec = EditCodec::new(["a.md", "b.py"]).unwrap().shown_bytes(100).showing(["eval.py"]).unwrap();
    let text = codec.describe(&base);
    assert!(text.contains("a.md (may be edited):\n````\n```\ncode\n```\n````\n"), "{text}");
    assert!(text.contains("Not shown, being too long: b.py (500 bytes, may be edited)"), "{text}");
    assert!(text.contains("eval.py (for reading only):\n```\nprint(1)\n```"), "{text}");
    // An indented fence would close one as well.
    let base = Files::new([("a.md", "1. As in\n\n    ````\n    code\n    ````\n")]).unwrap();
    let text = EditCodec::new(["a.md"]).unwrap().describe(&base);
    assert!(text.contains("a.md (may be edited):\n`````\n1. As in"), "{text}");
    let base = Files::new((0..1000).map(|i| (format!("src/{i:03}.py"), "x".repeat(50)))).unwrap();
    let text = EditCodec::new(["src"]).unwrap().shown_bytes(100).describe(&base);
    let told = "src/021.py (50 bytes, may be edited), and 978 more\n";
    assert!(text.contains("001.py (may be edited):") && text.contains(told), "{text}");
    assert!(text.len() < 2500, "{}", text.len());
}

#[test]
fn differences_are_short_diffs() {
    let to = applied(json!([
        {"file": "src/train.py", "find": "lr = 0.1", "replace": "lr = 0.3"},
        {"file": "src/new.py", "text": "z"},
        {"file": "src/win.py", "delete": true},
    ]));
    let text = free().difference(&base(), &to);
    assert_eq!(
        text,
        "--- /dev/null\n+++ b/src/new.py\n@@ -0,0 +1,1 @@\n+z\n\\ No newline at end of file\n--- a/src/train.py\n+++ \
         b/src/train.py\n@@ -1,5 +1,5 @@\n import torch\n \n-lr = 0.1\n+lr = 0.3\n steps = 100\n \n--- a/src/win.py\n+++ \
         /dev/null\n@@ -1,3 +0,0 @@\n-a = 1\n-b = 2\n-c = 3"
    );
    let short = free().difference_bytes(60).difference(&base(), &to);
    assert_eq!(short, "--- /dev/null\n+++ b/src/new.py\n@@ -0,0 +1,1 @@\n+z\n… (16 more lines)");
    assert_eq!(free().difference(&base(), &base()), "");
    assert_ne!(free().identity(&base()), free().identity(&to));
    assert_eq!(free().identity(&base()), free().identity(&base()));
}

#[test]
fn long_lines_and_large_files_are_no_trouble() {
    let long = "é".repeat(200_000);
    let many: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
    let base =
        Files::new([("src/long.txt", format!("a\n{long}\nb\n")), ("src/many.txt", many.clone())]).unwrap();
    let codec = codec().file_bytes(1 << 22);
    let files =
        codec.apply(&base, &json!([{"file": "src/long.txt", "find": "b\n", "replace": "c\n"}])).unwrap();
    assert!(files.get("src/long.txt").unwrap().ends_with("\nc\n"));
    let text =
        refused(&codec, &base, &json!([{"file": "src/long.txt", "find": format!("{long}x"), "replace": ""}]));
    assert!(text.len() < 2000 && text.contains("`src/long.txt`: the search text"), "{}", text.len());
    let text =
        refused(&codec, &base, &json!([{"file": "src/many.txt", "find": "line 1234x", "replace": ""}]));
    assert!(text.contains("nearest passage"), "{text}");
    let other: String = (0..20_000).map(|i| format!("other {i}\n")).collect();
    let files = codec.apply(&base, &json!([{"file": "src/many.txt", "text": other}])).unwrap();
    assert!(codec.difference(&base, &files).len() < 2100);
}
