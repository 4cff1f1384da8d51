//! What a later driver does while a job of an earlier one runs.

use super::{Check, in_time, sh, until};
use crate::id::JobId;
use crate::launch::{Launcher, Watch};
use autoresearch_core::RunId;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Each start of the job counts in a file of its own, until it is told to stop.
const COUNTS: &str = "b=$(mktemp \"$D/count.XXXXXX\") || exit 9\n\
                      i=0; while ! test -e \"$D/stop\"; do i=$((i+1)); echo $i >\"$b\"; sleep 0.05; done; echo counted";

impl<L: Launcher + 'static> Check<L> {
    /// The first driver falls asleep while its job runs: nobody looks at its launch any more. A second one with a launcher of its
    /// own makes the same run. Then the first one wakes up. `one_result`: only one of them may have got one.
    pub(super) async fn a_later_driver_is_never_beside_an_earlier_one(&self, later: L, one_result: bool) {
        let (later, id, watch) = (Arc::new(later), self.id(36), Watch::default());
        let job = sh(COUNTS).env("D", self.shared()).writable(&self.folder.0);
        let begun = Instant::now();
        let mut first = Box::pin(self.launcher.launch(&id, &job, &watch));
        tokio::select! {
            gave = &mut first => panic!("a job that goes on is said to have ended: {gave:?}"),
            () = until("the job of the first driver", || !self.counts().is_empty()) => {}
        }
        let patience = 3 * begun.elapsed() + Duration::from_secs(4);
        let second = tokio::spawn({
            let (later, id, job) = (Arc::clone(&later), id.clone(), job.clone());
            async move { later.launch(&id, &job, &Watch::default()).await }
        });
        let watched = Instant::now() + patience;
        while Instant::now() < watched && !second.is_finished() {
            let before = self.counts();
            // Several times the beat.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let goes_on = |(path, count): &(&PathBuf, &String)| self.counts().get(*path) != Some(*count);
            let alive = before.iter().filter(goes_on).count();
            assert!(alive < 2, "a later driver has begun a run anew beside the job of an earlier one");
        }
        let early = second.is_finished();
        fs::write(self.folder.0.join("stop"), "").unwrap_or_else(|why| panic!("{why}"));
        let second = in_time("the launch of a later driver", second).await;
        let second = second.unwrap_or_else(|why| panic!("{why}"));
        let first = in_time("the launch of a driver that slept", first).await;
        assert!(
            !(early && second.is_ok()),
            "a later driver has a result of a run whose job has not ended: {second:?}"
        );
        let results = [&first, &second].into_iter().filter(|gave| gave.is_ok()).count();
        assert!(results > 0, "of two drivers of a run none has got its result: {first:?}, {second:?}");
        assert!(
            results == 1 || !one_result,
            "two drivers have got a result of one run: {first:?}, {second:?}"
        );
        // Whoever had it, it is free again.
        let id = JobId::new(&self.study, RunId(36), 1);
        let again = in_time("another attempt", later.launch(&id, &sh("true"), &Watch::default())).await;
        assert!(
            again.as_ref().is_ok_and(crate::JobExit::success),
            "the attempt after two drivers: {again:?}"
        );
    }

    /// How far each start of the job has counted.
    fn counts(&self) -> BTreeMap<PathBuf, String> {
        let entries = fs::read_dir(&self.folder.0).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("count.")))
            .map(|path| (path.clone(), fs::read_to_string(&path).unwrap_or_default()))
            .collect()
    }
}
