//! Studies whose proposals wait in a backlog: replay, crash, what people do, what is known.

mod world;

use autoresearch_core::*;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use world::{Times, World, hash, worlds};

fn curation(world: &World) -> Curation {
    let curation = match world.seed % 3 {
        0 => Curation::new(Fifo::new()),
        1 => Curation::new(ExpectedGain::new()),
        _ => Curation::new(Person::first(ExpectedGain::new())),
    };
    curation.room(Room::new(2 + world.seed as usize % 5, 8))
}

fn open(world: &World) -> StudyState<f64> {
    world.open().curate(curation(world)).expect("nothing has happened")
}

fn reopen(world: &World, events: &[Event<f64>]) -> StudyState<f64> {
    let compose: Option<Arc<dyn Compose<f64>>> = Some(Arc::new(Times));
    let state = StudyState::reopen(&events[0], &2.0, world.acceptor(), compose, &world.settings(), "")
        .expect("the same");
    let mut state = state.curate(curation(world)).expect("the same curation");
    for event in &events[1..] {
        state.replay(event).expect("the same conclusions");
    }
    state
}

/// Somebody does something now and then: what, follows from how much has happened. It may be refused.
fn meddle(world: &World, state: &mut StudyState<f64>) {
    let ids: Vec<ProposalId> = state.backlog().map(|entry| entry.id).collect();
    let dice = hash(&[world.seed, state.runs(), state.proposals(), ids.len() as u64]);
    let Some(id) = ids.get(dice as usize / 16 % ids.len().max(1)).copied() else { return };
    let to = match dice % 16 {
        0 => Move::Pinned(true),
        1 => Move::Vetoed { reason: "no".into() },
        2 => Move::Shelved { reason: "later".into() },
        3 => Move::Restored,
        4 => Move::Placed(Some(dice / 16 % 3)),
        5 => Move::Expected { expected: Some(0.1), spread: None, kept: Some(0.5) },
        6 => {
            let idea = Proposal::new(state.incumbent() * 0.7).source(Source::person("Ada"));
            return state.add_idea(idea).map(|_| ()).expect("there is a backlog");
        }
        _ => return,
    };
    let _ = state.move_idea(id, to);
}

/// Plays a study from where it stands to its end, one run at a time.
fn play(world: &World, state: &mut StudyState<f64>) -> Vec<Event<f64>> {
    let mut events = state.take_events();
    let mut flying: Vec<PlannedRun<f64>> = Vec::new();
    loop {
        match state.next_action() {
            Action::Propose { wanted } => {
                let waiting = state.backlog().filter(|entry| entry.state == IdeaState::New).count();
                assert!(waiting < wanted, "{wanted} are asked for, and {waiting} wait");
                let ideas = world.ideas(state, wanted);
                state.proposed(ideas).expect("asked for");
            }
            Action::Run(run) => {
                flying.push(run);
                continue;
            }
            Action::AskHoldout(query) => {
                let split = 1 + query.split as u64;
                let held = query.runs.iter().map(|run| {
                    let loss = world.loss(run, split);
                    HeldOut::from(Measurement::new([loss, loss + 0.02, loss]).expect("finite"))
                });
                state.held_out(query.id, held.collect()).expect("asked");
            }
            Action::Wait => {
                let run = flying.remove(0);
                state.finished(run.id, world.outcome(&run)).expect("under way");
                meddle(world, state);
            }
            Action::Stop(_) => {
                events.extend(state.take_events());
                return events;
            }
        }
        events.extend(state.take_events());
    }
}

fn entries(state: &StudyState<f64>) -> Vec<BacklogEntry> {
    state.backlog().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Through JSON and back, a stored study has the same backlog, and the same incumbent.
    #[test]
    fn replay_gives_the_same_backlog(world in worlds()) {
        let mut state = open(&world);
        let events = play(&world, &mut state);
        let text = serde_json::to_string(&events).expect("JSON");
        let stored: Vec<Event<f64>> = serde_json::from_str(&text).expect("events");
        prop_assert_eq!(&stored, &events);
        let mut again = reopen(&world, &stored);
        prop_assert!(again.take_events().is_empty(), "nothing is left to conclude");
        prop_assert_eq!(entries(&again), entries(&state));
        prop_assert_eq!(again.incumbent().to_bits(), state.incumbent().to_bits());
        prop_assert_eq!(again.stopped(), state.stopped());
    }

    /// Killed after any event and taken up again, it concludes what was lost: nothing that was stored is drawn otherwise.
    #[test]
    fn a_study_cut_anywhere_goes_on(mut world in worlds(), at in 0.0..1.0f64) {
        world.capacity = 1;
        let whole = play(&world, &mut open(&world));
        let mut cut = 1 + (at * (whole.len() - 1) as f64) as usize;
        let mut resumed = reopen(&world, &whole[..cut]);
        // What follows from the last fact was to be stored with it: it is drawn again, and is the same.
        for drawn in resumed.take_events() {
            prop_assert_eq!(&drawn, &whole[cut]);
            cut += 1;
        }
        let rest = play(&world, &mut resumed);
        let mut events = whole[..cut].to_vec();
        events.extend(rest);
        // People do not repeat what they did between the cut and its store; all else is a history that replays.
        let again = reopen(&world, &events);
        prop_assert_eq!(entries(&again), entries(&resumed));
    }

    /// What somebody vetoed or shelved is not tried before somebody says otherwise.
    #[test]
    fn what_people_put_away_is_not_tried(world in worlds()) {
        let mut away = std::collections::BTreeSet::new();
        for event in play(&world, &mut open(&world)) {
            let Event::Moved { idea, to } = event else { continue };
            match to {
                Move::Vetoed { .. } | Move::Shelved { .. } => _ = away.insert(idea),
                Move::Restored => _ = away.remove(&idea),
                Move::Taken { .. } => prop_assert!(!away.contains(&idea), "idea {}", idea.0),
                _ => {}
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Recipe {
    lr: f64,
    width: u32,
    seed: u64,
}

const BASE: Recipe = Recipe { lr: 1.0, width: 64, seed: 1 };

/// A study that has asked for proposals, with a backlog of this room, and no run before.
fn recipes(curator: impl Curator + 'static, room: Room) -> StudyState<Recipe> {
    recipes_by(Greedy::new(), curator, room)
}

fn recipes_by(
    acceptor: impl Acceptor + 'static,
    curator: impl Curator + 'static,
    room: Room,
) -> StudyState<Recipe> {
    let curation = Curation::new(curator).room(room).comes_back_after(3);
    let mut study = StudyState::composing(BASE, acceptor, FieldMerge::new(), Settings::new())
        .and_then(|study| study.curate(curation))
        .expect("settings");
    // Greedy measures the baseline first.
    while let Action::Run(run) = study.next_action() {
        study.finished(run.id, loss(&run.candidate)).expect("under way");
    }
    study
}

fn loss(recipe: &Recipe) -> Outcome {
    Ok(Measurement::scalar(recipe.lr + 64.0 / f64::from(recipe.width))?)
}

fn lr(lr: f64) -> Proposal<Recipe> {
    Proposal::new(Recipe { lr, ..BASE }).title(format!("a rate of {lr}"))
}

fn states(study: &StudyState<Recipe>) -> Vec<String> {
    study.backlog().map(|entry| entry.state.to_string()).collect()
}

/// Runs what is planned, until somebody is to propose.
fn run_on(study: &mut StudyState<Recipe>) -> Vec<String> {
    let mut titles = Vec::new();
    for _ in 0..1000 {
        match study.next_action() {
            Action::Run(run) => study.finished(run.id, loss(&run.candidate)).expect("under way"),
            _ => break,
        }
    }
    for event in study.take_events() {
        if let Event::Proposed { proposals, .. } = event {
            titles.extend(proposals.into_iter().map(|p| p.hypothesis.title));
        }
    }
    titles
}

#[test]
fn what_is_known_is_answered_and_not_run() {
    let mut study = recipes(Fifo::new(), Room::new(0, 8));
    let seed = Proposal::new(Recipe { seed: 9, ..BASE }).title("another seed");
    let same = Proposal::new(BASE).title("nothing");
    let seeded = Proposal::new(Recipe { lr: 2.0, seed: 3, ..BASE }).title("a rate of 2, another seed");
    study.proposed(vec![seed, same, lr(2.0), lr(2.0), seeded, lr(3.0)]).expect("asked for");
    assert_eq!(run_on(&mut study), ["a rate of 2", "a rate of 3"]);
    let said = states(&study);
    assert!(said[0].contains("changes nothing") && said[1].contains("changes nothing"), "{said:?}");
    assert!(said[3].starts_with("known: as idea 3") && said[4].starts_with("known: as idea 3"), "{said:?}");
    // Once it is judged, the answer is what was found.
    study.proposed(vec![lr(2.0)]).expect("asked for");
    assert!(states(&study)[6].contains("rejected as p1"), "{:?}", states(&study));
}

/// A rate of .9 was better by .1, which is not enough here; one of 2 was worse.
#[test]
fn a_near_miss_comes_back_when_the_incumbent_has_moved() {
    let enough = acceptor_fn(|seen: &Evidence| match seen.pairs() {
        0 => Verdict::more(1),
        _ if seen.differences().all(|gain| gain > 0.15) => Verdict::Accept,
        _ => Verdict::Reject,
    });
    let mut study = recipes_by(enough, Fifo::new(), Room::new(0, 1));
    for (rate, title) in [(0.9, "a rate of 0.9"), (2.0, "a rate of 2")] {
        study.proposed(vec![lr(rate)]).expect("asked for");
        assert_eq!(run_on(&mut study), [title]);
    }
    let mut again = Vec::new();
    for width in [80, 107, 161] {
        let on = study.incumbent().clone();
        study.proposed(vec![Proposal::new(Recipe { width, ..on })]).expect("asked for");
        run_on(&mut study);
        for (lr, title) in [(2.0, "worse"), (0.9, "again")] {
            let on = study.incumbent().clone();
            study.proposed(vec![Proposal::new(Recipe { lr, ..on }).title(title)]).expect("asked for");
            again.push(run_on(&mut study));
        }
    }
    assert_eq!(study.version(), Version(3));
    let nothing = Vec::<String>::new;
    let expected = [nothing(), nothing(), nothing(), nothing(), nothing(), vec!["again".into()]];
    assert_eq!(again, expected, "{:?}", states(&study));
}

#[test]
fn a_key_that_was_kept_meanwhile_lets_an_idea_come_back_at_once() {
    let mut study = recipes(Fifo::new(), Room::new(0, 1));
    study.proposed(vec![lr(2.0)]).expect("asked for");
    run_on(&mut study);
    study.proposed(vec![lr(0.5)]).expect("asked for");
    run_on(&mut study);
    assert_eq!(study.version(), Version(1));
    let on = study.incumbent().clone();
    study.proposed(vec![Proposal::new(Recipe { lr: 2.0, ..on }).title("again")]).expect("asked for");
    assert_eq!(run_on(&mut study), ["again"]);
}

#[test]
fn people_come_before_the_curator() {
    let mut study = recipes(Fifo::new(), Room::new(5, 6));
    // Five wait, and a sixth is wanted beside them: nobody is tried before.
    study.proposed((2..7).map(|i| lr(f64::from(i))).collect::<Vec<_>>()).expect("asked for");
    assert_eq!(run_on(&mut study), [""; 0]);
    study.move_idea(ProposalId(1), Move::Vetoed { reason: "it diverges".into() }).expect("it waits");
    study.move_idea(ProposalId(4), Move::Pinned(true)).expect("it waits");
    study.move_idea(ProposalId(3), Move::Placed(Some(0))).expect("it waits");
    let added = study.add_idea(lr(9.0)).expect("there is a backlog");
    study.move_idea(added, Move::Placed(Some(1))).expect("it waits");
    study.proposed(Proposed::Exhausted).expect("asked for");
    let order = ["a rate of 5", "a rate of 4", "a rate of 9", "a rate of 3", "a rate of 6"];
    assert_eq!(run_on(&mut study), order);
    assert_eq!(states(&study)[0], "vetoed: it diverges");
    assert_eq!(study.stopped(), Some(&StopReason::Exhausted));
}

#[test]
fn what_cannot_be_moved_is_refused_and_changes_nothing() {
    let mut study = recipes(Fifo::new(), Room::new(0, 1));
    study.proposed(vec![lr(2.0)]).expect("asked for");
    run_on(&mut study);
    let before = states(&study);
    let nan = Move::Expected { expected: Some(f64::NAN), spread: None, kept: None };
    for (idea, to) in [(1, Move::Pinned(true)), (7, Move::Restored), (1, Move::PassedOver), (1, nan)] {
        study.move_idea(ProposalId(idea), to).expect_err("refused");
    }
    assert_eq!(states(&study), before);
    assert!(study.take_events().is_empty());
    let mut none = StudyState::new(1.0, Greedy::new(), Settings::new()).expect("settings");
    assert_eq!(none.add_idea(Proposal::new(2.0)), Err(StateError::NoBacklog));
}

#[test]
fn a_changed_expectation_is_what_the_curator_sees() {
    struct Boldest;
    impl Curator for Boldest {
        fn rank(&mut self, backlog: &[Waiting<'_>], _cx: &Ranking) -> Vec<ProposalId> {
            let mut order: Vec<_> = backlog.iter().collect();
            let bold = |w: &Waiting<'_>| w.hypothesis.expected.unwrap_or(0.0);
            order.sort_by(|a, b| bold(b).total_cmp(&bold(a)));
            order.iter().map(|w| w.id).collect()
        }
        fn describe(&self) -> String {
            "boldest".into()
        }
    }
    let mut study = recipes(Boldest, Room::new(2, 3));
    study.proposed(vec![lr(2.0).expecting(0.1), lr(3.0).expecting(0.2)]).expect("asked for");
    let to = Move::Expected { expected: Some(0.9), spread: Some(0.1), kept: None };
    study.move_idea(ProposalId(1), to).expect("it waits");
    study.proposed(Proposed::Exhausted).expect("asked for");
    assert_eq!(run_on(&mut study), ["a rate of 2", "a rate of 3"]);
}

#[test]
fn nobody_is_asked_while_enough_wait() {
    let mut study = recipes(Fifo::new(), Room::new(3, 6));
    let mut asked = vec![0];
    study.proposed((2..8).map(|i| lr(f64::from(i))).collect::<Vec<_>>()).expect("asked for");
    loop {
        match study.next_action() {
            Action::Run(run) => study.finished(run.id, loss(&run.candidate)).expect("under way"),
            Action::Propose { wanted } => {
                assert_eq!(wanted, 6);
                let waiting = study.backlog().filter(|entry| entry.state == IdeaState::New).count();
                asked.push(waiting);
                if asked.len() > 3 {
                    break;
                }
                let more = 10 * asked.len() as u32;
                study
                    .proposed((more..more + 3).map(|i| lr(f64::from(i))).collect::<Vec<_>>())
                    .expect("asked");
            }
            other => panic!("{other:?}"),
        }
    }
    // One is taken at a time, and three are to be left.
    assert_eq!(asked, [0, 3, 3, 3]);
}

#[test]
fn whoever_only_repeats_has_nothing_more_to_say() {
    let mut study = recipes(Fifo::new(), Room::new(0, 8));
    study.proposed(vec![lr(2.0)]).expect("asked for");
    for _ in 0..100 {
        match study.next_action() {
            Action::Propose { .. } => study.proposed(vec![lr(2.0)]).expect("asked for"),
            Action::Run(run) => study.finished(run.id, loss(&run.candidate)).expect("under way"),
            Action::Stop(reason) => {
                assert_eq!(reason, StopReason::Exhausted);
                return;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("it is asked for ever");
}

#[test]
fn a_study_without_its_curation_does_not_go_on() {
    let mut study = recipes(Fifo::new(), Room::new(0, 8));
    let first = study.take_events().remove(0);
    let again = StudyState::reopen(
        &first,
        &BASE,
        Greedy::new(),
        Some(Arc::new(FieldMerge::new())),
        &Settings::new(),
        "",
    );
    let other = again.and_then(|study| study.curate(Curation::new(Fifo::new()).room(Room::new(1, 8))));
    assert!(matches!(other, Err(StateError::OtherStudy { what: "curation", .. })), "{other:?}");
}
