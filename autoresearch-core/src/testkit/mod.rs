//! For the tests of your own parts: an executor in the test's hands, scripts, a landscape with known effects, and the
//! conformance suites that this crate's own parts pass.

pub mod attack;
pub mod calibrate;
pub mod conformance;
mod faults;
pub mod landscape;
mod mock;
mod play;
mod scripted;

pub use calibrate::{Calibrate, Calibrated, Rate, UnderNoise, calibrate};
pub use faults::{Faults, Faulty};
pub use mock::{BaselineScript, MockExecutor, MockRun, MockRuns, mock_executor};
pub use play::{Played, play};
pub use scripted::{Scripted, scripted};

use crate::evaluate::{Evaluator, evaluator_fn};
use crate::measure::Measurement;

/// The evaluator for executors whose output is the loss itself.
pub fn loss() -> impl Evaluator<f64> {
    evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?))
}
