//! The holdout in a study: its budget, shards, rules and account, and what a store keeps of them.

use autoresearch_core::*;
use std::sync::{Arc, Mutex};

/// A study by hand: every proposal is better on validation by 1 than the incumbent, and by `held` of its number on
/// the holdout, unit by unit.
struct World<H> {
    rules: Holdout,
    slots: usize,
    proposals: u64,
    held: H,
}

type Play = (StudyState<f64>, Vec<Event<f64>>);

impl<H: Fn(u64, usize) -> f64> World<H> {
    fn settings(&self) -> Settings {
        let limits = Limits::new().proposals(self.proposals);
        Settings::new().limits(limits).in_flight(self.slots).holdout(self.rules.clone())
    }

    fn open(&self) -> StudyState<f64> {
        StudyState::new(1000.0, Greedy::new(), self.settings()).expect("settings")
    }

    /// A candidate is 1000 less 1 for every step, and carries its proposal's number behind the point.
    fn held(&self, candidate: f64) -> HeldOut {
        let number = ((candidate - candidate.floor()) * 1024.0) as u64;
        let value = |unit: usize| if number == 0 { 0.0 } else { -(self.held)(number, unit) };
        Measurement::new((0..24).map(value)).expect("finite").into()
    }

    /// From where it stands to its end; gives all events from here on.
    fn play(&self, state: &mut StudyState<f64>) -> Vec<Event<f64>> {
        let mut events = state.take_events();
        let mut flying = Vec::new();
        for _ in 0..10_000 {
            match state.next_action() {
                Action::Propose { wanted } => {
                    let (from, made) = (state.incumbent().floor(), state.proposals());
                    let one = |i: u64| Proposal::new(from - 1.0 + (made + i + 1) as f64 / 1024.0);
                    let some: Vec<_> = (0..wanted as u64).map(one).collect();
                    state.proposed(Proposed::Proposals(some)).expect("asked for");
                }
                Action::Run(run) => flying.push(run),
                Action::AskHoldout(query) => {
                    let held = query.runs.iter().map(|run| self.held(*run.candidate)).collect();
                    state.held_out(query.id, held).expect("asked");
                }
                Action::Wait => {
                    let run: PlannedRun<f64> = flying.remove(0);
                    state
                        .finished(run.id, Measurement::scalar(*run.candidate).map_err(Into::into))
                        .expect("up");
                }
                Action::Stop(_) => {
                    events.extend(state.take_events());
                    return events;
                }
            }
            events.extend(state.take_events());
        }
        panic!("it does not end");
    }

    fn whole(&self) -> Play {
        let mut state = self.open();
        let events = self.play(&mut state);
        (state, events)
    }

    fn reopen(&self, events: &[Event<f64>]) -> Result<StudyState<f64>, StateError> {
        let text = serde_json::to_string(events).expect("JSON");
        let events: Vec<Event<f64>> = serde_json::from_str(&text).expect("events");
        let mut state = StudyState::reopen(&events[0], &1000.0, Greedy::new(), None, &self.settings(), "")?;
        events[1..].iter().try_for_each(|event| state.replay(event))?;
        Ok(state)
    }
}

fn answers(events: &[Event<f64>]) -> Vec<bool> {
    let bit = |e: &Event<f64>| match e {
        Event::Answered { answer, .. } => Some(answer.passed),
        _ => None,
    };
    events.iter().filter_map(bit).collect()
}

fn counts(ledger: &HoldoutLedger) -> Vec<[u64; 4]> {
    ledger.shards.iter().map(|s| [s.asked, s.answered, s.yes, s.refused]).collect()
}

#[test]
fn shards_take_turns_and_the_account_is_rebuilt() {
    let rules = Holdout::new().queries(2).shards(3).split_error(0.01);
    let odd = |number: u64, _| if number % 2 == 1 { number as f64 } else { -1.0 };
    let world = World { rules, slots: 1, proposals: 100, held: odd };
    let (state, events) = world.whole();
    assert_eq!(answers(&events).len(), 6);
    assert_eq!(state.stopped(), Some(&StopReason::HoldoutSpent));
    let ledger = state.holdout_ledger();
    assert_eq!(counts(&ledger), [[2, 2, 1, 0]; 3]);
    assert_eq!(ledger.total().yes, answers(&events).iter().filter(|a| **a).count() as u64);
    let text = ledger.to_string();
    assert!(text.contains("asked 6 times and said yes 3 times") && text.contains("1/2, 1/2, 1/2"), "{text}");
    assert_eq!(world.reopen(&events).expect("the same study").holdout_ledger(), ledger);
    for event in &events {
        let text = serde_json::to_string(event).expect("JSON");
        assert!(!text.contains("release"), "the one-bit rule stores bits alone: {text}");
    }
}

/// One unit decides the mean of whichever shard it is in: of the three questions, each of another shard, exactly one
/// hears it.
#[test]
fn an_answer_rests_on_its_own_shard_alone() {
    let mut heard = [0u32; 3];
    for good in 0..24 {
        let rules = Holdout::new().queries(1).shards(3).split_error(0.01);
        let held = move |_, unit: usize| if unit == good { 1000.0 } else { -1.0 };
        let (_, events) = World { rules, slots: 1, proposals: 100, held }.whole();
        let bits = answers(&events);
        assert_eq!(bits.iter().filter(|b| **b).count(), 1, "unit {good}: {bits:?}");
        heard[bits.iter().position(|b| *b).expect("one")] += 1;
    }
    assert!(heard.iter().all(|&n| n >= 3), "{heard:?}");
}

#[test]
fn what_is_refused_stays_pending_and_says_so_also_after_resuming() {
    // Two slots: the second proposal was accepted already when the first used up the holdout.
    let world = World { rules: Holdout::new().queries(1), slots: 2, proposals: 100, held: |_, _| -1.0 };
    let (mut state, mut events) = world.whole();
    assert_eq!(state.stopped(), Some(&StopReason::HoldoutSpent));
    let refusals = |events: &[Event<f64>]| -> Vec<String> {
        let reason = |e: &Event<f64>| match e {
            Event::Deferred { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        events.iter().filter_map(reason).collect()
    };
    let said = refusals(&events);
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("stays pending") && said[0].contains("spent"), "{}", said[0]);
    assert_eq!(state.view().pending.len(), 1);
    assert_eq!(counts(&state.holdout_ledger()), [[1, 1, 0, 1]]);
    assert!(state.holdout_ledger().to_string().contains("1 refused"));

    let mut again = world.reopen(&events).expect("the same study");
    assert_eq!(again.holdout_ledger(), state.holdout_ledger());
    for state in [&mut state, &mut again] {
        state.resume(Limits::new().proposals(200), 2).expect("limits");
        let more = world.play(state);
        assert_eq!(refusals(&more).len(), 0, "it was said before");
        assert_eq!(state.stopped(), Some(&StopReason::HoldoutSpent));
        assert_eq!(state.view().pending.len(), 1);
        events.extend(more);
        assert_eq!(counts(&state.holdout_ledger()), [[1, 1, 0, 1]]);
    }
}

/// Cut anywhere, a study goes on to the same facts, whatever its rule has to remember.
#[test]
fn rules_survive_a_resume() {
    let rules = || {
        let rules = Holdout::new().queries(40).split_error(0.25);
        [
            rules.clone(),
            rules.clone().rule(Ladder::new()),
            rules.clone().rule(Ladder::fixed(0.5)),
            rules.clone().rule(Thresholdout::new(0.4, 0.05).budget(8)),
            rules.rule(Thresholdout::in_standard_errors(2.0, 0.3).budget(8)).shards(2),
        ]
    };
    let held = |number: u64, unit: usize| {
        [1.0, 0.2, 0.9, -0.5, 1.1, 0.7][number as usize % 6] * (1 + number / 8) as f64
            + (unit as f64).sin() * 0.1
    };
    for (i, rules) in rules().into_iter().enumerate() {
        let world = World { rules, slots: 2, proposals: 24, held };
        let (state, events) = world.whole();
        let bits = answers(&events);
        assert!(bits.contains(&true) && bits.contains(&false), "rule {i}: {bits:?}");
        for cut in 1..events.len() {
            let mut again = world.reopen(&events[..cut]).expect("the same study");
            let rest = world.play(&mut again);
            assert_eq!(rest, events[cut..], "rule {i}, cut after {cut}");
            assert_eq!(again.holdout_ledger(), state.holdout_ledger());
        }
    }
}

#[test]
fn another_rule_is_another_study() {
    let world = |rules: Holdout| World { rules, slots: 1, proposals: 3, held: |_, _| 1.0 };
    let (_, events) = world(Holdout::new().rule(Ladder::fixed(0.5))).whole();
    for other in
        [Holdout::new(), Holdout::new().rule(Ladder::fixed(0.25)), Holdout::new().rule(Ladder::new())]
    {
        let message = world(other).reopen(&events).expect_err("refused").to_string();
        assert!(message.contains("holdout") && message.contains("Ladder { step: Some(0.5) }"), "{message}");
    }
    // Settings that were read from a store name their rule; a new study needs the rule itself.
    let Event::Opened { settings, .. } = &events[0] else { panic!("opened") };
    let text = serde_json::to_string(settings).expect("JSON");
    let read: Settings = serde_json::from_str(&text).expect("settings");
    assert_eq!(&read, settings);
    let message = StudyState::new(1.0, Greedy::new(), read).expect_err("refused").to_string();
    assert!(message.contains("Holdout::rule"), "{message}");
    // And a store from before there were rules holds the one-bit rule.
    let old: Holdout = serde_json::from_str(r#"{"queries":100,"split_error":null}"#).expect("rules");
    assert_eq!(old, Holdout::new());
}

/// What the Ladder releases is on its grid, falls, and is the only number of the holdout's in the store.
#[test]
fn the_ladder_releases_its_rungs_and_nothing_else() {
    let held = |number: u64, _| number as f64 * 0.28;
    let rules = Holdout::new().rule(Ladder::fixed(0.5));
    let (_, events) = World { rules, slots: 1, proposals: 12, held }.whole();
    let mut rungs = Vec::new();
    for event in &events {
        let Event::Answered { answer, release, .. } = event else { continue };
        let rung = release.value.expect("the best so far");
        assert_eq!(rung % 0.5, 0.0, "{rung} is not a multiple of the step");
        assert!(rungs.last().is_none_or(|&(_, before)| if answer.passed {
            rung < before
        } else {
            rung == before
        }));
        rungs.push((answer.passed, rung));
    }
    // Losses of -.28, -.56, -.84, ..., the baseline's is 0: yes where one is below the last rung by more than .5.
    let passed: Vec<bool> = rungs.iter().map(|r| r.0).collect();
    assert_eq!(passed[..5], [false, true, false, true, false], "{rungs:?}");
    assert!(rungs.len() == 12 && passed.iter().filter(|p| **p).count() < 8);
}

/// Agreement costs Thresholdout nothing; overfitting does, and ends it.
#[test]
fn thresholdout_spends_detections() {
    let rules =
        || Holdout::new().queries(1000).split_error(0.01).rule(Thresholdout::new(0.2, 0.001).budget(3));
    let agrees = World { rules: rules(), slots: 1, proposals: 30, held: |n: u64, _| n as f64 };
    let (state, _) = agrees.whole();
    // The gain is one of about 1 each time on validation; here the holdout's is the same.
    let total = state.holdout_ledger().total();
    assert_eq!((total.asked, total.yes, total.detected), (30, 30, 0));

    let differs = World { rules: rules(), slots: 1, proposals: 30, held: |_, _| 0.0 };
    let (state, events) = differs.whole();
    let total = state.holdout_ledger().total();
    assert_eq!((total.asked, total.detected), (3, 3), "{:?}", answers(&events));
    assert_eq!(state.stopped(), Some(&StopReason::HoldoutSpent));
    assert!(state.holdout_ledger().to_string().contains("overfitted 3 times"));
}

#[derive(Debug)]
struct Broken(bool);

impl HoldoutRule for Broken {
    fn describe(&self) -> String {
        "broken".into()
    }
    fn answer(&self, question: &Heard, _: &Memory) -> Reply {
        assert_eq!(format!("{question:?} {:?}", question.effects()), "Heard(sealed) [HeardEffect(sealed)]");
        assert!(self.0, "not today");
        Reply::new(Vec::new())
    }
}

#[test]
fn a_broken_rule_stops_the_study() {
    for (counts, word) in [(true, "0 bits"), (false, "panicked")] {
        let rules = Holdout::new().rule(Broken(counts));
        let (state, _) = World { rules, slots: 1, proposals: 3, held: |_, _| 1.0 }.whole();
        let Some(StopReason::HeldOutFailed(why)) = state.stopped() else { panic!("{:?}", state.stopped()) };
        assert!(why.contains(word), "{why}");
        assert_eq!((counts_asked(&state), state.version()), (1, Version(0)));
    }
}

fn counts_asked(state: &StudyState<f64>) -> u64 {
    state.holdout_ledger().total().asked
}

#[tokio::test]
async fn scalars_cannot_be_divided_and_the_study_goes_on_once_they_are_mended() {
    let store = MemoryStore::new();
    let study = |units: bool| {
        let train = executor_fn(|loss: f64, _| async move { Ok(loss) });
        let held = evaluator_fn(move |loss: &f64| match units {
            true => Ok(Measurement::new([*loss; 20])?),
            false => Ok(Measurement::scalar(*loss)?),
        });
        let ideas = testkit::scripted([Proposal::new(0.5), Proposal::new(0.4)]);
        Study::new(1.0, ideas, train, testkit::loss())
            .acceptor(Greedy::new())
            .holdout(held)
            .holdout_rules(Holdout::new().shards(2))
            .store(store.clone())
    };
    let report = study(false).run().await.expect("a report");
    let StopReason::HeldOutFailed(why) = &report.stopped else { panic!("{}", report.stopped) };
    assert!(why.contains("no per-unit values") && why.contains("shards"), "{why}");
    assert_eq!(
        (report.runs, report.holdout),
        (1, (0, 0)),
        "the first run tells, and no question is lost: {report}"
    );
    let report = study(true).run().await.expect("a report");
    assert_eq!((report.stopped.clone(), report.holdout), (StopReason::Exhausted, (2, 2)), "{report}");
    let text = report.to_string();
    assert!(
        text.contains("The holdout was asked 2 times and said yes 2 times (yes/asked by shard: 2/2"),
        "{text}"
    );
}

/// Asks about three factors again and again, and remembers what it was told.
struct Asker {
    claim: Option<EffectsClaim>,
    heard: Arc<Mutex<Vec<Vec<Option<bool>>>>>,
}

impl Acceptor for Asker {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        let live: Vec<ProposalId> = cohort.live().collect();
        if live.len() < 3 {
            return if cohort.asked() == 0 { Step::propose(3) } else { Step::Wait };
        }
        if cohort.outstanding() > 0 {
            return Step::Wait;
        }
        let Some(claim) = &self.claim else {
            let arm = |row: usize| {
                live.iter().enumerate().filter(move |(j, _)| row >> j & 1 == 1).map(|(_, p)| Part::from(*p))
            };
            let plan = |i: u32| Plan::new(arm(i as usize).collect(), cohort.fresh_seed(i), Role::Confirm);
            let runs = (0..8).map(|i| cohort.next_run(i)).collect();
            let groups = vec![EffectsGroup::new(vec![runs], Noise::new(0.1, 10.0))];
            let factors = live.iter().map(|p| Arm::single(*p)).collect();
            // The first is the weakest: where not all can be asked, it goes without.
            let test = EffectsTest::Levels(vec![0.05, 0.001, 0.002]);
            self.claim = Some(EffectsClaim::new(factors, groups, test));
            return Step::Run((0..8).map(plan).collect());
        };
        if self.heard.lock().expect("a lock").len() < 3 {
            return Step::Ask(claim.clone());
        }
        Step::propose(1)
    }
    fn answered(&mut self, answers: &[Option<bool>]) {
        self.heard.lock().expect("a lock").push(answers.to_vec());
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::None
    }
    fn describe(&self) -> String {
        "asker".into()
    }
}

struct Sum;

impl Compose<f64> for Sum {
    fn apply(&self, base: &f64, parent: &f64, edited: &f64) -> Result<f64, Conflict> {
        Ok(base + edited - parent)
    }
}

#[test]
fn a_question_about_many_is_answered_by_one_shard() {
    let rules = Holdout::new().queries(4).shards(2);
    for rules in [
        rules.clone(),
        rules.clone().rule(Ladder::new()),
        rules.clone().rule(Ladder::fixed(0.125)),
        rules.rule(Thresholdout::in_standard_errors(4.0, 0.2)),
    ] {
        many(rules);
    }
}

fn many(rules: Holdout) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let acceptor = |heard: &Arc<Mutex<_>>| Asker { claim: None, heard: Arc::clone(heard) };
    let settings = Settings::new().holdout(rules);
    let mut state = StudyState::composing(10.0, acceptor(&heard), Sum, settings.clone()).expect("settings");
    let mut events = state.take_events();
    loop {
        match state.next_action() {
            Action::Propose { .. } => {
                let ideas = [1.0, 2.0, 3.0].map(|gain| Proposal::new(10.0 - gain));
                state.proposed(Proposed::Proposals(ideas.into())).expect("asked for");
            }
            Action::Run(run) => {
                state.finished(run.id, Measurement::scalar(*run.candidate).map_err(Into::into)).expect("up");
            }
            Action::AskHoldout(query) => {
                let unit = |run: &PlannedRun<f64>, u: u64| {
                    *run.candidate + ((run.seed * 31 + u * 7) as f64).sin() * 0.1
                };
                let held =
                    |run: &PlannedRun<f64>| Measurement::new((0..30).map(|u| unit(run, u))).expect("finite");
                let held = query.runs.iter().map(|run| HeldOut::from(held(run))).collect();
                state.held_out(query.id, held).expect("asked");
            }
            Action::Wait => panic!("nothing is under way"),
            Action::Stop(reason) => {
                assert_eq!(reason, StopReason::HoldoutSpent);
                break;
            }
        }
        events.extend(state.take_events());
    }
    events.extend(state.take_events());
    // Three, then three of the next shard though one was left here, then the one that is left there.
    assert_eq!(counts(&state.holdout_ledger()), [[3, 3, 3, 0], [4, 4, 4, 2]]);
    let yes = Some(true);
    let expected = [vec![yes; 3], vec![yes; 3], vec![None, yes, None]];
    assert_eq!(*heard.lock().expect("a lock"), expected);

    let compose: Option<Arc<dyn Compose<f64>>> = Some(Arc::new(Sum));
    let mut again =
        StudyState::reopen(&events[0], &10.0, acceptor(&heard), compose, &settings, "").expect("same");
    heard.lock().expect("a lock").clear();
    events[1..].iter().for_each(|event| again.replay(event).expect("the same conclusions"));
    assert_eq!(*heard.lock().expect("a lock"), expected);
    assert_eq!(again.holdout_ledger(), state.holdout_ledger());
}
