//! What runs take, and what they are given: time, memory, devices.

use crate::support::{Repo, has_sandbox};
use autoresearch_repo::{Objective, Sandbox};
use std::fs;

#[tokio::test]
async fn what_is_measured_from_outside_is_not_what_the_run_says() {
    let script =
        "echo '{\"loss\": 2, \"seconds\": -1, \"cpu_seconds\": -1, \"memory_gb\": -1, \"epochs\": 3}'\n";
    let repo = Repo::new(&[("train.sh", script)]);
    let spec = repo.spec().objective(Objective::json("loss").minimize());
    let measured = repo.run(&spec.clone().open().unwrap(), &spec.clone().open().unwrap().baseline(), 1).await;
    let measured = measured.unwrap();
    for name in ["seconds", "cpu_seconds", "memory_gb"] {
        assert!(measured.metrics().get(name).is_none_or(|value| *value >= 0.0), "{name}: {measured:?}");
    }
    assert!(measured.metrics()["seconds"] > 0.0);
    assert_eq!(measured.metrics()["epochs"], 3.0);
    // A task may say that it wants the run's own.
    let task = spec.metric("seconds", Objective::json("seconds")).open().unwrap();
    assert_eq!(repo.run(&task, &task.baseline(), 2).await.unwrap().metrics()["seconds"], -1.0);
}

/// The most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn many_numbers_take_little_memory() {
    // Kept as objects these would be about a kilobyte each, and twice.
    let script = "yes '{\"loss\":1}' | head -n 300000\n";
    let repo = Repo::new(&[("train.sh", script)]);
    let task = repo.spec().objective(Objective::json("loss").minimize()).open().unwrap();
    let before = peak();
    assert_eq!(repo.run(&task, &task.baseline(), 1).await.unwrap().objective(), 1.0);
    let more = peak() - before;
    assert!(more < 200 << 20, "{more} bytes more");
}

#[tokio::test]
async fn devices_are_handed_into_the_sandbox() {
    let known = ["fuse", "kvm", "net/tun", "hwrng", "loop-control"].map(|name| format!("/dev/{name}"));
    let Some(device) = known.iter().find(|path| std::path::Path::new(path).exists()) else {
        return println!("SKIPPED: none of the devices that this looks for");
    };
    if !has_sandbox() {
        return;
    }
    let repo = Repo::new(&[("train.sh", &format!("test -c {device} && echo loss: 1 || echo loss: 0\n"))]);
    for (devices, there) in [(vec![], 0.0), (vec![device.clone()], 1.0)] {
        let task = repo.spec().devices(devices).sandbox(Sandbox::bubblewrap()).open().unwrap();
        assert_eq!(repo.run(&task, &task.baseline(), 1).await.unwrap().objective(), there);
    }
    for (devices, gpus, key) in
        [(vec!["/dev/no-such-card*"], vec![], "devices"), (vec!["/etc/hosts"], vec![], "devices")]
    {
        let spec = repo.spec().devices(devices).gpus::<&str>(gpus).sandbox(Sandbox::bubblewrap());
        assert_eq!(spec.open().unwrap_err().key, key);
    }
}

#[tokio::test]
async fn each_run_has_a_card_to_itself() {
    let repo = Repo::new(&[(
        "train.sh",
        "mkdir $1/$CUDA_VISIBLE_DEVICES || exit 1; sleep 0.2; rmdir $1/$CUDA_VISIBLE_DEVICES; echo loss: $CUDA_VISIBLE_DEVICES\n",
    )]);
    fs::create_dir(repo.beside("cards")).unwrap();
    let run = format!("sh train.sh {}", repo.beside("cards").display());
    let task = repo.spec().run(run).gpus(["3", "5"]).open().unwrap();
    let baseline = task.baseline();
    let run = |seed| repo.run(&task, &baseline, seed);
    let (a, b, c) = tokio::join!(run(1), run(2), run(3));
    for run in [a, b, c] {
        assert!([3.0, 5.0].contains(&run.unwrap().objective()));
    }
}
