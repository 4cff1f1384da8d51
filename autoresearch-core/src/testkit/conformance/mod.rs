//! What every part of a study must do, as functions that tests call in one line. They panic with what is wrong.
//!
//! ```
//! use autoresearch_core::testkit::conformance;
//! use autoresearch_core::{LocalSearch, MemoryStore, ParamSpace, ParamSet};
//! # tokio::runtime::Builder::new_multi_thread().enable_time().build()?.block_on(async {
//! let space = || ParamSpace::new().log_float("lr", 1e-4..=1.0).int("width", 8..=64);
//! let baseline = ParamSet::new().with("lr", 0.1).with("width", 16);
//! conformance::proposer(|| LocalSearch::over(space()), baseline).await;
//! conformance::store(MemoryStore::new).await;
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

mod acceptor;
mod evaluator;
mod executor;
mod proposer;

pub use crate::store::store_conformance as store;
pub use acceptor::acceptor;
pub use evaluator::evaluator;
pub use executor::{executor, executor_within};
pub use proposer::{proposer, varying_proposer};

use std::future::Future;
use std::time::Duration;

/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    in_time_of(PATIENCE, what, work).await
}

async fn in_time_of<T>(patience: Duration, what: &str, work: impl Future<Output = T>) -> T {
    let in_time = tokio::time::timeout(patience, work).await;
    in_time.unwrap_or_else(|_| panic!("{what}: nothing within {patience:?}"))
}
