//! The pure state machine: proposals, one run each, judged by `Greedy`; nothing is better than the baseline.

use crate::figure::{Bound, Figure, Scale, median, processor_seconds};
use autoresearch_core::{Action, Event, Greedy, Limits, Measurement, Proposal, Settings, StudyState};
use std::time::Instant;

/// A loss that the baseline's, 0, is never beaten by.
pub(crate) const WORSE: f64 = 0.123_456_789;

/// A study in the hand of a loop that does no more than it must.
pub(crate) struct Machine {
    state: StudyState<f64>,
}

impl Machine {
    pub(crate) fn new(proposals: u64) -> Self {
        let settings = Settings::new().limits(Limits::new().proposals(proposals));
        Self { state: StudyState::new(0.0, Greedy::new(), settings).expect("valid settings") }
    }

    /// Goes on until so many proposals are settled, or the study has ended; `keep` gets the events.
    pub(crate) fn play(&mut self, settled: u64, mut keep: impl FnMut(Vec<Event<f64>>)) {
        let state = &mut self.state;
        while (state.history().len() as u64) < settled {
            match state.next_action() {
                Action::Propose { .. } => state.proposed(Proposal::new(WORSE)).expect("it was asked"),
                Action::Run(run) => {
                    let measured = Measurement::scalar(*run.candidate).expect("a number");
                    state.finished(run.id, Ok(measured)).expect("it was planned");
                }
                Action::AskHoldout(_) | Action::Wait => unreachable!("one run at a time, and no holdout"),
                Action::Stop(_) => break,
            }
            keep(state.take_events());
        }
        keep(state.take_events());
    }
}

pub(crate) fn rate(scale: &Scale) -> Vec<Figure> {
    let trials = scale.of(200_000, 200);
    let rates = (0..scale.of(7, 1)).map(|_| {
        let mut machine = Machine::new(trials);
        let start = processor_seconds();
        machine.play(trials, drop);
        trials as f64 / (processor_seconds() - start)
    });
    let rate = median(rates.collect());
    vec![Figure::new("state machine", rate, "trials/s", Bound::AtLeast(300_000.0))]
}

/// Whether a trial costs more, or takes more memory, the longer the history is.
pub(crate) fn growth(scale: &Scale) -> Vec<Figure> {
    let (early, late) = (scale.of(10_000, 100), scale.of(1_000_000, 300));
    // Short stretches: what else the machine does falls on few of them.
    let (stretches, stretch) = (scale.of(41, 3), scale.of(500, 10));
    let (mut ratios, mut bytes, mut view) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.of(3, 1) {
        let mut machine = Machine::new(late + stretches * stretch);
        let cost = |machine: &mut Machine, at: u64| {
            machine.play(at, drop);
            let times = (1..=stretches).map(|i| {
                let start = processor_seconds();
                machine.play(at + i * stretch, drop);
                processor_seconds() - start
            });
            median(times.collect())
        };
        let first = cost(&mut machine, early);
        let (from, before) = (machine.state.history().len(), resident());
        ratios.push(cost(&mut machine, late) / first);
        let trials = machine.state.history().len() - from;
        bytes.extend(before.zip(resident()).map(|(b, now)| now.saturating_sub(b) as f64 / trials as f64));
        let start = Instant::now();
        let looks = 1000;
        (0..looks).for_each(|_| _ = std::hint::black_box(machine.state.view()));
        view.push(start.elapsed().as_nanos() as f64 / f64::from(looks));
    }
    let mut figures = vec![Figure::new(
        "cost of a trial at 1,000,000 against 10,000",
        median(ratios),
        "times",
        Bound::AtMost(1.2),
    )];
    if bytes.is_empty() {
        eprintln!("SKIPPED: memory per trial is read from /proc/self/statm, which is not here");
    } else {
        let kept = Bound::AtMost(1024.0);
        figures.push(Figure::new("memory of a trial", median(bytes), "bytes", kept));
    }
    figures.push(Figure::new("a view of the history at 1,000,000", median(view), "ns", Bound::None));
    figures
}

/// Bytes of this process in memory.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
