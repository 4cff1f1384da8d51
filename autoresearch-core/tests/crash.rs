//! A study killed with -9 again and again ends as the one that was left alone.

use autoresearch_core::*;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

fn losses(rate: f64, seed: u64) -> Vec<f64> {
    let noise = |i: u64| (((seed + 1) * 97 + i * 31) as f64 * 78.233).sin() * 0.02;
    (0..12).map(|i| (rate.log10() + 2.5).abs() + noise(0) + noise(i + 1)).collect()
}

/// Announces each run, so that the parent can kill in the middle of things, and leaves its output in a file.
struct Train;

#[async_trait]
impl Executor<f64> for Train {
    type Output = Vec<f64>;

    async fn execute(&self, rate: f64, cx: RunContext) -> Result<Vec<f64>, RunFailure> {
        println!("running {}", cx.run.0);
        std::io::stdout().flush()?;
        tokio::time::sleep(Duration::from_micros(300)).await;
        let losses = losses(rate, cx.seed);
        let folder = cx.directory()?;
        std::fs::write(folder.join("part"), serde_json::to_string(&losses).expect("JSON"))?;
        std::fs::rename(folder.join("part"), folder.join("losses"))?;
        Ok(losses)
    }

    async fn reopen(&self, _rate: &f64, cx: &RunContext) -> Option<Vec<f64>> {
        serde_json::from_str(&std::fs::read_to_string(cx.directory().ok()?.join("losses")).ok()?).ok()
    }
}

fn study(store: impl Store<f64> + 'static) -> Study<f64, Vec<f64>> {
    let steps = proposer_fn(|cx: ProposeContext<'_, f64>| {
        let factor = if cx.seed.is_multiple_of(2) { 0.6 } else { 1.5 };
        Ok(Proposal::new(cx.incumbent * factor).title(format!("x{factor}")).into())
    });
    let half = |from: usize| {
        evaluator_fn(move |l: &Vec<f64>| Ok(Measurement::new(l[from..from + 6].iter().copied())?))
    };
    Study::new(0.1, steps, Train, half(0))
        .holdout(half(6))
        .test_split(half(6))
        .limits(Limits::new().runs(150))
        .store(store)
}

/// Everything that was stored, without identifiers and clocks.
async fn facts(store: &impl Store<f64>) -> Vec<String> {
    let events = store.read(Seq(0), usize::MAX).await.expect("readable");
    let text = |(_, e): (Seq, Event<f64>)| match e {
        Event::Opened { .. } => "opened".to_string(),
        Event::Finished { run, attempt, outcome, .. } => format!("{run:?} {attempt} {outcome:?}"),
        other => format!("{other:?}"),
    };
    events.into_iter().map(text).collect()
}

#[tokio::test]
async fn child_that_studies() {
    let Some(file) = std::env::var_os("AUTORESEARCH_TEST_STUDY_AT") else { return };
    let report = study(SqliteStore::open(file).expect("a store")).run().await.expect("a report");
    println!("ended {}", report.stopped);
}

#[tokio::test]
async fn killed_again_and_again_it_ends_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("study.db");
    let mut kills = 0;
    let ended = (0..100).any(|round: usize| {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["child_that_studies", "--exact", "--nocapture"])
            .env("AUTORESEARCH_TEST_STUDY_AT", &file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let output = BufReader::new(child.stdout.take().expect("its output")).lines();
        // Somewhere between this session's 3rd and 23rd run, the last rounds included.
        let (mut seen, mut ended, after) = (0, false, 3 + (round * 7) % 21);
        for line in output.map_while(Result::ok) {
            ended |= line.contains("ended");
            seen += usize::from(line.contains("running"));
            if seen == after && !ended {
                kills += usize::from(child.kill().is_ok());
                seen += 1;
            }
        }
        child.wait().expect("its end");
        ended
    });
    assert!(ended && kills >= 5, "{kills} kills");
    let calm = MemoryStore::new();
    study(calm.clone()).run().await.expect("a report");
    let killed = SqliteStore::open(&file).expect("the lock went with the process");
    assert_eq!(facts(&killed).await, facts(&calm).await, "after {kills} kills");
    // What is left are the folders of the runs that the last acceptance rests on: the incumbent's.
    let events = killed.read(Seq(0), usize::MAX).await.expect("readable");
    let kept = events.iter().rev().find_map(|(_, e): &(Seq, Event<f64>)| match e {
        Event::Settled { proposal, fate: Fate::Kept, .. } => Some(*proposal),
        _ => None,
    });
    let mut incumbents: Vec<String> = events
        .iter()
        .filter_map(|(_, e)| match e {
            Event::Finished { run, .. } if run.role == Role::Confirm && run.arm.proposals().eq(kept) => {
                Some(run.id.to_string())
            }
            _ => None,
        })
        .collect();
    let folder = std::fs::read_dir(folder.path().join("study.db.runs")).expect("the runs' folder");
    let mut left: Vec<String> =
        folder.map(|f| f.expect("an entry").file_name().into_string().expect("a name")).collect();
    left.sort();
    incumbents.sort();
    assert_eq!(left, incumbents);
}
