//! What a launch has, and how it is given back.

use super::desk::{Desk, End};
use super::launch::blocking;
use crate::cluster::{Claim, LaunchFolder};
use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::job::Job;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Runs that something is still being cleared away of, by the paths of their folders, and of how much.
static CLEARING: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());

fn all() -> MutexGuard<'static, BTreeMap<PathBuf, usize>> {
    CLEARING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something of a run is being cleared away, or will be should its launch be broken off just now. Dropped, it has been.
#[derive(Debug)]
pub(super) struct Clearing(PathBuf);

impl Clearing {
    pub(super) fn of(run: &Path) -> Self {
        *all().entry(run.into()).or_default() += 1;
        Self(run.into())
    }

    /// Waits until nothing of the run is.
    pub(super) async fn is_over(run: &Path) {
        while all().contains_key(run) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Clearing {
    fn drop(&mut self) {
        let mut all = all();
        if let Some(n) = all.get_mut(&self.0) {
            *n -= 1;
            if *n == 0 {
                all.remove(&self.0);
            }
        }
    }
}

/// The right to a run while it is being ended. Dropped, another may begin.
struct GivingBack {
    _claim: Option<Claim>,
    _clearing: Clearing,
}

/// All that a launch has. Dropped, it is ended in the background; nothing of it counts from that moment on.
pub(super) struct Running {
    pub(super) desk: Desk,
    pub(super) folder: Option<LaunchFolder>,
    pub(super) claim: Option<Claim>,
    pub(super) run: PathBuf,
}

impl Running {
    fn hand_over(&mut self) -> Option<oneshot::Receiver<Result<(), LaunchError>>> {
        let folder = self.folder.take()?;
        let clearing = Clearing::of(&self.run);
        folder.fence();
        let keep = GivingBack { _claim: self.claim.take(), _clearing: clearing };
        let (reply, ended) = oneshot::channel();
        self.desk.end(End { folder, ended: false, keep: Box::new(keep), reply: Some(reply) });
        Some(ended)
    }

    /// Ends it and waits until nothing is left.
    pub(super) async fn end(mut self) {
        if let Some(ended) = self.hand_over() {
            let _ = ended.await;
        }
    }

    /// Slurm has ended it: collects what there is to collect, and clears away.
    pub(super) async fn clear(
        mut self,
        job: &Job,
        exit: Result<JobExit, LaunchError>,
    ) -> Result<JobExit, LaunchError> {
        let (folder, claim, job) = (self.folder.take(), self.claim.take(), job.clone());
        let clearing = Clearing::of(&self.run);
        blocking(move || {
            let Some(folder) = folder else { return exit };
            let exit = exit.and_then(|mut exit| {
                crate::step::made("cluster ended");
                folder.collect(&job, &mut exit)?;
                crate::step::made("cluster collected");
                Ok(exit)
            });
            folder.remove();
            drop(claim);
            drop(clearing);
            exit
        })
        .await?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.hand_over();
    }
}
