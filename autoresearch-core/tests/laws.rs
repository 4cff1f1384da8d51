//! The laws of the state machine over random studies: replay, fault, freshness, no run twice, limits.

mod world;

use autoresearch_core::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use world::{FAILURES, STACKING, Times, settled, worlds};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Through JSON and back, a stored study is rebuilt to the same state.
    #[test]
    fn replay_draws_the_same_conclusions(world in worlds()) {
        let mut state = world.open();
        let events = world.play(&mut state);
        let text = serde_json::to_string(&events).expect("JSON");
        let stored: Vec<Event<f64>> = serde_json::from_str(&text).expect("events");
        prop_assert_eq!(&stored, &events);
        let mut again = world.reopen(&stored);
        prop_assert!(again.take_events().is_empty(), "nothing is left to conclude");
        prop_assert_eq!(again.incumbent().to_bits(), state.incumbent().to_bits());
        prop_assert_eq!(again.kept(), state.kept());
        prop_assert_eq!(again.stopped(), state.stopped());
        prop_assert_eq!(again.final_result(), state.final_result());
        prop_assert_eq!(again.history().len(), state.history().len());
    }

    /// Cut anywhere and taken up again, one run at a time, it ends in the same history.
    #[test]
    fn a_cut_study_ends_as_the_whole_one(mut world in worlds(), at in 0.0..1.0f64) {
        world.capacity = 1;
        let whole = world.play(&mut world.open());
        let cut = 1 + (at * (whole.len() - 1) as f64) as usize;
        let mut resumed = world.reopen(&whole[..cut]);
        let mut events = whole[..cut].to_vec();
        events.extend(world.play(&mut resumed));
        prop_assert_eq!(events, whole);
    }

    /// A line in the history changes nothing, whenever it comes: neither what is concluded nor which run has which number.
    #[test]
    fn remarks_change_nothing(world in worlds()) {
        let mut state = world.open();
        let events = world.play(&mut state);
        let mut again = world.reopen(&events[..1]);
        for event in &events[1..] {
            if !matches!(event, Event::Settled { .. } | Event::Deferred { .. } | Event::Stopped { .. }) {
                again.replay(&Event::Remarked { text: "by the way".into() }).expect("no conclusion");
            }
            again.replay(event).expect("the same conclusions");
        }
        prop_assert!(again.take_events().is_empty(), "nothing is left to conclude");
        prop_assert_eq!(again.stopped(), state.stopped());
    }

    /// Runs lost to the infrastructure are repeated with their seed; every conclusion stays.
    #[test]
    fn lost_runs_change_nothing(mut world in worlds()) {
        world.capacity = 1;
        world.losses = 0;
        let calm = world.play(&mut world.open());
        world.losses = 3;
        let rough = world.play(&mut world.open());
        prop_assert_eq!(settled(&calm), settled(&rough));
        let mut seeds = BTreeMap::new();
        for event in &rough {
            if let Event::Finished { run, .. } = event {
                prop_assert_eq!(*seeds.entry(run.id).or_insert(run.seed), run.seed);
            }
        }
    }

    /// A study that stopped at a limit and goes on concludes what it would have concluded without the stop.
    #[test]
    fn a_limit_that_moves_changes_nothing(mut world in worlds(), first in 20..60u64, accepted in 1..4u64, by in any::<bool>()) {
        (world.capacity, world.test, world.losses) = (1, false, 0);
        world.policy %= STACKING; // the others design what they run by what is left to spend
        let limits = Limits::new().runs(world.runs).proposals(world.proposals).consecutive_failures(FAILURES);
        let whole = world.play(&mut world.open());
        let early = if by { limits.clone().runs(first.min(world.runs)) } else { limits.clone().accepted(accepted) };
        let settings = world.settings().limits(early);
        let mut state = StudyState::composing(2.0, world.acceptor(), Times, settings).expect("settings");
        let mut events = world.play(&mut state);
        state.resume(limits, 1).expect("limits");
        events.extend(world.play(&mut state));
        prop_assert_eq!(settled(&whole), settled(&events));
        let spec = |events: &[Event<f64>]| -> Vec<RunSpec> {
            events.iter().filter_map(|e| if let Event::Finished { run, .. } = e { Some(run.clone()) } else { None }).collect()
        };
        prop_assert_eq!(spec(&whole), spec(&events));
    }

    /// The same with several runs under way, at whatever limit: nothing gets stuck, and nothing is judged on runs that
    /// are not its own.
    #[test]
    fn a_limit_that_moves_breaks_nothing(mut world in worlds(), first in 20..60u64, accepted in 1..4u64) {
        let limits = Limits::new().runs(world.runs + 60).proposals(world.proposals).consecutive_failures(FAILURES);
        world.runs = first + if world.policy >= STACKING { 90 } else { 0 };
        let settings = world.settings();
        let mut state = StudyState::composing(2.0, world.acceptor(), Times, settings).expect("settings");
        let mut events = world.play(&mut state);
        state.resume(limits.clone().accepted(accepted), world.capacity).expect("limits");
        events.extend(world.play(&mut state));
        state.resume(limits, world.capacity).expect("limits");
        events.extend(world.play(&mut state));
        let broken = matches!(state.stopped(), Some(StopReason::AcceptorFailed(_)));
        prop_assert!(!broken, "{:?}", state.stopped());
        let mut confirmed: BTreeMap<ProposalId, u32> = BTreeMap::new();
        for event in &events {
            match event {
                Event::Finished { run, outcome: Ok(_), .. } if run.role == Role::Confirm => {
                    for p in run.arm.proposals() {
                        *confirmed.entry(p).or_default() += 1;
                    }
                }
                Event::Settled { proposal, fate: Fate::Kept, effect: Some(effect), .. } if world.policy >= 2 => {
                    prop_assert!(effect.runs <= confirmed[proposal], "{proposal}: {effect:?}");
                }
                _ => {}
            }
        }
        let mut again = world.reopen(&events);
        prop_assert!(again.take_events().is_empty());
    }

    /// Limits hold, no run counts twice, every run was planned once, seeds pair up as they should.
    #[test]
    fn books_are_in_order(world in worlds()) {
        let mut state = world.open();
        let events = world.play(&mut state);
        prop_assert!(state.runs() <= world.runs);
        prop_assert!(state.proposals() <= world.proposals);
        let mut done = BTreeSet::new();
        let mut fresh = BTreeMap::<u64, usize>::new();
        let mut proposals = BTreeSet::new();
        for event in &events {
            match event {
                Event::Finished { run, outcome, .. } => {
                    let lost = matches!(outcome, Err(f) if f.fault() == Fault::Infrastructure);
                    prop_assert!(lost || done.insert(run.id), "run {:?} counts twice", run.id);
                    if run.role == Role::Confirm && world.policy >= 2 && !lost {
                        *fresh.entry(run.seed).or_default() += 1;
                    }
                }
                // What was set aside may be taken up again.
                Event::Settled { fate: Fate::SetAside, .. } => {}
                Event::Settled { proposal, .. } => prop_assert!(proposals.insert(*proposal), "settled twice"),
                _ => {}
            }
        }
        // Equal seeds: a confirming seed serves one pair, and nothing else ever.
        prop_assert!(fresh.values().all(|n| *n <= 2), "{fresh:?}");
        for id in done {
            let before = state.incumbent().to_bits();
            prop_assert_eq!(state.finished(id, Err(RunFailure::candidate("again"))), Err(StateError::UnknownRun(id)));
            prop_assert_eq!(before, state.incumbent().to_bits());
        }
    }

    /// What is kept was tested on confirming runs that nothing else has seen: none of them screened or calibrated,
    /// and each serves one proposal.
    #[test]
    fn what_tests_is_fresh(mut world in worlds()) {
        world.policy += if world.policy < 2 { 2 } else { 0 };
        let events = world.play(&mut world.open());
        let mut seen_by: BTreeMap<u64, ProposalId> = BTreeMap::new();
        let (mut choosing, mut testing) = (BTreeSet::new(), BTreeSet::new());
        for event in &events {
            let Event::Finished { run, outcome: Ok(_), .. } = event else { continue };
            match (run.role, run.about) {
                // A stack of many is everybody's: no seed has served before, for whatever.
                (Role::Confirm, _) if world.policy >= STACKING => {
                    prop_assert!(!choosing.contains(&run.seed), "seed {} chose before it tested", run.seed);
                    prop_assert!(testing.insert(run.seed), "seed {} tested twice", run.seed);
                }
                (Role::Confirm, Some(about)) => {
                    prop_assert!(run.arm.is_incumbent() || run.arm.proposals().eq([about]));
                    prop_assert!(!choosing.contains(&run.seed), "seed {} chose before it tested", run.seed);
                    prop_assert_eq!(*seen_by.entry(run.seed).or_insert(about), about);
                }
                (Role::Calibrate | Role::Screen, _) => {
                    choosing.insert(run.seed);
                }
                _ => {}
            }
        }
        for event in &events {
            if let Event::Settled { fate: Fate::Kept, effect: Some(effect), .. } = event {
                prop_assert!(effect.fresh);
            }
        }
    }

    /// Nothing is held for proposals that are settled, but for the incumbent's own runs, and for those of a last
    /// comparison that has no result yet (another attempt may need them).
    #[test]
    fn outputs_are_let_go(world in worlds()) {
        let mut state = world.open();
        let events = world.play(&mut state);
        let fates: BTreeMap<ProposalId, Fate> = events
            .iter()
            .filter_map(|e| if let Event::Settled { proposal, fate, .. } = e { Some((*proposal, *fate)) } else { None })
            .collect();
        for event in &events {
            let Event::Finished { run, .. } = event else { continue };
            let settled = run.arm.proposals().all(|p| fates.contains_key(&p)) && !run.arm.is_incumbent();
            let kept = run.arm.proposals().any(|p| fates.get(&p) == Some(&Fate::Kept));
            if run.role == Role::Final && state.final_result().is_none() {
                continue;
            }
            prop_assert!(!(settled && !kept && state.needs_output(run.id)), "{run:?}");
        }
    }

    /// No number that is not finite gets into a measurement, through no door.
    #[test]
    fn measurements_are_finite(values in prop::collection::vec(prop::num::f64::ANY, 0..6), weight in prop::num::f64::ANY) {
        let good = !values.is_empty() && values.iter().all(|v| v.is_finite());
        match Measurement::new(values.clone()) {
            Ok(m) => {
                prop_assert!(good && m.objective().is_finite());
                let weighted = m.clone().weights(vec![weight; values.len()]);
                prop_assert!(weighted.is_err() || weight.is_finite() && weight > 0.0);
                let text = serde_json::to_string(&m).expect("JSON");
                prop_assert_eq!(serde_json::from_str::<Measurement>(&text).expect("the same"), m);
            }
            Err(_) => prop_assert!(!good || !values.iter().sum::<f64>().is_finite()),
        }
        let empty = r#"{"objective": 1.0, "units": {"values": []}}"#;
        let refused = serde_json::from_str::<Measurement>(empty).is_err();
        prop_assert!(refused, "an empty measurement was deserialised");
    }
}
