//! Edits of trees: what is refused and why, and how they merge.

use crate::support::{Repo, edited};
use autoresearch_core::Compose;
use autoresearch_llm::{Codec, SourceTree};
use autoresearch_repo::{GitTree, Task};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

fn rich() -> Repo {
    let repo =
        Repo::new(&[("src/a.py", "a = 1\n\nb = 2\n\nc = 3\n"), ("eval.py", "x\n"), ("src/deep/d.py", "d\n")]);
    std::fs::write(repo.path().join("src/blob.py"), b"\0\x01binary").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", repo.path().join("src/out.py")).unwrap();
    std::os::unix::fs::symlink("/etc", repo.path().join("src/etc")).unwrap();
    repo.commit(&[]);
    repo
}

fn open(repo: &Repo) -> Task {
    repo.spec().editable(["src"]).protected(["eval.py"]).creating().deleting().open().unwrap()
}

fn with(tree: &GitTree, path: &str, text: Option<&str>) -> Result<GitTree, String> {
    tree.with([(path.to_string(), text.map(Arc::from))].into())
}

#[test]
fn what_is_refused_is_refused_by_name_and_reason() {
    let repo = rich();
    let task = open(&repo);
    let base = task.baseline();
    let large = "x".repeat((1 << 20) + 1);
    let cases = [
        ("eval.py", Some("y"), "`eval.py` is protected"),
        ("other.py", Some("y"), "`other.py` may not be edited; what may is src"),
        ("../x", Some("y"), "lead out of the tree"),
        ("src/../../x", Some("y"), "lead out of the tree"),
        ("/etc/passwd", Some("y"), "relative to the top"),
        (".git/config", Some("y"), "`.git`"),
        ("src/.GIT/hooks/x", Some("y"), "`.git`"),
        ("src/a\nb", Some("y"), "control characters"),
        ("src/out.py", Some("y"), "`src/out.py` is a symbolic link"),
        ("src/out.py", None, "`src/out.py` is a symbolic link"),
        ("src/etc/passwd", Some("y"), "leads through the symbolic link `src/etc`, out of the tree"),
        ("src/blob.py", Some("y"), "`src/blob.py` is binary"),
        ("src/a.py", Some("a\0b"), "binary: it has a zero byte"),
        ("src/a.py", Some(large.as_str()), "at most 1048576 are allowed"),
        ("src/none.py", None, "there is no such file"),
        ("src/deep", Some("y"), "`src/deep` is a folder and cannot be a file too"),
        ("src/a.py/b", Some("y"), "`src/a.py` is a file and cannot be a folder too"),
    ];
    for (path, text, reason) in cases {
        let told = with(&base, path, text).unwrap_err();
        assert!(told.contains(reason), "{path}: {told}");
    }
    let strict = repo.spec().editable(["src"]).open().unwrap().baseline();
    assert!(with(&strict, "src/new.py", Some("y")).unwrap_err().contains("new files may not be made"));
    assert!(with(&strict, "src/a.py", None).unwrap_err().contains("may not be deleted"));
}

#[test]
fn a_model_is_told_what_is_special_about_a_file() {
    let repo = rich();
    let task = open(&repo);
    let (codec, base) = (task.codec(), task.baseline());
    let told = |path: &str| {
        let edit = json!([{"file": path, "find": "a = 1", "replace": "a = 2"}]);
        codec.apply(&base, &edit).unwrap_err().to_string()
    };
    for (path, reason) in [
        ("eval.py", "`eval.py` is protected"),
        ("src/out.py", "`src/out.py` is a symbolic link"),
        ("src/etc/passwd", "leads through the symbolic link"),
        ("src/blob.py", "`src/blob.py` is binary"),
        ("../x", "lead out of the tree"),
    ] {
        assert!(told(path).contains(reason), "{path}: {}", told(path));
    }
    let ambiguous = json!([{"file": "src/a.py", "find": " = ", "replace": " = 9"}]);
    let told = codec.apply(&base, &ambiguous).unwrap_err().to_string();
    assert!(told.contains("`src/a.py`") && told.contains("line"), "{told}");
    let made =
        codec.apply(&base, &json!("--- a/src/a.py\n+++ b/src/a.py\n@@ -1 +1 @@\n-a = 1\n+a = 7\n")).unwrap();
    assert_eq!(made.text("src/a.py").as_deref(), Some("a = 7\n\nb = 2\n\nc = 3\n"));
    assert_eq!(codec.identity(&made), made.tree());
    assert!(codec.describe(&base).contains("eval.py (for reading only)"));
}

#[test]
fn a_tree_is_what_git_makes_of_the_same_edit() {
    let repo = rich();
    let task = open(&repo);
    let base = task.baseline();
    assert_eq!(base.tree(), repo.git(&["rev-parse", "HEAD^{tree}"]));
    assert_eq!(base.paths(), ["eval.py", "src/a.py", "src/deep/d.py"]);
    let changes: BTreeMap<String, Option<Arc<str>>> = [
        ("src/a.py".into(), Some("new\n".into())),
        ("src/deep/d.py".into(), None),
        ("src/n/e/w.py".into(), Some("w\n".into())),
    ]
    .into();
    let made = base.with(changes).unwrap();
    assert_eq!(made.changed_paths().unwrap(), ["src/a.py", "src/deep/d.py", "src/n/e/w.py"]);
    assert_eq!(made.paths(), ["eval.py", "src/a.py", "src/n/e/w.py"]);
    repo.write("src/a.py", "new\n");
    repo.write("src/n/e/w.py", "w\n");
    std::fs::remove_dir_all(repo.path().join("src/deep")).unwrap();
    repo.commit(&[]);
    assert_eq!(made.tree(), repo.git(&["rev-parse", "HEAD^{tree}"]));
    // And back.
    let back: BTreeMap<String, Option<Arc<str>>> = [
        ("src/a.py".into(), base.text("src/a.py")),
        ("src/deep/d.py".into(), Some("d\n".into())),
        ("src/n/e/w.py".into(), None),
    ]
    .into();
    let back = made.with(back).unwrap();
    assert_eq!(back, base);
    assert_eq!(back.changed_paths().unwrap(), [""; 0]);
    // A file where a folder was, in one edit.
    let swap: BTreeMap<String, Option<Arc<str>>> =
        [("src/deep/d.py".into(), None), ("src/deep".into(), Some("file\n".into()))].into();
    assert_eq!(base.with(swap).unwrap().paths(), ["eval.py", "src/a.py", "src/deep"]);
}

#[test]
fn long_names_of_objects_are_names_too() {
    let folder = tempfile::tempdir().unwrap();
    let git = |words: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.arg("-C")
            .arg(folder.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(words);
        assert!(git.status().unwrap().success(), "{words:?}");
    };
    git(&["init", "-q", "--object-format=sha256"]);
    std::fs::write(folder.path().join("train.sh"), "a\n\nb\n").unwrap();
    git(&["add", "-A"]);
    git(&["commit", "-qm", "files"]);
    let spec = Task::at(folder.path())
        .editable(["train.sh"])
        .run("true")
        .sandbox(autoresearch_repo::Sandbox::none());
    let task = spec.objective(autoresearch_repo::Objective::line("x:").minimize()).open().unwrap();
    let base = task.baseline();
    assert_eq!(base.tree().len(), 64);
    let (one, two) = (edited(&base, "train.sh", "a1\n\nb\n"), edited(&base, "train.sh", "a\n\nb2\n"));
    let both = task.composer().apply(&one, &base, &two).unwrap();
    assert_eq!(both.text("train.sh").as_deref(), Some("a1\n\nb2\n"));
}

#[test]
fn a_stored_tree_is_two_names_and_finds_its_repository() {
    let repo = rich();
    let task = open(&repo);
    let made = edited(&task.baseline(), "src/a.py", "a = 5\n");
    let json = serde_json::to_string(&made).unwrap();
    assert!(json.len() < 120, "{json}");
    let read: GitTree = serde_json::from_str(&json).unwrap();
    assert_eq!((&read, format!("{read:?}")), (&made, format!("{made:?}")));
    assert_eq!(read.text("src/a.py").as_deref(), Some("a = 5\n"));
    drop((task, made, read));
    // Nobody holds the repository open any more.
    let orphan: GitTree = serde_json::from_str(&json).unwrap();
    assert!(with(&orphan, "src/a.py", Some("x")).unwrap_err().contains("open the task first"));
    assert!(orphan.paths().is_empty());
    let again = open(&repo);
    assert_eq!(orphan.text("src/a.py").as_deref(), Some("a = 5\n"));
    drop(again);
    assert!(serde_json::from_str::<GitTree>(r#"{"base": "--upload-pack=x", "tree": "0"}"#).is_err());
}

#[test]
fn conflicts_name_file_and_line() {
    let repo = rich();
    let task = open(&repo);
    let (base, merge) = (task.baseline(), task.composer());
    let edit = |from: &str, to: &str| {
        let text = base.text("src/a.py").unwrap().replace(from, to);
        edited(&base, "src/a.py", &text)
    };
    let (a, c) = (edit("a = 1", "a = 10"), edit("c = 3", "c = 30"));
    let both = merge.apply(&a, &base, &c).unwrap();
    assert_eq!(both.text("src/a.py").as_deref(), Some("a = 10\n\nb = 2\n\nc = 30\n"));
    let conflict = merge.apply(&c, &base, &edit("c = 3", "c = 31")).unwrap_err();
    assert_eq!(conflict.place, "src/a.py:5");
    assert!(conflict.reason.contains("same or adjoining lines"), "{conflict}");
    let gone = with(&base, "src/a.py", None).unwrap();
    let conflict = merge.apply(&gone, &base, &a).unwrap_err();
    assert!(conflict.place.starts_with("src/a.py") && conflict.reason.contains("deleted"), "{conflict}");
    let units = merge.units(&base, &edited(&base, "src/a.py", "a = 9\n\nb = 2\n\nc = 9\n"));
    assert_eq!(units.len(), 2);
    assert!(merge.needs(
        autoresearch_core::Change {
            parent: &a,
            edited: &edited(&a, "src/a.py", "a = 11\n\nb = 2\n\nc = 3\n")
        },
        autoresearch_core::Change { parent: &base, edited: &a },
    ));
}

/// One repository for all cases: opening takes longer than the cases.
static SHARED: LazyLock<(Repo, Task)> = LazyLock::new(|| {
    let lines: String = (0..12).map(|i| format!("line {i}\n")).collect();
    let repo = Repo::new(&[("src/a.py", &lines), ("src/b.py", &lines)]);
    let task = repo.spec().editable(["src"]).creating().deleting().open().unwrap();
    (repo, task)
});

fn edit() -> impl Strategy<Value = Vec<(bool, usize, u8)>> {
    prop::collection::vec((any::<bool>(), 0..12_usize, 0..4_u8), 0..4)
}

fn made(base: &GitTree, edits: &[(bool, usize, u8)]) -> GitTree {
    edits.iter().fold(base.clone(), |tree, (file, line, how)| {
        let path = if *file { "src/a.py" } else { "src/b.py" };
        let text = tree.text(path).unwrap();
        let mut lines: Vec<String> = text.lines().map(String::from).collect();
        match (how, lines.get_mut(*line)) {
            (0, Some(_)) => drop(lines.remove(*line)),
            (how, Some(line)) => line.push_str(&format!(" {how}")),
            (_, None) => lines.push("more".into()),
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        if *text == *tree.text(path).unwrap() { tree } else { edited(&tree, path, &text) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn merging_keeps_its_laws(one in edit(), two in edit(), parent in edit()) {
        let (_, task) = &*SHARED;
        let parent = made(&task.baseline(), &parent);
        let (one, two) = (made(&parent, &one), made(&parent, &two));
        let merge = task.composer();
        prop_assert_eq!(merge.apply(&parent, &parent, &one).unwrap(), one.clone());
        prop_assert_eq!(merge.apply(&one, &parent, &parent).unwrap(), one.clone());
        // Which comes first does not matter.
        match (merge.apply(&one, &parent, &two), merge.apply(&two, &parent, &one)) {
            (Ok(there), Ok(back)) => prop_assert_eq!(there, back),
            (Err(_), Err(_)) => {}
            (there, back) => prop_assert!(false, "{:?} and {:?}", there, back),
        }
        // All units together are the change.
        let units = merge.units(&parent, &one);
        let all = units.iter().try_fold(parent.clone(), |on, unit| merge.switch(&on, &parent, unit));
        prop_assert!(all.is_err() || all.unwrap() == one);
    }

    #[test]
    fn no_path_leads_out(path in "[./a-c~\\\\\u{0}\n: ]{0,12}|(\\.\\./){1,3}x|src/(\\.\\.|\\.git|etc)/?[a-c]{0,3}") {
        let (_, task) = &*SHARED;
        let base = task.baseline();
        if let Ok(made) = with(&base, &path, Some("x\n")) {
            prop_assert!(path.starts_with("src/"), "{path:?}");
            for path in made.changed_paths().unwrap() {
                let parts = || path.split('/');
                prop_assert!(path.starts_with("src/") && parts().all(|part| part != ".." && part != ".git"), "{path:?}");
            }
        }
    }
}

#[test]
fn no_edit_is_made_where_data_stands() {
    let repo = Repo::new(&[("train.sh", "true\n"), ("kept/x", "1\n"), (".gitignore", "data\n")]);
    repo.write("data/in/x.txt", "5\n");
    let spec = repo.spec().editable(["train.sh", "data/**", "data", "kept/**", "more/**"]).creating();
    let base = spec.data("data/in").data("kept").open().unwrap().baseline();
    let make = |path: &str| base.with([(path.to_string(), Some("x\n".into()))].into()).map(drop);
    for path in ["data", "data/in", "data/in/x.txt", "data/in/new/y"] {
        assert!(make(path).unwrap_err().contains("the task's data stands"), "{path}");
    }
    // Beside it, and where data is part of the tree.
    for path in ["data/inner", "data/out/x", "kept/y", "more/z"] {
        assert_eq!(make(path), Ok(()), "{path}");
    }
    assert!(make(&format!("more/{}", "n".repeat(256))).unwrap_err().contains("255 bytes"));
}
