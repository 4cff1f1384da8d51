//! What goes wrong in users' code, and what becomes of the study then.

use autoresearch_core::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Nothing here may take long, least of all for ever.
async fn within<T>(study: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), study).await.expect("it hangs")
}

fn train() -> impl Executor<f64, Output = f64> {
    executor_fn(|loss: f64, _| async move { Ok(loss) })
}

fn ideas(losses: impl IntoIterator<Item = f64>) -> impl Proposer<f64> {
    testkit::scripted(losses.into_iter().map(Proposal::new))
}

struct Shift;

impl Compose<f64> for Shift {
    fn apply(&self, base: &f64, parent: &f64, edited: &f64) -> Result<f64, Conflict> {
        Ok(base + edited - parent)
    }
}

#[tokio::test]
async fn a_holdout_that_says_cancelled_is_asked_again() {
    let n = AtomicU64::new(0);
    let holdout = evaluator_fn(move |loss: &f64| match n.fetch_add(1, Ordering::SeqCst) {
        0 => Err(RunFailure::cancelled()),
        _ => Ok(Measurement::scalar(*loss)?),
    });
    let study = Study::new(1.0, ideas([0.5, 0.4]), train(), testkit::loss());
    let report = within(study.acceptor(Greedy::new()).holdout(holdout).run()).await.expect("a report");
    assert_eq!((report.kept.len(), report.holdout), (2, (2, 2)));
}

/// Accepts the first two proposals in one step.
#[derive(Default)]
struct Both {
    base: Option<RunId>,
    runs: Vec<(ProposalId, RunId)>,
    done: bool,
}

impl Acceptor for Both {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        let live: Vec<ProposalId> = cohort.live().collect();
        if self.done {
            return Step::Finish;
        }
        if live.len() < 2 {
            return if cohort.asked() == 0 { Step::propose(2) } else { Step::Wait };
        }
        let Some(base) = self.base else {
            self.base = Some(cohort.next_run(0));
            let arms = [Arm::incumbent()].into_iter().chain(live.iter().map(|p| Arm::single(*p)));
            let plan = |(i, arm)| Plan::new(arm, cohort.fresh_seed(i), Role::Confirm);
            self.runs = live.iter().enumerate().map(|(i, p)| (*p, cohort.next_run(i + 1))).collect();
            return Step::Run((0..).zip(arms).map(plan).collect());
        };
        if cohort.outstanding() > 0 {
            return Step::Wait;
        }
        self.done = true;
        let claim = |run: RunId| Claim::new(vec![run], vec![base], false, 0.1, Noise::default());
        Step::Decide(self.runs.iter().map(|(p, run)| Decision::accept(*p, claim(*run), "both")).collect())
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::None
    }
    fn describe(&self) -> String {
        "both".into()
    }
}

#[tokio::test]
async fn two_acceptances_in_one_step_are_two_questions_and_one_version() {
    let study = Study::new(1.0, ideas([0.5, 0.9]), train(), testkit::loss());
    let study = study.acceptor(Both::default()).compose(Shift).holdout(testkit::loss());
    let report = within(study.run()).await.expect("a report");
    assert_eq!((report.holdout, report.version), ((2, 2), Version(1)));
    assert!((report.stack() - 0.4).abs() < 1e-12, "both changes are in: {}", report.stack());
}

#[tokio::test]
async fn a_baseline_that_failed_and_was_mended_is_run_again() {
    for policy in [true, false] {
        let store = MemoryStore::new();
        let broken = Arc::new(AtomicBool::new(true));
        let make = || {
            let broken = Arc::clone(&broken);
            let train = executor_fn(move |loss: f64, _| {
                let broken = broken.load(Ordering::SeqCst);
                async move { if broken { Err(RunFailure::candidate("no data")) } else { Ok(loss) } }
            });
            let study = Study::new(1.0, ideas([0.5]), train, testkit::loss()).store(store.clone());
            if policy { study.acceptor(Guarded::new()) } else { study.acceptor(Greedy::new()) }
        };
        let report = within(make().run()).await.expect("a report");
        assert!(matches!(report.stopped, StopReason::BaselineFailed(_)));
        broken.store(false, Ordering::SeqCst);
        let report = within(make().run()).await.expect("a report");
        assert_eq!((report.stopped, report.kept.len()), (StopReason::Exhausted, 1));
    }
}

#[tokio::test]
async fn the_limit_on_accepted_proposals_holds_after_a_cancelled_finale() {
    let store = MemoryStore::new();
    let cancel = Cancellation::new();
    let stop = cancel.clone();
    let interrupted = executor_fn(move |loss: f64, cx: RunContext| {
        let stop = stop.clone();
        async move {
            if cx.arm.is_incumbent() && cx.run.0 > 2 {
                stop.cancel();
                cx.cancel.cancelled().await;
                return Err(RunFailure::cancelled());
            }
            Ok(loss)
        }
    });
    let limits = || Limits::new().accepted(1);
    let study = Study::new(1.0, ideas([0.5, 0.4]), interrupted, testkit::loss());
    let study = study.acceptor(Greedy::new()).store(store.clone()).test_split(testkit::loss());
    let report = within(study.limits(limits()).cancelled_by(&cancel).run()).await.expect("a report");
    assert_eq!((report.stopped, report.kept.len()), (StopReason::Cancelled, 1));
    let study = Study::new(1.0, ideas([0.4, 0.3]), train(), testkit::loss());
    let study = study.acceptor(Greedy::new()).store(store.clone()).test_split(testkit::loss());
    let report = within(study.limits(limits()).run()).await.expect("a report");
    assert_eq!((report.stopped, report.kept.len()), (StopReason::Accepted, 1));
    assert!(report.result.is_some(), "the finale was made up for");
}

#[tokio::test]
async fn panics_in_proposer_merge_and_policy_end_in_a_report() {
    struct Panics;
    #[async_trait]
    impl Proposer<f64> for Panics {
        async fn propose(&mut self, _: ProposeContext<'_, f64>) -> Result<Proposed<f64>, ProposeError> {
            Ok(Proposal::new(0.5).into())
        }
        fn observe(&mut self, _: &TrialRecord<f64>) {
            panic!("in observe");
        }
    }
    impl Compose<f64> for Panics {
        fn apply(&self, _: &f64, _: &f64, _: &f64) -> Result<f64, Conflict> {
            panic!("in a merge");
        }
    }
    let study = Study::new(1.0, Panics, train(), testkit::loss()).acceptor(Greedy::new());
    let report = within(study.run()).await.expect("a report");
    assert!(matches!(&report.stopped, StopReason::ProposerFailed(why) if why.contains("observe")));

    let study = Study::new(1.0, ideas([0.5, 0.9, 0.8]), train(), testkit::loss()).acceptor(Greedy::new());
    let report = within(study.compose(Panics).in_flight(3).run()).await.expect("a report");
    assert_eq!((report.stopped, report.kept.len()), (StopReason::Exhausted, 1));

    let rule = acceptor_fn(|evidence: &Evidence| match evidence.pairs() {
        0 => Verdict::more(1),
        _ => panic!("in a rule"),
    });
    let study = Study::new(1.0, ideas([0.5]), train(), testkit::loss()).acceptor(rule);
    let report = within(study.run()).await.expect("a report");
    assert!(matches!(report.stopped, StopReason::AcceptorFailed(_)), "{}", report.stopped);
}

#[tokio::test]
async fn a_holdout_of_another_direction_is_refused() {
    let up = evaluator_fn(|loss: &f64| Ok(Measurement::scalar(-*loss)?.direction(Direction::Maximize)));
    let study = Study::new(1.0, ideas([0.5]), train(), testkit::loss()).acceptor(Greedy::new()).holdout(up);
    assert!(matches!(within(study.run()).await, Err(StudyError::State(StateError::Direction { .. }))));
}

#[tokio::test]
async fn too_few_runs_to_begin_with_are_said_so() {
    let study = Study::new(1.0, ideas([0.5]), train(), testkit::loss()).limits(Limits::new().runs(7));
    let refused = within(study.run()).await.expect_err("refused").to_string();
    assert!(refused.contains("limit on runs is 7") && refused.contains("8 calibrate"), "{refused}");
    // What a closure needs is not known beforehand.
    let rule = acceptor_fn(|_: &Evidence| Verdict::Reject);
    let study = Study::new(1.0, ideas([0.5]), train(), testkit::loss()).acceptor(rule);
    let report = within(study.limits(Limits::new().runs(3)).run()).await.expect("a report");
    assert_eq!(report.stopped, StopReason::TooFewRuns { needed: 4, limit: 3 });
    let study = Study::new(1.0, ideas([0.5]), train(), testkit::loss());
    within(study.limits(Limits::new().wall_clock(Duration::MAX)).run()).await.expect("no overflow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_run_that_blocks_its_thread_is_not_waited_for_beyond_the_grace() {
    let cancel = Cancellation::new();
    let blocks = executor_fn(|loss: f64, _| async move {
        std::thread::sleep(Duration::from_secs(5));
        Ok(loss)
    });
    let study = Study::new(1.0, ideas([0.5]), blocks, testkit::loss());
    let study = study.grace(Duration::from_millis(100)).cancelled_by(&cancel);
    let start = Instant::now();
    let study = tokio::spawn(study.run());
    tokio::time::sleep(Duration::from_millis(200)).await;
    cancel.cancel();
    study.await.expect("no panic").expect("a report");
    assert!(start.elapsed() < Duration::from_secs(4), "it waited for the run");
}

/// A rule that has changed under the same name is found out.
#[test]
fn a_changed_rule_does_not_replay() {
    let rule = |n: u32| {
        acceptor_fn(
            move |e: &Evidence| if e.pairs() >= n as usize { Verdict::Reject } else { Verdict::more(n) },
        )
    };
    let settings = Settings::new().limits(Limits::new().proposals(3));
    let mut study = StudyState::new(1.0, rule(3), settings.clone()).expect("settings");
    let mut events = Vec::new();
    for _ in 0..9 {
        match study.next_action() {
            Action::Propose { .. } => study.proposed(Proposal::new(0.5)).expect("asked"),
            Action::Run(run) => {
                let measured = Measurement::scalar(*run.candidate).expect("finite");
                study.finished(run.id, Ok(measured)).expect("under way");
            }
            other => panic!("{other:?}"),
        }
        events.extend(study.take_events());
    }
    let mut other =
        StudyState::reopen(&events[0], &1.0, rule(1), None, &settings, "").expect("the same name");
    let diverged = events[1..].iter().any(|e| matches!(other.replay(e), Err(StateError::Diverged { .. })));
    assert!(diverged, "the stored pairs do not fit the rule of now");
}
