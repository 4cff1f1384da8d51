//! Keys and values that know the token before.

use tch::Tensor;

/// The last half of the last dimension of `[batch, length, heads, head_dim]` from the place before; the first place,
/// which has none before it, keeps its own. With this, one head can look for what followed a token in one layer
/// instead of two.
pub(super) fn half_from_before(x: &Tensor) -> Tensor {
    let halves = x.chunk(2, -1);
    let length = x.size()[1];
    let before = Tensor::cat(&[halves[1].narrow(1, 0, 1), halves[1].narrow(1, 0, length - 1)], 1);
    Tensor::cat(&[&halves[0], &before], -1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_head_has_its_last_half_from_before() {
        let x: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let x = Tensor::from_slice(&x).view([1, 3, 1, 4]);
        let shifted: Vec<f32> = half_from_before(&x).flatten(0, -1).try_into().unwrap();
        assert_eq!(shifted, [0., 1., 2., 3., 4., 5., 2., 3., 8., 9., 6., 7.]);
    }
}
