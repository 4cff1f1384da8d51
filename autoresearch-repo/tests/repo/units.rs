//! Edits that change the same lines: judged as one, and one commit in the end.

use crate::support::{Repo, edited};
use autoresearch_core::{
    Limits, Proposal, ProposeContext, Proposed, Proposer, Report, Scout, SqliteStore, proposer_fn,
};
use autoresearch_llm::SourceTree;
use autoresearch_repo::{GitTree, Task};

const TRAIN: &str = "rate=9 decay=0\n\n\nwidth=1\n\n\n. ./prepare.sh\nfinish\n";

/// Decay gains little by itself; the low rate gains much with it, and loses without; the width has nothing to do with either.
const PREPARE: &str = "finish() {
    loss=1000
    [ $decay = 1 ] && loss=$((loss - 60))
    [ $rate = 2 ] && loss=$((loss + 400 - 800 * decay))
    [ $width = 2 ] && loss=$((loss - 300))
    echo \"loss: $((loss + AUTORESEARCH_SEED % 7))\"
}
";

/// The third changes the line of the first.
const SCRIPT: [(&str, &str, &str); 3] = [
    ("decay", "decay=0", "decay=1"),
    ("a wider model", "width=1", "width=2"),
    ("a low rate", "rate=9", "rate=2"),
];

fn script() -> impl Proposer<GitTree> {
    proposer_fn(|cx: ProposeContext<'_, GitTree>| {
        let text = cx.incumbent.text("train.sh").unwrap().to_string();
        let Some((title, from, to)) =
            SCRIPT.get(cx.proposals as usize).filter(|(_, from, _)| text.contains(from))
        else {
            return Ok(Proposed::Exhausted);
        };
        Ok(Proposal::new(edited(cx.incumbent, "train.sh", &text.replace(from, to))).title(*title).into())
    })
}

async fn study(task: &Task, path: &std::path::Path) -> Report<GitTree> {
    let study = task.study(script()).store(SqliteStore::open(path).unwrap()).acceptor(Scout::new());
    study.limits(Limits::new().runs(150)).run().await.unwrap()
}

#[tokio::test]
async fn edits_that_scout_certifies_as_one_are_one_commit() {
    let repo = Repo::new(&[("train.sh", TRAIN), ("prepare.sh", PREPARE)]);
    let task = repo.task();
    let report = study(&task, &repo.beside("study.db")).await;
    let units: Vec<Vec<u64>> = report.kept.iter().map(|e| e.together.iter().map(|p| p.0).collect()).collect();
    assert_eq!(units, [vec![1, 3], vec![], vec![1, 3]], "{report}");
    // What is claimed for a unit is claimed once.
    let told = report.to_string();
    assert!(told.contains("16, as one with p3\n") && !told.contains("Concern"), "{told}");

    let made = task.finalize(&report, "improved").unwrap();
    assert_eq!(repo.git(&["rev-parse", "improved^{tree}"]), report.certified().tree());
    let subjects = |branch: &str| repo.git(&["log", "--reverse", "--format=%s", &format!("main..{branch}")]);
    assert_eq!((made.commits.len(), subjects("improved").as_str()), (2, "decay\na wider model"));
    let unit = repo.git(&["show", "-s", "--format=%B", &made.commits[0]]);
    for line in ["One unit of 2 edits", "\na low rate\n", "\nProposal: p1; p3\n", "\nUnit: p1 p3\n"] {
        assert!(unit.contains(line), "{line:?}: {unit}");
    }
    assert_eq!(unit.matches("\nEffect: ").count(), 1, "{unit}");
    assert!(repo.git(&["show", &format!("{}:train.sh", made.commits[0])]).starts_with("rate=2 decay=1\n"));
    assert!(!repo.git(&["show", "-s", "--format=%B", &made.commits[1]]).contains("Unit: "));

    // The same from what is recorded, from what is stored, and on a base that has moved.
    task.finalize_recorded("recorded", None).unwrap();
    let store = SqliteStore::open_read_only(repo.beside("study.db")).unwrap();
    task.finalize(&task.report(&store).await.unwrap(), "stored").unwrap();
    repo.commit(&[("README", "new\n")]);
    task.finalize_onto(&report, "onto", "HEAD").unwrap();
    for branch in ["recorded", "stored", "onto"] {
        let since = if branch == "onto" { "HEAD" } else { "main~1" };
        let made = repo.git(&["log", "--reverse", "--format=%s", &format!("{since}..{branch}")]);
        assert_eq!(made, "decay\na wider model", "{branch}");
    }
}
