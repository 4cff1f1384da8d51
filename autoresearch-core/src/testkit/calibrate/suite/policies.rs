//! The policies themselves, through the real state machine, on proposals none of which has any merit.

use super::super::super::landscape::{Landscape, Listed, Mixture, Noise, Rules, Simulated, simulate};
use super::{Check, LEVELS};
use crate::accept::{
    Acceptor, Factorial, Fast, FixedPaired, Greedy, Guarded, Margin, Scout, Seeds, Sequential,
};
use crate::state::StateError;

/// How long a stream is, and more runs than any policy needs for it.
const STREAM: u32 = 100;
const BUDGET: u64 = 1000;
/// The standard deviation of an edit's bias on the validation split, where the holdout has its say.
const SPLIT: f64 = 0.3;
/// Dear repetitions.
const ONE: u32 = 20;
const MANY: u32 = 800;

type AtLevel = fn(f64) -> Box<dyn Acceptor>;
type Default = fn() -> Box<dyn Acceptor>;

/// Policies that promise a level for each proposal.
const PER_PROPOSAL: &[(&str, AtLevel)] = &[
    ("Sequential", |level| Box::new(Sequential::new().alpha(level))),
    ("Sequential, independent seeds", |level| {
        Box::new(Sequential::new().alpha(level).seeds(Seeds::Independent))
    }),
    ("FixedPaired", |level| Box::new(FixedPaired::new().alpha(level))),
    ("FixedPaired, sign flip", |level| Box::new(FixedPaired::new().pairs(12).alpha(level).sign_flip())),
];

/// Policies that promise a false discovery rate of .10: with nothing to be found, the probability of keeping anything.
const PER_STREAM: &[(&str, Default)] = &[
    ("Guarded", || Box::new(Guarded::new())),
    ("Guarded, independent seeds", || Box::new(Guarded::new().seeds(Seeds::Independent))),
    ("Factorial", || Box::new(Factorial::new())),
    ("Scout", || Box::new(Scout::new())),
];

pub(super) fn checks() -> Vec<Check> {
    let noises = [Noise::Gaussian, Noise::T4];
    let mut checks = Vec::new();
    for noise in noises {
        for &(name, make) in PER_PROPOSAL {
            for level in LEVELS {
                checks.push(single(name, noise, level, move || make(level)));
            }
        }
        checks.push(single("Fast", noise, 0.05, || Box::new(Fast::new())));
        let margin = || Margin::new(3.0);
        checks
            .push(single("Margin, 3 σ", noise, margin().error(), move || Box::new(margin())).not_promised());
        checks.push(single("Greedy", noise, 0.5, || Box::new(Greedy::new())).not_promised());
    }
    for noise in noises {
        for &(name, make) in PER_STREAM {
            checks.push(stream(name, noise, make));
            checks.push(with_holdout(name, noise, make));
        }
    }
    checks
}

/// One proposal a study, so that each has a calibration of its own.
fn single(
    name: &str,
    noise: Noise,
    level: f64,
    make: impl Fn() -> Box<dyn Acceptor> + Send + Sync + 'static,
) -> Check {
    let errs = move |seed| {
        let world = Listed::new(vec![0.0], seed).noise(noise);
        Ok(keeps_any(&simulate(&world, make(), &Rules::stream(1).seed(seed))?))
    };
    Check::at(name, noise, level, errs).cost(ONE)
}

/// Whether anything is kept of a stream; validation decides alone.
fn stream(name: &str, noise: Noise, make: Default) -> Check {
    let errs = move |seed| any_of_stream(&Landscape::new(Mixture::AllNull, seed).noise(noise), make, seed);
    Check::at(format!("{name}, {STREAM} proposals"), noise, 0.10, errs).cost(MANY)
}

/// The same where validation is biased for each edit, and the holdout is asked.
fn with_holdout(name: &str, noise: Noise, make: Default) -> Check {
    let errs = move |seed| {
        let world = Landscape::new(Mixture::AllNull, seed).noise(noise).split_noise(SPLIT);
        any_of_stream(&world, make, seed)
    };
    Check::at(format!("{name}, {STREAM} proposals, holdout"), noise, 0.10, errs).cost(MANY)
}

fn any_of_stream(world: &Landscape, make: Default, seed: u64) -> Result<bool, StateError> {
    Ok(keeps_any(&simulate(world, make(), &Rules::stream(STREAM).runs(BUDGET).seed(seed))?))
}

/// A study that did not come to its end counts as an error.
fn keeps_any(played: &Simulated) -> bool {
    played.merit.junk > 0 || !played.stopped.is_final()
}
