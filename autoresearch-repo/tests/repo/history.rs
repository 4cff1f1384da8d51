//! What becomes of proposals, as commits; and what of the user's stays as it is.

use crate::support::{Repo, TRAIN, edited, snapshot};
use autoresearch_core::{
    FixedPaired, Greedy, Limits, MemoryStore, Proposal, ProposeContext, Proposed, Proposer, Report,
    SqliteStore, Store, proposer_fn,
};
use autoresearch_llm::SourceTree;
use autoresearch_repo::{GitTree, HistoryError, Task, TaskSpec};

/// Better, worse, broken, and better elsewhere: titles, and what becomes of which texts.
const SCRIPT: [(&str, &[(&str, &str)]); 4] = [
    ("a lower rate", &[("rate=5", "rate=3")]),
    ("a higher rate", &[("rate=", "rate=1")]),
    ("give up", &[("finish ", "exit 1; finish ")]),
    ("warm up", &[("warmup=0", "warmup=1"), ("finish $rate", "finish $((rate - warmup))")]),
];

/// Proposes these, each on what it is asked to build upon.
fn script() -> impl Proposer<GitTree> {
    proposer_fn(|cx: ProposeContext<'_, GitTree>| {
        let Some((title, changes)) = SCRIPT.get(cx.proposals as usize) else {
            return Ok(Proposed::Exhausted);
        };
        let text = cx.incumbent.text("train.sh").unwrap();
        let text = changes.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to));
        let proposal = Proposal::new(edited(cx.incumbent, "train.sh", &text)).title(*title);
        Ok(proposal.rationale("it jumps about\n\nFate: kept").into())
    })
}

async fn study(task: &Task, store: impl Store<GitTree> + 'static, runs: u64) -> Report<GitTree> {
    let study = task.study(script()).store(store).acceptor(FixedPaired::new());
    study.limits(Limits::new().runs(runs)).run().await.unwrap()
}

#[tokio::test]
async fn what_is_kept_becomes_commits_and_nothing_is_lost() {
    let repo = Repo::usual();
    repo.write("train.sh", "the user's own change\n");
    repo.write("untracked", "mine\n");
    repo.git(&["config", "my.key", "x"]);
    let (head, tree) = (repo.git(&["rev-parse", "HEAD"]), snapshot_of_user(&repo));
    let task = repo.task();
    let report = study(&task, MemoryStore::new(), 200).await;
    assert_eq!(report.kept.len(), 2, "{report}");

    let recorded = task.recorded().unwrap();
    let titles: Vec<&str> = recorded.iter().map(|entry| entry.title.as_str()).collect();
    assert_eq!(titles, ["a lower rate", "warm up"]);
    let trailers = &recorded[0].trailers;
    for (name, begins) in [
        ("Fate", "kept"),
        ("Proposal", "p1"),
        ("Effect", "+"),
        ("Interval", "["),
        ("Runs", ""),
        ("Study", "study"),
        ("Holdout", "none"),
    ] {
        assert!(trailers[name].starts_with(begins), "{name}: {trailers:?}");
    }
    assert!(trailers["Runs"].contains("(r"), "{trailers:?}");
    assert_eq!(trailers["Base"], head.trim());
    assert_eq!(recorded[1].tree, report.certified().tree());
    assert_eq!(repo.git(&["rev-parse", "autoresearch/study"]), recorded[1].commit);
    assert_eq!(repo.git(&["rev-parse", "autoresearch/study~2"]), head);
    // As git itself reads them.
    let read =
        repo.git(&["log", "-1", "--format=%(trailers:key=Proposal,valueonly)", "autoresearch/study~1"]);
    assert_eq!(read.trim(), "p1");

    // Every proposal is reachable, and the rejected ones with their fate.
    let reachable = repo.git(&["rev-list", "--objects", "--all"]);
    for record in report.history().iter() {
        assert!(reachable.contains(record.proposal.candidate.tree()), "{}", record.proposal.hypothesis.title);
    }
    assert_eq!(report.history().len(), SCRIPT.len());
    let settled = repo.git(&[
        "log",
        "--format=%s: %(trailers:key=Fate,valueonly,separator=%x2C)",
        "refs/autoresearch/study/settled",
    ]);
    assert!(settled.contains("give up: failed") && settled.contains("a higher rate: rejected"), "{settled}");
    let refs = repo.git(&["for-each-ref", "--format=%(refname)"]);
    let expected = [
        "refs/autoresearch/study/kept",
        "refs/autoresearch/study/proposals",
        "refs/autoresearch/study/settled",
        "refs/heads/autoresearch/study",
        "refs/heads/main",
    ];
    assert_eq!(refs.lines().collect::<Vec<_>>(), expected);

    let made = task.finalize(&report, "improved").unwrap();
    assert_eq!((made.commits.len(), made.onto.as_str()), (2, head.as_str()));
    assert_eq!(repo.git(&["rev-parse", "improved^{tree}"]), report.certified().tree());
    assert_eq!(repo.git(&["rev-parse", "improved~2"]), head);
    assert!(repo.git(&["show", "-s", "--format=%B", "improved"]).contains("Evidence: "));
    assert_eq!(task.finalize(&report, "improved"), Err(HistoryError::BranchExists("improved".into())));
    assert!(matches!(task.finalize(&report, "-x"), Err(HistoryError::Name(_))));
    let again = task.finalize_recorded("recorded", None).unwrap();
    assert_eq!(repo.git(&["rev-parse", "recorded^{tree}"]), report.certified().tree());
    assert_eq!(again.commits.len(), 2);

    assert_eq!(
        snapshot_of_user(&repo),
        tree,
        "branch, index, configuration, hooks and working tree are the user's"
    );
    drop((task, report));
    assert_eq!(repo.left(), [""; 0]);
}

/// All that is the user's own: the working tree, and of the repository what is neither objects, references nor logs of these.
fn snapshot_of_user(repo: &Repo) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let ours = |path: &std::path::Path| {
        let path = path.strip_prefix(repo.path()).unwrap();
        let git = path.starts_with(".git");
        git && ![
            "HEAD",
            "index",
            "config",
            "hooks",
            "info",
            "refs/heads/main",
            "ORIG_HEAD",
            "worktrees",
            "FETCH_HEAD",
            "modules",
        ]
        .iter()
        .any(|name| path.starts_with(std::path::Path::new(".git").join(name)))
    };
    snapshot(&repo.path()).into_iter().filter(|(path, _)| !ours(path)).collect()
}

#[tokio::test]
async fn a_base_that_has_moved_is_not_passed_over() {
    let repo = Repo::usual();
    let task = repo.task();
    let report = study(&task, MemoryStore::new(), 200).await;
    let base = repo.git(&["rev-parse", "HEAD"]);
    repo.commit(&[("README", "better\n")]);
    let told = task.finalize(&report, "improved").unwrap_err().to_string();
    assert!(told.contains("the base has moved") && told.contains("say onto what"), "{told}");
    assert!(told.contains("now, 1 commit later, where `README` differs; say"), "{told}");
    let onto = task.finalize_onto(&report, "improved", "HEAD").unwrap();
    assert_eq!(onto.onto, repo.git(&["rev-parse", "HEAD"]));
    assert_eq!(repo.git(&["show", "improved:README"]), "better");
    assert!(repo.git(&["show", "improved:train.sh"]).contains("rate=3"));
    task.finalize_onto(&report, "old", &base).unwrap();
    assert_eq!(repo.git(&["rev-parse", "old^{tree}"]), report.certified().tree());
    repo.commit(&[("train.sh", &TRAIN.replace("rate=5", "rate=6"))]);
    let told = task.finalize_onto(&report, "clash", "main").unwrap_err();
    assert!(
        matches!(&told, HistoryError::Conflict { title, place, .. } if title == "a lower rate" && place == "train.sh:1"),
        "{told}"
    );
    assert!(!repo.git(&["branch", "--list", "clash"]).contains("clash"));
    assert!(task.finalize_onto(&report, "x", "nowhere").unwrap_err().to_string().contains("no commit"));
}

#[tokio::test]
async fn a_resumed_study_goes_on_with_its_history() {
    let repo = Repo::usual();
    let path = repo.beside("study.db");
    let first = repo.task();
    let report = study(&first, SqliteStore::open(&path).unwrap(), 20).await;
    let so_far = first.recorded().unwrap();
    assert!(so_far.len() < 2, "{report}");
    drop((first, report));
    // Something else is checked out meanwhile.
    repo.commit(&[("README", "new\n")]);
    let store = SqliteStore::open(&path).unwrap();
    let base = TaskSpec::base_of(&store).await.unwrap().unwrap();
    let task = repo.spec().base(base).open().unwrap();
    let report = study(&task, store, 200).await;
    let recorded = task.recorded().unwrap();
    assert_eq!(recorded.len(), 2, "{report}");
    assert_eq!(recorded[..so_far.len()], so_far[..]);
    // Runs of before the stop are named like those after it.
    for entry in &recorded {
        let told = &entry.trailers["Runs"];
        let (count, ids) = told.split_once(' ').unwrap();
        assert_eq!(ids.matches('r').count().to_string(), count, "{told}");
    }
    assert_eq!(recorded[1].tree, report.certified().tree());
    let settled =
        repo.git(&["rev-list", "--count", "--first-parent", "main~1..refs/autoresearch/study/settled"]);
    assert_eq!(settled, "4");
    // Once more, when all is done: nothing is written twice.
    let before = repo.git(&["for-each-ref"]);
    study(&task, SqliteStore::open(&path).unwrap(), 200).await;
    assert_eq!(repo.git(&["for-each-ref"]), before);
}

#[tokio::test]
async fn another_study_does_not_write_into_a_history() {
    let repo = Repo::usual();
    let task = repo.task();
    study(&task, MemoryStore::new(), 200).await;
    let before = repo.git(&["for-each-ref"]);
    let again = task.study(script()).acceptor(FixedPaired::new()).limits(Limits::new().runs(200)).run().await;
    let told = again.map_or_else(|error| error.to_string(), |report| report.to_string());
    assert!(told.contains("another study with the name"), "{told}");
    assert_eq!(repo.git(&["for-each-ref"]), before);
    let named = repo.spec().name("second").open().unwrap();
    study(&named, MemoryStore::new(), 200).await;
    assert_eq!(named.recorded().unwrap().len(), 2);
}

#[tokio::test]
async fn a_branch_that_somebody_stands_on_stays_as_it_is() {
    let repo = Repo::usual();
    repo.git(&["checkout", "-q", "-b", "autoresearch/study"]);
    let before = repo.git(&["rev-parse", "autoresearch/study"]);
    let task = repo.task();
    study(&task, MemoryStore::new(), 200).await;
    assert_eq!(repo.git(&["rev-parse", "autoresearch/study"]), before);
    assert_eq!(task.recorded().unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_policy_does_not_promise_is_not_finalized() {
    let repo = Repo::usual();
    let task = repo.task();
    let study = task.study(script()).acceptor(Greedy::new()).limits(Limits::new().runs(20));
    let report = study.run().await.unwrap();
    assert!(!report.kept.is_empty());
    let told = task.finalize(&report, "improved").unwrap_err();
    assert!(matches!(&told, HistoryError::Nothing(why) if why.contains("promises nothing")), "{told}");
    let none = proposer_fn(|_: ProposeContext<'_, GitTree>| Ok(Proposed::Exhausted));
    let named = repo.spec().name("none").open().unwrap();
    let report = named.study(none).acceptor(FixedPaired::new()).run().await.unwrap();
    assert!(matches!(named.finalize(&report, "improved"), Err(HistoryError::Nothing(_))));
    assert!(matches!(named.finalize_recorded("improved", None), Err(HistoryError::Nothing(_))));
}

#[tokio::test]
async fn a_branch_in_the_way_of_the_shown_one_ends_nothing() {
    for other in ["autoresearch", "autoresearch/study/old"] {
        let repo = Repo::usual();
        repo.git(&["branch", other]);
        let task = repo.task();
        let told = task.notices().join("\n");
        assert!(told.contains(&format!("refs/heads/{other} is in the way")), "{told}");
        let report = study(&task, MemoryStore::new(), 200).await;
        assert_eq!(report.kept.len(), 2, "{report}");
        assert_eq!(task.recorded().unwrap().len(), 2);
        assert_eq!(
            repo.git(&["rev-parse", "refs/autoresearch/study/kept"]),
            task.recorded().unwrap()[1].commit
        );
        task.finalize(&report, "improved").unwrap();
    }
    let repo = Repo::usual();
    repo.git(&["update-ref", "refs/autoresearch/study", "HEAD"]);
    let error = repo.spec().open().unwrap_err();
    assert!(
        error.key == "name" && error.message.contains("refs/autoresearch/study is in the way"),
        "{error}"
    );
}
