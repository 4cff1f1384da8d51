//! The folder of a launch on shared storage.
//!
//! ```text
//! ROOT/KEY.lock                 who may run the run
//! ROOT/KEY/TOKEN/launch.json    which launch this is, and what of
//!                fence          there for as long as the driver wants it
//!                params env own start run.sh in/
//!                asked          how it was submitted, written before that
//!                submitted      the engine's name of it
//!                begun.N/       work/ home/ tmp/ stdout stderr: of the N-th time that the engine has started it
//!                exit-N.json    how that ended
//! ```
//! Each launch has a folder of its own, which no earlier one knows: what is still running of an earlier one can write neither into
//! its files nor its record.

use super::follow::end_of;
use super::record::Record;
use super::script::{self, Set};
use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::{FileIn, Job};
use crate::local::files;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Which launch a folder is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: JobId,
    /// Tells it from all other launches, also of the same id.
    pub(crate) token: String,
    /// Of the job and all that the launcher adds to it: only the very same is adopted.
    pub(crate) digest: String,
}

/// A launch's folder.
#[derive(Debug, Clone)]
pub(crate) struct LaunchFolder {
    pub(super) path: PathBuf,
    pub(crate) note: Note,
}

/// What a launch is, in short. `more` is what the launcher adds.
///
/// Of files that are copied size and time of change are looked at, not what is in them.
///
/// # Errors
/// A path is no UTF-8.
pub(crate) fn digest(job: &Job, set: &Set, more: &impl Serialize) -> Result<String, LaunchError> {
    let stamps = job.files_in.values().map(|file| match file {
        FileIn::At(path) => fs::metadata(path).ok().map(|about| (about.len(), about.modified().ok())),
        _ => None,
    });
    let stamps: Vec<_> = stamps.collect();
    let text = serde_json::to_vec(&(job, set, more, stamps)).map_err(|why| {
        LaunchError::Setup(format!("the job cannot be told as JSON: {why}; give paths in UTF-8"))
    })?;
    Ok(Sha256::digest(&text).iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

/// A name that sorts by time and that no other launch has.
fn token() -> String {
    static LAUNCHES: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (launch, process) = (LAUNCHES.fetch_add(1, Ordering::Relaxed), std::process::id());
    format!("l{:020}-{process}-{launch}", since.as_nanos())
}

impl LaunchFolder {
    /// Makes the folder with all that the script needs; on any mistake nothing stays. What the node says of its GPUs goes before
    /// what is `inherited` of the driver, and the job's own variables before both.
    pub(crate) fn make(
        root: &Path,
        id: &JobId,
        job: &Job,
        set: &Set,
        digest: String,
        inherited: &BTreeMap<String, String>,
    ) -> Result<Self, LaunchError> {
        let token = token();
        let path = root.join(id.run_key()).join(&token);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(LaunchError::io(format!("cannot make the launch's folder {}", path.display())))?;
        let this = Self { path, note: Note { id: id.clone(), token, digest } };
        match this.fill(job, set, inherited) {
            Ok(()) => Ok(this),
            Err(why) => {
                this.remove();
                Err(why)
            }
        }
    }

    fn fill(&self, job: &Job, set: &Set, inherited: &BTreeMap<String, String>) -> Result<(), LaunchError> {
        let target = match &job.folder {
            Some(folder) if !folder.is_dir() => {
                let folder = folder.display();
                return Err(LaunchError::Setup(format!(
                    "the job's folder {folder} is not there; make it, on storage that the nodes share"
                )));
            }
            Some(folder) => folder.clone(),
            None => self.path.join("in"),
        };
        let what = || LaunchError::io(format!("cannot write into {}", self.path.display()));
        fs::create_dir_all(self.path.join("in")).map_err(what())?;
        files::put(job, &target)?;
        self.write("params", &script::params(&self.note.token, job, set)?).map_err(what())?;
        self.write("env", &script::environment(inherited)?).map_err(what())?;
        self.write("own", &script::environment(&job.env)?).map_err(what())?;
        self.write("start", &script::start(job, set)?).map_err(what())?;
        self.write("run.sh", script::RUN).map_err(what())?;
        self.write("fence", &self.note.token).map_err(what())?;
        let note =
            serde_json::to_string(&self.note).map_err(|why| LaunchError::Infrastructure(why.to_string()))?;
        // Last, and whole: with it the launch counts as made.
        self.write("launch.half", &note).map_err(what())?;
        crate::step::made("cluster folder filled");
        fs::rename(self.path.join("launch.half"), self.path.join("launch.json")).map_err(what())?;
        crate::step::made("cluster launch noted");
        Ok(())
    }

    /// Readable by nobody else: there are variables in it.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.path.join(name);
        let open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        open?.write_all(text.as_bytes())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its path for scripts.
    pub(crate) fn text(&self) -> Result<&str, LaunchError> {
        script::text(&self.path)
    }

    /// Writes down how it is about to be submitted, so that it is found even when the answer never comes.
    pub(crate) fn asked(&self, how: &str) -> io::Result<()> {
        self.write("asked.half", how)?;
        fs::rename(self.path.join("asked.half"), self.path.join("asked"))?;
        crate::step::made("cluster asked");
        Ok(())
    }

    /// It was not submitted that way: nothing of it is there to be found.
    pub(crate) fn not_asked(&self) {
        let _ = fs::remove_file(self.path.join("asked"));
    }

    /// How it was submitted, or nearly so.
    pub(crate) fn was_asked(&self) -> Option<String> {
        fs::read_to_string(self.path.join("asked")).ok()
    }

    /// Writes down the engine's name of it.
    pub(crate) fn submitted(&self, name: &str) -> io::Result<()> {
        self.write("submitted.half", name)?;
        crate::step::made("cluster submitted");
        fs::rename(self.path.join("submitted.half"), self.path.join("submitted"))?;
        crate::step::made("cluster name noted");
        Ok(())
    }

    /// The engine's name of it, if it is known.
    pub(crate) fn name(&self) -> Option<String> {
        fs::read_to_string(self.path.join("submitted")).ok().filter(|name| !name.is_empty())
    }

    /// How often the engine has started it, less one; `None`: never.
    pub(crate) fn incarnation(&self) -> Option<u32> {
        // A folder that was just read is read anew, which a look at one name may not be on network storage.
        let entries = fs::read_dir(&self.path).ok()?.flatten();
        let begun = entries.filter_map(|e| e.file_name().to_str()?.strip_prefix("begun.")?.parse().ok());
        begun.max()
    }

    /// How the newest incarnation ended, if it has.
    pub(crate) fn record(&self) -> Option<Record> {
        let newest = self.incarnation()?;
        let text = fs::read(self.path.join(format!("exit-{newest}.json"))).ok()?;
        let record: Record = match serde_json::from_slice(&text) {
            Ok(record) => record,
            Err(why) => {
                tracing::warn!("{}: the exit record cannot be read: {why}", self.path.display());
                return None;
            }
        };
        (record.token == self.note.token && record.incarnation == newest).then_some(record)
    }

    fn begun(&self, incarnation: u32) -> PathBuf {
        self.path.join(format!("begun.{incarnation}"))
    }

    /// What it writes to standard output.
    pub(crate) fn stdout(&self, incarnation: u32) -> PathBuf {
        self.begun(incarnation).join("stdout")
    }

    /// What it writes to standard error.
    pub(crate) fn stderr(&self, incarnation: u32) -> PathBuf {
        self.begun(incarnation).join("stderr")
    }

    /// Collects the job's files and puts its output where the job wants it; says in the exit which files there were.
    pub(crate) fn collect(&self, job: &Job, exit: &mut JobExit) -> Result<(), LaunchError> {
        let Some(incarnation) = self.incarnation() else { return Ok(()) };
        for (from, to) in [(self.stdout(incarnation), &job.stdout), (self.stderr(incarnation), &job.stderr)] {
            if let Some(to) = to {
                let what = format!("cannot write the output to {}", to.display());
                fs::copy(from, to).map_err(LaunchError::io(what))?;
            }
        }
        let work = job.folder.clone().unwrap_or_else(|| self.begun(incarnation).join("work"));
        match &job.collect_into {
            Some(into) if !job.files_out.is_empty() => {
                let collected =
                    files::collect_all(&files::patterns(job)?, &work, into, job.limits.to_collect())
                        .map_err(LaunchError::io("the job's files could not be collected"))?;
                (exit.files, exit.not_collected) = (collected.files, collected.not_collected);
            }
            _ => {}
        }
        Ok(())
    }

    /// From now on nothing of it counts, and what is running of it ends by itself within a few seconds.
    pub(crate) fn fence(&self) {
        let _ = fs::remove_file(self.path.join("fence"));
    }

    /// Whether the fence is gone, or the launch's whole folder, which this driver has not taken away. While the storage is away
    /// neither is said to be.
    pub(crate) fn is_tampered_with(&self) -> bool {
        let gone =
            |path: &Path| fs::symlink_metadata(path).is_err_and(|why| why.kind() == io::ErrorKind::NotFound);
        // Beside it is the lock, which this driver holds.
        let lock = self.path.parent().and_then(|run| {
            let name = run.file_name()?.to_str()?;
            Some(run.with_file_name(format!("{name}.lock")))
        });
        lock.is_some_and(|lock| lock.exists()) && gone(&self.path.join("fence"))
    }

    /// When something was last heard of what is running of it.
    pub(crate) fn beat(&self) -> Option<SystemTime> {
        fs::metadata(self.begun(self.incarnation()?).join("beat")).ok()?.modified().ok()
    }

    /// The ends of what the newest incarnation has said so far, as far as they can be read, and for how many seconds it has run.
    pub(crate) fn said(&self, job: &Job) -> (String, String, f64) {
        let Some(newest) = self.incarnation() else { return Default::default() };
        let most = job.limits.output.unwrap_or(u64::MAX);
        let end = |path: PathBuf| end_of(&path, most).map(|(text, _)| text).unwrap_or_default();
        let begun = fs::metadata(self.begun(newest).join("head")).and_then(|about| about.modified());
        let wall = begun.ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
        (end(self.stdout(newest)), end(self.stderr(newest)), wall.as_secs_f64())
    }

    /// Deletes it. What is still running in it may be writing: it is tried for a while.
    pub(crate) fn remove(&self) {
        self.fence();
        crate::step::made("cluster fence gone");
        for pause in [0, 20, 100, 500, 1000] {
            std::thread::sleep(Duration::from_millis(pause));
            match files::remove(&self.path) {
                Ok(()) => break,
                Err(why) if pause == 1000 => {
                    tracing::warn!("{} stays behind: {why}", self.path.display());
                }
                Err(_) => {}
            }
        }
        if let Some(run) = self.path.parent() {
            crate::step::made("cluster launch removed");
            let _ = fs::remove_dir(run); // only when it is empty
            crate::step::made("cluster folder removed");
        }
    }
}
