//! Jobs on a Ray cluster: one that is made up, for what goes wrong, and a real one.
#![allow(clippy::unwrap_used, unreachable_pub, dead_code)]

mod common;
#[path = "support/ray/mod.rs"]
mod support;

use autoresearch_core::{Cancellation, RunId};
use autoresearch_jobs::{Ended, Job, JobExit, JobId, LaunchError, Launcher, RayJobs, Watch};
use common::sh;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::fake::{Fake, Fate, Fault};

fn id(run: u64) -> JobId {
    JobId::new("ray", RunId(run), 0)
}

fn connect(fake: &Fake) -> RayJobs {
    RayJobs::connect(&fake.address).unwrap()
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
    assert_eq!((exit.ended, &*exit.stdout, &*exit.place), (Ended::Status(0), "said something\n", "n"));
    assert!(fake.jobs().is_empty(), "{:?}", fake.jobs());
    launch(&ray, 2, &sh("false")).await.unwrap();
    assert_eq!(fake.calls("GET api/packages"), 2);
    assert_eq!(fake.submitted().len(), 2);
    let put = fake.submitted()[0]["runtime_env"]["working_dir"].clone();
    assert_eq!(fake.submitted()[1]["runtime_env"]["working_dir"], put, "another package for the same script");
    assert!(fake.headers().to_lowercase().contains("authorization: bearer canary-token"), "{}", fake.headers());
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
    assert!(fake.jobs().is_empty());
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
    assert!(why.contains("waiting for resources") && why.contains("99 CPUs") && why.contains(".start_within("), "{why}");
    assert!(fake.calls("POST api/jobs/ID/stop") > 0);
    // It cannot be ended, and does not stand in the way.
    let again = infrastructure(launch(&ray, 1, &sh("true").cpus(99)).await);
    assert!(again.contains("waiting for resources"), "{again}");
    assert_eq!(fake.submitted().len(), 2);
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
        (method == "GET" && path == "api/jobs/ID/logs").then_some(Fault::Answer(500, "ValueError: Port out of range 0-65535"))
    });
    let why = infrastructure(launch(&connect(&fake), 1, &sh("true")).await);
    assert!(why.contains("its node has died") && why.contains("JOB_SUPERVISOR_ACTOR_DIED"), "{why}");
    assert!(fake.jobs().is_empty());
    let stopped = Fate { status: "STOPPED", record: false, ..Fate::default() };
    let why = infrastructure(launch(&connect(&Fake::start(stopped, |_, _, _| None)), 1, &sh("true")).await);
    assert!(why.contains("stopped by somebody else") && why.contains("said something"), "{why}");
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
    assert!(fake.jobs().is_empty(), "{:?}", fake.jobs());
    // Dropped: the launcher's thread sees to it, at the latest when the launcher goes.
    {
        let mut launch = Box::pin(ray.launch(&id, &job, &watch_nothing()));
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
    // Each launch makes one list of its own at its start; the rest is the poller's, at most seven a second.
    let (lists, seconds) = (fake.calls("GET api/jobs/"), began.elapsed().as_secs_f64());
    assert!((lists as f64) < 500.0 + 8.0 * seconds, "{lists} lists in {seconds:.1} s");
    assert!(fake.jobs().is_empty());
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

#[cfg(target_os = "linux")]
mod real {
    use super::*;
}
