//! The state machine by hand: one's own loop, with a careful policy and a holdout, and no runtime.

use autoresearch::{
    Action, Guarded, HeldOut, Holdout, Limits, Measurement, MeasurementError, Proposal, Settings, StudyState,
};

/// What training would cost and bring; `split` 0 is validation, 1 the holdout.
fn train(rate: f64, seed: u64, split: u64) -> Result<Measurement, MeasurementError> {
    let documents = 12;
    let noise = |i: u64| ((seed * 97 + i * 31 + split * 7) as f64 * 78.233).sin() * 0.02;
    let loss = (rate.log10() + 2.5).abs();
    Measurement::new((0..documents).map(|i| loss + noise(0) + noise(i + 1)))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::new().limits(Limits::new().runs(400)).holdout(Holdout::new());
    let mut study = StudyState::new(1e-1, Guarded::new(), settings)?; // pure: no I/O, no clock, no runtime
    let reason = loop {
        match study.next_action() {
            Action::Propose { wanted } => {
                let view = study.view();
                let factor = |i: u64| if (view.proposals + i).is_multiple_of(2) { 0.6 } else { 1.5 };
                let idea = |f: f64| Proposal::new(view.incumbent * f).title(format!("rate x {f}"));
                let ideas: Vec<_> = (0..wanted as u64).map(|i| idea(factor(i))).collect();
                study.proposed(ideas)?;
            }
            Action::Run(run) => {
                study.finished(run.id, train(*run.candidate, run.seed, 0).map_err(Into::into))?;
            }
            Action::AskHoldout(query) => {
                let held = query.runs.iter().map(|run| train(*run.candidate, run.seed, 1).map(HeldOut::from));
                study.held_out(query.id, held.collect::<Result<_, _>>()?)?;
            }
            Action::Wait => unreachable!("this loop runs one thing at a time"),
            Action::Stop(reason) => break reason,
        }
    };
    println!("{reason}: {} runs, {} of {} kept", study.runs(), study.kept().len(), study.proposals());
    println!("rate {:.2e} -> {:.2e}", study.baseline(), study.incumbent());
    Ok(())
}
