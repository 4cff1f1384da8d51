//! Whether tests keep their levels: every test of this crate on data without any effect.
//!
//! A [`Check`] is one test under one noise. Each repetition is a function of its number alone, so that repetitions can
//! be played in any order and on any number of cores. [`Check::tally`] holds the sum of the errors against the level:
//! the verdict is a computed bound, never a tolerance. This crate's tests play a part of it;
//! `cargo xtask bench calibration` plays it in full.
//!
//! ```
//! use autoresearch_core::testkit::calibrate::suite;
//! let check = suite::checks().into_iter().find(|check| check.test() == "paired t, 8 pairs").unwrap();
//! let errors = check.play(0..1000).unwrap();
//! assert!(check.tally(&errors, 1000).iter().all(|tally| tally.is_ok()));
//! ```

mod certificate;
mod draw;
mod e_process;
mod fixed;
mod policies;
mod regression;
mod tally;

pub use tally::Tally;

use super::super::landscape::Noise;
use crate::state::{StateError, mix};
use draw::Draw;
use std::fmt;
use std::ops::Range;

/// The levels at which tests are checked.
const LEVELS: [f64; 3] = [0.05, 0.01, 0.001];

/// All checks, the cheap ones first.
pub fn checks() -> Vec<Check> {
    let families = [fixed::checks(), e_process::checks(), regression::checks(), certificate::checks()];
    families.into_iter().flatten().chain(policies::checks()).collect()
}

type Play = Box<dyn Fn(Draw) -> Result<Vec<f64>, StateError> + Send + Sync>;

/// One test under one kind of noise, with nothing to be found.
pub struct Check {
    test: String,
    noise: Noise,
    levels: Vec<f64>,
    /// The test promises to keep its level.
    promised: bool,
    /// An error is a share between 0 and 1, not yes or no.
    shares: bool,
    /// How many times dearer a repetition is than that of a plain test.
    cost: u32,
    play: Play,
}

impl Check {
    /// A test that answers with its strength, the logarithm of an e-value or minus that of a p-value, at its highest.
    fn graded(
        test: impl Into<String>,
        noise: Noise,
        strength: impl Fn(&mut Draw) -> f64 + Send + Sync + 'static,
    ) -> Self {
        let play = move |mut draw: Draw| {
            let strength = strength(&mut draw);
            Ok(LEVELS.map(|level| f64::from(u8::from(strength >= -level.ln()))).to_vec())
        };
        Self {
            test: test.into(),
            noise,
            levels: LEVELS.to_vec(),
            promised: true,
            shares: false,
            cost: 1,
            play: Box::new(play),
        }
    }

    /// A test that is told its level, and answers whether it erred.
    fn at(
        test: impl Into<String>,
        noise: Noise,
        level: f64,
        errs: impl Fn(u64) -> Result<bool, StateError> + Send + Sync + 'static,
    ) -> Self {
        let play = move |draw: Draw| Ok(vec![f64::from(u8::from(errs(draw.seed)?))]);
        Self {
            test: test.into(),
            noise,
            levels: vec![level],
            promised: true,
            shares: false,
            cost: 1,
            play: Box::new(play),
        }
    }

    fn cost(mut self, times: u32) -> Self {
        self.cost = times;
        self
    }

    fn not_promised(mut self) -> Self {
        self.promised = false;
        self
    }

    /// What is tested.
    pub fn test(&self) -> &str {
        &self.test
    }

    /// The noise.
    pub fn noise(&self) -> Noise {
        self.noise
    }

    /// About how many times dearer a repetition is than that of a plain test.
    pub fn relative_cost(&self) -> u32 {
        self.cost
    }

    /// Plays these repetitions: the sum of the errors at each level.
    ///
    /// # Errors
    /// What the state machine refuses; none is expected.
    pub fn play(&self, repetitions: Range<u32>) -> Result<Vec<f64>, StateError> {
        let name = self.test.bytes().fold(self.noise as u64, |hash, byte| mix(hash, u64::from(byte)));
        let mut sums = vec![0.0; self.levels.len()];
        for repetition in repetitions {
            let errors = (self.play)(Draw::new(self.noise, mix(name, u64::from(repetition))))?;
            sums.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
        }
        Ok(sums)
    }

    /// Holds the errors of so many repetitions against the levels.
    pub fn tally(&self, errors: &[f64], repetitions: u32) -> Vec<Tally> {
        let levels = self.levels.iter().zip(errors);
        let tally = |(&level, &errors): (&f64, &f64)| Tally {
            level,
            errors,
            repetitions,
            promised: self.promised,
            shares: self.shares,
        };
        levels.map(tally).collect()
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("test", &self.test)
            .field("noise", &self.noise)
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}
