//! What things cost: charges, and what is set aside before it is known how much they will be.

use crate::propose::ProposeError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What runs are charged as.
pub(crate) const RUNS: &str = "runs";

/// What something cost: money, and what was used for it.
///
/// ```
/// use autoresearch_core::Charge;
/// let charge = Charge::new(0.0031, "a model").used("calls", 1).used("prompt tokens", 812).used("answer tokens", 97);
/// assert_eq!(charge.used["prompt tokens"], 812);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Charge {
    /// How much, in the currency of [`Limits::money`](crate::Limits::money); 0 for what costs nothing but is counted.
    pub amount: f64,
    /// Whom it is paid to, or for what.
    pub what: String,
    /// What was used, by unit: calls, tokens.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<String, u64>,
}

impl Charge {
    /// This much, for this.
    pub fn new(amount: f64, what: impl Into<String>) -> Self {
        Self { amount, what: what.into(), used: BTreeMap::new() }
    }

    /// Adds to what was used of a unit.
    #[must_use]
    pub fn used(mut self, unit: &str, count: u64) -> Self {
        if count > 0 {
            let of = self.used.entry(unit.into()).or_default();
            *of = of.saturating_add(count);
        }
        self
    }

    pub(crate) fn is_amount(&self) -> bool {
        self.amount >= 0.0 && self.amount.is_finite()
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.amount == 0.0 && self.used.is_empty()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.amount += other.amount;
        for (unit, count) in &other.used {
            let of = self.used.entry(unit.clone()).or_default();
            *of = of.saturating_add(*count);
        }
    }
}

/// Takes note of charges and remarks until the study collects them; clones share one account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Account>);

#[derive(Debug, Default)]
struct Account {
    book: Mutex<Book>,
    charged: Notify,
}

#[derive(Debug, Default)]
struct Book {
    limit: Option<f64>,
    /// Everything that was ever charged, earlier sessions included.
    spent: f64,
    /// What is set aside for what is under way.
    committed: f64,
    open: Vec<Charge>,
    remarks: Vec<String>,
}

/// What a study takes from its meter.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) charges: Vec<Charge>,
    /// Charges that are no amount of money.
    pub(crate) wrong: Vec<Charge>,
    pub(crate) remarks: Vec<String>,
}

impl Meter {
    /// A meter of a study that may spend so much, and has spent so much.
    pub(crate) fn new(limit: Option<f64>, spent: f64) -> Self {
        let book = Book { limit, spent, ..Book::default() };
        Self(Arc::new(Account { book: Mutex::new(book), charged: Notify::new() }))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn charge(&self, charge: Charge) {
        let mut book = self.book();
        if charge.is_amount() {
            book.spent += charge.amount;
        }
        match book.open.iter_mut().find(|open| open.what == charge.what && open.is_amount()) {
            Some(open) if charge.is_amount() => open.add(&charge),
            _ => book.open.push(charge),
        }
        self.0.charged.notify_one();
    }

    pub(crate) fn remark(&self, text: String) {
        self.book().remarks.push(text);
        self.0.charged.notify_one();
    }

    /// What the limit leaves, with what is set aside taken off; `None`: there is no limit.
    pub(crate) fn left(&self) -> Option<f64> {
        let book = self.book();
        book.limit.map(|limit| (limit - book.spent - book.committed).max(0.0))
    }

    pub(crate) fn commit(&self, most: f64, what: &str) -> Result<Commitment, ProposeError> {
        if !(most >= 0.0 && most.is_finite()) {
            return Err(ProposeError::new(format!(
                "{most} cannot be set aside for {what}: give an amount from 0"
            )));
        }
        let mut book = self.book();
        if let Some(limit) = book.limit
            && book.spent + book.committed + most > limit
        {
            let (spent, committed) = (book.spent, book.committed);
            return Err(ProposeError::unaffordable(format!(
                "{what} may cost {most:.4}; of the limit of {limit:.4} on money {spent:.4} are spent and \
                 {committed:.4} set aside for what is under way"
            )));
        }
        book.committed += most;
        Ok(Commitment { meter: self.clone(), most, what: what.into() })
    }

    /// Waits until something has been charged since this was awaited the last time; it may have been collected.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn charged(&self) {
        self.0.charged.notified().await;
    }

    /// What was charged and remarked since the last time.
    pub(crate) fn collect(&self) -> Collected {
        let mut book = self.book();
        let (charges, wrong) = std::mem::take(&mut book.open).into_iter().partition(Charge::is_amount);
        Collected { charges, wrong, remarks: std::mem::take(&mut book.remarks) }
    }
}

/// Money set aside for something that is about to happen, so that all that is under way together stays below the limit.
///
/// [`settle`](Self::settle) it when its cost is known. Dropped without that, as when a study is cancelled in the middle of
/// a call, it is charged in full: what was sent may be billed.
#[must_use = "dropped, it is charged in full"]
pub struct Commitment {
    meter: Meter,
    most: f64,
    what: String,
}

impl Commitment {
    /// Charges what it really cost, and sets the rest free.
    pub fn settle(mut self, charge: Charge) {
        self.meter.book().committed -= self.most;
        self.meter.charge(charge);
        self.most = 0.0;
    }

    /// Charges nothing: it did not take place.
    pub fn release(mut self) {
        self.meter.book().committed -= self.most;
        self.most = 0.0;
    }
}

impl Drop for Commitment {
    fn drop(&mut self) {
        if self.most > 0.0 {
            self.meter.book().committed -= self.most;
            self.meter.charge(Charge::new(self.most, std::mem::take(&mut self.what)));
        }
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commitment")
            .field("most", &self.most)
            .field("what", &self.what)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_together_stays_below_the_limit() {
        let meter = Meter::new(Some(1.0), 0.25);
        let first = meter.commit(0.5, "a call").unwrap();
        assert_eq!(meter.left(), Some(0.25));
        let refused = meter.commit(0.5, "a call").unwrap_err();
        assert!(refused.is_unaffordable());
        assert!(
            refused.to_string().contains("of the limit of 1.0000 on money 0.2500 are spent"),
            "{refused}"
        );
        first.settle(Charge::new(0.125, "a call").used("calls", 1));
        assert_eq!(meter.left(), Some(0.625));
        let second = meter.commit(0.5, "a call").unwrap();
        drop(second); // nobody knows what it cost
        assert_eq!(meter.left(), Some(0.125));
        meter.commit(0.125, "a call").unwrap().release();
        assert_eq!(meter.left(), Some(0.125));
        let charges = meter.collect().charges;
        assert_eq!(charges, [Charge::new(0.625, "a call").used("calls", 1)]);
    }

    #[test]
    fn what_is_no_amount_cannot_be_set_aside() {
        for most in [-1.0, f64::NAN, f64::INFINITY] {
            let error = Meter::default().commit(most, "a call").unwrap_err();
            assert!(!error.is_unaffordable() && error.to_string().contains("give an amount"), "{error}");
        }
    }
}
