//! What ends with a job, and what excludes another.

use super::{Check, in_time, sh, until};
use crate::error::LaunchError;
use crate::id::JobId;
use crate::job::Job;
use crate::launch::{Launcher, Watch};
use autoresearch_core::{Cancellation, RunId};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A script that lives on, and shows it: it counts in the file `name` of the folder `$D`, in a background process.
fn beating(name: &str) -> String {
    format!("{}\n{}\necho up; wait", beat(name, "("), beat(&lonely(name), LONELY))
}

/// Goes on in the background, and counts in the file.
fn beat(name: &str, how: &str) -> String {
    let count = format!("i=0; while :; do i=$((i+1)); echo $i >\"$D/{name}\"; sleep 0.05; done");
    match how {
        LONELY => format!("{LONELY}'{count}' & )"),
        how => format!("{how}{count}) &"),
    }
}

/// What starts it so that it has no parent any more, and a session of its own where the system can make one.
const LONELY: &str = "(set -- /bin/sh -c; command -v setsid >/dev/null && set -- setsid \"$@\"; \"$@\" ";

/// The file of the one that is alone.
fn lonely(name: &str) -> String {
    format!("{name}-lonely")
}

impl<L: Launcher + 'static> Check<L> {
    pub(super) async fn stopped_jobs_stop(&self, by_cancelling: bool) {
        let how = if by_cancelling { "cancelled" } else { "dropped" };
        let (beat, cancel) = (self.folder.0.join(how), Cancellation::new());
        let job = sh(&beating(how)).env("D", self.shared()).writable(&self.folder.0);
        let (launcher, id, watch) = (Arc::clone(&self.launcher), self.id(5), Watch::new(&cancel));
        let launch = tokio::spawn(async move { launcher.launch(&id, &job, &watch).await });
        let lonely = self.folder.0.join(lonely(how));
        until("a job that was started", || beat.exists() && lonely.exists() || launch.is_finished()).await;
        assert!(!launch.is_finished(), "a job that goes on is said to have ended: {:?}", launch.await);
        if by_cancelling {
            cancel.cancel();
            let gave = in_time("a launch that was cancelled", launch).await;
            assert!(
                matches!(gave, Ok(Err(LaunchError::Cancelled))),
                "a launch that was cancelled gave {gave:?}"
            );
        } else {
            launch.abort();
            let _ = in_time("a launch that was dropped", launch).await;
        }
        // The run can be made again at once, and by then nothing of the old one is left.
        let again = self.ended(5, &sh("true")).await;
        assert!(again.success(), "after a job was {how}: {again:?}");
        stands_still(&beat, how).await;
        stands_still(&lonely, how).await;
    }

    pub(super) async fn nothing_outlives_its_job(&self) {
        let (child, alone) = (self.folder.0.join("child"), self.folder.0.join("child-lonely"));
        let wait = "while ! test -s \"$D/child\" || ! test -s \"$D/child-lonely\"; do sleep 0.02; done";
        let script = format!("{}\n{}\n{wait}", beat("child", "("), beat("child-lonely", LONELY));
        let job = sh(&script).env("D", self.shared()).writable(&self.folder.0);
        let exit = self.ended(8, &job).await;
        assert!(exit.success(), "a job that leaves processes behind: {exit:?}");
        stands_still(&child, "left behind as a child when its parent ended").await;
        stands_still(&alone, "left behind alone, with a session of its own, when its job ended").await;
    }

    pub(super) async fn attempts_exclude_each_other(&self) {
        let (first, second) = (self.folder.0.join("first"), self.folder.0.join("second"));
        let shared = |name: &str| sh(&beating(name)).env("D", self.shared()).writable(&self.folder.0);
        let cancel = Cancellation::new();
        let launch = |attempt: u32, job: Job| {
            let (launcher, watch) = (Arc::clone(&self.launcher), Watch::new(&cancel));
            let id = JobId::new(&self.study, RunId(6), attempt);
            tokio::spawn(async move { launcher.launch(&id, &job, &watch).await })
        };
        let one = launch(0, shared("first"));
        until("the first attempt", || first.exists() || one.is_finished()).await;
        // Refused while the first is running, or only begun when that is ended.
        let two = launch(1, shared("second"));
        until("the second attempt", || second.exists() || two.is_finished()).await;
        if second.exists() {
            stands_still(&first, "replaced by a second attempt").await;
        } else {
            assert!(!one.is_finished(), "a second attempt was refused, and the first ended by it");
        }
        cancel.cancel();
        for attempt in [one, two] {
            let gave = in_time("an attempt that was cancelled", attempt).await;
            assert!(matches!(gave, Ok(Err(_))), "an attempt that was cancelled gave {gave:?}");
        }
        stands_still(&first, "cancelled").await;
    }
}

/// What was stopped does not count on.
async fn stands_still(beat: &Path, how: &str) {
    let before = fs::read_to_string(beat).unwrap_or_default();
    // Several times the beat. What is dead stays so however slow the machine is.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = fs::read_to_string(beat).unwrap_or_default();
    assert_eq!(before, after, "something of a job that was {how} goes on");
}
