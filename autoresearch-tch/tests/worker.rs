//! The trainer in worker processes. A program of its own and no list of tests, since its workers are this program again.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::{Executor, Fidelity};
use autoresearch_jobs::{WorkerExecutor, worker_main};
use autoresearch_tch::{GptRecipe, GptTrainer};
use common::{context, splits, tiny, validate};

fn trainer() -> GptTrainer {
    GptTrainer::new(&splits()).fidelity(Fidelity::tokens(64 * 12))
}

#[tokio::main]
async fn main() {
    worker_main::<GptRecipe, _>(trainer);
    if !cfg!(target_os = "linux") {
        return eprintln!("SKIPPED: workers as processes of this machine need Linux");
    }
    let worker = WorkerExecutor::new(trainer());
    assert_eq!(Executor::<GptRecipe>::identity(&worker), Executor::<GptRecipe>::identity(&trainer()));

    let ((here, folder), (there, other)) = (context(3), context(3));
    let _folders = (folder, other);
    let here = trainer().execute(tiny(), here).await.unwrap();
    let model = worker.execute(tiny(), there.clone()).await.unwrap();
    assert_eq!(model.digest().unwrap(), here.digest().unwrap(), "the same weights in either process");
    assert_eq!(validate(&model).await.objective(), validate(&here).await.objective());
    assert!(model.path.starts_with(there.directory().unwrap()), "{}", model.path.display());

    // What is there is not trained again.
    assert_eq!(worker.reopen(&tiny(), &there).await, Some(model));
    println!("a trainer in a worker process gives the same weights ... ok");
}
