//! Runs in worker processes. A program of its own and no list of tests, since its workers are this program again: each of
//! them begins with `main`.
#![allow(clippy::unwrap_used)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod common;

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use super::common::{alive, names, sh};
    use autoresearch_core::{
        Cancellation, Executor, FailureKind, Fault, Fidelity, RunContext, RunFailure, RunId, RunProgress,
        async_trait,
    };
    use autoresearch_jobs::testkit::FakeLauncher;
    use autoresearch_jobs::{
        Bubblewrap, Ended, JobExit, JobId, LaunchError, Launcher, LocalProcess, Watch, WorkerExecutor,
        worker_main, worker_main_named,
    };
    use serde::{Deserialize, Serialize};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// What a run is to do.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    enum Deed {
        Score(f64),
        Panic,
        Abort,
        Exit(i32),
        /// Takes away what says that it had begun, and ends.
        Deny,
        Charge(f64),
        /// Charges it in two parts, and aborts.
        Spend(f64),
        /// Tells of progress again and again.
        Chatter,
        /// Prints more than anybody allows.
        Flood,
        /// Writes an outcome of its own that is larger than any.
        Large,
        TakeAllMemory,
        Overflow,
        Fail(Fault),
        /// Sends itself `SIGTERM`.
        Terminate,
        NotANumber,
        /// Starts the same program once more, for something else.
        Again,
        Stay,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Output {
        score: f64,
        pid: u32,
        study: String,
        attempt: u32,
        fidelity: Option<Fidelity>,
        artifact: PathBuf,
    }

    /// An executor that does as it is told.
    #[derive(Debug, Clone, Default)]
    struct Obedient;

    #[async_trait]
    impl Executor<Deed> for Obedient {
        type Output = Output;

        async fn execute(&self, deed: Deed, cx: RunContext) -> Result<Output, RunFailure> {
            let score = match deed {
                Deed::Score(score) => score + cx.seed as f64,
                Deed::Panic => panic!("the loss exploded"),
                Deed::Abort => std::process::abort(),
                Deed::Exit(status) => std::process::exit(status),
                Deed::Deny => {
                    let folder = std::env::var("AUTORESEARCH_WORKER_FOLDER").unwrap();
                    std::fs::remove_file(Path::new(&folder).join("begun"))?;
                    std::process::exit(120)
                }
                Deed::Charge(amount) => {
                    cx.charge(amount);
                    amount
                }
                Deed::Spend(amount) => {
                    cx.charge(amount / 4.0);
                    cx.charge(amount * 0.75);
                    std::process::abort()
                }
                Deed::Flood => {
                    (0..30_000).for_each(|i| println!("{i:0100}"));
                    1.0
                }
                Deed::Chatter => {
                    let step = 12_345;
                    (0..100).for_each(|_| cx.report(RunProgress { step, of: Some(step), loss: Some(0.1) }));
                    1.0
                }
                Deed::Large => {
                    let folder = std::env::var("AUTORESEARCH_WORKER_FOLDER").unwrap();
                    std::fs::File::create(Path::new(&folder).join("outcome.json"))?.set_len(300 << 20)?;
                    std::process::exit(0)
                }
                Deed::TakeAllMemory => take_all_memory(),
                Deed::Overflow => deeper(1) as f64,
                Deed::Fail(Fault::Infrastructure) => return Err(RunFailure::infrastructure("HTTP 429")),
                Deed::Fail(_) => {
                    return Err(RunFailure::candidate("diverged").kind(FailureKind::InvalidMetric));
                }
                Deed::NotANumber => f64::NAN,
                Deed::Again => {
                    let child = Command::new(std::env::current_exe()?).arg("--child").status()?;
                    child.code().map_or(f64::NAN, f64::from)
                }
                Deed::Terminate => {
                    Command::new("kill").arg(std::process::id().to_string()).status()?;
                    std::future::pending().await
                }
                Deed::Stay => {
                    println!("noise of the run's own");
                    cx.report(RunProgress { step: u64::from(std::process::id()), of: None, loss: None });
                    std::future::pending().await
                }
            };
            print!("a line without an end");
            cx.report(RunProgress { step: 10, of: Some(10), loss: Some(score) });
            cx.charge(0.25);
            let artifact = cx.directory()?.join("model.bin");
            std::fs::write(&artifact, cx.seed.to_string())?;
            let (study, attempt, fidelity) = (cx.study.to_string(), cx.attempt, cx.fidelity);
            Ok(Output { score, pid: std::process::id(), study, attempt, fidelity, artifact })
        }

        fn identity(&self) -> String {
            "obedient".into()
        }
    }

    fn take_all_memory() -> f64 {
        let mut all: Vec<Vec<u8>> = Vec::new();
        loop {
            all.push(vec![1; 1 << 22]);
            std::hint::black_box(&all);
        }
    }

    #[allow(unconditional_recursion)]
    fn deeper(n: u64) -> u64 {
        std::hint::black_box(deeper(std::hint::black_box(n + 1)) + n)
    }

    /// One that is never said to `worker_main`: its workers go through `main` until it is built.
    struct Late;

    #[async_trait]
    impl Executor<u32> for Late {
        type Output = u32;
        async fn execute(&self, n: u32, _: RunContext) -> Result<u32, RunFailure> {
            Ok(n + 1)
        }
    }

    /// One that no worker ever comes to.
    struct Lost;

    #[async_trait]
    impl Executor<u8> for Lost {
        type Output = u8;
        async fn execute(&self, n: u8, _: RunContext) -> Result<u8, RunFailure> {
            Ok(n)
        }
    }

    /// One of a worker that has workers itself.
    struct Nested;

    #[async_trait]
    impl Executor<i64> for Nested {
        type Output = i64;
        async fn execute(&self, n: i64, cx: RunContext) -> Result<i64, RunFailure> {
            let root = cx.directory()?.join("inner");
            let inner = WorkerExecutor::new(Obedient).on(LocalProcess::new().folder(root));
            Ok(inner.execute(Deed::Score(n as f64), cx).await?.score as i64)
        }
    }

    pub(crate) fn main() {
        worker_main::<Deed, _>(|| Obedient);
        worker_main_named::<Deed, Obedient>("another", || panic!("its data are not there"));
        worker_main::<i64, _>(|| Nested);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let args: Vec<String> = std::env::args().collect();
        match &args[..] {
            [_, flag] if flag == "--child" => std::process::exit(3),
            [_, flag, root] if flag == "--driver" => return runtime.block_on(driver(Path::new(root))),
            [_, flag, root] if flag == "--confined" => return runtime.block_on(confined(Path::new(root))),
            _ => {}
        }
        // Within a runtime, as an asynchronous `main` would be.
        runtime.block_on(async {
            let late = WorkerExecutor::new(Late);
            all(late).await;
        });
    }

    async fn all(late: WorkerExecutor<u32, Late>) {
        if std::env::args().any(|arg| arg == "--list") {
            return;
        }
        type Test = fn() -> std::pin::Pin<Box<dyn Future<Output = ()>>>;
        let tests: &[(&str, Test)] = &[
            ("outcome, context, artifact, progress and charge come back", || Box::pin(outcomes_come_back())),
            ("failures are the candidate's", || Box::pin(failures_are_told())),
            ("what was charged counts however a worker ends", || Box::pin(charges_of_the_dead())),
            ("own lines are no output of the run's", || Box::pin(own_lines())),
            ("an outcome that is too large is not copied", || Box::pin(a_large_outcome())),
            ("another build of a program is another job", || Box::pin(another_build())),
            ("one that ends itself by SIGTERM gets a verdict", || Box::pin(ended_by_itself())),
            ("memory that runs out is the candidate's", || Box::pin(memory_runs_out())),
            ("what cannot begin is the infrastructure's", || Box::pin(what_cannot_begin())),
            ("a launcher that loses a worker", || Box::pin(a_lost_worker())),
            ("a finished run is found again", || Box::pin(a_finished_run_is_found_again())),
            ("a cancelled or dropped run leaves nothing", || Box::pin(a_stopped_run_leaves_nothing())),
            ("a worker may have workers", || Box::pin(nested())),
            ("what a worker cannot have is refused", || Box::pin(files_of_its_own())),
            ("what a run starts is no worker", || Box::pin(the_same_program_again())),
            ("in a sandbox", || Box::pin(in_a_sandbox())),
            ("what a killed driver has left is ended", || Box::pin(a_killed_driver())),
            ("what is in a sandbox ends with a killed driver", || Box::pin(a_killed_driver_of_a_sandbox())),
        ];
        let root = tempfile::tempdir().unwrap();
        let late = late.on(LocalProcess::new().folder(root.path()));
        let cx = RunContext::for_test(1).in_directory(root.path().join("run"));
        assert_eq!(late.execute(4, cx).await, Ok(5));
        println!("an executor that `main` comes to later ... ok");
        for (name, test) in tests {
            test().await;
            println!("{name} ... ok");
        }
    }

    async fn charges_of_the_dead() {
        let here = Here::new();
        let cx = here.cx(7);
        let failure = here.worker().execute(Deed::Spend(2.0), cx.clone()).await.unwrap_err();
        assert_eq!(failure.fault(), Fault::Candidate, "{failure}");
        assert_eq!(cx.take_charges().iter().sum::<f64>(), 2.0);
        // Each worker spends anew, and nothing that says so stays behind.
        here.worker().execute(Deed::Spend(2.0), cx.clone()).await.unwrap_err();
        assert_eq!(cx.take_charges().iter().sum::<f64>(), 2.0);
        assert_eq!(names(here.root.path()), ["launcher", "run7"]);
    }

    async fn own_lines() {
        let here = Here::new();
        let worker = || here.worker().job(|job| job.output(1000));
        worker().execute(Deed::Chatter, here.cx(7)).await.unwrap();
        let failure = worker().execute(Deed::Flood, here.cx(7)).await.unwrap_err();
        assert!(
            failure.fault() == Fault::Candidate && failure.message().contains("limit of output"),
            "{failure}"
        );
    }

    async fn a_large_outcome() {
        let here = Here::new();
        let failure = here.run(Deed::Large).await.unwrap_err();
        assert_eq!(failure.fault(), Fault::Candidate, "{failure}");
        assert!(failure.message().contains("314572800 bytes are more than may be collected"), "{failure}");
    }

    /// What is still running of another build is not taken up: launchers do that with the very same job alone.
    async fn another_build() {
        let here = Here::new();
        let program = here.root.path().join("program");
        let asked = async || {
            let seen = Arc::new(Mutex::new(None));
            let tell = Arc::clone(&seen);
            let fake = FakeLauncher::answering(move |_, job, _| {
                *tell.lock().unwrap() = Some(job.clone());
                Err(LaunchError::Cancelled)
            });
            let worker = WorkerExecutor::new(Obedient).binary(&program).on(fake);
            worker.execute(Deed::Score(1.0), here.cx(7)).await.unwrap_err();
            let mut job = seen.lock().unwrap().take().unwrap();
            job.collect_into = None;
            job
        };
        std::fs::write(&program, "one").unwrap();
        let before = asked().await;
        assert_eq!(asked().await, before, "the same program");
        std::fs::write(&program, "another").unwrap();
        assert_ne!(asked().await, before);
    }

    /// What a worker cannot have is not left out in silence.
    async fn files_of_its_own() {
        let here = Here::new();
        for worker in [
            here.worker().job(|job| job.folder("/tmp")),
            here.worker().job(|job| job.collect(["*.bin"], "/tmp")),
        ] {
            let why = worker.execute(Deed::Score(1.0), here.cx(3)).await.unwrap_err();
            assert!(why.what() == FailureKind::Setup && why.message().contains("directory()"), "{why}");
        }
    }

    async fn the_same_program_again() {
        let here = Here::new();
        let deed = tokio::time::timeout(Duration::from_secs(60), here.run(Deed::Again));
        assert_eq!(deed.await.expect("it makes itself again and again").unwrap().score, 3.0);
    }

    struct Here {
        root: tempfile::TempDir,
    }

    impl Here {
        fn new() -> Self {
            Self { root: tempfile::tempdir().unwrap() }
        }

        fn locks(&self) -> PathBuf {
            self.root.path().join("launcher")
        }

        fn launcher(&self) -> LocalProcess {
            LocalProcess::new().folder(self.locks())
        }

        fn worker(&self) -> WorkerExecutor<Deed, Obedient> {
            WorkerExecutor::new(Obedient).on(self.launcher())
        }

        fn cx(&self, seed: u64) -> RunContext {
            let mut cx = RunContext::for_test(seed).in_directory(self.root.path().join(format!("run{seed}")));
            cx.study = "workers".into();
            cx
        }

        async fn run(&self, deed: Deed) -> Result<Output, RunFailure> {
            let ended = self.worker().execute(deed, self.cx(7)).await;
            assert_eq!(names(&self.locks()), [""; 0], "left behind");
            ended
        }
    }

    async fn ended_by_itself() {
        let here = Here::new();
        let worker = here.worker();
        let mut faults = Vec::new();
        for attempt in 0..3 {
            let mut cx = here.cx(7);
            cx.attempt = attempt;
            faults.push(worker.execute(Deed::Terminate, cx).await.unwrap_err().fault());
        }
        assert_eq!(faults, [Fault::Infrastructure, Fault::Infrastructure, Fault::Candidate]);
    }

    async fn outcomes_come_back() {
        let here = Here::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut cx = here.cx(7).reporting({
            let seen = Arc::clone(&seen);
            move |progress| seen.lock().unwrap().push(progress)
        });
        (cx.attempt, cx.fidelity) = (2, Some(Fidelity::tokens(100)));
        // A number that decimal digits do not end.
        let output = here.worker().execute(Deed::Score(0.1 + 0.2), cx.clone()).await.unwrap();
        assert_eq!(output.score.to_bits(), (0.1 + 0.2 + 7.0f64).to_bits());
        assert_ne!(output.pid, std::process::id());
        let told = (&*output.study, output.attempt, output.fidelity);
        assert_eq!(told, ("workers", 2, Some(Fidelity::tokens(100))));
        assert_eq!(output.artifact, cx.directory().unwrap().join("model.bin"));
        assert_eq!(std::fs::read_to_string(&output.artifact).unwrap(), "7");
        let progress = RunProgress { step: 10, of: Some(10), loss: Some(output.score) };
        assert_eq!(*seen.lock().unwrap(), [progress]);
        assert_eq!(cx.take_charges(), [0.25]);
        assert!(!alive(output.pid as i32));
    }

    async fn failures_are_told() {
        let here = Here::new();
        let cases = [
            (Deed::Panic, Fault::Candidate, FailureKind::Crash, "panicked: the loss exploded"),
            (Deed::Abort, Fault::Candidate, FailureKind::Crash, "SIGABRT"),
            (Deed::Overflow, Fault::Candidate, FailureKind::Crash, "overflowed its stack"),
            (Deed::Exit(3), Fault::Candidate, FailureKind::Crash, "status 3"),
            (Deed::Exit(0), Fault::Candidate, FailureKind::Crash, "gave no outcome"),
            (Deed::Deny, Fault::Candidate, FailureKind::Crash, "status 120"),
            (Deed::Charge(-1.0), Fault::Candidate, FailureKind::Crash, "charged -1"),
            (Deed::Fail(Fault::Candidate), Fault::Candidate, FailureKind::InvalidMetric, "diverged"),
            (
                Deed::Fail(Fault::Infrastructure),
                Fault::Infrastructure,
                FailureKind::Infrastructure,
                "HTTP 429",
            ),
            (Deed::NotANumber, Fault::Candidate, FailureKind::InvalidMetric, "not finite"),
            (Deed::Score(f64::NAN), Fault::Candidate, FailureKind::InvalidCandidate, "not finite"),
        ];
        for (deed, fault, kind, text) in cases {
            let failure = here.run(deed.clone()).await.unwrap_err();
            assert_eq!((failure.fault(), failure.what()), (fault, kind), "{deed:?}: {failure}");
            assert!(failure.message().contains(text), "{deed:?}: {failure}");
        }
        // What is no amount is not charged; the rest is.
        let cx = here.cx(7);
        here.worker().execute(Deed::Charge(-1.0), cx.clone()).await.unwrap_err();
        assert_eq!(cx.take_charges(), [0.25]);
        let limited = here.worker().job(|job| job.wall_clock(Duration::from_millis(700)));
        let failure = limited.execute(Deed::Stay, here.cx(7)).await.unwrap_err();
        assert_eq!((failure.fault(), failure.what()), (Fault::Candidate, FailureKind::Timeout), "{failure}");
    }

    async fn memory_runs_out() {
        let here = Here::new();
        let cases = [
            // The job as a whole, and what a process may ask the system for.
            (here.worker().job(|job| job.memory(256 << 20)), FailureKind::OutOfMemory),
            (
                here.worker().job(|mut job| {
                    job.limits.address_space = Some(2 << 30);
                    job
                }),
                FailureKind::Crash,
            ),
        ];
        for (worker, kind) in cases {
            let failure = worker.execute(Deed::TakeAllMemory, here.cx(7)).await.unwrap_err();
            assert_eq!((failure.fault(), failure.what()), (Fault::Candidate, kind), "{failure}");
        }
        assert!(here.run(Deed::Score(1.0)).await.is_ok());
    }

    async fn what_cannot_begin() {
        let here = Here::new();
        let infrastructure = |failure: RunFailure, text: &str| {
            assert!(
                failure.fault() == Fault::Infrastructure && failure.message().contains(text),
                "{failure}"
            );
        };
        // Its worker panics while it builds the executor.
        let broken = here.worker().named("another");
        infrastructure(
            broken.execute(Deed::Score(1.0), here.cx(7)).await.unwrap_err(),
            "its data are not there",
        );
        let lost = WorkerExecutor::new(Lost).on(here.launcher());
        infrastructure(lost.execute(1, here.cx(7)).await.unwrap_err(), "before it came to the executor");
        // A program that knows nothing of workers.
        let foreign = here.worker().binary("/bin/true");
        infrastructure(
            foreign.execute(Deed::Score(1.0), here.cx(7)).await.unwrap_err(),
            "worker_main_named(",
        );
        let missing = here.worker().binary("/no/such/program");
        infrastructure(missing.execute(Deed::Score(1.0), here.cx(7)).await.unwrap_err(), "/no/such/program");
        // One that is there and no program.
        let plain = here.root.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let failure = here.worker().binary(&plain).execute(Deed::Score(1.0), here.cx(7)).await.unwrap_err();
        assert_eq!(failure.what(), FailureKind::Setup, "{failure}");
        infrastructure(failure, &plain.display().to_string());
        // A program that is not the one any more that it was.
        let binary = here.root.path().join("program");
        std::fs::write(&binary, "one").unwrap();
        let rebuilt = here.worker().binary(&binary);
        std::fs::write(&binary, "another").unwrap();
        infrastructure(
            rebuilt.execute(Deed::Score(1.0), here.cx(7)).await.unwrap_err(),
            "start the study again",
        );
    }

    async fn a_lost_worker() {
        let here = Here::new();
        let ended = |ended| Ok(JobExit::new(ended));
        let cases = [
            (Err(LaunchError::infrastructure("node lost")), Fault::Infrastructure),
            (Err(LaunchError::setup("no bwrap")), Fault::Infrastructure),
            (Err(LaunchError::Cancelled), Fault::Cancelled),
            // Nothing says that the run had begun.
            (ended(Ended::Signal(9)), Fault::Infrastructure),
        ];
        for (exit, fault) in cases {
            let worker = WorkerExecutor::new(Obedient).on(FakeLauncher::exits([exit.clone()]));
            let failure = worker.execute(Deed::Score(1.0), here.cx(7)).await.unwrap_err();
            assert_eq!(failure.fault(), fault, "{exit:?}: {failure}");
        }
        // The outcome of another launch is nobody's.
        let other = FakeLauncher::answering(|_, job, _| {
            let into = job.collect_into.as_ref().unwrap();
            std::fs::create_dir_all(into).unwrap();
            let failed = r#"{"launch":"other","charges":[],"result":{"Err":{"fault":"candidate","kind":"crash","message":""}}}"#;
            std::fs::write(into.join("outcome.json"), failed).unwrap();
            let mut exit = JobExit::new(Ended::Status(0));
            exit.files = vec!["begun".into(), "outcome.json".into()];
            Ok(exit)
        });
        let worker = WorkerExecutor::new(Obedient).on(other);
        let failure = worker.execute(Deed::Score(1.0), here.cx(7)).await.unwrap_err();
        assert!(failure.message().contains("of another launch"), "{failure}");
    }

    async fn a_finished_run_is_found_again() {
        let here = Here::new();
        let deed = Deed::Score(1.5);
        assert_eq!(here.worker().reopen(&deed, &here.cx(7)).await, None);
        let output = here.run(deed.clone()).await.unwrap();
        assert_eq!(here.worker().reopen(&deed, &here.cx(7)).await, Some(output));
        assert_eq!(here.worker().reopen(&Deed::Score(2.5), &here.cx(7)).await, None);
        let elsewhere = here.cx(8).in_directory(here.root.path().join("run7"));
        assert_eq!(here.worker().reopen(&deed, &elsewhere).await, None);
        here.run(Deed::Panic).await.unwrap_err();
    }

    /// A run that stays, and the number of its process once it is there.
    async fn staying(
        worker: WorkerExecutor<Deed, Obedient>,
        cx: RunContext,
    ) -> (tokio::task::JoinHandle<Result<Output, RunFailure>>, i32) {
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let cx = cx.reporting(move |progress| _ = told.send(progress.step));
        let run = tokio::spawn(async move { worker.execute(Deed::Stay, cx).await });
        let pid = heard.recv().await.unwrap() as i32;
        assert!(alive(pid));
        (run, pid)
    }

    async fn a_stopped_run_leaves_nothing() {
        let here = Here::new();
        let mut cx = here.cx(7);
        cx.cancel = Cancellation::new();
        let (run, pid) = staying(here.worker(), cx.clone()).await;
        cx.cancel.cancel();
        assert_eq!(run.await.unwrap().unwrap_err().fault(), Fault::Cancelled);
        assert!(!alive(pid));
        let (run, pid) = staying(here.worker(), here.cx(7)).await;
        run.abort();
        let _ = run.await;
        assert!(!alive(pid));
        assert_eq!(names(&here.locks()), [""; 0], "left behind");
    }

    async fn nested() {
        let here = Here::new();
        let worker = WorkerExecutor::new(Nested).on(here.launcher());
        assert_eq!(worker.execute(5, here.cx(7)).await, Ok(12));
    }

    async fn in_a_sandbox() {
        let here = Here::new();
        let sandbox = Bubblewrap::on(here.launcher());
        if let Err(why) = sandbox.check().await {
            println!("SKIPPED, no sandbox here: {why}");
            return;
        }
        let worker = || WorkerExecutor::new(Obedient).on(sandbox.clone());
        let output = worker().execute(Deed::Score(1.0), here.cx(7)).await.unwrap();
        assert_eq!((output.score, std::fs::read_to_string(output.artifact).unwrap()), (8.0, "7".into()));
        let failure = worker().execute(Deed::Abort, here.cx(7)).await.unwrap_err();
        assert!(failure.fault() == Fault::Candidate && failure.message().contains("SIGABRT"), "{failure}");
    }

    /// A driver that launches two jobs, and is killed while they run.
    async fn driver(root: &Path) {
        let launcher = LocalProcess::new().folder(root);
        let shared = |line: &str| println!("{line}");
        let watch = Watch::default().lines(shared);
        let jobs = [1, 2].map(|run| {
            let (launcher, watch) = (launcher.clone(), watch.clone());
            let job = sh("echo $$; setsid sleep 986 & echo $!; wait").memory(1 << 30);
            async move { launcher.launch(&JobId::new("killed", RunId(run), 0), &job, &watch).await }
        });
        let [one, two] = jobs;
        let _ = tokio::join!(one, two);
    }

    /// A driver that is killed while its job runs in a sandbox.
    async fn confined(root: &Path) {
        let launcher = Bubblewrap::on(LocalProcess::new().folder(root));
        let watch = Watch::default().lines(|line| println!("{line}"));
        let job = sh("setsid sleep 98.4321 & echo up; wait");
        let _ = launcher.launch(&JobId::new("killed", RunId(1), 0), &job, &watch).await;
    }

    /// The processes that sleep as the job of [`confined`] does.
    fn sleepers() -> Vec<i32> {
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let sleeps = |pid: &i32| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command == b"sleep\x0098.4321\0" && alive(*pid)
        };
        pids.filter(sleeps).collect()
    }

    async fn a_killed_driver_of_a_sandbox() {
        use std::io::BufRead;
        let here = Here::new();
        if let Err(why) = Bubblewrap::new().check().await {
            println!("SKIPPED, no sandbox here: {why}");
            return;
        }
        let mut driver = Command::new(std::env::current_exe().unwrap());
        driver.arg("--confined").arg(here.locks()).stdout(Stdio::piped());
        let mut driver = driver.spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(driver.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        while sleepers().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        driver.kill().unwrap();
        driver.wait().unwrap();
        // Nobody launches anything; it ends by itself.
        while !sleepers().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Its folder and its control group are cleared away by whoever comes next.
        let id = JobId::new("killed", RunId(2), 0);
        assert!(here.launcher().launch(&id, &sh("true"), &Watch::default()).await.unwrap().success());
        assert_eq!(names(&here.locks()), [""; 0], "left behind");
    }

    async fn a_killed_driver() {
        use std::io::BufRead;
        let here = Here::new();
        let mut driver = Command::new(std::env::current_exe().unwrap());
        driver.arg("--driver").arg(here.locks()).stdout(Stdio::piped());
        let mut driver = driver.spawn().unwrap();
        let lines = std::io::BufReader::new(driver.stdout.take().unwrap()).lines();
        let pids: Vec<i32> = lines.take(4).map(|line| line.unwrap().parse().unwrap()).collect();
        // While it lives, nobody else gets its runs.
        let id = JobId::new("killed", RunId(1), 1);
        let refused = here.launcher().launch(&id, &sh("true"), &Watch::default()).await;
        assert!(matches!(refused, Err(LaunchError::Infrastructure(_))), "{refused:?}");
        driver.kill().unwrap();
        driver.wait().unwrap();
        assert!(pids.iter().all(|&pid| alive(pid)), "{pids:?}: nobody was there to end them");
        // Both are ended by the first launch of whoever comes next, whichever run that is of.
        let next = JobId::new("killed", RunId(3), 0);
        assert!(here.launcher().launch(&next, &sh("true"), &Watch::default()).await.unwrap().success());
        assert!(!pids.iter().any(|&pid| alive(pid)), "{pids:?} are alive");
        assert_eq!(names(&here.locks()), [""; 0], "left behind");
        assert!(here.launcher().launch(&id, &sh("true"), &Watch::default()).await.unwrap().success());
    }
}
