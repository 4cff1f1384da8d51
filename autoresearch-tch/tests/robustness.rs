//! What goes wrong outside of the recipe: memory, disk, devices, time.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::{
    EvalContext, Evaluator, Executor, FailureKind, Fault, Fidelity, Measurement, RunFailure,
};
use autoresearch_tch::tch::{Device as TchDevice, Kind, Tensor};
use autoresearch_tch::{
    Device, Devices, Draws, GptRecipe, GptTrainer, Parameters, Trainer, Training, model_evaluator,
};
use common::{context, splits, tiny, train};
use std::fs;
use std::time::Duration;

fn trainer(steps: u64) -> GptTrainer {
    GptTrainer::new(&splits()).fidelity(Fidelity::steps(steps))
}

/// Runs the test of this name once more, in a process of its own that the shell first sets a limit.
#[cfg(target_os = "linux")]
fn in_child(limit: &str, test: &str) {
    let this = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{limit} && exec \"$0\" \"$@\"")])
        .arg(this)
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"])
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"), "{}", text(&output.stdout));
}

#[cfg(target_os = "linux")]
#[test]
fn memory_that_is_refused_fails_the_run_and_not_the_process() {
    in_child("ulimit -v 8000000", "within_a_limit_on_memory");
}

/// Within 8 GB of addresses: 16 GB of parameters, then 16 GB of activations, then a run that fits.
#[tokio::test]
#[ignore = "it is run by the test above, with a limit on memory"]
async fn within_a_limit_on_memory() {
    let count = 1_i64 << 32;
    for (model, words) in [
        (
            Greedy { parameters: count, activations: 1 },
            "no memory for the parameter \"x\" of shape [4294967296]",
        ),
        (Greedy { parameters: 1, activations: count }, "can't allocate memory"),
    ] {
        let failure = Training::of(model).execute(tiny(), context(1).0).await.unwrap_err();
        assert_eq!(
            (failure.fault(), failure.what()),
            (Fault::Candidate, FailureKind::OutOfMemory),
            "{failure}"
        );
        assert!(failure.message().contains(words), "{failure}");
    }
    assert!(train(&trainer(2), tiny(), 1).await.is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_fails_the_run_as_the_infrastructure() {
    // 4 kB or 8 kB, as the shell counts; the signal that goes with the limit is ignored, as on a full disk.
    in_child("trap '' XFSZ && ulimit -f 8", "within_a_limit_on_files");
}

#[tokio::test]
#[ignore = "it is run by the test above, with a limit on the size of files"]
async fn within_a_limit_on_files() {
    let (cx, folder) = context(1);
    let failure = trainer(2).execute(tiny(), cx.clone()).await.unwrap_err();
    assert_eq!((failure.fault(), failure.what()), (Fault::Infrastructure, FailureKind::Infrastructure));
    assert!(failure.message().contains("cannot write the checkpoint"), "{failure}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "half a file is left");
    assert!(trainer(2).reopen(&tiny(), &cx).await.is_none());
}

#[tokio::test]
async fn half_a_file_of_a_killed_process_is_not_taken_for_a_checkpoint() {
    let (cx, folder) = context(1);
    let whole = trainer(2).execute(tiny(), cx.clone()).await.unwrap();
    let half = fs::read(&whole.path).unwrap();
    fs::write(folder.path().join(".model.safetensors.0-0.part"), &half[..half.len() / 2]).unwrap();
    fs::remove_file(&whole.path).unwrap();
    assert!(trainer(2).reopen(&tiny(), &cx).await.is_none());
    let again = trainer(2).execute(tiny(), cx).await.unwrap();
    assert_eq!(again.digest().unwrap().len(), 64);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the half file is still there");
}

#[tokio::test]
async fn a_device_that_is_not_there_is_the_infrastructures_failure() {
    let missing = Device::Cuda(99);
    for training in [trainer(2).device(missing), trainer(2).gpus([99])] {
        let failure = training.execute(tiny(), context(1).0).await.unwrap_err();
        assert_eq!(failure.fault(), Fault::Infrastructure);
        assert!(failure.message().starts_with("cuda:99 is not there: libtorch sees "), "{failure}");
        assert!(Executor::<GptRecipe>::identity(&training).contains("on cuda"));
    }
    let failure = trainer(2).gpus([]).execute(tiny(), context(1).0).await.unwrap_err();
    assert!(failure.message().contains("the list of devices is empty"), "{failure}");

    let (model, _folder) = train(&trainer(2), tiny(), 1).await.unwrap();
    let measure = |_: &Greedy, _: &Tensor, _: &mut Draws| Ok(Measurement::new([1.0])?);
    let evaluator = model_evaluator(Greedy { parameters: 1, activations: 1 }, measure);
    let failure =
        evaluator.devices(Devices::shared(missing)).evaluate(&model, EvalContext::for_test(1)).await;
    assert_eq!(failure.unwrap_err().fault(), Fault::Infrastructure);
}

#[tokio::test]
async fn a_run_holds_its_device_until_its_thread_is_done_and_one_that_waits_can_be_cancelled() {
    // A pool of one device, which here is the processor: the permits do not know the difference.
    let pool = Devices::one_run_each([Device::Cpu]);
    let (cx, _folder) = context(1);
    let first = trainer(1_000_000_000).devices(pool.clone());
    let cancel = cx.cancel.clone();
    let under_way = tokio::spawn(async move { first.execute(tiny(), cx).await });
    tokio::time::sleep(Duration::from_millis(30)).await;

    let (waiting, _other) = context(2);
    let stop = waiting.cancel.clone();
    let second = trainer(1).devices(pool.clone());
    let second = tokio::spawn(async move { second.execute(tiny(), waiting).await });
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!second.is_finished(), "two runs on one device");
    stop.cancel();
    assert_eq!(second.await.unwrap().unwrap_err().fault(), Fault::Cancelled);

    cancel.cancel();
    assert_eq!(under_way.await.unwrap().unwrap_err().fault(), Fault::Cancelled);
    let third = trainer(1).devices(pool);
    let third = tokio::time::timeout(Duration::from_secs(20), train(&third, tiny(), 3));
    assert!(third.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_run_says_where_its_time_went() {
    let peak = 1e12;
    let (model, _folder) = train(&trainer(30).peak_flops(peak), tiny(), 1).await.unwrap();
    let metrics = model.metrics;
    let phases = metrics.phases.unwrap();
    let inside = phases.forward + phases.backward + phases.optimizer;
    let overhead = metrics.overhead.unwrap();
    assert!([phases.forward, phases.backward, phases.optimizer].iter().all(|&seconds| seconds > 0.0));
    assert!((overhead - (1.0 - inside / metrics.seconds)).abs() < 1e-9, "{metrics:?}");
    assert!(metrics.first_step_seconds > 0.0);
    let mfu = metrics.flops / metrics.seconds / peak;
    assert!((metrics.mfu.unwrap() - mfu).abs() < 1e-9 * mfu);
    assert!(train(&trainer(2), tiny(), 1).await.unwrap().0.metrics.mfu.is_none(), "no peak was stated");
}

/// A model that wants as much memory as it is told to want.
struct Greedy {
    parameters: i64,
    activations: i64,
}

impl Trainer for Greedy {
    type Candidate = GptRecipe;
    type Model = Tensor;
    fn build(&self, _: &GptRecipe, p: &mut Parameters) -> Result<Tensor, RunFailure> {
        p.constant("x", &[self.parameters], 1.0)
    }
    fn loss(&self, x: &Tensor, _: &mut Draws) -> Result<Tensor, RunFailure> {
        Ok((x.sum(Kind::Float) * Tensor::ones([self.activations], (Kind::Float, TchDevice::Cpu)))
            .sum(Kind::Float))
    }
}
