//! A study whose runs are workers on a real Slurm and a real Ray cluster, killed with -9 in the middle and resumed. A program of its
//! own and no list of tests, since its workers are this program again.
#![allow(clippy::unwrap_used)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(all(target_os = "linux", feature = "ray"))]
#[allow(dead_code)]
#[path = "support/ray/head.rs"]
mod head;
#[cfg(target_os = "linux")]
#[allow(dead_code)]
#[path = "support/slurm/mod.rs"]
mod slurm;

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    #[cfg(feature = "ray")]
    use super::head;
    use super::slurm;
    use autoresearch_core::{
        Event, Executor, Greedy, Limits, Measurement, Proposal, ProposeContext, RunContext, RunFailure, Seq,
        SqliteStore, Store, Study, async_trait, evaluator_fn, proposer_fn,
    };
    use autoresearch_jobs::{Launcher, Slurm, WorkerExecutor, worker_main};
    use std::collections::BTreeMap;
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    const RUNS: u64 = 6;

    /// Notes when each run begins and ends, and whether it is made twice at once.
    struct Noted(PathBuf);

    impl Noted {
        fn note(&self, line: &str) {
            let mut log = File::options().append(true).create(true).open(self.0.join("log")).unwrap();
            log.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
    }

    #[async_trait]
    impl Executor<f64> for Noted {
        type Output = f64;

        async fn execute(&self, rate: f64, cx: RunContext) -> Result<f64, RunFailure> {
            // A lock goes with its process, however that ends.
            let lock = File::create(self.0.join(format!("lock{}", cx.run)))?;
            if lock.try_lock().is_err() {
                self.note(&format!("twice {}", cx.run));
            }
            self.note(&format!("begin {}", cx.run));
            tokio::time::sleep(Duration::from_secs(4)).await;
            self.note(&format!("end {}", cx.run));
            Ok((rate.log10() + 2.5).abs() + (cx.seed % 100) as f64 * 1e-4)
        }

        fn identity(&self) -> String {
            "noted".into()
        }
    }

    pub(crate) fn main() {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let Some([engine, at, root]) = args.strip_prefix(&["--driver".to_owned()]) else {
            if !args.iter().any(|arg| arg == "--list") {
                tests();
            }
            return;
        };
        let root = PathBuf::from(root);
        worker_main::<f64, _>(|| Noted(root.clone()));
        // It does not outlive the test, should that be killed.
        let kill = rustix::process::Signal::KILL;
        rustix::process::set_parent_process_death_signal(Some(kill)).unwrap();
        let launched: Arc<dyn Launcher> = match engine.as_str() {
            "slurm" => {
                Arc::new(Slurm::new().programs(at).folder(root.join("launches")).poll(Duration::from_secs(1)))
            }
            #[cfg(feature = "ray")]
            "ray" => Arc::new(autoresearch_jobs::RayJobs::connect(at).unwrap().folder(root.join("launches"))),
            _ => panic!("no such engine: {engine}"),
        };
        let steps = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent * 0.6).into()));
        let study = Study::new(
            0.1,
            steps,
            WorkerExecutor::new(Noted(root.clone())).on(launched),
            evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?)),
        );
        let study = study.acceptor(Greedy::new()).limits(Limits::new().runs(RUNS)).in_flight(3);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let report = runtime.block_on(async {
            study.store(SqliteStore::open(root.join("study.db")).unwrap()).run().await.unwrap()
        });
        println!("{report}");
    }

    fn tests() {
        if let Some(cluster) = slurm::Cluster::start() {
            killed_and_resumed("slurm", &cluster.programs().display().to_string(), cluster.run());
            let jobs = cluster.call("squeue", &["-h", "-o", "%i %T %j"]);
            assert_eq!(jobs.trim(), "", "jobs are left");
        }
        #[cfg(feature = "ray")]
        // On a thread of its own, which goes into the head's network.
        std::thread::spawn(|| {
            if let Some(head) = head::Head::start(4, 120) {
                killed_and_resumed("ray", head::ADDRESS, head.folder.path());
            }
        })
        .join()
        .unwrap();
    }

    fn driver(engine: &str, at: &str, root: &Path) -> Child {
        let mut driver = Command::new(std::env::current_exe().unwrap());
        driver.args(["--driver", engine, at]).arg(root).stdin(Stdio::null());
        driver.stdout(File::options().append(true).create(true).open(root.join("said")).unwrap());
        driver.spawn().unwrap()
    }

    /// How often each run has begun and ended.
    fn noted(root: &Path) -> BTreeMap<String, (usize, usize)> {
        let mut runs = BTreeMap::<String, (usize, usize)>::new();
        for line in fs::read_to_string(root.join("log")).unwrap_or_default().lines() {
            let (what, run) = line.split_once(' ').unwrap();
            let (begun, ended) = runs.entry(run.into()).or_default();
            match what {
                "begin" => *begun += 1,
                "end" => *ended += 1,
                _ => panic!("run {run} was made twice at once"),
            }
        }
        runs
    }

    fn killed_and_resumed(engine: &str, at: &str, folder: &Path) {
        let (root, clock) = (folder.join("study"), Instant::now());
        fs::create_dir_all(root.join("launches")).unwrap();
        let mut first = driver(engine, at, &root);
        let at_work = || noted(&root).values().filter(|(begun, ended)| begun > ended).count();
        // In the middle: what runs then is found again, what waits is submitted or found.
        while at_work() < 2 {
            assert!(clock.elapsed() < Duration::from_secs(120), "{engine}: no two runs at work");
            assert!(first.try_wait().unwrap().is_none(), "{engine}: the study ended by itself");
            std::thread::sleep(Duration::from_millis(20));
        }
        first.kill().unwrap();
        first.wait().unwrap();
        let killed = noted(&root);
        // Once more, while it takes over.
        let mut second = driver(engine, at, &root);
        std::thread::sleep(Duration::from_millis(1500));
        second.kill().unwrap();
        second.wait().unwrap();
        let mut third = driver(engine, at, &root);
        assert!(third.wait().unwrap().success(), "{engine}: the study was not resumed");
        let runs = noted(&root);
        // All of them have been taken over: none was begun a second time.
        assert!(runs.values().all(|times| *times == (1, 1)), "{engine}: {runs:?}, when killed {killed:?}");
        let store = SqliteStore::open(root.join("study.db")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let events: Vec<(Seq, Event<f64>)> = runtime.block_on(store.read(Seq(0), usize::MAX)).unwrap();
        let mut counted = BTreeMap::<String, usize>::new();
        for (_, event) in &events {
            if let Event::Finished { run, attempt, outcome, .. } = event {
                assert!(outcome.is_ok() && attempt == &0, "{engine}: {event:?}");
                *counted.entry(run.id.to_string()).or_default() += 1;
            }
        }
        assert!(counted.values().all(|&results| results == 1), "{engine}: {counted:?}");
        assert!(
            counted.len() as u64 >= RUNS && counted.keys().eq(runs.keys()),
            "{engine}: {counted:?}, {runs:?}"
        );
        let left: Vec<_> = fs::read_dir(root.join("launches")).unwrap().flatten().map(|e| e.path()).collect();
        assert!(left.is_empty(), "{engine}: left behind: {left:?}");
        let (taken, all, seconds) = (killed.len(), runs.len(), clock.elapsed().as_secs_f64());
        println!(
            "{engine}: killed after the begin of {taken} of {all} runs, and again, and resumed ... ok ({seconds:.1} s)"
        );
    }
}
