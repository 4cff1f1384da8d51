//! A flag of an attempt's own, which goes up unless the attempt ends well.

use crate::cancel::Cancellation;

/// Raises a child of a run's flag when it is dropped, unless it was [let go](Self::let_go).
///
/// Not raised after a success: what an output still leads to (a process, a thread) must live until it is measured.
pub(super) struct Leash(Option<Cancellation>);

impl Leash {
    /// A leash, and the flag to hand to the attempt.
    pub(super) fn on(parent: &Cancellation) -> (Self, Cancellation) {
        let own = parent.child();
        (Self(Some(own.clone())), own)
    }

    /// The attempt ended well.
    pub(super) fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(flag) = &self.0 {
            flag.cancel();
        }
    }
}
