//! What things cost.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Takes note of charges until the study collects them; clones share one account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Account>);

#[derive(Debug, Default)]
struct Account {
    open: Mutex<Vec<Charge>>,
    charged: Notify,
}

/// How much, and for what.
type Charge = (f64, String);

fn is_amount(x: f64) -> bool {
    x >= 0.0 && x.is_finite()
}

impl Meter {
    pub(crate) fn charge(&self, amount: f64, what: &str) {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.iter_mut().find(|(sum, of)| of == what && is_amount(*sum)) {
            Some((sum, _)) if is_amount(amount) => *sum += amount,
            _ => open.push((amount, what.into())),
        }
        self.0.charged.notify_one();
    }

    /// Waits until something has been charged since this was awaited the last time; it may have been collected.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn charged(&self) {
        self.0.charged.notified().await;
    }

    /// What was charged since the last time, by what for; and what is no amount of money.
    pub(crate) fn collect(&self) -> (Vec<Charge>, Vec<Charge>) {
        let open = std::mem::take(&mut *self.0.open.lock().unwrap_or_else(PoisonError::into_inner));
        open.into_iter().partition(|(amount, _)| is_amount(*amount))
    }
}
