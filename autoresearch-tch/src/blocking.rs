//! Where libtorch runs: on a thread of its own, with its failures caught and told apart.

use autoresearch_core::{Cancellation, FailureKind, RunFailure};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tch::TchError;

/// Runs `work` on a blocking thread with this many libtorch threads. The [`Cancellation`] it is given goes up when
/// `cancel` does or when this future is dropped; `work` watches it, since a thread cannot be dropped.
pub(crate) async fn on_thread<R: Send + 'static>(
    threads: i32,
    cancel: &Cancellation,
    work: impl FnOnce(&Cancellation) -> Result<R, RunFailure> + Send + 'static,
) -> Result<R, RunFailure> {
    let stop = cancel.child();
    let guard = stop.on_drop();
    let done = tokio::task::spawn_blocking(move || {
        catch_unwind(AssertUnwindSafe(|| {
            // libtorch counts threads per calling thread, and this one comes from a pool: say it every time. The same
            // goes for the gradient mode, which a panic in an earlier job may have left off.
            tch::set_num_threads(threads);
            tch::with_grad(|| work(&stop))
        }))
        .unwrap_or_else(|panic| Err(from_panic(panic.as_ref())))
    })
    .await;
    drop(guard);
    // Panics are caught above, so what is left is a runtime that shuts down.
    done.unwrap_or_else(|_| Err(RunFailure::cancelled()))
}

/// tch's plain methods panic where libtorch reports an error; the message holds libtorch's own.
fn from_panic(panic: &(dyn Any + Send)) -> RunFailure {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    from_text(text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message"))
}

/// What a libtorch error means for the study: the candidate's fault, out of memory told apart.
///
/// For models that call tch's fallible `f_…` methods: `x.f_matmul(&w).map_err(torch_failure)?`.
pub fn torch_failure(error: TchError) -> RunFailure {
    from_text(&error.to_string())
}

fn from_text(text: &str) -> RunFailure {
    // The message without Rust's and tch's wrapping and C++'s stack trace.
    let told = text.strip_prefix("called `Result::unwrap()` on an `Err` value: Torch(\"").unwrap_or(text);
    let first = told.split("\nException raised from").next().unwrap_or(told).trim();
    let first = first.split("\\nException raised from").next().unwrap_or(first);
    let failure = RunFailure::candidate(first);
    // CPU: "DefaultCPUAllocator: can't allocate memory" or "not enough memory"; CUDA: "CUDA out of memory".
    let memory = ["can't allocate memory", "not enough memory", "out of memory", "std::bad_alloc"];
    if memory.iter().any(|words| text.contains(words)) {
        failure.kind(FailureKind::OutOfMemory)
    } else {
        failure
    }
}
