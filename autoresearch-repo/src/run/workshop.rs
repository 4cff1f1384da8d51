//! What all runs of a task share.

use crate::sandbox::Sandbox;
use crate::task::{AllData, Data, Measuring, Objective, TaskSpec, share_of_memory};
use crate::tree::Repo;
use crate::work::{Pool, Scratch};
use autoresearch_jobs::Launcher;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// On what a run is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    Validation,
    Holdout,
    Test,
}

impl Split {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Validation => "evaluate",
            Self::Holdout => "holdout",
            Self::Test => "test",
        }
    }
}

/// The task's word on runs, the folders they work in, and what runs their commands.
pub(crate) struct Workshop {
    pub(super) spec: Arc<TaskSpec>,
    pub(super) repo: Arc<Repo>,
    pub(super) pool: Arc<Pool>,
    pub(super) launcher: Arc<dyn Launcher>,
    /// `None`: a launcher of the user's own, of which nothing is known.
    pub(super) sandbox: Option<Sandbox>,
    pub(super) data: Arc<AllData>,
    /// Device files that commands may use.
    pub(super) devices: Arc<[PathBuf]>,
    /// The memory of a command for which the task says no limit, where it runs on this machine.
    pub(super) share: Option<u64>,
}

impl Workshop {
    pub(crate) fn new(
        spec: &TaskSpec,
        repo: &Arc<Repo>,
        data: AllData,
        devices: Vec<PathBuf>,
        sandbox: Sandbox,
    ) -> Self {
        let pool = Arc::new(Pool::new(repo, spec.work.as_deref()));
        Self {
            spec: Arc::new(spec.clone()),
            repo: Arc::clone(repo),
            launcher: sandbox.launcher(&pool.jobs(), &spec.gpus),
            pool,
            sandbox: Some(sandbox),
            data: Arc::new(data),
            devices: devices.into(),
            share: share_of_memory(spec.at_once().unwrap_or(1)),
        }
    }

    pub(crate) fn with_launcher(&self, launcher: Arc<dyn Launcher>) -> Self {
        Self {
            spec: Arc::clone(&self.spec),
            repo: Arc::clone(&self.repo),
            pool: Arc::clone(&self.pool),
            launcher,
            sandbox: None,
            data: Arc::clone(&self.data),
            devices: Arc::clone(&self.devices),
            share: None,
        }
    }

    /// An empty folder, gone when it is dropped.
    pub(crate) fn scratch(&self) -> io::Result<Scratch> {
        self.pool.scratch()
    }

    /// The command that measures on a split, if one does.
    pub(crate) fn measuring(&self, split: Split) -> Option<(&Measuring, &[Data])> {
        let (measuring, data) = match split {
            Split::Validation => (&self.spec.evaluate, &self.data.evaluate),
            Split::Holdout => (&self.spec.holdout, &self.data.holdout),
            Split::Test => (&self.spec.test, &self.data.test),
        };
        Some((measuring.as_ref()?, data))
    }

    /// Where the number of a measuring command stands.
    pub(super) fn objective<'a>(&'a self, measuring: &'a Measuring) -> &'a Objective {
        measuring.objective.as_ref().unwrap_or(&self.spec.objective)
    }

    /// Whether a run's folder may be used again, and is nobody else's to write to.
    pub(super) fn keeps_folders(&self) -> bool {
        self.sandbox.is_some()
    }
}

impl fmt::Debug for Workshop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workshop")
            .field("repo", &self.repo.git)
            .field("sandbox", &self.sandbox)
            .finish_non_exhaustive()
    }
}
