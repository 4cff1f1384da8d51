//! The probability of backtest overfitting: is what is best on one half of the data any good on the other?

use super::combinations::{binomial, combinations};
use super::error::parameter;
use super::{StatsError, check};

/// The outcome of [`overfitting`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Overfitting {
    /// For each way to halve the blocks: `ln(w/(1-w))`, with `w` the relative rank on the second half of what was best on
    /// the first.
    pub logits: Vec<f64>,
    /// The share of the logits at or below 0: how often the chosen one is no better than the median.
    pub probability: f64,
}

/// The probability of backtest overfitting by combinatorially symmetric cross-validation (Bailey, Borwein, López de
/// Prado & Zhu 2017, *Journal of Computational Finance* 20(4)).
///
/// `scores[t][j]` is the score of configuration `j` in period (or on document) `t`, **higher is better**: negate losses.
/// The rows are cut into `blocks` runs of equal length (the first ones longer by one if needed). For each choice of
/// half of the blocks the configuration with the best mean on them (the first of equals) is ranked by its mean on the
/// rest: `w = rank/(configurations + 1)`, equal means sharing their mean rank.
///
/// # Errors
/// [`StatsError::Empty`], [`StatsError::LengthMismatch`] for rows of different lengths, [`StatsError::NonFinite`],
/// [`StatsError::Parameter`] unless `blocks` is even, from 2 to 20, and at most the number of rows, or for fewer than two
/// configurations.
///
/// ```
/// use autoresearch_core::stats::overfitting;
///
/// // The second configuration is better everywhere: choosing it is no accident.
/// let scores: Vec<Vec<f64>> = (0..8).map(|t| vec![f64::from(t), f64::from(t) + 1.0]).collect();
/// assert_eq!(overfitting(&scores, 4)?.probability, 0.0);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn overfitting(scores: &[Vec<f64>], blocks: usize) -> Result<Overfitting, StatsError> {
    let Some(first) = scores.first() else {
        return Err(StatsError::Empty { what: "scores" });
    };
    for (t, row) in scores.iter().enumerate() {
        check::same_length("scores[0]", first.len(), "another row", row.len())?;
        check::all_finite(&format!("scores[{t}]"), row)?;
    }
    if first.len() < 2 {
        return Err(parameter("number of configurations", first.len() as f64, "at least 2"));
    }
    if !(2..=20).contains(&blocks) || !blocks.is_multiple_of(2) || blocks > scores.len() {
        return Err(parameter("blocks", blocks as f64, "even, from 2 to 20, and at most the number of rows"));
    }
    // The sum of each block and configuration, and how many rows it has.
    let (length, longer) = (scores.len() / blocks, scores.len() % blocks);
    let mut rest = scores;
    let sums: Vec<(f64, Vec<f64>)> = (0..blocks)
        .map(|block| {
            let (rows, later) = rest.split_at(length + usize::from(block < longer));
            rest = later;
            let sum = |j: usize| rows.iter().map(|row| row[j]).sum();
            (rows.len() as f64, (0..first.len()).map(sum).collect())
        })
        .collect();
    let means = |chosen: &dyn Fn(usize) -> bool| -> Vec<f64> {
        let chosen: Vec<_> = (0..blocks).filter(|&block| chosen(block)).map(|block| &sums[block]).collect();
        let rows: f64 = chosen.iter().map(|(rows, _)| rows).sum();
        (0..first.len()).map(|j| chosen.iter().map(|(_, sums)| sums[j]).sum::<f64>() / rows).collect()
    };
    let mut logits = Vec::with_capacity(binomial(blocks, blocks / 2) as usize);
    combinations(blocks, blocks / 2, |half| {
        let inside = means(&|block| half.contains(&block));
        let outside = means(&|block| !half.contains(&block));
        let best = (1..inside.len()).fold(0, |best, j| if inside[j] > inside[best] { j } else { best });
        let below = outside.iter().filter(|&&mean| mean < outside[best]).count() as f64;
        let upto = outside.iter().filter(|&&mean| mean <= outside[best]).count() as f64;
        let rank = 0.5 * (below + upto + 1.0);
        logits.push((rank / (outside.len() as f64 + 1.0 - rank)).ln());
    });
    let probability = logits.iter().filter(|&&logit| logit <= 0.0).count() as f64 / logits.len() as f64;
    Ok(Overfitting { logits, probability })
}
