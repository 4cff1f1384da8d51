//! The pool alone: no device has to be there for it.

use super::*;
use std::time::Duration;

fn two() -> Devices {
    Devices::one_run_each([Device::Cuda(1), Device::Cuda(0), Device::Cuda(1)])
}

#[tokio::test]
async fn each_run_has_a_device_to_itself_and_the_next_one_waits() {
    let pool = two();
    let (a, b) = (pool.take().await.unwrap(), pool.clone().take().await.unwrap());
    assert_eq!((a.device(), b.device()), (Device::Cuda(0), Device::Cuda(1)));
    let waiting = tokio::time::timeout(Duration::from_millis(50), pool.take());
    assert!(waiting.await.is_err(), "a third run got a device");
    drop(b);
    assert_eq!(pool.take().await.unwrap().device(), Device::Cuda(1), "one who gave up waiting holds nothing");
}

#[tokio::test]
async fn a_device_comes_back_when_a_run_panics() {
    let pool = two();
    for _ in 0..3 {
        let permit = pool.take().await.unwrap();
        let run = tokio::spawn(async move {
            let _permit = permit;
            panic!("on purpose");
        });
        assert!(run.await.is_err());
    }
    let both = (pool.take().await.unwrap(), pool.take().await.unwrap());
    assert_ne!(both.0.device(), both.1.device());
}

#[tokio::test]
async fn no_two_runs_ever_hold_the_same_device() {
    let (pool, held) = (two(), Arc::new(Mutex::new(BTreeSet::new())));
    let runs: Vec<_> = (0..40)
        .map(|_| {
            let (pool, held) = (pool.clone(), Arc::clone(&held));
            tokio::spawn(async move {
                let permit = pool.take().await.unwrap();
                assert!(held.lock().unwrap().insert(permit.device()), "{} is taken", permit.device());
                tokio::task::yield_now().await;
                held.lock().unwrap().remove(&permit.device());
            })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
}

#[tokio::test]
async fn a_shared_device_has_no_queue_and_an_empty_list_no_hope() {
    let shared = Devices::shared(Device::Cpu);
    let all = (shared.take().await.unwrap(), shared.take().await.unwrap());
    assert_eq!(all.0.device(), all.1.device());
    let failure = Devices::one_run_each([]).take().await.unwrap_err();
    assert!(failure.message().contains("the list of devices is empty"), "{failure}");
}
