//! Jobs on a Ray cluster: one that is made up, for what goes wrong, and a real one.
#![allow(clippy::unwrap_used, unreachable_pub, dead_code)]

mod common;
#[path = "support/ray/mod.rs"]
mod support;

use autoresearch_core::{Cancellation, RunId};
use autoresearch_jobs::{Ended, Job, JobExit, JobId, LaunchError, Launcher, RayJobs, Watch};
use common::sh;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::fake::{Fake, Fate, Fault};

fn id(run: u64) -> JobId {
    JobId::new("ray", RunId(run), 0)
}

fn connect(fake: &Fake) -> RayJobs {
    RayJobs::connect(&fake.address).unwrap().forget_after(Duration::from_millis(100))
}

async fn launch(ray: &RayJobs, run: u64, job: &Job) -> Result<JobExit, LaunchError> {
    ray.launch(&id(run), job, &Watch::default()).await
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn infrastructure(done: Result<JobExit, LaunchError>) -> String {
    match done {
        Err(LaunchError::Infrastructure(why)) => why,
        other => panic!("no failure of the infrastructure: {other:?}"),
    }
}

fn setup(done: Result<JobExit, LaunchError>) -> String {
    match done {
        Err(LaunchError::Setup(why)) => why,
        other => panic!("no mistake in the set-up: {other:?}"),
    }
}

#[tokio::test]
async fn a_job_goes_there_and_back_and_nothing_stays() {
    let fake = Fake::start(Fate::default(), |_, _, _| None);
    let ray = connect(&fake).bearer("canary-token".to_owned());
    let exit = launch(&ray, 1, &sh("true")).await.unwrap();
    assert_eq!(
        (exit.ended, &*exit.stdout, &*exit.place),
        (Ended::Status(0), "\u{1}autoresearch-own\nsaid something\n", "n")
    );
    until("the record is deleted", || fake.jobs().is_empty()).await;
    // The same once more at once, under another name while the old one is being deleted.
    launch(&ray, 2, &sh("false")).await.unwrap();
    launch(&ray, 2, &sh("false")).await.unwrap();
    let names = fake.submitted();
    assert_ne!(names[1]["submission_id"], names[2]["submission_id"]);
    assert_eq!((fake.calls("GET api/packages"), fake.calls("PUT api/packages")), (3, 1));
    assert_eq!(fake.submitted().len(), 3);
    let put = fake.submitted()[0]["runtime_env"]["working_dir"].clone();
    assert_eq!(fake.submitted()[1]["runtime_env"]["working_dir"], put, "another package for the same script");
    assert!(
        fake.headers().to_lowercase().contains("authorization: bearer canary-token"),
        "{}",
        fake.headers()
    );
    assert!(!format!("{ray:?}").contains("canary"));
}

#[tokio::test]
async fn a_submission_whose_answer_is_lost_is_not_made_twice() {
    let fake = Fake::start(Fate::default(), |method, path, n| match (method, path, n) {
        ("POST", "api/jobs/", 1) => Some(Fault::DoneButAnswer(500, "Traceback\nOSError: broken\n")),
        _ => None,
    });
    assert!(launch(&connect(&fake), 1, &sh("true")).await.unwrap().success());
    assert_eq!(fake.submitted().len(), 1);
}

#[tokio::test]
async fn a_dashboard_that_is_away_is_waited_for() {
    let away = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&away);
    let fate = Fate { runs: Some(Duration::from_millis(800)), ..Fate::default() };
    let fake = Fake::start(fate, move |_, _, n| match seen.load(Ordering::SeqCst) {
        true if n % 3 == 0 => Some(Fault::Answer(200, "<html>a proxy's page</html>")),
        true if n % 3 == 1 => Some(Fault::Answer(503, "try later")),
        true => Some(Fault::Close),
        false => None,
    });
    let ray = connect(&fake);
    let job = sh("true");
    let launched = launch(&ray, 1, &job);
    let cut = async {
        until("the submission", || !fake.submitted().is_empty()).await;
        away.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        away.store(false, Ordering::SeqCst);
    };
    let (done, ()) = tokio::join!(launched, cut);
    assert!(done.unwrap().success());
    assert_eq!(fake.submitted().len(), 1);
    until("the record is deleted", || fake.jobs().is_empty()).await;
}

#[tokio::test]
async fn patience_with_a_dashboard_ends() {
    let fake = Fake::start(Fate::default(), |_, _, _| Some(Fault::Answer(502, "bad gateway")));
    let ray = connect(&fake).away(Duration::from_millis(300));
    let why = infrastructure(launch(&ray, 1, &sh("true")).await);
    assert!(why.contains("502") && why.contains("bad gateway"), "{why}");
    let nobody = RayJobs::connect("http://127.0.0.1:9").unwrap().away(Duration::from_millis(300));
    let why = infrastructure(launch(&nobody, 1, &sh("true")).await);
    assert!(why.contains("http://127.0.0.1:9 cannot be reached"), "{why}");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_without_the_key() {
    let fake = Fake::start(Fate::default(), |_, _, _| Some(Fault::Answer(401, "bad key: canary-token")));
    let why = setup(launch(&connect(&fake).bearer("canary-token".to_owned()), 1, &sh("true")).await);
    assert!(why.contains("401") && why.contains(".bearer(") && !why.contains("canary"), "{why}");
    let open = RayJobs::connect("http://192.0.2.1:8265").unwrap();
    let why = setup(launch(&open, 1, &sh("true")).await);
    assert!(why.contains(".insecure_http()"), "{why}");
}

#[tokio::test]
async fn a_job_that_can_never_begin_is_given_up_with_rays_words() {
    let fake = Fake::start(Fate { runs: None, ..Fate::default() }, |_, _, _| None);
    let ray = connect(&fake).start_within(Duration::from_millis(300));
    let why = infrastructure(launch(&ray, 1, &sh("true").cpus(99)).await);
    assert!(
        why.contains("waiting for resources") && why.contains("99 CPUs") && why.contains(".start_within("),
        "{why}"
    );
    assert!(fake.calls("POST api/jobs/ID/stop") > 0);
    // It cannot be ended, and does not stand in the way.
    let again = infrastructure(launch(&ray, 1, &sh("true").cpus(99)).await);
    assert!(again.contains("waiting for resources"), "{again}");
    assert_eq!(fake.submitted().len(), 2);
}

#[tokio::test]
async fn another_study_that_runs_does_not_make_a_job_wait_for_ever() {
    let fate = Fate { runs: None, beside: true, ..Fate::default() };
    let ray = connect(&Fake::start(fate, |_, _, _| None)).start_within(Duration::from_millis(300));
    let waited = tokio::time::timeout(Duration::from_secs(20), launch(&ray, 1, &sh("true").cpus(99))).await;
    let why = infrastructure(waited.expect("given up, whatever others do"));
    assert!(why.contains("waiting for resources"), "{why}");
}

#[tokio::test]
async fn what_ray_loses_is_not_the_candidates_fault() {
    let died = Fate {
        status: "FAILED",
        error_type: Some("JOB_SUPERVISOR_ACTOR_DIED"),
        message: "Job supervisor actor died: The actor died because its node has died.",
        record: false,
        ..Fate::default()
    };
    let fake = Fake::start(died, |method, path, _| {
        (method == "GET" && path == "api/jobs/ID/logs")
            .then_some(Fault::Answer(500, "ValueError: Port out of range 0-65535"))
    });
    let ray = connect(&fake);
    let why = infrastructure(launch(&ray, 1, &sh("true")).await);
    assert!(why.contains("its node has died") && why.contains("JOB_SUPERVISOR_ACTOR_DIED"), "{why}");
    until("the record is deleted", || fake.jobs().is_empty()).await;
    let stopped = Fate { status: "STOPPED", record: false, ..Fate::default() };
    let why = infrastructure(launch(&connect(&Fake::start(stopped, |_, _, _| None)), 1, &sh("true")).await);
    assert!(why.contains("stopped by somebody else") && why.contains("said something"), "{why}");
}

/// What a job's own program tells this library is kept whole, also where the rest is not: it cannot be said away.
#[tokio::test]
async fn lines_for_the_library_come_first_and_once() {
    let fake = Fake::start(Fate::default(), |_, _, _| None);
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tell = Arc::clone(&heard);
    let watch = Watch::default().lines(move |line| tell.lock().unwrap().push(line.to_owned()));
    connect(&fake).launch(&id(1), &sh("true"), &watch).await.unwrap();
    let expected = ["\u{1}autoresearch-first", "\u{1}autoresearch-own", "said something"];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_not_waited_out_for_ever() {
    let fate = Fate { status: "PAUSED", message: "Job is paused by an operator.", ..Fate::default() };
    let ray = connect(&Fake::start(fate, |_, _, _| None)).start_within(Duration::from_millis(300));
    let waited = tokio::time::timeout(Duration::from_secs(90), launch(&ray, 1, &sh("true"))).await;
    let why = infrastructure(waited.expect("given up"));
    assert!(why.contains("PAUSED") && why.contains("paused by an operator"), "{why}");
}

#[tokio::test]
async fn a_node_without_python_is_a_mistake_in_the_set_up() {
    let fate = Fate {
        status: "FAILED",
        exit_code: Some(127),
        message: "Job entrypoint command failed with exit code 127",
        record: false,
        said: "/bin/sh: 1: exec: python3: not found\n",
        ..Fate::default()
    };
    let folder = tempfile::tempdir().unwrap();
    for ray in [connect(&Fake::start(fate.clone(), |_, _, _| None)), {
        connect(&Fake::start(fate.clone(), |_, _, _| None)).folder(folder.path())
    }] {
        let why = setup(launch(&ray, 1, &sh("true")).await);
        assert!(why.contains("python3: not found") && why.contains(".python("), "{why}");
    }
    // The same status without a word of it is a record that was lost.
    let lost = Fate { said: "Killed\n", ..fate };
    let why = infrastructure(launch(&connect(&Fake::start(lost, |_, _, _| None)), 1, &sh("true")).await);
    assert!(why.contains("exit code 127"), "{why}");
}

#[tokio::test]
async fn a_job_that_takes_its_launch_away_has_failed_by_itself() {
    let fate = Fate {
        runs: Some(Duration::from_millis(800)),
        status: "FAILED",
        exit_code: Some(94),
        record: false,
        ..Fate::default()
    };
    let (fake, folder) = (Fake::start(fate, |_, _, _| None), tempfile::tempdir().unwrap());
    let (ray, job) = (connect(&fake).folder(folder.path()), sh("true"));
    let take = async {
        until("the submission", || !fake.submitted().is_empty()).await;
        let name = fake.submitted()[0]["submission_id"].as_str().unwrap().to_owned();
        std::fs::remove_dir_all(folder.path().join(name)).unwrap();
    };
    let (done, ()) = tokio::join!(launch(&ray, 1, &job), take);
    let exit = done.unwrap();
    assert_eq!(exit.failure().unwrap().fault(), autoresearch_core::Fault::Candidate, "{exit:?}");
    // Where its folder is there, nobody knows why it has no record.
    let why = infrastructure(launch(&ray, 2, &job).await);
    assert!(why.contains("no record of how it ended"), "{why}");
}

#[tokio::test]
async fn jobs_that_a_new_head_does_not_know_are_lost() {
    let fake = Fake::start(Fate { runs: Some(Duration::from_secs(600)), ..Fate::default() }, |_, _, _| None);
    let ray = connect(&fake).away(Duration::from_millis(500));
    let job = sh("true");
    let forget = async {
        until("the submission", || !fake.submitted().is_empty()).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        fake.forget();
    };
    let (done, ()) = tokio::join!(launch(&ray, 1, &job), forget);
    let why = infrastructure(done);
    assert!(why.contains("does not know the job") && why.contains("started anew"), "{why}");
}

#[tokio::test]
async fn a_cancelled_job_is_stopped_and_deleted() {
    let fake = Fake::start(Fate { runs: Some(Duration::from_secs(600)), ..Fate::default() }, |_, _, _| None);
    let (ray, job, cancel) = (connect(&fake), sh("true"), Cancellation::new());
    let (id, watch) = (id(1), Watch::new(&cancel));
    let stop = async {
        until("the submission", || !fake.submitted().is_empty()).await;
        cancel.cancel();
    };
    let (done, ()) = tokio::join!(ray.launch(&id, &job, &watch), stop);
    assert_eq!(done, Err(LaunchError::Cancelled));
    until("the record is deleted", || fake.jobs().is_empty()).await;
    // Dropped: the launcher's thread sees to it, at the latest when the launcher goes.
    {
        let mut launch = Box::pin(ray.launch(&id, &job, watch_nothing()));
        tokio::select! {
            done = &mut launch => panic!("{done:?}"),
            () = until("the submission", || fake.submitted().len() == 2) => {}
        }
    }
    drop(ray);
    assert!(fake.jobs().is_empty(), "{:?}", fake.jobs());
}

fn watch_nothing() -> &'static Watch {
    Box::leak(Box::default())
}

#[tokio::test]
async fn a_resumed_driver_adopts_the_same_job_and_ends_others() {
    let fate = Fate { runs: Some(Duration::from_secs(2)), ..Fate::default() };
    let fake = Fake::start(fate, |_, _, _| None);
    // A driver that was killed: its launch is never told to end.
    let (gone, job) = (connect(&fake), sh("true"));
    let lost = tokio::spawn({
        let job = job.clone();
        async move { launch(&gone, 1, &job).await }
    });
    until("the first submission", || fake.submitted().len() == 1).await;
    let resumed = connect(&fake);
    assert!(launch(&resumed, 1, &job).await.unwrap().success());
    assert_eq!(fake.submitted().len(), 1, "the job was submitted a second time");
    let _ = lost.await;
    // Another job of the same run is not adopted.
    let gone = connect(&fake);
    let lost = tokio::spawn(async move { launch(&gone, 2, &sh("one")).await });
    until("the second submission", || fake.submitted().len() == 2).await;
    let next = JobId::new("ray", RunId(2), 1);
    assert!(resumed.launch(&next, &sh("one"), &Watch::default()).await.unwrap().success());
    assert_eq!(fake.submitted().len(), 3);
    assert!(fake.calls("POST api/jobs/ID/stop") > 0);
    assert!(lost.await.unwrap().is_err(), "two results for one run");
}

#[tokio::test]
async fn five_hundred_runs_share_a_poller() {
    let fate = Fate { runs: Some(Duration::from_secs(3)), ..Fate::default() };
    let fake = Fake::start(fate, |_, _, _| None);
    let ray = connect(&fake);
    let began = Instant::now();
    let launches: Vec<_> = (0..500)
        .map(|run| {
            let ray = ray.clone();
            tokio::spawn(async move { launch(&ray, run, &sh("true")).await })
        })
        .collect();
    for launched in launches {
        assert!(launched.await.unwrap().unwrap().success());
    }
    // At most seven a second, however many runs there are.
    let (lists, seconds) = (fake.calls("GET api/jobs/"), began.elapsed().as_secs_f64());
    assert!((lists as f64) < 10.0 + 7.0 * seconds, "{lists} lists in {seconds:.1} s");
    until("the record is deleted", || fake.jobs().is_empty()).await;
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_before_anything_is_sent() {
    let fake = Fake::start(Fate::default(), |_, _, _| None);
    let ray = connect(&fake);
    let why = setup(launch(&ray, 1, &sh("true").option("partition", "gpu")).await);
    assert!(why.contains("resource.NAME"), "{why}");
    let why = setup(launch(&ray, 1, &sh("true").output_to("/tmp/out", "/tmp/err")).await);
    assert!(why.contains(".folder("), "{why}");
    let why = setup(launch(&ray.clone().folder("/no/such/folder"), 1, &sh("true")).await);
    assert!(why.contains("/no/such/folder"), "{why}");
    let why = setup(launch(&ray, 1, &sh("true").copy("a", "/no/such/file")).await);
    assert!(why.contains("/no/such/file"), "{why}");
    assert!(RayJobs::connect("ray://head:10001").is_err());
    assert_eq!(fake.submitted().len(), 0);
}

#[tokio::test]
async fn a_head_that_fails_for_a_while_is_given_the_job_again() {
    let fake = Fake::start(Fate::default(), |method, path, n| {
        (method == "POST" && path == "api/jobs/" && n <= 4)
            .then_some(Fault::Answer(500, "RuntimeError: busy"))
    });
    assert!(launch(&connect(&fake), 1, &sh("true")).await.unwrap().success());
    assert_eq!((fake.calls("POST api/jobs/"), fake.submitted().len()), (5, 1));
    let fake = Fake::start(Fate::default(), |method, path, _| {
        (method == "POST" && path == "api/jobs/").then_some(Fault::Answer(500, "RuntimeError: no such thing"))
    });
    let ray = connect(&fake).away(Duration::from_millis(300));
    let why = infrastructure(launch(&ray, 1, &sh("true")).await);
    assert!(why.contains("has not taken the job") && why.contains("no such thing"), "{why}");
}

#[tokio::test]
async fn of_many_launches_at_once_one_uploads_the_package() {
    let fake = Fake::start(Fate::default(), |_, _, _| None);
    let ray = connect(&fake);
    let launches: Vec<_> = (0..20)
        .map(|run| {
            let ray = ray.clone();
            tokio::spawn(async move { launch(&ray, run, &sh("true")).await })
        })
        .collect();
    for launched in launches {
        assert!(launched.await.unwrap().unwrap().success());
    }
    assert_eq!((fake.calls("PUT api/packages"), fake.submitted().len()), (1, 20));
}

#[tokio::test]
async fn a_denial_that_is_over_does_not_count() {
    let denied = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&denied);
    let fake = Fake::start(Fate::default(), move |_, _, _| {
        seen.load(Ordering::SeqCst).then_some(Fault::Answer(403, "not yet"))
    });
    let ray = connect(&fake);
    let why = setup(launch(&ray, 1, &sh("true")).await);
    assert!(why.contains("403"), "{why}");
    denied.store(false, Ordering::SeqCst);
    assert!(launch(&ray, 1, &sh("true")).await.unwrap().success());
}

/// The dashboard is away while a job is to be ended, and the job does not end at once when it is told at last.
#[tokio::test]
async fn an_attempt_waits_for_the_end_of_the_one_before() {
    let away = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&away);
    let fate =
        Fate { runs: Some(Duration::from_secs(600)), lingers: Duration::from_secs(2), ..Fate::default() };
    let fake = Fake::start(fate, move |_, _, _| {
        seen.load(Ordering::SeqCst).then_some(Fault::Answer(503, "try later"))
    });
    let (ray, cancel) = (connect(&fake), Cancellation::new());
    let (first, watch, job) = (id(1), Watch::new(&cancel), sh("true"));
    let stop = async {
        until("the submission", || fake.calls("GET api/jobs/") > 2 && !fake.submitted().is_empty()).await;
        away.store(true, Ordering::SeqCst);
        cancel.cancel();
    };
    let (done, ()) = tokio::join!(ray.launch(&first, &job, &watch), stop);
    assert_eq!(done, Err(LaunchError::Cancelled));
    away.store(false, Ordering::SeqCst);
    let (second, cancel) = (JobId::new("ray", RunId(1), 1), Cancellation::new());
    let watch = Watch::new(&cancel);
    let stop = async {
        until("the second attempt", || fake.submitted().len() == 2).await;
        assert_eq!(fake.overlaps(), 0, "it began beside the first");
        cancel.cancel();
    };
    let (done, ()) = tokio::join!(ray.launch(&second, &job, &watch), stop);
    assert_eq!(done, Err(LaunchError::Cancelled));
}

#[tokio::test]
async fn a_folder_keeps_other_drivers_away_and_what_nobody_knows_is_removed_from_it() {
    let fate = Fate { runs: Some(Duration::from_secs(600)), ..Fate::default() };
    let (fake, folder) = (Fake::start(fate, |_, _, _| None), tempfile::tempdir().unwrap());
    // Of a driver that was killed, on a head that was started anew.
    for name in ["ray-r1-a0-0123456789abcdef", "ray-r2-a0-0123456789abcdef", "notes"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let driver = || connect(&fake).folder(folder.path());
    let (ray, cancel) = (driver(), Cancellation::new());
    let (id, job, watch) = (id(1), sh("true"), Watch::new(&cancel));
    let other = async {
        until("the submission", || !fake.submitted().is_empty()).await;
        let names = common::names(folder.path());
        assert!(!names.contains(&"ray-r1-a0-0123456789abcdef".to_owned()), "{names:?}");
        if cfg!(target_os = "linux") {
            let why = infrastructure(launch(&driver(), 1, &sh("true")).await);
            assert!(why.contains("being run by process"), "{why}");
        }
        cancel.cancel();
    };
    let (done, ()) = tokio::join!(ray.launch(&id, &job, &watch), other);
    assert_eq!(done, Err(LaunchError::Cancelled));
    assert_eq!(common::names(folder.path()), ["notes", "ray-r2-a0-0123456789abcdef"]);
}

/// What a driver does in a process of its own, which is then killed: see below.
#[test]
#[ignore = "part of another test"]
fn driver() {
    let Ok(folder) = std::env::var("AUTORESEARCH_TEST_FOLDER") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ray = RayJobs::connect("http://127.0.0.1:8265").unwrap().folder(&folder);
    let _ = runtime.block_on(launch(&ray, 700, &counted(&folder)));
}

/// A job that notes each time that it is begun, and takes a while.
fn counted(folder: &str) -> Job {
    sh("echo begun >>\"$D/begun\"; sleep 8; echo done").env("D", folder)
}

#[cfg(target_os = "linux")]
mod real {
    use super::*;
    use autoresearch_jobs::{LimitKind, testkit::conformance};
    use support::head::space::end;
    use support::head::{ADDRESS, Head};

    fn ray() -> RayJobs {
        RayJobs::connect(ADDRESS).unwrap()
    }

    async fn jobs_left() -> Vec<String> {
        let text = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{ADDRESS}/api/jobs/"));
        let list: serde_json::Value = text.send().await.unwrap().json().await.unwrap();
        let of = |job: &serde_json::Value| format!("{}: {}", job["submission_id"], job["status"]);
        list.as_array().unwrap().iter().map(of).collect()
    }

    fn scratch() -> Vec<String> {
        let names = common::names(&std::env::temp_dir());
        names
            .into_iter()
            .filter(|name| name.starts_with("autoresearch-ray-") && !name.contains("test"))
            .collect()
    }

    /// All in one head, for it takes a while to start.
    #[test]
    fn a_real_head() {
        let Some(mut head) = Head::start(8, 25) else { return };
        let runtime = runtime();
        runtime.block_on(async {
            let shared = head.folder.path().join("shared");
            std::fs::create_dir(&shared).unwrap();
            let step =
                |what: &str, began: Instant| eprintln!("{what}: {:.1} s", began.elapsed().as_secs_f64());
            let began = Instant::now();
            let waiting = a_job_that_waits_is_cancelled(&head).await;
            step("cancelled while pending", began);
            let node = head.add_node("w");
            step("second node", began);
            until("what was cancelled while it waited is gone", || !waiting.ray_has_it()).await;
            // Apart, for a launcher that goes waits for its last jobs to be gone.
            let suite = tokio::spawn({
                let shared = shared.clone();
                async move {
                    conformance::launcher(move || ray().folder(&shared)).await;
                    step("conformance through a folder", began);
                    // Not beside it: a job of Ray's is a second of work for the machine.
                    conformance::launcher_of_one_driver(ray).await;
                    step("conformance through the log", began);
                }
            });
            let rest = tokio::spawn({
                let shared = shared.clone();
                async move {
                    tokio::join!(
                        async {
                            limits_and_files(ray()).await;
                            limits_and_files(ray().folder(&shared)).await;
                            step("limits", began);
                        },
                        async {
                            the_driver_is_killed(&shared.display().to_string()).await;
                            step("driver killed", began);
                        },
                        async {
                            a_node_dies(&node).await;
                            step("node died", began);
                        },
                    );
                }
            });
            suite.await.unwrap();
            rest.await.unwrap();
            a_job_that_never_begins().await;
            step("never begun", began);
            waiting.nothing_ran();
            assert_eq!(scratch(), [""; 0], "scratch folders on the nodes");
            assert_eq!(common::names(&shared), ["begun"], "folders of launches");
            the_head_is_started_anew(&mut head).await;
            step("head started anew", began);
        });
    }

    /// Its threads are in the head's network.
    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(6).enable_all().build().unwrap()
    }

    struct Waiting {
        ray: RayJobs,
        mark: std::path::PathBuf,
        gone: Arc<AtomicBool>,
    }

    impl Waiting {
        fn ray_has_it(&self) -> bool {
            !self.gone.load(Ordering::SeqCst)
        }

        fn nothing_ran(&self) {
            assert!(!self.mark.exists(), "a job ran that was cancelled while it waited");
            assert!(format!("{:?}", self.ray).contains("8265"));
        }
    }

    /// Ray does not end what has not begun; when it begins, it ends.
    async fn a_job_that_waits_is_cancelled(head: &Head) -> Waiting {
        let (ray, mark) = (ray(), head.folder.path().join("ran"));
        let job =
            sh("sleep 30; touch \"$MARK\"").env("MARK", mark.display().to_string()).option("resource.w", "1");
        let (cancel, id) = (Cancellation::new(), id(600));
        let watch = Watch::new(&cancel);
        let stop = async {
            while !jobs_left().await.iter().any(|job| job.contains("r600") && job.contains("PENDING")) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            cancel.cancel();
        };
        let (done, ()) = tokio::join!(ray.launch(&id, &job, &watch), stop);
        assert_eq!(done, Err(LaunchError::Cancelled));
        assert!(
            jobs_left().await.iter().any(|job| job.contains("PENDING")),
            "Ray has learned to end what waits"
        );
        let gone = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&gone);
        tokio::spawn(async move {
            while jobs_left().await.iter().any(|job| job.contains("r600")) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tell.store(true, Ordering::SeqCst);
        });
        Waiting { ray, mark, gone }
    }

    async fn limits_and_files(ray: RayJobs) {
        let ray = &ray;
        let into = tempfile::tempdir().unwrap();
        let eat = "python3 -c 'import time; x = b\"a\" * (400 << 20); time.sleep(20)'";
        let (memory, cpu, large) = (
            sh(eat).memory(200 << 20),
            sh("while :; do :; done").cpu_time(Duration::from_secs(1)),
            sh("head -c 3000000 /dev/urandom >a.bin; cp a.bin in/b.bin; setsid sleep 300 & cmp in/c.bin in/d.bin")
                .file("in/c.bin", "x".repeat(50_000))
                .file("in/d.bin", "x".repeat(50_000))
                .collect(["**/*.bin"], into.path()),
        );
        let (memory, cpu, large) =
            tokio::join!(launch(ray, 801, &memory), launch(ray, 802, &cpu), launch(ray, 803, &large));
        let memory = memory.unwrap();
        assert_eq!(memory.limit, Some(LimitKind::Memory), "{memory:?}");
        assert_eq!(memory.failure().unwrap().what(), autoresearch_core::FailureKind::OutOfMemory);
        assert_eq!(cpu.unwrap().limit, Some(LimitKind::CpuTime));
        let large = large.unwrap();
        assert_eq!((large.ended, large.left_behind), (Ended::Status(0), 1), "{large:?}");
        assert_eq!(large.files, ["a.bin", "in/b.bin", "in/c.bin", "in/d.bin"]);
        let read = |name: &str| std::fs::read(into.path().join(name)).unwrap();
        assert!(read("a.bin").len() == 3_000_000 && read("a.bin") == read("in/b.bin"));
        let why = setup(launch(ray, 804, &Job::new(["no-such-program"])).await);
        assert!(why.contains("no-such-program") && why.contains("not in PATH"), "{why}");
    }

    /// Killed with -9, it cannot say goodbye; the next one adopts what it has left.
    async fn the_driver_is_killed(shared: &str) {
        let mut driver = std::process::Command::new(std::env::current_exe().unwrap());
        driver.args(["--exact", "driver", "--ignored"]).env("AUTORESEARCH_TEST_FOLDER", shared);
        let mut driver = driver.stdout(std::process::Stdio::null()).spawn().unwrap();
        let begun = std::path::Path::new(shared).join("begun");
        until("the job of a driver", || begun.exists()).await;
        driver.kill().unwrap();
        driver.wait().unwrap();
        let exit = launch(&ray().folder(shared), 700, &counted(shared)).await.unwrap();
        assert_eq!(exit.stdout, "done\n");
        assert_eq!(std::fs::read_to_string(&begun).unwrap(), "begun\n", "the job was begun twice");
    }

    async fn a_node_dies(node: &std::collections::BTreeSet<i32>) {
        let folder = tempfile::tempdir().unwrap();
        let beat = folder.path().join("beat");
        let script = "trap '' TERM; i=0; while :; do i=$((i+1)); echo $i >\"$BEAT\"; sleep 0.05; done";
        let job = sh(script).env("BEAT", beat.display().to_string()).option("resource.w", "1");
        let ray = ray();
        let kill = async {
            until("a job on the second node", || beat.exists()).await;
            end(node);
            // Nobody on that node is left to end it but the script itself.
            let count = || std::fs::read_to_string(&beat).unwrap_or_default();
            loop {
                let before = count();
                tokio::time::sleep(Duration::from_millis(500)).await;
                if count() == before {
                    break;
                }
            }
        };
        let (done, ()) = tokio::join!(launch(&ray, 900, &job), kill);
        let why = infrastructure(done);
        assert!(why.contains("JOB_SUPERVISOR_ACTOR_DIED"), "{why}");
    }

    async fn a_job_that_never_begins() {
        let ray = ray().start_within(Duration::from_secs(2));
        let why = infrastructure(launch(&ray, 950, &sh("true").cpus(9999)).await);
        assert!(why.contains("waiting for resources") && why.contains("9999 CPUs"), "{why}");
        // Until Ray gives it up (after 25 seconds in this head), it is there; then the launcher deletes it.
        while !jobs_left().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn the_head_is_started_anew(head: &mut Head) {
        let folder = tempfile::tempdir().unwrap();
        let begun = folder.path().join("begun");
        let job = sh("echo >\"$BEGUN\"; sleep 300").env("BEGUN", begun.display().to_string());
        let launched = tokio::spawn(async move { launch(&ray(), 990, &job).await });
        until("a job on the first head", || begun.exists()).await;
        head.restart(2);
        let why = infrastructure(launched.await.unwrap());
        assert!(why.contains("does not know the job"), "{why}");
        assert!(launch(&ray(), 990, &sh("true")).await.unwrap().success(), "the new head");
    }
}
