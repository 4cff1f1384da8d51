//! What a launcher was told, and what all its launches share.

use super::client::Client;
use super::desk::Office;
use crate::cluster::Set;
use crate::error::LaunchError;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::Semaphore;

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) folder: Option<PathBuf>,
    pub(super) options: BTreeMap<String, String>,
    pub(super) gpus: u32,
    pub(super) gpu_type: Option<String>,
    pub(super) cpus: Option<u32>,
    pub(super) set: Set,
    pub(super) slots: Option<usize>,
    pub(super) patience: Duration,
    pub(super) start_within: Duration,
    pub(super) storage_delay: Duration,
    pub(super) poll: Duration,
    pub(super) programs: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            folder: None,
            options: BTreeMap::new(),
            gpus: 0,
            gpu_type: None,
            cpus: None,
            set: Set::default(),
            slots: None,
            patience: Duration::from_secs(600),
            start_within: Duration::from_secs(120),
            storage_delay: Duration::from_secs(60),
            poll: Duration::from_secs(10),
            programs: None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) settings: Settings,
    pub(super) slots: Option<Semaphore>,
    office: OnceLock<Result<Office, String>>,
}

impl Engine {
    pub(super) fn new(settings: Settings) -> Self {
        let slots = settings.slots.map(Semaphore::new);
        Self { settings, slots, office: OnceLock::new() }
    }

    pub(super) fn client(&self) -> Client {
        Client { programs: self.settings.programs.clone() }
    }

    /// What works in the background, from the first launch on.
    pub(super) fn office(&self) -> Result<&Office, LaunchError> {
        let opened = self.office.get_or_init(|| {
            let (poll, patience) = (self.settings.poll, self.settings.patience);
            Office::open(self.client(), poll, patience).map_err(|why| why.to_string())
        });
        opened.as_ref().map_err(|why| LaunchError::Infrastructure(format!("no thread for Slurm: {why}")))
    }

    /// The folder, made if it is not there.
    pub(super) fn root(&self) -> Result<PathBuf, LaunchError> {
        use std::os::unix::fs::DirBuilderExt;
        let root = match (&self.settings.folder, std::env::var_os("HOME")) {
            (Some(folder), _) => folder.clone(),
            (None, Some(home)) if !home.is_empty() => PathBuf::from(home).join(".autoresearch").join("slurm"),
            _ => {
                return Err(LaunchError::setup(
                    "no home folder is known; give the launcher a folder that the nodes share with `.folder(…)`",
                ));
            }
        };
        let what = format!("cannot make the launcher's folder {}", root.display());
        let root = std::path::absolute(&root).map_err(LaunchError::io(&what))?;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&root);
        made.map_err(LaunchError::io(&what))?;
        Ok(root)
    }
}
