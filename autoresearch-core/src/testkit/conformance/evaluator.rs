//! What every evaluator must do.

use super::in_time;
use crate::evaluate::{EvalContext, Evaluator};
use crate::measure::PerUnit;

/// Checks an evaluator against the contract of [`Evaluator`] on two outputs of runs.
///
/// Measuring is repeatable (the holdout may be asked again after a restart), two outputs are measured on the same units
/// in the same order (else they could not be paired), two at a time as one by one, and `identity` stays as it is.
///
/// ```
/// use autoresearch_core::{Measurement, evaluator_fn, testkit::conformance};
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let per_document = evaluator_fn(|losses: &Vec<f64>| Ok(Measurement::new(losses.iter().copied())?));
/// conformance::evaluator(&per_document, &vec![1.0, 2.0], &vec![1.5, 1.0]).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// The evaluator breaks the contract; the message says how.
pub async fn evaluator<A: Send + Sync>(evaluator: &impl Evaluator<A>, one: &A, other: &A) {
    let measure = |output, seed| async move {
        let measured = in_time("measuring", evaluator.evaluate(output, EvalContext::for_test(seed))).await;
        measured.unwrap_or_else(|failure| panic!("an output that should be measurable is not: {failure}"))
    };
    let (first, second) = (measure(one, 1).await, measure(other, 2).await);
    assert_eq!(measure(one, 1).await, first, "the same output, measured twice, gave two measurements");
    let (again, also) = tokio::join!(measure(one, 1), measure(other, 2));
    assert_eq!(
        (again, also),
        (first.clone(), second.clone()),
        "two at a time are measured otherwise than one by one"
    );
    assert_eq!(
        first.stated_direction(),
        second.stated_direction(),
        "two outputs are measured in two directions"
    );
    let (one, other) = (first.units(), second.units());
    let units = "two outputs are measured on different units, so that they cannot be compared unit by unit";
    assert_eq!(one.map(|u| u.values().len()), other.map(|u| u.values().len()), "{units}");
    assert_eq!(one.map(PerUnit::weights), other.map(PerUnit::weights), "{units}: their weights differ");
    assert_eq!(one.map(PerUnit::clusters), other.map(PerUnit::clusters), "{units}: their clusters differ");
    assert_eq!(evaluator.identity(), evaluator.identity(), "`identity` changes from call to call");
}
