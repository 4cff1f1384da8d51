//! Polynomials that bring every singular value of a matrix near one.

use crate::Orthogonal;
use tch::{Kind, Tensor};

/// One step x -> a x + b x³ + c x⁵ of the singular values.
type Step = [f64; 3];

/// Jordan's (2024), the same at every step: they end between .7 and 1.2 and no closer, since closer does not train
/// better.
const NEWTON_SCHULZ: Step = [3.4445, -4.7750, 2.0315];

/// Amsel, Persson, Musco and Gower (2025), algorithm 1: at each step the polynomial that brings the singular values
/// nearest to one, if they lie between .001 and 1 at first. The last is repeated.
const POLAR_EXPRESS: [Step; 8] = [
    [8.28721201814563, -23.595886519098837, 17.300387312530933],
    [4.107059111542203, -2.9478499167379106, 0.5448431082926601],
    [3.9486908534822946, -2.908902115962949, 0.5518191394370137],
    [3.3184196573706015, -2.488488024314874, 0.51004894012372],
    [2.300652019954817, -1.6689039845747493, 0.4188073119525673],
    [1.891301407787398, -1.2679958271945868, 0.37680408948524835],
    [1.8750014808534479, -1.2500016453999487, 0.3750001645474248],
    [1.875, -1.25, 0.375],
];

/// Their safety factor, on all of these but the last: rounding must not push a singular value beyond where the
/// polynomials still bring it back.
const SAFETY: f64 = 1.01;

fn step(kind: Orthogonal, index: usize) -> Step {
    match kind {
        Orthogonal::NewtonSchulz => NEWTON_SCHULZ,
        Orthogonal::PolarExpress => match POLAR_EXPRESS.get(index) {
            Some([a, b, c]) if index < 7 => [a / SAFETY, b / SAFETY.powi(3), c / SAFETY.powi(5)],
            _ => POLAR_EXPRESS[7],
        },
    }
}

/// About the nearest orthogonal matrix to each in a batch `[matrices, rows, columns]`, in the batch's own kind.
pub(super) fn orthogonal(batch: &Tensor, kind: Orthogonal, steps: u32) -> Tensor {
    let size = batch.size();
    // The products are of the shorter side.
    let tall = size[1] > size[2];
    let x = if tall { batch.transpose(1, 2) } else { batch.shallow_clone() };
    let norm = x.norm_scalaropt_dim_dtype(2.0, [1_i64, 2], true, Kind::Float);
    let margin = if kind == Orthogonal::PolarExpress { SAFETY } else { 1.0 };
    let mut x = &x / (norm * margin + 1e-7).to_kind(x.kind());
    for index in 0..steps as usize {
        let [a, b, c] = step(kind, index);
        let gram = x.bmm(&x.transpose(1, 2));
        let polynomial = gram.baddbmm(&gram, &gram, b, c);
        x = x.baddbmm(&polynomial, &x, a, 1.0);
    }
    if tall { x.transpose(1, 2) } else { x }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Parameters;

    /// The lowest and the highest singular value, each over the batch.
    fn range(batch: &Tensor) -> (f64, f64) {
        let (_, singular, _) = batch.svd(true, false);
        (singular.min().double_value(&[]), singular.max().double_value(&[]))
    }

    #[test]
    fn singular_values_come_near_one() {
        let mut parameters = Parameters::seeded(3);
        let wide = parameters.normal("wide", &[2, 8, 24], 0.3).unwrap().detach();
        for batch in [wide.shallow_clone(), wide.transpose(1, 2)] {
            let x = orthogonal(&batch, Orthogonal::NewtonSchulz, 5);
            assert_eq!(x.size(), batch.size());
            let (low, high) = range(&x);
            assert!(low > 0.6 && high < 1.3, "{low} to {high}");
            let (low, high) = range(&orthogonal(&batch, Orthogonal::PolarExpress, 8));
            assert!((low - 1.0).abs() < 1e-4 && (high - 1.0).abs() < 1e-4, "{low} to {high}");
        }
    }

    /// What the polynomials do to one singular value between .001 and 1, in double precision. Amsel et al. (2025) prove
    /// theirs the best of all compositions of as many steps of this degree in the worst case, so Jordan's must be worse;
    /// and their order of convergence is three, so that some more steps leave nothing.
    #[test]
    fn polar_express_is_nearer_in_the_worst_case() {
        let worst = |kind, steps: usize| {
            let one = |i: i32| {
                let x = 10_f64.powf(-3.0 + 3.0 * f64::from(i) / 999.0);
                let x = (0..steps).map(|index| step(kind, index)).fold(x, |x, [a, b, c]| {
                    let square = x * x;
                    x * (a + square * (b + square * c))
                });
                (x - 1.0).abs()
            };
            (0..1000).map(one).fold(0.0, f64::max)
        };
        let (fixed, best) = (worst(Orthogonal::NewtonSchulz, 5), worst(Orthogonal::PolarExpress, 5));
        assert!(best < 0.5 * fixed, "{best} against {fixed}");
        assert!(worst(Orthogonal::PolarExpress, 8) < 1e-6);
    }
}
