//! Things of which each job gets some for itself: places, CPUs, GPUs.

use crate::error::LaunchError;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A stock of things; jobs wait for them in the order in which they came.
#[derive(Debug)]
pub(super) struct Pool<T> {
    all: usize,
    permits: Arc<Semaphore>,
    free: Arc<Mutex<Vec<T>>>,
}

/// Things that a job has; dropped, they are free again.
#[derive(Debug)]
pub(super) struct Taken<T> {
    things: Vec<T>,
    free: Arc<Mutex<Vec<T>>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl<T: Clone> Pool<T> {
    pub(super) fn new(things: impl IntoIterator<Item = T>) -> Self {
        let mut free: Vec<T> = things.into_iter().collect();
        free.reverse(); // the first ones are given first
        Self {
            all: free.len(),
            permits: Arc::new(Semaphore::new(free.len())),
            free: Arc::new(Mutex::new(free)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all
    }

    /// Waits for so many, no more than there are in all.
    ///
    /// # Cancel safety
    /// Dropped, the place in the queue is given up.
    pub(super) async fn take(&self, n: usize) -> Result<Taken<T>, LaunchError> {
        let closed = |why: &dyn std::fmt::Display| LaunchError::Infrastructure(why.to_string());
        let n32 = u32::try_from(n).map_err(|why| closed(&why))?;
        let permit = Arc::clone(&self.permits).acquire_many_owned(n32).await.map_err(|why| closed(&why))?;
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let at = free.len().saturating_sub(n);
        let mut things = free.split_off(at);
        things.reverse();
        Ok(Taken { things, free: Arc::clone(&self.free), permit: Some(permit) })
    }
}

impl<T: Clone> Taken<T> {
    pub(super) fn things(&self) -> &[T] {
        &self.things
    }
}

impl<T> Drop for Taken<T> {
    fn drop(&mut self) {
        self.things.reverse();
        self.free.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.things);
        // Only now may the next one come.
        self.permit = None;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_gets_what_another_has() {
        let pool = Pool::new(["a", "b", "c"]);
        let (one, two) = (pool.take(1).await.unwrap(), pool.take(2).await.unwrap());
        assert_eq!((one.things(), two.things()), (&["a"][..], &["b", "c"][..]));
        let mut third = std::pin::pin!(pool.take(2));
        assert!(futures(&mut third).is_none());
        drop(one);
        assert!(futures(&mut third).is_none());
        drop(two);
        assert_eq!(third.await.unwrap().things(), ["b", "c"]);
    }

    fn futures<F: Future>(future: &mut std::pin::Pin<&mut F>) -> Option<F::Output> {
        match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
