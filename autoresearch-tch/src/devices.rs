//! Devices that runs share, or of which each run takes one for itself.

use crate::Device;
use autoresearch_core::RunFailure;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The devices that training and evaluation may use. Clones stand for the same devices: give one to
/// [`Training::devices`](crate::Training::devices) and a clone of it to an evaluator, and a card serves one of them at a
/// time.
///
/// ```
/// use autoresearch_tch::{Device, Devices};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), autoresearch_core::RunFailure> {
/// let cards = Devices::one_run_each([Device::Cuda(0), Device::Cuda(1)]);
/// let (first, second) = (cards.take().await?, cards.take().await?); // a third would wait for one of these to drop
/// assert_eq!((first.device(), second.device()), (Device::Cuda(0), Device::Cuda(1)));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Devices(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    kind: &'static str,
    hand_out: HandOut,
}

#[derive(Debug)]
enum HandOut {
    Shared(Device),
    OneRunEach { count: usize, free: Mutex<BTreeSet<Device>>, permits: Arc<Semaphore> },
}

impl Devices {
    /// One device for all runs, however many there are at once.
    pub fn shared(device: Device) -> Self {
        Self(Arc::new(Pool { kind: device.kind(), hand_out: HandOut::Shared(device) }))
    }

    /// Each run takes a free device for itself, that of the lowest number, and waits while none is free. A device
    /// named twice counts once.
    pub fn one_run_each(devices: impl IntoIterator<Item = Device>) -> Self {
        let free: BTreeSet<_> = devices.into_iter().collect();
        let kind = free.last().map_or("cpu", |device| device.kind());
        let (count, permits) = (free.len(), Arc::new(Semaphore::new(free.len())));
        Self(Arc::new(Pool {
            kind,
            hand_out: HandOut::OneRunEach { count, free: Mutex::new(free), permits },
        }))
    }

    /// A device to run on, given back when the [`Permit`] is dropped.
    ///
    /// # Errors
    /// There are no devices at all: an infrastructure failure, since the wait would have no end.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the place in the queue, which is first come, first served; nothing is lost.
    pub async fn take(&self) -> Result<Permit, RunFailure> {
        let none = || RunFailure::infrastructure("no device to run on: the list of devices is empty");
        match &self.0.hand_out {
            HandOut::Shared(device) => Ok(Permit { device: *device, back: None }),
            HandOut::OneRunEach { count: 0, .. } => Err(none()),
            HandOut::OneRunEach { free, permits, .. } => {
                let permit = Arc::clone(permits).acquire_owned().await.map_err(|_| none())?;
                let device = free.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
                let back = Some(Back { pool: Arc::clone(&self.0), _permit: permit });
                Ok(Permit { device: device.ok_or_else(none)?, back })
            }
        }
    }

    /// `cpu` or `cuda`.
    pub(crate) fn kind(&self) -> &'static str {
        self.0.kind
    }
}

/// The right to use a device, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    device: Device,
    back: Option<Back>,
}

/// Where a device goes back to.
#[derive(Debug)]
struct Back {
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit, // dropped after the device is back in its place
}

impl Permit {
    /// The device.
    pub fn device(&self) -> Device {
        self.device
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(back) = &self.back
            && let HandOut::OneRunEach { free, .. } = &back.pool.hand_out
        {
            free.lock().unwrap_or_else(PoisonError::into_inner).insert(self.device);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
