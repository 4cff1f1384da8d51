//! Opening tasks: mistakes are told, with their place and with what to do.

use crate::support::{Repo, has_sandbox};
use autoresearch_repo::{Measuring, Objective, Sandbox, Task, TaskSpec};

const GOOD: &str = "name = \"speed\"\nrepository = \".\"\neditable = [\"train.sh\"]\nrun = \"sh train.sh\"\n\
                    objective = { line = \"loss:\", direction = \"minimize\" }\nsandbox = \"none\"\n";

#[test]
fn a_file_is_read_and_its_mistakes_are_told_by_line() {
    let repo = Repo::usual();
    let file = repo.path().join("task.toml");
    let open = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Task::from_toml(&file)
    };
    let task = open(GOOD).unwrap();
    assert_eq!((task.name(), task.spec().repository.clone()), ("speed", repo.path().join(".")));
    assert!(task.home().ends_with(".git/autoresearch/speed"), "{:?}", task.home());
    for (from, to, line, said) in [
        ("[\"train.sh\"]", "[\"tran.sh\"]", 3, "`tran.sh` matches no file of the base"),
        ("[\"train.sh\"]", "[]", 3, "nothing may change"),
        ("sh train.sh", " ", 4, "the command is empty"),
        ("line = \"loss:\"", "line = \"a\", json = \"b\"", 5, "say one of"),
        ("line = \"loss:\"", "regex = \"loss\"", 5, "must have one"),
        ("\"none\"", "\"jail\"", 6, "unknown variant `jail`"),
        ("name = \"speed\"", "name = \"../x\"", 1, "letters, digits"),
        ("name = \"speed\"", "nam = \"speed\"", 1, "unknown field `nam`"),
        ("name = \"speed\"", "base = \"nowhere\"", 1, "no commit \"nowhere\""),
        ("name = \"speed\"", "limits = { minutes = 0 }", 1, "0 minutes are no limit"),
        ("name = \"speed\"", "protected = [\"train.sh\"]", 1, "`train.sh` is both editable and protected"),
        ("name = \"speed\"", "data = [\"nothing\"]", 1, "cannot be found"),
        ("name = \"speed\"", "holdout = { run = \"x\" }", 1, "name its files in `artifacts`"),
        ("name = \"speed\"", "constraints = [{ metric = \"m\" }]", 1, "at_most"),
    ] {
        let told = open(&GOOD.replace(from, to)).unwrap_err().to_string();
        let place = format!("{}:{line}: ", file.display());
        assert!(told.starts_with(&place) && told.contains(said), "{told}");
    }
    let missing = Task::from_toml(repo.path().join("none.toml")).unwrap_err();
    assert!(missing.to_string().contains("none.toml: it cannot be read"), "{missing}");
}

#[test]
fn cards_are_named_by_number_or_name() {
    let text = GOOD.replace("name = ", "gpus = [0, \"1\"]\nname = ");
    let spec = TaskSpec::parse(&text, "/r").unwrap();
    assert_eq!(spec.gpus, ["0", "1"]);
    let again: TaskSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(again, spec);
}

#[test]
fn what_its_user_should_know_is_said() {
    let repo = Repo::usual();
    repo.write("README", "changed\n");
    let task = repo.task();
    let told = task.notices().join("\n");
    for said in [
        "there is no [holdout]",
        "there is no [evaluate]",
        "there is no sandbox",
        "`README`) are no part of the base",
    ] {
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn held_out_data_may_not_be_where_a_run_sees_it() {
    let repo = Repo::new(&[("train.sh", "x\n"), ("held/data", "x\n")]);
    std::fs::create_dir_all(repo.beside("data/held")).unwrap();
    let spec = |data: std::path::PathBuf| {
        let spec = repo.spec().artifacts(["m"]).data(repo.beside("data"));
        spec.holdout(Measuring::new("true").data(data)).open().map(drop).map_err(|e| e.to_string())
    };
    assert!(spec(repo.beside("data/held")).unwrap_err().contains("which every run may read"));
    assert!(spec("held/data".into()).unwrap_err().contains("is committed"));
    assert!(spec("/usr/lib".into()).unwrap_err().contains("which every sandbox sees"));
    std::fs::create_dir_all(repo.beside("held")).unwrap();
    assert_eq!(spec(repo.beside("held")), Ok(()));
}

#[test]
fn no_repository_and_no_commit_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let spec = Task::at(folder.path())
            .editable(["x"])
            .run("x")
            .objective(Objective::line("x").minimize())
            .sandbox(Sandbox::none());
        spec.open().unwrap_err().to_string()
    };
    assert!(open().contains("not a git repository"), "{}", open());
    std::process::Command::new("git").arg("init").arg("-q").arg(folder.path()).status().unwrap();
    assert!(open().contains("no commit yet"), "{}", open());
}

#[test]
fn the_original_is_ready_made() {
    let repo =
        Repo::new(&[("train.py", "print('val_bpb: 1.0')\n"), ("prepare.py", "\n"), ("pyproject.toml", "\n")]);
    let task =
        TaskSpec::karpathy(repo.path()).sandbox(Sandbox::none()).work(repo.beside("work")).open().unwrap();
    assert_eq!(task.spec().objective, Objective::line("val_bpb:").minimize());
    use autoresearch_llm::SourceTree;
    let base = task.baseline();
    assert!(
        base.with([("prepare.py".into(), Some("x".into()))].into())
            .unwrap_err()
            .contains("`prepare.py` is protected")
    );
}

#[test]
fn a_sandbox_is_had_or_the_task_is_refused() {
    let repo = Repo::usual();
    let mut spec = repo.spec();
    spec.sandbox = None;
    match (has_sandbox(), spec.open()) {
        (true, Ok(task)) => assert!(!task.notices().iter().any(|notice| notice.contains("no sandbox"))),
        (false, Err(error)) => assert!(error.to_string().contains("sandbox = \"none\""), "{error}"),
        (has, opened) => panic!("{has}: {opened:?}"),
    }
}

#[test]
fn data_of_runs_lies_apart_from_the_repository_and_other_runs() {
    let repo = Repo::usual();
    std::fs::create_dir_all(repo.beside("held/part")).unwrap();
    std::fs::create_dir_all(repo.beside("work")).unwrap();
    let open = |data: std::path::PathBuf| {
        let spec =
            repo.spec().artifacts(["m"]).data(data).holdout(Measuring::new("true").data(repo.beside("held")));
        spec.open().map(drop).map_err(|error| (error.key.clone(), error.message))
    };
    for data in [
        repo.path(),
        repo.path().join(".git"),
        repo.path().join(".git/objects"),
        repo.beside("work"),
        repo.beside("."),
    ] {
        let (key, told) = open(data.clone()).unwrap_err();
        assert!(key == "data" && told.contains("are not apart"), "{}: {key}: {told}", data.display());
    }
    let (key, told) = open(repo.beside("held/part")).unwrap_err();
    assert!(key == "holdout.data" && told.contains("has in it"), "{key}: {told}");
    let (_, told) = open("~/data".into()).unwrap_err();
    assert!(told.contains("write the home folder out"), "{told}");
    let (_, told) = open("/nowhere/~".into()).unwrap_err();
    assert!(told.contains("write the home folder out"), "{told}");
    std::fs::create_dir_all(repo.beside("train")).unwrap();
    assert_eq!(open(repo.beside("train")), Ok(()));
}

#[test]
fn revisions_are_those_of_the_folder_that_the_task_names() {
    let repo = Repo::usual();
    let linked = repo.beside("linked");
    repo.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    repo.commit(&[("README", "main goes on\n")]);
    repo.commit(&[("README", "and on\n")]);
    let side = repo.git(&["rev-parse", "side"]);
    let mut spec = repo.spec();
    spec.repository = linked;
    for base in [None, Some("HEAD"), Some("@"), Some("side"), Some("HEAD~0")] {
        spec.base = base.map(String::from);
        assert_eq!(spec.clone().open().unwrap().baseline().base(), side, "{base:?}");
        assert_eq!(spec.base_now().unwrap(), side, "{base:?}");
    }
    spec.base = Some("HEAD~1".into());
    assert!(spec.open().unwrap_err().to_string().contains("no commit \"HEAD~1\""));
}
