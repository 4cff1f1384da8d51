//! Cooperative cancellation, as handed to runs and taken by studies.

use std::fmt;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A cheap, clonable flag: once cancelled, always cancelled.
///
/// Long work checks [`is_cancelled`](Self::is_cancelled) (a training loop: every step) or awaits
/// [`cancelled`](Self::cancelled). Cancelling a parent cancels its children, never the other way round.
#[derive(Clone, Default)]
pub struct Cancellation(CancellationToken);

impl Cancellation {
    /// A flag that nobody has raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag, here and in all children.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether the flag is up.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the flag is up.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// Sleeps, but wakes early when the flag goes up; says whether it slept to the end.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::select! {
            () = self.0.cancelled() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }

    /// A flag of its own that goes up with this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// A guard that raises the flag when it is dropped.
    #[must_use]
    pub fn on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(self.clone())
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancellation").field(&self.is_cancelled()).finish()
    }
}

/// Raises its [`Cancellation`] when dropped, so that a dropped future takes the work behind it along.
#[derive(Debug)]
pub struct CancelOnDrop(Cancellation);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
