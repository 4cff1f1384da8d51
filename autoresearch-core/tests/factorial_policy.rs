//! Factorial confirmation through the real state machine: figures, conflicts, lost runs, budgets, replay.

use autoresearch_core::testkit::landscape::{Edits, Landscape, Listed, Mixture, UnionOfEdits, World as Land};
use autoresearch_core::*;
use statrs::distribution::{Binomial, DiscreteCDF};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A landscape whose edits may clash and whose runs may get lost.
#[derive(Clone)]
struct World {
    land: Arc<dyn Land<Candidate = Edits>>,
    edits: u32,
    seed: u64,
    clash: f64,
    /// Whether the proposer makes anew what met a conflict.
    anew: bool,
    lost: f64,
    /// A run with this edit never ends well.
    crashes: Option<u32>,
    in_flight: usize,
    limits: Limits,
    questions: u64,
}

/// Between 0 and 1.
fn chance(parts: &[u64]) -> f64 {
    let hash = parts.iter().fold(0x9E37_79B9_7F4A_7C15, |h: u64, p| {
        let x = (h ^ p).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (x ^ (x >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB) ^ (x >> 32)
    });
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

/// Sets of edits of which some pairs do not merge.
#[derive(Clone, Copy)]
struct Clashing {
    seed: u64,
    often: f64,
}

impl Compose<Edits> for Clashing {
    fn apply(&self, base: &Edits, parent: &Edits, edited: &Edits) -> Result<Edits, Conflict> {
        let others: Vec<u32> = base.iter().filter(|e| !parent.contains(e)).copied().collect();
        for a in edited.iter().filter(|e| !parent.contains(e)) {
            let clashes =
                |b: &&u32| chance(&[self.seed, u64::from(*a.min(*b)), u64::from(*a.max(*b))]) < self.often;
            if let Some(b) = others.iter().find(clashes) {
                return Err(Conflict { place: format!("edit {b}"), reason: format!("meets edit {a}") });
            }
        }
        UnionOfEdits.apply(base, parent, edited)
    }
}

impl World {
    fn new(land: impl Land<Candidate = Edits> + 'static, edits: u32, seed: u64) -> Self {
        let limits = Limits::new().consecutive_failures(1000);
        Self {
            land: Arc::new(land),
            edits,
            seed,
            clash: 0.0,
            anew: true,
            lost: 0.0,
            crashes: None,
            in_flight: 1,
            limits,
            questions: 1_000_000,
        }
    }

    fn mixed(edits: u32, seed: u64) -> Self {
        Self::new(Landscape::new(Mixture::Mixed, seed).split_noise(0.3), edits, seed)
    }

    fn settings(&self) -> Settings {
        let holdout = Holdout::new().queries(self.questions).split_error(0.3 / 11f64.sqrt());
        let settings = Settings::new().seed(self.seed).in_flight(self.in_flight);
        settings.limits(self.limits.clone()).holdout(holdout)
    }

    fn compose(&self) -> Clashing {
        Clashing { seed: self.seed, often: self.clash }
    }

    fn open(&self, acceptor: Factorial) -> StudyState<Edits> {
        let state = StudyState::composing(Edits::new(), acceptor, self.compose(), self.settings());
        state.expect("a study that can work")
    }

    fn outcome(&self, run: &PlannedRun<Edits>) -> Outcome {
        let crashes = self.crashes.is_some_and(|edit| run.candidate.contains(&edit));
        let lost = chance(&[self.seed, run.id.0, run.seed]) < self.lost;
        if (crashes || lost) && !run.arm.is_incumbent() {
            return Err(RunFailure::candidate("lost"));
        }
        Ok(Measurement::scalar(self.land.loss(&run.candidate, run.seed, 0))?)
    }

    /// What the proposer says next: what met a conflict first, then what is new.
    fn proposals(&self, state: &StudyState<Edits>, wanted: usize) -> Vec<Proposal<Edits>> {
        let view = state.view();
        let made = || view.history.iter().map(|record| &record.proposal).chain(&view.pending);
        let anew: BTreeSet<ProposalId> = made().filter_map(|proposal| proposal.rebases).collect();
        let fresh = made().filter(|proposal| proposal.rebases.is_none()).count() as u32;
        let propose = |edit: u32| {
            let edited: Edits = view.incumbent.iter().copied().chain([edit]).collect();
            Proposal::new(edited).title(edit.to_string())
        };
        let conflicts = view.history.iter().filter(|r| r.fate == Fate::Conflict && !anew.contains(&r.id));
        let conflicts = conflicts.filter(|_| self.anew).map(|record| {
            let edit = record.proposal.hypothesis.title.parse().expect("an edit");
            propose(edit).rebases(record.id)
        });
        conflicts.chain((fresh..self.edits).map(propose)).take(wanted).collect()
    }

    /// Plays to the end; runs under way end in an order of their own.
    fn play(&self, state: &mut StudyState<Edits>) -> Vec<Event<Edits>> {
        let mut events = state.take_events();
        let mut flying: Vec<PlannedRun<Edits>> = Vec::new();
        loop {
            match state.next_action() {
                Action::Propose { wanted } => {
                    let new = self.proposals(state, wanted);
                    let answer = if new.is_empty() { Proposed::Exhausted } else { Proposed::Proposals(new) };
                    state.proposed(answer).expect("asked for");
                }
                Action::Run(run) => flying.push(run),
                Action::AskHoldout(query) => {
                    let loss = |run: &PlannedRun<Edits>| self.land.loss(&run.candidate, run.seed, 1);
                    let held = query.runs.iter().map(|run| Measurement::scalar(loss(run)).map(HeldOut::from));
                    state.held_out(query.id, held.collect::<Result<_, _>>().expect("finite")).expect("asked");
                }
                Action::Wait => {
                    let at = chance(&[self.seed, state.runs(), flying.len() as u64]);
                    let run = flying.remove((at * flying.len() as f64) as usize);
                    state.finished(run.id, self.outcome(&run)).expect("under way");
                }
                Action::Stop(reason) => {
                    assert!(!matches!(reason, StopReason::AcceptorFailed(_)), "{reason}");
                    events.extend(state.take_events());
                    return events;
                }
            }
            events.extend(state.take_events());
        }
    }

    /// Share of junk in what is kept, true gain, and runs.
    fn figures(&self, acceptor: Factorial) -> [f64; 3] {
        let mut state = self.open(acceptor);
        self.play(&mut state);
        let kept = state.incumbent();
        let junk = kept.iter().filter(|e| self.land.gain(&vec![**e]) <= 0.0).count() as f64;
        let gain = self.land.gain(kept);
        [junk / kept.len().max(1) as f64, gain, state.runs() as f64]
    }

    fn ideal(&self) -> f64 {
        (0..self.edits).map(|e| self.land.gain(&vec![e]).max(0.0)).sum()
    }
}

/// Means of the figures, and the gain as a share of the ideal.
fn means(worlds: &[World], acceptor: impl Fn() -> Factorial) -> ([f64; 3], f64) {
    let mut sums = [0.0; 3];
    for world in worlds {
        let figures = world.figures(acceptor());
        sums.iter_mut().zip(figures).for_each(|(sum, x)| *sum += x);
    }
    let share = sums[1] / worlds.iter().map(World::ideal).sum::<f64>();
    (sums.map(|sum| sum / worlds.len() as f64), share)
}

/// An independent simulation gave FDR .003, 80 % of the ideal gain and 1,168 runs; with 31 .009, 81 % and 1,021.
#[test]
fn the_mixed_stream_is_climbed_cleanly_and_cheaply() {
    let worlds: Vec<World> = (0..6).map(|seed| World::mixed(700, seed)).collect();
    for (most, cheap) in [(15, 1300.0), (31, 1200.0)] {
        let ([fdr, gain, runs], share) = means(&worlds, || Factorial::new().cohort(most));
        println!("up to {most}: FDR {fdr:.4}, gain {gain:.1} ({share:.2} of the ideal), {runs:.0} runs");
        assert!(fdr <= 0.04 && share >= 0.62 && runs <= cheap, "{fdr}, {share}, {runs}");
    }
}

/// The same simulation: something is kept in .02 of such streams. The promise is .10.
#[test]
fn nothing_comes_of_nothing() {
    let fooled = |seed: &u64| {
        let land = Landscape::new(Mixture::AllNull, 4000 + seed).split_noise(0.3);
        World::new(land, 300, 4000 + seed).figures(Factorial::new())[0] > 0.0
    };
    let fooled = (0..20).filter(fooled).count() as u64;
    println!("all null: kept anything in {fooled} of 20");
    let tail = Binomial::new(0.10, 20).expect("a rate");
    assert!(fooled == 0 || tail.sf(fooled - 1) >= 0.001);
}

/// An independent simulation: 80 and 83 % where one pair in twenty or in five clashes and what clashes with the
/// incumbent is made anew, 44 % where one in five clashes and it is lost. Lost runs: 81, 77 and 74 % at 5, 10, 20 %.
#[test]
fn clashes_and_lost_runs_cost_little() {
    let worlds = |clash: f64, anew: bool, lost: f64| -> Vec<World> {
        (0..4)
            .map(|seed| World { clash, anew, lost, in_flight: 3, ..World::mixed(500, 100 + seed) })
            .collect()
    };
    for (clash, anew, lost, least) in [
        (0.05, true, 0.0, 0.65),
        (0.2, true, 0.0, 0.65),
        (0.2, false, 0.0, 0.45),
        (0.0, true, 0.05, 0.65),
        (0.0, true, 0.2, 0.6),
    ] {
        let ([fdr, gain, runs], share) = means(&worlds(clash, anew, lost), Factorial::new);
        let anew = if anew { "made anew" } else { "lost" };
        println!(
            "clash {clash}, {anew}, lost {lost}: FDR {fdr:.4}, gain {gain:.1} ({share:.2}), {runs:.0} runs"
        );
        assert!(fdr <= 0.05 && share >= least, "{fdr}, {share}");
    }
}

fn screens(events: &[Event<Edits>]) -> usize {
    let is_screen = |e: &&Event<Edits>| matches!(e, Event::Finished { run, .. } if run.role == Role::Screen);
    events.iter().filter(is_screen).count()
}

/// Of six edits no two merge, so each is kept alone, and the rest are made anew upon it; the proposer has said long
/// before that it knows no more. (A single proposal is not ranked, so all screening runs are first looks.)
#[test]
fn who_lost_its_place_to_a_conflict_is_screened_once_and_never_dropped() {
    let land = Listed::new(vec![6.0; 6], 1);
    let world = World { clash: 1.0, ..World::new(land, 6, 1) };
    let mut state = world.open(Factorial::new().horizon(5.0));
    let events = world.play(&mut state);
    assert_eq!((state.incumbent().len(), screens(&events)), (6, 6));
    let conflicts = state.history().iter().filter(|record| record.fate == Fate::Conflict).count();
    assert_eq!((conflicts, state.proposals()), (15, 21));
    // Where nobody makes them anew, they are lost.
    let world = World { anew: false, ..world };
    let mut state = world.open(Factorial::new().horizon(5.0));
    world.play(&mut state);
    assert_eq!(state.incumbent().len(), 1);
}

/// That a proposal makes an earlier one anew spares it the screening only if that one had come through it.
#[test]
fn a_word_alone_spares_no_screening() {
    let land = Listed::new(vec![-4.0, 4.0], 1);
    let world = World::new(land, 2, 1);
    let mut state = world.open(Factorial::new().horizon(5.0));
    let mut events = Vec::new();
    let mut edit = 0;
    loop {
        match state.next_action() {
            Action::Propose { .. } if edit == 2 => state.proposed(Proposed::Exhausted).expect("asked"),
            Action::Propose { .. } => {
                state.proposed(Proposal::new(vec![edit]).rebases(ProposalId(1))).expect("asked");
                edit += 1;
            }
            Action::Run(run) => state.finished(run.id, world.outcome(&run)).expect("under way"),
            Action::AskHoldout(query) => {
                let loss = |run: &PlannedRun<Edits>| world.land.loss(&run.candidate, run.seed, 1);
                let held = query.runs.iter().map(|run| Measurement::scalar(loss(run)).map(HeldOut::from));
                state.held_out(query.id, held.collect::<Result<_, _>>().expect("finite")).expect("asked");
            }
            Action::Wait => panic!("nothing is under way"),
            Action::Stop(_) => break,
        }
        events.extend(state.take_events());
    }
    assert_eq!((screens(&events), state.incumbent()), (2, &vec![1]));
}

/// Whoever crashes only in company is found out, and the rest of its stack is not punished.
#[test]
fn who_never_runs_fails_alone() {
    let land = Listed::new(vec![4.0; 6], 1);
    let world = World { crashes: Some(3), ..World::new(land, 6, 1) };
    let mut state = world.open(Factorial::new().horizon(5.0));
    world.play(&mut state);
    let fate = |p: u64| state.history().iter().find(|r| r.id == ProposalId(p)).map(|r| r.fate);
    assert_eq!(fate(4), Some(Fate::Failed));
    assert!(state.kept().len() >= 4, "{:?}", state.kept());
}

#[test]
fn what_cannot_work_is_refused() {
    let refused = |acceptor: Factorial, limits: Limits| {
        let state =
            StudyState::composing(Edits::new(), acceptor, UnionOfEdits, Settings::new().limits(limits));
        state.err().map(|e| e.to_string())
    };
    let free = Limits::new;
    assert!(refused(Factorial::new().alpha(0.0), free()).is_some_and(|e| e.contains("alpha is 0")));
    assert!(refused(Factorial::new().alpha(f64::NAN), free()).is_some());
    assert!(refused(Factorial::new().cohort(0), free()).is_some_and(|e| e.contains("1 to 63")));
    assert!(refused(Factorial::new().cohort(64), free()).is_some_and(|e| e.contains("64 were asked")));
    assert!(refused(Factorial::new().horizon(-1.0), free()).is_some_and(|e| e.contains("horizon")));
    assert!(refused(Factorial::new().screen(f64::INFINITY), free()).is_some_and(|e| e.contains("sigmas")));
    assert!(refused(Factorial::new(), free().runs(24)).is_some_and(|e| e.contains("allow 25 or more")));
    assert!(refused(Factorial::new().cohort(63), free().runs(25)).is_none());
    let alone = StudyState::new(Edits::new(), Factorial::new(), Settings::new());
    assert!(alone.err().is_some_and(|e| e.to_string().contains("implement `Compose`")));
}

/// Many odd worlds: limits hold, everything is settled where nothing cuts it short, the holdout's budget is kept to,
/// and the stored events lead to the same state, from the start and from any cut.
#[test]
fn books_are_in_order_and_replay() {
    for seed in 0..60 {
        let pick = |what: u64, n: u64| (chance(&[seed, what]) * n as f64) as u64;
        let edits = 20 + pick(1, 120) as u32;
        let mut world = World::mixed(edits, seed);
        world.in_flight = 1 + pick(2, 5) as usize;
        world.anew = pick(9, 2) == 0;
        (world.clash, world.lost) = ([0.0, 0.2][pick(3, 2) as usize], [0.0, 0.2][pick(4, 2) as usize]);
        world.questions = [2, 5, 1000][pick(5, 3) as usize];
        let runs = [40, 90, 200, 100_000][pick(6, 4) as usize];
        world.limits = world.limits.clone().runs(runs);
        let acceptor = || Factorial::new().cohort([3, 8, 15][pick(7, 3) as usize]).horizon(5.0);
        let mut state = world.open(acceptor());
        let events = world.play(&mut state);
        assert!(state.runs() <= runs, "{seed}: {} of {runs} runs", state.runs());
        assert!(state.kept().len() as u64 <= world.questions);
        if runs == 100_000 && world.questions == 1000 {
            assert_eq!(state.history().len() as u64, state.proposals(), "{seed}: something is unsettled");
        }
        let mut seeds = BTreeMap::new();
        for event in &events {
            if let Event::Finished { run, .. } = event {
                assert_eq!(*seeds.entry(run.seed).or_insert(run.id), run.id, "{seed}: a seed served twice");
            }
        }
        let text = serde_json::to_string(&events).expect("JSON");
        let stored: Vec<Event<Edits>> = serde_json::from_str(&text).expect("events");
        let reopen = |events: &[Event<Edits>]| {
            let compose: Option<Arc<dyn Compose<Edits>>> = Some(Arc::new(world.compose()));
            let (first, settings) = (&events[0], world.settings());
            let mut again = StudyState::reopen(first, &Edits::new(), acceptor(), compose, &settings, "")
                .expect("the same study");
            events[1..].iter().for_each(|event| again.replay(event).expect("the same conclusions"));
            again
        };
        let mut again = reopen(&stored);
        assert!(again.take_events().is_empty());
        assert_eq!((again.kept(), again.incumbent()), (state.kept(), state.incumbent()));
        assert_eq!(again.gain(), state.gain());
        if world.in_flight == 1 {
            let cut = 1 + pick(8, stored.len() as u64 - 1) as usize;
            let mut whole = stored[..cut].to_vec();
            whole.extend(world.play(&mut reopen(&stored[..cut])));
            assert_eq!(whole, stored, "{seed}: cut at {cut}");
        }
        // What was cut short by the limit goes on where it stood once there is more to spend.
        state.resume(world.limits.clone().runs(100_000), world.in_flight).expect("limits");
        world.play(&mut state);
        if world.questions == 1000 {
            assert_eq!(state.history().len() as u64, state.proposals(), "{seed}: something is unsettled");
        }
    }
}
