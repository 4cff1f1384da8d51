//! What ends a study besides its runs: compute, money, and a holdout that cannot be measured.

use autoresearch_core::*;
use std::time::Duration;

fn losses(rate: &f64) -> Result<Measurement, RunFailure> {
    Ok(Measurement::scalar((rate.log10() + 2.0).abs())?)
}

fn halve() -> impl Proposer<f64> {
    proposer_fn(|cx: ProposeContext<'_, f64>| {
        cx.charge(0.25, "ideas");
        Ok(Proposal::new(cx.incumbent / 2.0).into())
    })
}

fn study(price: f64) -> Study<f64, f64> {
    let train = executor_fn(move |rate: f64, run| async move {
        run.charge(price);
        Ok(rate)
    });
    Study::new(1.0, halve(), train, evaluator_fn(losses)).acceptor(Greedy::new())
}

async fn charges(store: &MemoryStore<f64>) -> f64 {
    let stored = store.read(Seq(0), usize::MAX).await.expect("stored");
    let charged =
        stored.iter().map(|(_, event)| if let Event::Charged { amount, .. } = event { *amount } else { 0.0 });
    charged.sum()
}

#[tokio::test]
async fn money_ends_a_study_and_is_remembered() {
    let store = MemoryStore::new();
    let limits = Limits::new().money(3.0);
    let report = study(0.5).limits(limits).store(store.clone()).run().await.expect("a report");
    assert_eq!(report.stopped, StopReason::Money);
    // .5 a run and .25 an answer: the limit, and at most what was under way when it was reached.
    let spent = charges(&store).await;
    assert!((3.0..=3.75).contains(&spent), "{spent}");

    let report =
        study(0.5).limits(Limits::new().money(5.0)).store(store.clone()).run().await.expect("a report");
    assert_eq!(report.stopped, StopReason::Money);
    let spent = charges(&store).await;
    assert!((5.0..=5.75).contains(&spent), "{spent}");
}

#[tokio::test]
async fn what_is_no_amount_ends_the_study_with_a_message() {
    let error = study(f64::NAN).limits(Limits::new().runs(5)).run().await.expect_err("no amount");
    assert!(error.to_string().contains("NaN was charged for runs"), "{error}");
    let error = study(1.0).limits(Limits::new().money(0.0)).run().await.expect_err("no limit");
    assert!(error.to_string().contains("the limit on money is 0"), "{error}");
}

#[test]
fn compute_ends_a_study_and_runs_under_way_are_judged() {
    let settings = Settings::new().in_flight(2).limits(Limits::new().compute(Duration::from_secs(100)));
    let mut study = StudyState::new(1.0, Greedy::new(), settings).expect("settings");
    let (mut spent, mut flying) = (0.0, Vec::new());
    let reason = loop {
        match study.next_action() {
            Action::Propose { .. } => {
                study.proposed(Proposal::new(study.incumbent() * 1.1)).expect("asked for")
            }
            Action::Run(run) => flying.push(run),
            Action::Wait => {
                let run = flying.remove(0);
                spent += 30.0;
                study.finished_after(run.id, losses(&run.candidate), 30.0, spent / 2.0).expect("under way");
            }
            Action::Stop(reason) => break reason,
            Action::AskHoldout(_) => unreachable!("there is none"),
        }
    };
    assert_eq!(reason, StopReason::Compute);
    assert!((100.0..=150.0).contains(&spent), "{spent}");
    assert!(flying.is_empty());
}

#[tokio::test]
async fn a_holdout_that_cannot_be_measured_is_found_with_the_first_run() {
    let limits = Limits::new().runs(50);
    let broken = evaluator_fn(|_: &f64| Err(RunFailure::infrastructure("no such file: holdout.txt")));
    let report = study(0.0).holdout(broken).limits(limits.clone()).run().await.expect("a report");
    let StopReason::HeldOutFailed(why) = &report.stopped else { panic!("{:?}", report.stopped) };
    assert!(why.contains("no such file"), "{why}");

    // Shards of single numbers.
    let rules = Holdout::new().shards(4);
    let report = study(0.0)
        .holdout(evaluator_fn(losses))
        .holdout_rules(rules)
        .limits(limits)
        .run()
        .await
        .expect("a report");
    let StopReason::HeldOutFailed(why) = &report.stopped else { panic!("{:?}", report.stopped) };
    assert!(why.contains("no per-unit values"), "{why}");
}
