//! How large the holdout should be.

use serde::{Deserialize, Serialize};

/// The documents may add this share to the standard error of the holdout's test.
const ADDED: f64 = 0.10;

/// The recommended size of the holdout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HoldoutSize {
    /// As a multiple of the validation split.
    pub multiple: f64,
    /// In documents, where validation has per-unit values.
    pub documents: Option<usize>,
    /// Whether the split's own noise had to be assumed, because no edit was run on the baseline's seeds.
    pub assumed: bool,
}

impl HoldoutSize {
    /// With a split noise of `split` (a variance, at the size of validation) and a variance of `pair` for the
    /// difference of one pair, of which there are `pairs`: the test's `SE² = split/multiple + pair/pairs` is to be at
    /// most 1.1² times what it would be on endless documents. Never smaller than validation.
    pub(super) fn new(split: f64, pair: f64, pairs: u32, documents: Option<usize>, assumed: bool) -> Self {
        let room = ((1.0 + ADDED).powi(2) - 1.0) * pair / f64::from(pairs);
        let multiple = if split > 0.0 { (split / room).ceil().max(1.0) } else { 1.0 };
        Self { multiple, documents: documents.map(|d| (multiple * d as f64) as usize), assumed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_add_a_tenth_to_the_error_at_most() {
        let size = HoldoutSize::new(0.84, 2.0, 8, Some(13), true);
        let se = |split: f64| (split + 2.0 / 8.0f64).sqrt();
        assert!(se(0.84 / size.multiple) <= 1.1 * se(0.0));
        assert!(se(0.84 / (size.multiple - 1.0)) > 1.1 * se(0.0));
        assert_eq!(size.documents, Some(13 * size.multiple as usize));
        assert_eq!(HoldoutSize::new(0.0, 2.0, 8, None, false).multiple, 1.0);
    }
}
