//! Judged in the order of planning, a study is the same bit for bit, whichever run ends first and however many are under
//! way.

mod world;

use autoresearch_core::*;
use proptest::prelude::*;
use world::{FAILURES, Times, World, worlds};

/// Everything that was concluded, and every run that was judged, in the order of its number.
fn story(events: &[Event<f64>]) -> (Vec<String>, Vec<String>) {
    let concluded = |e: &&Event<f64>| {
        matches!(
            e,
            Event::Settled { .. } | Event::Proposed { .. } | Event::Tested { .. } | Event::Stopped { .. }
        )
    };
    let told = events.iter().filter(concluded).map(|e| format!("{e:?}")).collect();
    let mut runs: Vec<_> = events
        .iter()
        .filter_map(|e| match e {
            Event::Finished { run, outcome, .. } if !matches!(outcome, Err(f) if f.fault() != Fault::Candidate) => {
                Some((run, outcome))
            }
            _ => None,
        })
        .collect();
    runs.sort_by_key(|(run, _)| run.id);
    let stopped = events.iter().any(|e| matches!(e, Event::Stopped { reason } if is_by_failures(reason)));
    let last = last_in_a_row(&runs);
    assert_eq!(last.is_some(), stopped, "counted in the order of planning");
    runs.truncate(last.map_or(runs.len(), |i| i + 1)); // what ended early beyond it waits to be judged
    (told, runs.into_iter().map(|(run, outcome)| format!("{run:?} {outcome:?}")).collect())
}

fn is_by_failures(reason: &StopReason) -> bool {
    matches!(reason, StopReason::ConsecutiveFailures(_))
}

/// The run of the search by which too many failed in a row.
fn last_in_a_row(runs: &[(&RunSpec, &Outcome)]) -> Option<usize> {
    let mut row = 0;
    runs.iter().filter(|(run, _)| run.role != Role::Final).position(|(_, outcome)| {
        row = if outcome.is_ok() { 0 } else { row + 1 };
        row == FAILURES
    })
}

/// Fails with the first difference.
fn same(one: &[Event<f64>], other: &[Event<f64>]) -> Result<(), TestCaseError> {
    let ((told, runs), (also_told, also_runs)) = (story(one), story(other));
    for (a, b) in runs.iter().zip(&also_runs).chain(told.iter().zip(&also_told)) {
        prop_assert_eq!(a, b);
    }
    prop_assert_eq!((told.len(), runs.len()), (also_told.len(), also_runs.len()));
    Ok(())
}

fn parallelism(world: &World, shuffle: u64, slots: usize) -> Result<StopReason, TestCaseError> {
    let mut state = World { capacity: 1, ..world.clone() }.open();
    let alone = World { capacity: 1, ..world.clone() }.play(&mut state);
    let wide = World { capacity: slots, shuffle, ..world.clone() };
    same(&alone, &wide.play(&mut wide.open()))?;
    state.stopped().cloned().ok_or_else(|| TestCaseError::fail("it goes on"))
}

/// Runs that ended before their turn are stored like all others, and are not made again.
fn cutting(world: &World, at: f64, other: u64) -> Result<StopReason, TestCaseError> {
    let whole = world.play(&mut world.open());
    let cut = 1 + (at * (whole.len() - 1) as f64) as usize;
    let mut resumed = world.reopen(&whole[..cut]);
    let mut events = whole[..cut].to_vec();
    events.extend(World { shuffle: other, ..world.clone() }.play(&mut resumed));
    same(&events, &whole)?;
    let mut again = world.reopen(&events);
    prop_assert!(again.take_events().is_empty(), "nothing is left to conclude");
    prop_assert_eq!(again.stopped(), resumed.stopped());
    again.stopped().cloned().ok_or_else(|| TestCaseError::fail("it goes on"))
}

fn ordered() -> impl Strategy<Value = World> {
    (worlds(), 1..9usize, any::<bool>()).prop_map(|(world, ahead, waits)| World {
        ahead: Some(ahead),
        waits,
        ..world
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn parallelism_changes_nothing(world in ordered(), shuffle in any::<u64>(), slots in 1..9usize) {
        parallelism(&world, shuffle, slots)?;
    }

    #[test]
    fn a_cut_study_ends_as_the_whole_one(mut world in ordered(), at in 0.0..1.0f64, other in any::<u64>()) {
        world.waits = false; // by what it remembers, and a cut makes it forget
        cutting(&world, at, other)?;
    }
}

/// Scouts whose certificate crashes: the study stops in the midst of a block, with runs that ended before their turn.
#[test]
fn a_row_of_failures_ends_at_the_same_run() {
    let crashing = |runs, proposals, seed, crashes, ahead| World {
        policy: 5,
        capacity: 2,
        runs,
        proposals,
        seed,
        holdout: false,
        test: false,
        noise: 0.0,
        batches: 0,
        shuffle: 0,
        ahead: Some(ahead),
        waits: false,
        crashes,
        losses: 0,
    };
    let quiet = crashing(103, 8, 354, 4, 3);
    let losing = World { noise: 0.29320330748635576, losses: 4, ..crashing(100, 13, 470, 5, 7) };
    let order = 3_087_313_817_066_813_066;
    let long =
        World { noise: 0.17390062497810677, batches: order, shuffle: order, ..crashing(113, 19, 189, 5, 4) };
    for (world, at, other) in [
        (&quiet, 0.5, 1),
        (&losing, 0.0, 10_506_600_193_422_699_506),
        (&long, 0.8387629295719685, 8_525_059_908_258_064_554),
    ] {
        let reasons = [cutting(world, at, other), parallelism(world, 86_022_338_323_318_206, 3)];
        for reason in reasons.map(|reason| reason.expect("the same")) {
            assert!(is_by_failures(&reason), "{world:?}: {reason}");
        }
    }
}

/// At a limit with runs under way, what is planned beyond it takes numbers: as many for each run that is judged, and none
/// for one that ends before its turn. The final runs come after them.
#[test]
fn final_runs_have_the_same_numbers() {
    let wide = World {
        policy: 3,
        capacity: 1,
        runs: 71,
        proposals: 16,
        seed: 422,
        holdout: false,
        test: true,
        noise: 0.251803659612868,
        batches: 0,
        shuffle: 0,
        ahead: Some(2),
        waits: false,
        crashes: 0,
        losses: 0,
    };
    let order = 12_604_005_584_443_301_292;
    let cut = World {
        capacity: 2,
        runs: 54,
        proposals: 9,
        seed: 470,
        noise: 0.1317947552193724,
        batches: order,
        shuffle: order,
        ..wide.clone()
    };
    for world in [&wide, &cut] {
        parallelism(world, 9_495_959_845_416_213_819, 2).expect("the same");
        cutting(world, 0.6930126624078264, 3_181_637_291_039_923_932).expect("the same");
        let events = world.play(&mut world.open());
        assert!(events.iter().any(|e| matches!(e, Event::Tested { .. })), "{world:?}");
    }
}

/// Plays until so many runs are under way.
fn start(study: &mut StudyState<f64>, n: usize) -> Vec<RunId> {
    let mut flying = Vec::new();
    while flying.len() < n {
        match study.next_action() {
            Action::Propose { .. } => study.proposed(Proposal::new(0.5)).expect("asked for"),
            Action::Run(run) => flying.push(run.id),
            other => panic!("{other:?}"),
        }
    }
    flying
}

#[test]
fn failures_in_a_row_are_counted_in_the_order_of_planning() {
    let limits = Limits::new().consecutive_failures(2);
    let settings = Settings::new().in_flight(3).order(DecisionOrder::AsProposed).limits(limits);
    let one = || Ok(Measurement::scalar(1.0).expect("finite"));
    let lost = || Err(RunFailure::infrastructure("node lost"));
    let crashed = || Err(RunFailure::candidate("crash"));
    let under_way = || {
        let mut study = StudyState::composing(1.0, Greedy::new(), Times, settings.clone()).expect("settings");
        let baseline = start(&mut study, 1);
        study.finished(baseline[0], one()).expect("under way");
        let flying = start(&mut study, 3);
        study.finished(flying[0], crashed()).expect("under way");
        (study, flying)
    };
    let stopped = |study: &StudyState<f64>| study.stopped().is_some_and(is_by_failures);

    // The third ends before the second, and does not come between the two that failed.
    let (mut study, flying) = under_way();
    study.finished(flying[2], one()).expect("under way");
    assert!(!stopped(&study));
    study.finished(flying[1], crashed()).expect("under way");
    assert!(!stopped(&study), "the proposer is asked first");
    study.proposed(Proposal::new(0.5)).expect("asked for");
    assert!(stopped(&study));

    // Where the second is lost once, and then works, nothing else happens than where it works at once.
    let (mut study, flying) = under_way();
    study.finished(flying[1], lost()).expect("under way");
    assert!(!stopped(&study));
    assert_eq!(start(&mut study, 1), flying[1..2]);
    study.finished(flying[1], one()).expect("under way");
    study.finished(flying[2], crashed()).expect("under way");
    study.proposed(Proposed::Exhausted).expect("asked for");
    assert_eq!(study.stopped(), Some(&StopReason::Exhausted));

    // Lost again and again, it stops all the same.
    let (mut study, flying) = under_way();
    for attempt in 0..2 {
        assert!(!stopped(&study), "attempt {attempt}");
        study.finished(flying[1], lost()).expect("under way");
        if attempt == 0 {
            assert_eq!(start(&mut study, 1), flying[1..2]);
        }
    }
    assert!(stopped(&study));
}

#[test]
fn a_fast_run_waits_for_the_slow_one_before_it() {
    let settings =
        Settings::new().in_flight(2).order(DecisionOrder::AsProposed).limits(Limits::new().runs(6));
    let mut study = StudyState::composing(1.0, Greedy::new(), Times, settings).expect("settings");
    let one = |loss: f64| Ok(Measurement::scalar(loss).expect("finite"));
    let Action::Run(baseline) = study.next_action() else { panic!("the baseline comes first") };
    study.finished(baseline.id, one(1.0)).expect("under way");
    let mut flying = Vec::new();
    while flying.len() < 2 {
        match study.next_action() {
            Action::Propose { .. } => study.proposed(Proposal::new(0.5)).expect("asked for"),
            Action::Run(run) => flying.push(run),
            other => panic!("{other:?}"),
        }
    }
    study.finished(flying[1].id, one(0.5)).expect("under way");
    assert_eq!(study.history().len(), 0, "its turn has not come");
    assert!(study.needs_output(flying[1].id));
    assert_eq!(study.finished(flying[1].id, one(0.5)), Err(StateError::UnknownRun(flying[1].id)));
    study.finished(flying[0].id, one(2.0)).expect("under way");
    assert_eq!(study.history().len(), 1, "the proposer is asked first, now that a slot is free");
    assert!(matches!(study.next_action(), Action::Propose { .. }));
    study.proposed(Proposed::Exhausted).expect("asked for");
    assert_eq!(study.history().len(), 2);
}

#[test]
fn a_stale_proposal_is_rebased_or_dropped_as_stated() {
    for (stale, fate) in [(Stale::Rebase, Fate::Kept), (Stale::Drop, Fate::Conflict)] {
        let settings = Settings::new().in_flight(2).stale(stale).limits(Limits::new().proposals(2));
        let mut study = StudyState::composing(1.0, Greedy::new(), Times, settings).expect("settings");
        let mut made = 0;
        let stopped = loop {
            match study.next_action() {
                // Both are made for the baseline.
                Action::Propose { .. } => {
                    made += 2;
                    let both = vec![Proposal::new(0.5), Proposal::new(0.25)];
                    study.proposed(both).expect("asked for");
                }
                Action::Run(run) => {
                    let loss = Measurement::scalar(*run.candidate).expect("finite");
                    study.finished(run.id, Ok(loss)).expect("under way");
                }
                Action::Stop(reason) => break reason,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((made, stopped), (2, StopReason::Proposals));
        assert_eq!(study.history().get(1).map(|r| r.fate), Some(fate), "{stale:?}");
    }
}
