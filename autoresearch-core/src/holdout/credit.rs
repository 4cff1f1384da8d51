//! The credit of simplifications on held-out losses.

use super::HeldOut;
use crate::measure::{Direction, Measurement, MeasurementError};

impl HeldOut {
    /// The same measurement with its loss lowered by `credit`, on every unit.
    ///
    /// # Errors
    /// Numbers so large that the difference is none.
    pub(crate) fn credited(self, credit: f64, direction: Direction) -> Result<Self, String> {
        if credit == 0.0 {
            return Ok(self);
        }
        let by = -direction.loss(credit);
        let moved = || -> Result<Measurement, MeasurementError> {
            let Some(units) = self.0.units() else { return Measurement::scalar(self.0.objective() + by) };
            let mut moved = Measurement::new(units.values().iter().map(|value| value + by))?;
            if let Some(weights) = units.weights() {
                moved = moved.weights(weights.iter().copied())?;
            }
            if let Some(clusters) = units.clusters() {
                moved = moved.clusters(clusters.iter().copied())?;
            }
            Ok(moved)
        };
        moved().map(Self).map_err(|e| format!("with a credit of {credit}: {e}"))
    }
}
