//! The memory of a card, as libtorch's allocator counts it. tch has no call for it, so a few lines of C++ ask: the one
//! place in this workspace with `unsafe` code.
#![allow(unsafe_code)]

unsafe extern "C" {
    safe fn autoresearch_cuda_peak(device: i32) -> i64;
    safe fn autoresearch_cuda_reset_peak(device: i32) -> i32;
}

/// Sets the peak of this card back to what is in use now; says whether libtorch could.
pub(super) fn reset_peak(index: u32) -> bool {
    i32::try_from(index).is_ok_and(|index| autoresearch_cuda_reset_peak(index) == 1)
}

/// Bytes in tensors on this card at most since the last reset, in 10^9; `None` where libtorch does not know, as without
/// CUDA.
pub(super) fn peak_gb(index: u32) -> Option<f64> {
    let bytes = autoresearch_cuda_peak(i32::try_from(index).ok()?);
    (bytes >= 0).then_some(bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_is_not_there_has_no_memory() {
        for index in [99, u32::MAX] {
            assert!(!reset_peak(index) && peak_gb(index).is_none());
        }
        if !tch::Cuda::is_available() {
            assert!(!reset_peak(0) && peak_gb(0).is_none());
        }
    }
}
