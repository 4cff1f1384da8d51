//! Trees from folders and into them.

use autoresearch_llm::Files;
use std::fs;

#[test]
fn a_folder_is_read_by_globs_and_written_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    for path in ["src/deep", ".git", "data"] {
        fs::create_dir_all(at(path)).unwrap();
    }
    for (path, text) in [
        ("src/a.py", "a\r\n"),
        ("src/deep/b.py", "b"),
        ("src/c.txt", "c"),
        (".git/x.py", "x"),
        ("top.py", "t"),
    ] {
        fs::write(at(path), text).unwrap();
    }
    fs::write(at("data/binary"), [0xff, 0xfe]).unwrap();
    let paths = |globs: &[&str]| {
        let files = Files::read(folder.path(), globs.iter().copied()).unwrap();
        files.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(paths(&["**/*.py"]), ["src/a.py", "src/deep/b.py", "top.py"]);
    assert_eq!(paths(&["src/*.py", "top.py"]), ["src/a.py", "top.py"]);
    assert_eq!(paths(&["src"]), ["src/a.py", "src/c.txt", "src/deep/b.py"]);
    assert_eq!(paths(&["src/"]), ["src/a.py", "src/c.txt", "src/deep/b.py"]);
    assert!(paths(&["nothing"]).is_empty());
    let error = Files::read(folder.path(), ["data/**"]).unwrap_err();
    assert!(error.to_string().starts_with("`data/binary`: it is no UTF-8"), "{error}");

    let files = Files::read(folder.path(), ["src/**"]).unwrap();
    let target = tempfile::tempdir().unwrap();
    files.write_to(target.path().join("new")).unwrap();
    assert_eq!(Files::read(target.path().join("new"), ["**"]).unwrap(), files);
    files.write_to(target.path().join("new")).unwrap();
}

#[cfg(unix)]
#[test]
fn links_are_neither_read_nor_written_through() {
    use std::os::unix::fs::symlink;
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret.py"), "secret").unwrap();
    symlink(outside.path(), folder.path().join("src")).unwrap();
    symlink(outside.path().join("secret.py"), folder.path().join("a.py")).unwrap();
    assert!(Files::read(folder.path(), ["**"]).unwrap().is_empty());
    for path in ["src/secret.py", "src/deep/new.py", "a.py"] {
        let error = Files::new([(path, "mine")]).unwrap().write_to(folder.path()).unwrap_err();
        assert!(error.reason.contains("is a symbolic link"), "{error}");
    }
    assert_eq!(fs::read_to_string(outside.path().join("secret.py")).unwrap(), "secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn trees_are_checked_when_they_are_made_and_when_they_are_read_from_json() {
    for path in
        ["../x", "/x", "a/../b", "a//b", "", "./a", "a\\b", ".git/config", "a/.GIT/hooks", "a.", "b /c"]
    {
        let error = Files::new([(path, "")]).unwrap_err();
        assert!(error.reason.starts_with("that is no path of a file here"), "{error}");
        assert!(serde_json::from_value::<Files>(serde_json::json!({path: "x"})).is_err());
    }
    assert!(Files::new([("a", ""), ("a/b", "")]).unwrap_err().to_string().contains("`a` is a file"));
    let files = Files::new([("a", "text")]).unwrap();
    assert_eq!(serde_json::from_str::<Files>(&serde_json::to_string(&files).unwrap()).unwrap(), files);
    let shown = format!("{files:?}");
    // SHA-256 of "text", as sha256sum gives it.
    assert!(
        shown.contains("4 bytes, 982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"),
        "{shown}"
    );
}
