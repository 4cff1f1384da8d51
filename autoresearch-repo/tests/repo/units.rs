//! Edits that change the same lines: judged as one, and one commit in the end.

use crate::support::{Repo, edited};
use autoresearch_core::{
    Fate, Limits, Proposal, ProposeContext, Proposed, Proposer, Report, Scout, SqliteStore, proposer_fn,
};
use autoresearch_llm::SourceTree;
use autoresearch_repo::{GitTree, Task};
use std::collections::BTreeSet;

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
    for r in report.history().iter() {
        println!("{} {} {:?} {}", r.id, r.fate, r.together, r.reason);
    }
    panic!("{report}");
}
