//! Random studies to be played: everything that is not decided by the machine itself, from a policy to the order in
//! which runs end.
#![allow(dead_code, unreachable_pub)] // each test uses its part

use autoresearch_core::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A study to be played.
#[derive(Debug, Clone)]
pub struct World {
    pub policy: usize,
    pub capacity: usize,
    pub runs: u64,
    pub proposals: u64,
    pub seed: u64,
    pub holdout: bool,
    pub test: bool,
    pub noise: f64,
    /// How many proposals come at a time.
    pub batches: u64,
    /// Which of the runs under way ends next.
    pub shuffle: u64,
    /// Judge runs in the order of their planning, with so many planned at once.
    pub ahead: Option<usize>,
    /// Whether the proposer waits now and then.
    pub waits: bool,
    /// One in this many runs fails by the candidate's fault; 0 for none.
    pub crashes: u64,
    /// The same for the infrastructure, at the first attempt.
    pub losses: u64,
}

/// Those from `STACKING` on design whole cohorts, and need runs for it.
pub const POLICIES: usize = 7;
pub const STACKING: usize = 5;
/// A study ends when so many runs in a row failed.
pub const FAILURES: u32 = 30;

pub fn worlds() -> impl Strategy<Value = World> {
    let size = (0..POLICIES, 1..5usize, 20..90u64, 1..40u64, 0..1000u64);
    let rest = (any::<bool>(), any::<bool>(), 0.0..0.3f64, any::<u64>(), 0..9u64, 0..9u64);
    (size, rest).prop_map(
        |((policy, capacity, runs, proposals, seed), (holdout, test, noise, order, c, l))| {
            let often = |n: u64| if n < 4 { 0 } else { n };
            World {
                policy,
                capacity,
                runs: if policy >= STACKING { runs + 80 } else { runs },
                proposals,
                seed,
                holdout,
                test,
                noise,
                batches: order,
                shuffle: order,
                ahead: None,
                waits: false,
                crashes: often(c),
                losses: often(l),
            }
        },
    )
}

pub fn hash(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9E37_79B9_7F4A_7C15, |h, p| {
        let x = (h ^ p).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (x ^ (x >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB) ^ (x >> 32)
    })
}

impl World {
    pub fn acceptor(&self) -> Box<dyn Acceptor> {
        match self.policy {
            0 => Box::new(Greedy::new()),
            1 => Box::new(Greedy::new().runs(2)),
            2 => Box::new(Sequential::new().alpha(0.2)),
            3 => Box::new(Guarded::new().horizon(5)),
            5 => Box::new(Scout::new().bundle(4)),
            6 => Box::new(Factorial::new().cohort(4).horizon(5.0)),
            _ => Box::new(acceptor_fn(|evidence: &Evidence| {
                match stats::welch(evidence.candidate(), evidence.incumbent()).p {
                    p if p < 0.2 => Verdict::Accept,
                    _ if evidence.pairs() >= 4 => Verdict::Reject,
                    _ => Verdict::more(2),
                }
            })),
        }
    }

    pub fn settings(&self) -> Settings {
        let limits = Limits::new().runs(self.runs).proposals(self.proposals).consecutive_failures(FAILURES);
        let mut settings = Settings::new().seed(self.seed).in_flight(self.capacity).limits(limits);
        if self.holdout {
            settings = settings.holdout(Holdout::new().queries(6));
        }
        if self.test {
            settings = settings.test_split(TestSplit::new().seeds(2));
        }
        if let Some(ahead) = self.ahead {
            settings = settings.order(DecisionOrder::AsProposed).ahead(ahead);
        }
        settings
    }

    pub fn open(&self) -> StudyState<f64> {
        StudyState::composing(2.0, self.acceptor(), Times, self.settings()).expect("settings")
    }

    pub fn loss(&self, run: &PlannedRun<f64>, split: u64) -> f64 {
        let h = hash(&[self.seed, run.seed, split, run.candidate.to_bits()]);
        (run.candidate.ln()).abs() + self.noise * (h % 10_000) as f64 / 10_000.0
    }

    pub fn outcome(&self, run: &PlannedRun<f64>) -> Outcome {
        if self.losses > 0 && run.attempt == 0 && run.id.0.is_multiple_of(self.losses) {
            return Err(RunFailure::infrastructure("node lost"));
        }
        // The baseline itself always runs, else there is no study.
        if self.crashes > 0
            && !run.arm.is_incumbent()
            && hash(&[run.candidate.to_bits()]).is_multiple_of(self.crashes)
        {
            return Err(RunFailure::candidate("crash"));
        }
        let loss = self.loss(run, 0);
        Ok(Measurement::new([loss, loss + 0.01, loss - 0.01])?)
    }

    pub fn ideas(&self, state: &StudyState<f64>, wanted: usize) -> Proposed<f64> {
        let view = state.view();
        if view.seed.is_multiple_of(11) {
            return Proposed::Exhausted;
        }
        let idea = |i: usize| {
            let factor = [0.5, 0.8, 0.9, 1.1, 1.3][(hash(&[view.seed, i as u64]) % 5) as usize];
            Proposal::new(view.incumbent * factor).title(format!("times {factor}"))
        };
        let some = 1 + (self.batches as usize + view.proposals as usize) % wanted.max(1);
        Proposed::Proposals((0..some).map(idea).collect())
    }

    /// Plays a study from where it stands to its end; gives all events from here on.
    pub fn play(&self, state: &mut StudyState<f64>) -> Vec<Event<f64>> {
        let mut events = state.take_events();
        let mut flying: Vec<PlannedRun<f64>> = Vec::new();
        let mut tick = self.shuffle;
        let mut waited = BTreeSet::new();
        loop {
            match state.next_action() {
                Action::Propose { wanted } => {
                    // Once for each state that it sees, so that it does not wait for ever.
                    let at = (state.proposals(), state.history().len());
                    let waits =
                        self.waits && hash(&[at.0, at.1 as u64]).is_multiple_of(3) && waited.insert(at);
                    let ideas = if waits { Proposed::Wait } else { self.ideas(state, wanted) };
                    state.proposed(ideas).expect("asked for");
                }
                Action::Run(run) => {
                    assert!(flying.len() < self.capacity, "more runs under way than there may be");
                    flying.push(run);
                    continue; // as many as may run at once
                }
                Action::AskHoldout(query) => {
                    let split = 1 + query.split as u64;
                    let held = query.runs.iter().map(|run| {
                        let loss = self.loss(run, split);
                        HeldOut::from(Measurement::new([loss, loss + 0.02, loss]).expect("finite"))
                    });
                    state.held_out(query.id, held.collect()).expect("asked");
                }
                Action::Wait => {
                    tick = hash(&[tick]);
                    let run = flying.remove(tick as usize % flying.len());
                    state.finished(run.id, self.outcome(&run)).expect("under way");
                }
                Action::Stop(_) => {
                    events.extend(state.take_events());
                    return events;
                }
            }
            events.extend(state.take_events());
        }
    }

    pub fn reopen(&self, events: &[Event<f64>]) -> StudyState<f64> {
        let compose: Option<std::sync::Arc<dyn Compose<f64>>> = Some(std::sync::Arc::new(Times));
        let mut state = StudyState::reopen(&events[0], &2.0, self.acceptor(), compose, &self.settings(), "")
            .expect("the same study");
        for event in &events[1..] {
            state.replay(event).expect("the same conclusions");
        }
        state
    }
}

/// A change of a positive number is a factor.
pub struct Times;

impl Compose<f64> for Times {
    fn apply(&self, base: &f64, parent: &f64, edited: &f64) -> Result<f64, Conflict> {
        Ok(base * edited / parent)
    }
}

pub fn settled(events: &[Event<f64>]) -> Vec<String> {
    events.iter().filter(|e| matches!(e, Event::Settled { .. })).map(|e| format!("{e:?}")).collect()
}
