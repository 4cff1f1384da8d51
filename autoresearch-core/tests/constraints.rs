//! Constraints on metrics and simplification, with policies that know of neither.

use autoresearch_core::testkit::landscape::{Edits, Listed, UnionOfEdits, World};
use autoresearch_core::*;
use statrs::distribution::{Binomial, DiscreteCDF};
use std::sync::Arc;

type Measure<'a, C> = &'a dyn Fn(&C, u64, u64) -> Measurement;

/// Plays a study from where it stands to its end, with proposals by their number; gives the events from here on.
fn drive<C: Candidate>(
    study: &mut StudyState<C>,
    idea: &dyn Fn(&C, u64) -> Option<C>,
    measure: Measure<'_, C>,
) -> (StopReason, Vec<Event<C>>) {
    let mut events = study.take_events();
    loop {
        match study.next_action() {
            Action::Propose { .. } => {
                let view = study.view();
                let idea = idea(view.incumbent, view.proposals);
                let answer = idea.map_or(Proposed::Exhausted, |candidate| Proposal::new(candidate).into());
                study.proposed(answer).expect("asked for");
            }
            Action::Run(run) => {
                let outcome = measure(&run.candidate, run.seed, 0);
                study.finished(run.id, Ok(outcome)).expect("planned");
            }
            Action::AskHoldout(query) => {
                let held = query.runs.iter().map(|run| measure(&run.candidate, run.seed, 1).into());
                study.held_out(query.id, held.collect()).expect("asked");
            }
            Action::Wait => panic!("nothing is under way"),
            Action::Stop(reason) => {
                events.extend(study.take_events());
                return (reason, events);
            }
        }
        events.extend(study.take_events());
    }
}

/// Loss and memory, or loss and lines.
type Pair = (f64, f64);

fn with_memory(c: &Pair, _: u64, _: u64) -> Measurement {
    Measurement::scalar(c.0).and_then(|m| m.metric("memory_gb", c.1)).expect("finite")
}

fn loss_alone(c: &Pair, _: u64, _: u64) -> Measurement {
    Measurement::scalar(c.0).expect("finite")
}

fn list(all: &[Pair]) -> impl Fn(&Pair, u64) -> Option<Pair> {
    move |_, n| all.get(n as usize).copied()
}

fn fates<C: Candidate>(study: &StudyState<C>) -> Vec<Fate> {
    study.history().iter().map(|r| r.fate).collect()
}

/// Stored and rebuilt, it is the same; so is every beginning of it, played to the end.
fn replays<C>(
    events: &[Event<C>],
    open: &dyn Fn(&Event<C>) -> StudyState<C>,
    idea: &dyn Fn(&C, u64) -> Option<C>,
    measure: Measure<'_, C>,
) where
    C: Candidate + serde::Serialize + serde::de::DeserializeOwned,
{
    let text = |events: &[Event<C>]| serde_json::to_string(events).expect("JSON");
    let stored: Vec<Event<C>> = serde_json::from_str(&text(events)).expect("events");
    for cut in [2, stored.len() / 2, stored.len() - 1, stored.len()] {
        let mut study = open(&stored[0]);
        for event in &stored[1..cut] {
            study.replay(event).expect("the same conclusions");
        }
        let mut all = stored[..cut].to_vec();
        all.extend(drive(&mut study, idea, measure).1);
        assert_eq!(text(&all), text(events), "cut after {cut}");
    }
}

#[test]
fn a_run_that_breaks_a_hard_bound_fails_and_counts_against_its_proposal() {
    let settings = Settings::new()
        .constraint(Constraint::at_most("memory_gb", 8.0))
        .constraint(Constraint::at_least("memory_gb", 1.0));
    let mut study = StudyState::new((1.0, 4.0), Greedy::new(), settings).expect("settings");
    let ideas = [(0.5, 8.1), (0.6, 0.5), (0.7, 8.0)];
    let (_, events) = drive(&mut study, &list(&ideas), &with_memory);
    assert_eq!(fates(&study), [Fate::Failed, Fate::Failed, Fate::Kept]);
    let reason = &study.history().get(0).expect("settled").reason;
    assert!(reason.contains("memory_gb is 8.1") && reason.contains("at most 8"), "{reason}");
    let constraint = |e: &&Event<Pair>| matches!(e, Event::Finished { outcome: Err(f), .. } if f.what() == FailureKind::Constraint && f.fault() == Fault::Candidate);
    assert_eq!(events.iter().filter(constraint).count(), 2);
}

#[test]
fn a_baseline_that_breaks_a_hard_bound_stops_the_study() {
    let settings = Settings::new().constraint(Constraint::at_most("memory_gb", 3.0));
    let mut study = StudyState::new((1.0, 4.0), Guarded::new(), settings).expect("settings");
    let (reason, _) = drive(&mut study, &list(&[]), &with_memory);
    let text = reason.to_string();
    assert!(matches!(reason, StopReason::BaselineFailed(_)), "{text}");
    assert!(text.contains("memory_gb is 4") && text.contains("at most 3"), "{text}");
}

#[test]
fn a_missing_metric_is_no_pass() {
    for constraint in [Constraint::at_most("memory_gb", 3.0), Constraint::within("memory_gb", 0.1)] {
        let settings = Settings::new().constraint(constraint);
        let mut study = StudyState::new((1.0, 4.0), Greedy::new(), settings).expect("settings");
        let (reason, _) = drive(&mut study, &list(&[]), &loss_alone);
        let text = reason.to_string();
        assert!(text.contains("no metric 'memory_gb'") && text.contains("Measurement::metric"), "{text}");
    }
}

#[test]
fn constraints_that_cannot_be_held_against_anything_are_refused() {
    for (constraint, says) in [
        (Constraint::at_most("m", f64::NAN), "finite"),
        (Constraint::at_least("m", f64::INFINITY), "finite"),
        (Constraint::within("m", -0.1), "share of 0 or more"),
        (Constraint::at_most("", 1.0), "names no metric"),
    ] {
        let settings = Settings::new().constraint(constraint);
        let error = StudyState::new(1.0, Greedy::new(), settings).expect_err("refused").to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn what_costs_more_than_the_tolerance_is_turned_down_without_asking_the_holdout() {
    let settings =
        || Settings::new().holdout(Holdout::new()).constraint(Constraint::within("memory_gb", 0.10));
    let ideas = [(0.5, 4.5), (0.6, 4.4), (0.5, 4.8), (0.4, 3.0)];
    let mut study = StudyState::new((1.0, 4.0), Greedy::new(), settings()).expect("settings");
    let (_, events) = drive(&mut study, &list(&ideas), &with_memory);
    // Compared with the incumbent of then: 4.8 is within 10 % of 4.4.
    assert_eq!(fates(&study), [Fate::Rejected, Fate::Kept, Fate::Kept, Fate::Kept]);
    let reason = &study.history().get(0).expect("settled").reason;
    assert!(reason.contains("memory_gb goes from 4.0000 to 4.5000"), "{reason}");
    let asked = events.iter().filter(|e| matches!(e, Event::Answered { .. })).count();
    assert_eq!(asked, 3, "nothing that is turned down costs a question");
    let open = |first: &Event<Pair>| {
        StudyState::reopen(first, &(1.0, 4.0), Greedy::new(), None, &settings(), "").expect("the same study")
    };
    replays(&events, &open, &list(&ideas), &with_memory);
    let other = settings().constraint(Constraint::at_most("memory_gb", 9.0));
    let error =
        StudyState::reopen(&events[0], &(1.0, 4.0), Greedy::new(), None, &other, "").expect_err("refused");
    assert!(error.to_string().contains("constraints"), "{error}");
}

/// Edits with effects in sigma, each of which adds a share of 4 GB.
fn edits_with_memory<'a>(
    world: &'a Listed,
    cost: &'a dyn Fn(u32) -> f64,
) -> impl Fn(&Edits, u64, u64) -> Measurement + 'a {
    move |edits, seed, split| {
        let memory = 4.0 * (1.0 + edits.iter().map(|e| cost(*e)).sum::<f64>());
        let loss = world.loss(edits, seed, split as usize);
        Measurement::scalar(loss).and_then(|m| m.metric("memory_gb", memory)).expect("finite")
    }
}

fn stream(n: u32) -> impl Fn(&Edits, u64) -> Option<Edits> {
    move |incumbent, number| {
        let edit = number as u32;
        (edit < n).then(|| incumbent.iter().copied().chain([edit]).collect())
    }
}

#[test]
fn guarded_and_scout_keep_to_a_tolerance_that_they_know_nothing_of() {
    // Even edits are large gains that cost 20 % memory, odd ones large gains that cost nothing.
    let world = Listed::new(vec![4.0; 12], 3);
    let cost = |edit: u32| if edit.is_multiple_of(2) { 0.2 } else { 0.0 };
    let measure = edits_with_memory(&world, &cost);
    let settings = |runs, holdout: bool| {
        let settings = Settings::new()
            .limits(Limits::new().runs(runs))
            .constraint(Constraint::within("memory_gb", 0.10));
        if holdout { settings.holdout(Holdout::new().split_error(0.01)) } else { settings }
    };
    for (holdout, scout) in [(false, false), (true, false), (false, true), (true, true)] {
        let acceptor = || -> Box<dyn Acceptor> {
            if scout { Box::new(Scout::new()) } else { Box::new(Guarded::new().horizon(5)) }
        };
        let settings = settings(300, holdout);
        let mut study = StudyState::composing(Edits::new(), acceptor(), UnionOfEdits, settings.clone())
            .expect("settings");
        let (reason, events) = drive(&mut study, &stream(12), &measure);
        let kept = study.incumbent().clone();
        println!("scout {scout}, holdout {holdout}: {kept:?}, {reason}");
        assert!(kept.len() >= 4, "{kept:?}");
        assert!(kept.iter().all(|e| e % 2 == 1), "{kept:?}");
        let down = study.history().iter().filter(|r| r.reason.contains("turned down: memory_gb")).count();
        assert!(down >= 2, "{down}");
        let open = |first: &Event<Edits>| {
            let compose: Option<Arc<dyn Compose<Edits>>> = Some(Arc::new(UnionOfEdits));
            StudyState::reopen(first, &Edits::new(), acceptor(), compose, &settings, "")
                .expect("the same study")
        };
        replays(&events, &open, &stream(12), &measure);
    }
}

#[test]
fn what_is_simpler_may_be_a_little_worse() {
    let lines = |c: &Pair| c.1;
    // Loss and lines, one after the other.
    let ideas = [
        (1.005, 90.0),  // simpler and within the margin
        (1.006, 90.0),  // no simpler than the incumbent of now, and worse
        (1.004, 95.0),  // better than that incumbent: an ordinary improvement needs no margin on top
        (1.020, 50.0),  // simpler, and too much worse
        (1.010, 80.0),  // simpler and within the margin
        (1.009, 200.0), // better, and more complex: no credit, and no debit either
    ];
    let open = || StudyState::new((1.0, 100.0), Greedy::new(), Settings::new()).expect("settings");
    let mut study = open().simplify(0.01, lines).expect("nothing has happened");
    let (_, events) = drive(&mut study, &list(&ideas), &loss_alone);
    use Fate::{Kept, Rejected};
    assert_eq!(fates(&study), [Kept, Rejected, Kept, Rejected, Kept, Kept]);
    let effects: Vec<f64> = study.history().iter().filter_map(|r| r.effect).map(|e| e.mean).collect();
    for (effect, expected) in effects.iter().zip([-0.005, -0.001, 0.001, -0.016, -0.006, 0.001]) {
        assert!((effect - expected).abs() < 1e-9, "{effects:?}");
    }
    assert!(study.history().get(0).expect("settled").reason.contains("credit of 0.01"));
    let reopen = |first: &Event<Pair>| {
        let state = StudyState::reopen(first, &(1.0, 100.0), Greedy::new(), None, &Settings::new(), "");
        state.expect("the same study").simplify(0.01, lines).expect("the same margin")
    };
    replays(&events, &reopen, &list(&ideas), &loss_alone);
    // The same upside down.
    let mut study =
        StudyState::new((1.0, 100.0), Greedy::new(), Settings::new().maximize()).expect("settings");
    study = study.simplify(0.01, lines).expect("nothing has happened");
    let ideas: Vec<Pair> = ideas.iter().map(|c| (2.0 - c.0, c.1)).collect();
    drive(&mut study, &list(&ideas), &loss_alone);
    assert_eq!(fates(&study), [Kept, Rejected, Kept, Rejected, Kept, Kept]);
}

#[test]
fn the_holdout_gives_the_same_credit() {
    // Held out, the second component is how much worse it is there.
    let measure = |c: &(f64, f64, f64), _: u64, split: u64| {
        let loss = if split == 0 { c.0 } else { c.0 + c.2 };
        Measurement::new([loss - 0.1, loss + 0.1]).expect("finite")
    };
    let ideas = [(1.005, 90.0, 0.02), (1.005, 90.0, 0.003), (1.008, 80.0, 0.003)];
    let settings = Settings::new().holdout(Holdout::new());
    let study = StudyState::new((1.0, 100.0, 0.0), Greedy::new(), settings).expect("settings");
    let mut study = study.simplify(0.01, |c: &(f64, f64, f64)| c.1).expect("nothing has happened");
    drive(&mut study, &|_, n| ideas.get(n as usize).copied(), &measure);
    assert_eq!(fates(&study), [Fate::HeldBack, Fate::Kept, Fate::Kept]);
}

/// What is worse by exactly the margin is the null hypothesis now: it is kept at the policy's rate.
#[test]
fn the_error_rate_holds_at_the_margin() {
    let (mut kept, mut judged) = (0, 0);
    for seed in 0..6 {
        let world = Listed::new(vec![-1.5; 100], 400 + seed);
        let settings = Settings::new().seed(seed);
        let study =
            StudyState::composing(Edits::new(), Sequential::new().alpha(0.05), UnionOfEdits, settings);
        let study = study.expect("settings").simplify(1.5, |c: &Edits| -(c.len() as f64));
        let mut study = study.expect("nothing has happened");
        let measure = |c: &Edits, seed, split| {
            Measurement::scalar(world.loss(c, seed, split as usize)).expect("finite")
        };
        drive(&mut study, &stream(100), &measure);
        kept += study.kept().len() as u64;
        judged += study.proposals();
    }
    println!("at the margin: {kept} of {judged}");
    let fluke = Binomial::new(0.05, judged).expect("a rate");
    assert!(kept == 0 || fluke.sf(kept - 1) >= 0.001, "{kept} of {judged}");
}

#[test]
fn guarded_and_scout_keep_what_is_simpler_and_know_nothing_of_it() {
    // All edits do nothing; the even ones make things simpler, the odd ones more complex.
    let world = Listed::new(vec![0.0; 16], 9);
    let complexity = |edits: &Edits| edits.iter().map(|e| if e % 2 == 0 { -1.0 } else { 1.0 }).sum::<f64>();
    let measure =
        |c: &Edits, seed, split| Measurement::scalar(world.loss(c, seed, split as usize)).expect("finite");
    for (holdout, scout) in [(false, false), (true, false), (false, true), (true, true)] {
        let acceptor = || -> Box<dyn Acceptor> {
            if scout { Box::new(Scout::new()) } else { Box::new(Guarded::new().horizon(5)) }
        };
        let mut settings = Settings::new().limits(Limits::new().runs(300));
        if holdout {
            settings = settings.holdout(Holdout::new().split_error(0.01));
        }
        let study = StudyState::composing(Edits::new(), acceptor(), UnionOfEdits, settings.clone());
        let mut study = study.expect("settings").simplify(4.0, complexity).expect("nothing has happened");
        let (reason, events) = drive(&mut study, &stream(16), &measure);
        let kept = study.incumbent().clone();
        println!("scout {scout}, holdout {holdout}: {kept:?}, {reason}");
        assert!(kept.iter().filter(|e| *e % 2 == 0).count() >= 4, "{kept:?}");
        assert!(kept.iter().all(|e| e % 2 == 0), "{kept:?}");
        // What is reported is what it does, not what it was credited with.
        let effects = study.history().iter().filter(|r| r.fate == Fate::Kept).filter_map(|r| r.effect);
        let effects: Vec<f64> = effects.map(|e| e.mean).collect();
        assert!(effects.iter().all(|e| e.abs() < 2.0), "{effects:?}");
        let gain = study.gain().map_or(0.0, |g| g.mean);
        assert!(gain.abs() < 2.0, "the whole is reported without credit: {gain}");
        let open = |first: &Event<Edits>| {
            let compose: Option<Arc<dyn Compose<Edits>>> = Some(Arc::new(UnionOfEdits));
            let state = StudyState::reopen(first, &Edits::new(), acceptor(), compose, &settings, "");
            state.expect("the same study").simplify(4.0, complexity).expect("the same margin")
        };
        replays(&events, &open, &stream(16), &measure);
    }
}

#[test]
fn simplification_is_agreed_upon_before_anything_happens() {
    let open = || StudyState::new((1.0, 9.0), Greedy::new(), Settings::new()).expect("settings");
    let lines = |c: &Pair| c.1;
    for margin in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = open().simplify(margin, lines).expect_err("refused").to_string();
        assert!(error.contains("margin is") && error.contains("positive"), "{error}");
    }
    let mut late = open();
    drive(&mut late, &list(&[(0.9, 8.0)]), &loss_alone);
    let error = late.simplify(0.01, lines).expect_err("refused").to_string();
    assert!(error.contains("before the first fact"), "{error}");
    let mut study = open().simplify(0.01, lines).expect("in time");
    let (_, events) = drive(&mut study, &list(&[(0.9, 8.0)]), &loss_alone);
    let reopen = || {
        StudyState::reopen(&events[0], &(1.0, 9.0), Greedy::new(), None, &Settings::new(), "").expect("it")
    };
    let error = reopen().simplify(0.02, lines).expect_err("refused").to_string();
    assert!(error.contains("0.01") && error.contains("0.02"), "{error}");
    let mut forgetful = reopen();
    let error = events[1..].iter().find_map(|e| forgetful.replay(e).err()).expect("refused").to_string();
    assert!(error.contains("simplify(0.01"), "{error}");
}

#[tokio::test]
async fn a_stored_study_goes_on_with_the_same_terms_only() {
    let store = MemoryStore::new();
    let study = |runs| {
        let ideas = [(1.005, 90.0), (1.2, 80.0), (0.9, 99.0), (0.91, 70.0)];
        let train = executor_fn(|candidate: Pair, _| async move { Ok(candidate) });
        let evaluate = evaluator_fn(|c: &Pair| Ok(Measurement::scalar(c.0)?.metric("lines", c.1)?));
        let proposer = testkit::scripted(ideas.map(Proposal::new));
        let study = Study::new((1.0, 100.0), proposer, train, evaluate).acceptor(Greedy::new());
        study.store(store.clone()).limits(Limits::new().runs(runs))
    };
    let lines = Constraint::at_most("lines", 95.0 + 10.0);
    let first =
        study(3).constraint(lines.clone()).simplify(0.02, |c: &Pair| c.1).run().await.expect("a report");
    assert_eq!((first.kept.len(), first.runs), (1, 3));
    let error = study(9).constraint(lines.clone()).run().await.expect_err("refused").to_string();
    assert!(error.contains("simplification"), "{error}");
    let error = study(9).simplify(0.02, |c: &Pair| c.1).run().await.expect_err("refused").to_string();
    assert!(error.contains("constraints"), "{error}");
    let again = study(9).constraint(lines).simplify(0.02, |c: &Pair| c.1).run().await.expect("a report");
    assert!(again.kept.len() > 1, "{again}");
    assert!(again.kept[0].reason.contains("credit"), "{again}");
}

/// With several runs under way, ending in any order, losses of before and after an acceptance stay comparable, and a
/// stored study is rebuilt to the same.
#[test]
fn many_runs_at_once_are_credited_and_bounded_alike() {
    let world = Listed::new((0..200).map(|e| f64::from(e % 4) - 1.5).collect(), 21);
    let cost = |edit: u32| if edit % 8 == 3 { 0.2 } else { 0.0 };
    let measure = edits_with_memory(&world, &cost);
    let complexity = |edits: &Edits| edits.iter().map(|e| if e % 3 == 0 { -1.0 } else { 1.0 }).sum::<f64>();
    let settings = Settings::new()
        .in_flight(3)
        .limits(Limits::new().runs(400))
        .constraint(Constraint::within("memory_gb", 0.10))
        .constraint(Constraint::at_most("memory_gb", 5.0))
        .holdout(Holdout::new().split_error(0.05));
    let policies: [fn() -> Box<dyn Acceptor>; 6] = [
        || Box::new(Greedy::new().runs(2)),
        || Box::new(Margin::new(1.0)),
        || Box::new(FixedPaired::new().pairs(4).alpha(0.1)),
        || Box::new(Fast::new()),
        || Box::new(Guarded::new().horizon(5)),
        || Box::new(Scout::new()),
    ];
    for acceptor in policies {
        let study = StudyState::composing(Edits::new(), acceptor(), UnionOfEdits, settings.clone());
        let mut study = study.expect("settings").simplify(1.0, complexity).expect("nothing has happened");
        let mut events = study.take_events();
        let mut flying: Vec<PlannedRun<Edits>> = Vec::new();
        let reason = loop {
            match study.next_action() {
                Action::Propose { .. } => {
                    let view = study.view();
                    let idea = stream(200)(view.incumbent, view.proposals);
                    let answer = idea.map_or(Proposed::Exhausted, |edits| Proposal::new(edits).into());
                    study.proposed(answer).expect("asked for");
                }
                Action::Run(run) => flying.push(run),
                Action::AskHoldout(query) => {
                    let held = query.runs.iter().map(|run| measure(&run.candidate, run.seed, 1).into());
                    study.held_out(query.id, held.collect()).expect("asked");
                }
                Action::Wait => {
                    let run = flying.remove(events.len() % flying.len());
                    let outcome = measure(&run.candidate, run.seed, 0);
                    study.finished(run.id, Ok(outcome)).expect("under way");
                }
                Action::Stop(reason) => break reason,
            }
            events.extend(study.take_events());
        };
        events.extend(study.take_events());
        let name = acceptor().describe();
        println!("{name}: {:?}, {reason}", study.incumbent());
        assert!(study.incumbent().iter().all(|e| cost(*e) == 0.0), "{name}: {:?}", study.incumbent());
        assert!(!matches!(reason, StopReason::AcceptorFailed(_)), "{name}: {reason}");
        let compose: Option<Arc<dyn Compose<Edits>>> = Some(Arc::new(UnionOfEdits));
        let again = StudyState::reopen(&events[0], &Edits::new(), acceptor(), compose, &settings, "");
        let mut again = again.expect("the same study").simplify(1.0, complexity).expect("the same margin");
        events[1..].iter().for_each(|event| again.replay(event).expect("the same conclusions"));
        assert_eq!(again.incumbent(), study.incumbent());
        assert!(again.take_events().is_empty());
    }
}
