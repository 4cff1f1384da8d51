//! What things cost.

use std::sync::{Arc, Mutex, PoisonError};

/// Takes note of charges until the study collects them; clones share one account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Mutex<Vec<(f64, String)>>>);

impl Meter {
    pub(crate) fn charge(&self, amount: f64, what: &str) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match open.iter_mut().find(|(_, of)| of == what) {
            Some((sum, _)) => *sum += amount,
            None => open.push((amount, what.into())),
        }
    }

    /// What was charged since the last time, by what for.
    pub(crate) fn collect(&self) -> Vec<(f64, String)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
