//! The Ladder: a leaderboard score that cannot be climbed by luck.

use super::{Moments, StatsError, check, mean};

/// Scores submissions against a fixed set of held-out points, and lets out a better score only when it is better by
/// more than noise (Blum & Hardt 2015, "The Ladder: a reliable leaderboard for machine learning competitions", ICML).
///
/// Sign: losses, lower is better, in any units. After any number of adaptive submissions the released score is close to
/// the best true loss among them, where the plain minimum is not.
///
/// ```
/// use autoresearch_core::stats::Ladder;
///
/// let mut ladder = Ladder::fixed_step(0.02)?;
/// assert_eq!(ladder.score(&[0.5, 0.6, 0.4, 0.5])?, 0.5);
/// assert_eq!(ladder.score(&[0.5, 0.6, 0.4, 0.46])?, 0.5); // better by .01 only: nothing is let out
/// assert_eq!(ladder.released(), 0.5);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ladder {
    /// `None`: without a parameter.
    step: Option<f64>,
    best: Vec<f64>,
    released: f64,
}

impl Ladder {
    /// Releases a score, rounded to the nearest multiple of `step`, when it is better than the last one by more than
    /// `step` (their algorithm 1). Best is a step of about `(ln k/n)^(1/3)` for `k` submissions and `n` points.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] unless `step` is positive and finite.
    pub fn fixed_step(step: f64) -> Result<Self, StatsError> {
        check::positive("step", step)?;
        Ok(Self { step: Some(step), best: Vec::new(), released: f64::INFINITY })
    }

    /// Releases a score, unrounded, when it is better than the last released one by more than `s/sqrt(n)`, with `s` the
    /// standard deviation of the `n` differences to the losses of that submission (their parameter-free algorithm,
    /// without its rounding to multiples of `1/n`).
    pub fn parameter_free() -> Self {
        Self { step: None, best: Vec::new(), released: f64::INFINITY }
    }

    /// Scores a submission by its loss on each point and returns the score that may be shown: the new one or the old.
    ///
    /// A single point has no spread: without a parameter only the first submission is then released.
    ///
    /// # Errors
    /// [`StatsError::Empty`], [`StatsError::NonFinite`], or [`StatsError::LengthMismatch`] if the number of points
    /// changed. The ladder is then as before.
    pub fn score(&mut self, losses: &[f64]) -> Result<f64, StatsError> {
        if losses.is_empty() {
            return Err(StatsError::Empty { what: "losses" });
        }
        check::all_finite("losses", losses)?;
        if !self.best.is_empty() {
            check::same_length("the best submission", self.best.len(), "losses", losses.len())?;
        }
        let loss = mean(losses);
        check::finite("the mean loss", loss)?;
        if self.best.is_empty() || loss < self.released - self.margin(losses) {
            self.released = match self.step {
                Some(step) => (loss / step).round_ties_even() * step,
                None => loss,
            };
            self.best = losses.to_vec();
        }
        Ok(self.released)
    }

    /// The score that was last released; infinity before the first submission.
    pub fn released(&self) -> f64 {
        self.released
    }

    fn margin(&self, losses: &[f64]) -> f64 {
        self.step.unwrap_or_else(|| {
            let differences: Moments = losses.iter().zip(&self.best).map(|(new, best)| new - best).collect();
            differences.sd().map_or(f64::INFINITY, |sd| sd / (losses.len() as f64).sqrt())
        })
    }
}
