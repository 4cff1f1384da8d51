//! HTTP: one bounded, cancellable, repeated call to an API.

mod answer;
mod attempt;
mod endpoint;
mod failure;
mod link;
mod retry;
mod secrets;
mod sse;

pub(crate) use answer::{Answer, Trouble};
pub(crate) use endpoint::Endpoint;
pub(crate) use failure::{Again, Complaint, Failure, excerpt};
pub(crate) use link::{Call, Link};
#[cfg(feature = "genai")]
pub(crate) use link::{cancelled, client, tokens};
pub use retry::Retry;
#[cfg(feature = "genai")]
pub(crate) use retry::retry_after;
pub(crate) use secrets::Secrets;
