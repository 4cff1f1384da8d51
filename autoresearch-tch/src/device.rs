//! Where a model lives and trains.

mod allocator;

use autoresearch_core::RunFailure;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A device to train on. In JSON `"cpu"` and `{"cuda": 0}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The NVIDIA card of this number, as CUDA counts them: from 0, of those in `CUDA_VISIBLE_DEVICES`.
    Cuda(u32),
}

impl Device {
    /// The device as tch names it, once it is known to be there.
    ///
    /// # Errors
    /// libtorch sees no such device: the infrastructure's failure, which names the device and how many there are.
    pub fn open(self) -> Result<tch::Device, RunFailure> {
        match self {
            Self::Cpu => Ok(tch::Device::Cpu),
            Self::Cuda(index) => {
                self.check(tch::Cuda::device_count())?;
                Ok(tch::Device::Cuda(index as usize))
            }
        }
    }

    fn check(self, count: i64) -> Result<(), RunFailure> {
        match self {
            Self::Cuda(index) if i64::from(index) >= count => {
                let devices = if count == 1 { "device" } else { "devices" };
                Err(RunFailure::infrastructure(format!(
                    "{self} is not there: libtorch sees {count} CUDA {devices}; docs/gpu.md says how to build with CUDA"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Waits until all that was queued is done; work on a processor is never queued.
    pub(crate) fn synchronise(self) {
        if let Self::Cuda(index) = self {
            tch::Cuda::synchronize(i64::from(index));
        }
    }

    /// Begins to watch how much memory is taken on a card; forgets what was before.
    pub(crate) fn watch_memory(self) {
        if let Self::Cuda(index) = self {
            allocator::reset_peak(index);
        }
    }

    /// The most of a card's memory that tensors took since [`watch_memory`](Self::watch_memory), in 10^9 bytes.
    pub(crate) fn peak_gb(self) -> Option<f64> {
        match self {
            Self::Cpu => None,
            Self::Cuda(index) => allocator::peak_gb(index),
        }
    }

    /// The kind of device, which is part of what decides the outcome; which of several equal ones is not.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda(_) => "cuda",
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use autoresearch_core::Fault;

    #[test]
    fn a_device_that_is_not_there_is_named_with_how_many_there_are() {
        for (device, count, words) in [
            (Device::Cuda(0), 0, "cuda:0 is not there: libtorch sees 0 CUDA devices;"),
            (Device::Cuda(1), 1, "cuda:1 is not there: libtorch sees 1 CUDA device;"),
            (Device::Cuda(9), 8, "cuda:9 is not there: libtorch sees 8 CUDA devices;"),
        ] {
            let failure = device.check(count).unwrap_err();
            assert_eq!(failure.fault(), Fault::Infrastructure);
            assert!(failure.message().starts_with(words), "{failure}");
        }
        assert!(Device::Cuda(7).check(8).is_ok() && Device::Cpu.open().is_ok());
    }

    #[test]
    fn devices_have_names_in_json() {
        let all = [Device::Cpu, Device::Cuda(2)];
        assert_eq!(serde_json::to_string(&all).unwrap(), r#"["cpu",{"cuda":2}]"#);
        assert_eq!(serde_json::from_str::<[Device; 2]>(r#"["cpu",{"cuda":2}]"#).unwrap(), all);
    }
}
