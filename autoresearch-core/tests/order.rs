//! Judged in the order of planning, a study is the same bit for bit, whichever run ends first and however many are under
//! way.

mod world;

use autoresearch_core::*;
use proptest::prelude::*;
use world::{Times, World, worlds};

/// Everything that was concluded, and every run in the order of its number.
fn story(events: &[Event<f64>]) -> (Vec<String>, Vec<String>) {
    let concluded =
        |e: &&Event<f64>| matches!(e, Event::Settled { .. } | Event::Proposed { .. } | Event::Tested { .. });
    let told = events.iter().filter(concluded).map(|e| format!("{e:?}")).collect();
    let mut runs: Vec<_> = events
        .iter()
        .filter_map(|e| match e {
            Event::Finished { run, outcome, .. } if !matches!(outcome, Err(f) if f.fault() != Fault::Candidate) => {
                Some((run.id, format!("{run:?} {outcome:?}")))
            }
            _ => None,
        })
        .collect();
    runs.sort();
    (told, runs.into_iter().map(|(_, run)| run).collect())
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
    fn parallelism_changes_nothing(mut world in ordered(), shuffle in any::<u64>(), slots in 1..9usize) {
        world.capacity = 1;
        let alone = world.play(&mut world.open());
        (world.capacity, world.shuffle) = (slots, shuffle);
        let together = world.play(&mut world.open());
        same(&alone, &together)?;
    }

    /// Runs that ended before their turn are stored like all others, and are not made again.
    #[test]
    fn a_cut_study_ends_as_the_whole_one(mut world in ordered(), at in 0.0..1.0f64, other in any::<u64>()) {
        world.waits = false; // by what it remembers, and a cut makes it forget
        let whole = world.play(&mut world.open());
        let cut = 1 + (at * (whole.len() - 1) as f64) as usize;
        let mut resumed = world.reopen(&whole[..cut]);
        let mut events = whole[..cut].to_vec();
        events.extend(World { shuffle: other, ..world.clone() }.play(&mut resumed));
        same(&events, &whole)?;
        let mut again = world.reopen(&events);
        prop_assert!(again.take_events().is_empty(), "nothing is left to conclude");
        prop_assert_eq!(again.stopped(), resumed.stopped());
    }
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
