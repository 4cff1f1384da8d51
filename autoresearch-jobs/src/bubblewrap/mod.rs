//! Jobs behind a sandbox.

mod etc;

use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::Job;
use crate::launch::{Launcher, Watch};
use crate::local::{Confine, Environment, Folders, LocalProcess};
use autoresearch_core::async_trait;
use etc::{Current, ETC, Etc};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use tokio::sync::OnceCell;

/// What of the system a job sees, where it is there, beside [a few things of `/etc`](ETC); nothing of it can be written.
const SYSTEM: [&str; 9] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/gnu/store"];

/// Runs jobs as child processes that see and reach nothing but what the job names (Linux, with `bwrap` of bubblewrap).
///
/// ```no_run
/// use autoresearch_jobs::{Bubblewrap, Job};
/// use std::time::Duration;
/// let sandbox = Bubblewrap::new();
/// let job = Job::new(["python3", "candidate.py"])
///     .copy("candidate.py", "proposed/candidate.py")
///     .readable("data/train.bin")
///     .wall_clock(Duration::from_secs(600))
///     .memory(8 << 30);
/// ```
///
/// * The system (`/usr`, `/opt`, the libraries, a few files of `/etc`) can be read and not written. Of all else there is only the
///   job's own folder, which it finds as `/job`, the program, and what the job names as [`readable`](Job::readable) and [`writable`](Job::writable): no home
///   folder, no store, no other runs. `/tmp` is the job's `TMPDIR`, and its `HOME`, unless it names this machine's. What is named within a path that is named, too, is as it was
///   named itself.
/// * No network, not even this machine's own, unless the job [asks for it](Job::network), which also opens sockets without a file
///   (X11, D-Bus). `/usr` and `/opt` are readable as a whole: do not keep a store there.
/// * It sees none of the other processes, has no capabilities and no terminal, and ends with this process, also when that is
///   killed.
/// * Of `/etc` there are copies of what programs need to find libraries, names, certificates and the time (a few files, no passwords,
///   no keys), made by this launcher in a folder under the system's temporary one and made anew when an original changes: one
///   mount in place of a dozen. The folder is gone when the launcher and its jobs are; that of a killed process is deleted by
///   the next launcher. Where a job names more of `/etc`, each thing is mounted by itself.
/// * Limits, clean-up and folders are those of [`LocalProcess`], on which it is built ([`on`](Self::on)).
///
/// That a signal has ended the command is told by the status 128 and the signal's number, as in shells: a command that ends with
/// such a status by itself is taken for one that was ended so. Nobody outside can send it a signal, so that of those which elsewhere
/// come from people (`SIGHUP`, `SIGINT`, `SIGTERM`) the status is left as it is, and is the candidate's. A sandbox that could not
/// be set up is the infrastructure's.
///
/// Where `bwrap` is missing or may not make namespaces, launches fail with a message that says what to do; a job is never run
/// without the sandbox. What it cannot keep away are flaws of the kernel itself, and what a job that may use a GPU does to its
/// driver: devices beyond the usual few (`/dev/null`, …) must be named as `writable`.
#[derive(Clone)]
pub struct Bubblewrap {
    local: LocalProcess,
    program: Arc<PathBuf>,
    usable: Arc<OnceCell<PathBuf>>,
    etc: Current,
}

impl Default for Bubblewrap {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Bubblewrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bubblewrap")
            .field("local", &self.local)
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

impl Bubblewrap {
    /// With the `bwrap` that is found in `PATH`, on a [`LocalProcess`] as it is by default.
    pub fn new() -> Self {
        Self::on(LocalProcess::new())
    }

    /// With the slots, CPUs, GPUs and folder of this launcher.
    pub fn on(local: LocalProcess) -> Self {
        Self { local, program: Arc::new("bwrap".into()), usable: Arc::default(), etc: Current::default() }
    }

    /// With this `bwrap`.
    #[must_use]
    pub fn program(self, path: impl Into<PathBuf>) -> Self {
        Self { program: Arc::new(path.into()), usable: Arc::default(), ..self }
    }

    /// The program's path, when it was seen to work.
    async fn usable(&self) -> Result<PathBuf, LaunchError> {
        let tried = self.usable.get_or_try_init(|| async {
            let program = Arc::clone(&self.program);
            let tried = tokio::task::spawn_blocking(move || probe(&program)).await;
            tried.map_err(|why| LaunchError::Infrastructure(why.to_string()))?
        });
        tried.await.cloned()
    }

    /// Whether sandboxes can be had here.
    ///
    /// # Errors
    /// `bwrap` is missing, or may not make namespaces; the message says what to do.
    pub async fn check(&self) -> Result<(), LaunchError> {
        self.usable().await.map(drop)
    }
}

#[async_trait]
impl Launcher for Bubblewrap {
    async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
        let sandbox = Arc::new(Sandbox {
            bwrap: self.usable().await?,
            current: self.etc.clone(),
            etc: OnceLock::new(),
        });
        self.local.engine().launch(sandbox, id, job, watch).await
    }
}

const INSTALL: &str = "install it (`apt-get install bubblewrap`, `dnf install bubblewrap`, `pacman -S bubblewrap`), or choose \
                       another launcher if the code is trusted";

fn probe(program: &Path) -> Result<PathBuf, LaunchError> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let path = match program.components().count() {
        1 => std::env::split_paths(&search).map(|place| place.join(program)).find(|path| path.is_file()),
        _ => std::path::absolute(program).ok().filter(|path| path.is_file()),
    };
    let path = path.ok_or_else(|| {
        LaunchError::Setup(format!(
            "a sandbox was asked for, and `{}` is not there; {INSTALL}",
            program.display()
        ))
    })?;
    let mut command = Command::new(&path);
    command.args(NAMESPACES).args(["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "/bin/true"]);
    let tried = command.stdin(Stdio::null()).output();
    let tried = tried.map_err(|why| {
        LaunchError::Setup(format!("`{}` cannot be started: {why}; {INSTALL}", path.display()))
    })?;
    if tried.status.success() {
        return Ok(path);
    }
    Err(LaunchError::Setup(format!(
        "a sandbox was asked for, and `{}` cannot make one: {}; unprivileged user namespaces must be allowed (`sysctl \
         kernel.unprivileged_userns_clone=1`, `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; in a container: \
         `--security-opt seccomp=unconfined`)",
        path.display(),
        String::from_utf8_lossy(&tried.stderr).trim()
    )))
}

const NAMESPACES: [&str; 3] = ["--unshare-all", "--die-with-parent", "--new-session"];

struct Sandbox {
    bwrap: PathBuf,
    current: Current,
    /// What is mounted, for as long as the job may look at it.
    etc: OnceLock<Arc<Etc>>,
}

impl Sandbox {
    /// The folder to mount as `/etc`. `None`: each thing is mounted by itself, as where the job names more of it, or where no
    /// copies can be made.
    fn etc(&self, named: &[(PathBuf, &str)]) -> Option<PathBuf> {
        if named.iter().any(|(path, _)| path.starts_with("/etc")) {
            return None;
        }
        match self.current.get() {
            Ok(etc) => Some(self.etc.get_or_init(|| etc).folder()),
            Err(why) => {
                tracing::debug!("no copies of what sandboxes see of /etc: {why}");
                None
            }
        }
    }
}

/// Where a job finds its own folder. Not where it really is: what the folders above are called is nobody's business, and where
/// that is below `/tmp`, which is a folder of the job's, they would have to be made in it.
const OWN: &str = "/job";

/// Where it has its home and its temporary files: in `/tmp`, unless the job has named that, and finds this machine's there.
fn home(folders: &Folders) -> &'static str {
    if folders.names_tmp { "/job-home" } else { "/tmp" }
}

impl Confine for Sandbox {
    fn seen(&self, path: &Path, folders: &Folders) -> PathBuf {
        let own = [(&folders.work, OWN), (&folders.home, home(folders))];
        let mut own = own.into_iter().skip(usize::from(folders.named));
        own.find_map(|(folder, seen)| match path.strip_prefix(folder) {
            Ok(below) if below.as_os_str().is_empty() => Some(seen.into()),
            Ok(below) => Some(Path::new(seen).join(below)),
            Err(_) => None,
        })
        .unwrap_or_else(|| path.into())
    }

    /// The one outside, and the first one within.
    fn processes(&self) -> u64 {
        2
    }

    fn words(
        &self,
        job: &Job,
        folders: &Folders,
        program: &Path,
        loading: Environment,
    ) -> Result<Vec<OsString>, LaunchError> {
        let mut words: Vec<OsString> = vec![self.bwrap.clone().into()];
        let mut add = |these: &[&dyn AsRef<std::ffi::OsStr>]| {
            words.extend(these.iter().map(|word| word.as_ref().into()))
        };
        for flag in NAMESPACES {
            add(&[&flag]);
        }
        if let Some(status) = folders.status {
            add(&[&"--json-status-fd", &status.to_string()]);
        }
        if job.network {
            add(&[&"--share-net"]);
        }
        add(&[&"--cap-drop", &"ALL", &"--hostname", &"sandbox"]);
        let named = named(job, folders, |path| self.seen(path, folders) != path, program)?;
        for path in SYSTEM {
            // As links where they are links, as in systems with one `/usr`.
            match std::fs::read_link(path) {
                Ok(to) if path.matches('/').count() == 1 => add(&[&"--symlink", &to, &path]),
                _ => add(&[&"--ro-bind-try", &path, &path]),
            }
        }
        match self.etc(&named) {
            Some(folder) => add(&[&"--ro-bind", &folder, &"/etc"]),
            None => {
                for path in ETC.map(|name| format!("/etc/{name}")) {
                    add(&[&"--ro-bind-try", &path, &path]);
                }
            }
        }
        add(&[&"--proc", &"/proc", &"--dev", &"/dev", &"--bind", &folders.home, &home(folders)]);
        if !folders.named {
            add(&[&"--bind", &folders.work, &OWN]);
        }
        for (path, how) in named {
            add(&[&how, &path, &path]);
        }
        add(&[&"--remount-ro", &"/"]);
        // What loaders look at must not act on what stands outside of the sandbox.
        for (name, value) in loading {
            add(&[&"--setenv", &name, &value]);
        }
        add(&[&"--chdir", &self.seen(&folders.work, folders), &"--"]);
        Ok(words)
    }
}

/// What is mounted for this job and no other, and how: the outer ones first, so that what is named within another stays as it
/// was named.
fn named(
    job: &Job,
    folders: &Folders,
    is_own: impl Fn(&Path) -> bool,
    program: &Path,
) -> Result<Vec<(PathBuf, &'static str)>, LaunchError> {
    let mut named = Vec::new();
    if folders.named {
        named.push((folders.work.clone(), "--bind"));
    }
    for path in &job.writable {
        named.push((there(path)?, "--dev-bind"));
    }
    for path in job.readable.iter().map(PathBuf::as_path).chain([program]) {
        let path = there(path)?;
        if is_own(&path) {
            continue;
        }
        let of_etc = ETC.iter().any(|name| path.starts_with(Path::new("/etc").join(name)));
        if !of_etc && !SYSTEM.iter().any(|system| path.starts_with(system)) {
            named.push((path, "--ro-bind"));
        }
    }
    if named.iter().any(|(path, _)| path == Path::new(OWN)) {
        return Err(LaunchError::Setup(format!(
            "the job names {OWN}, which is where a sandboxed job has its own folder; name what is in it, or a link to it"
        )));
    }
    named.sort_by_key(|(path, how)| (path.components().count(), *how == "--ro-bind"));
    Ok(named)
}

fn there(path: &Path) -> Result<PathBuf, LaunchError> {
    let way_up = path.components().any(|part| part == std::path::Component::ParentDir);
    let whole = if way_up { path.canonicalize() } else { std::path::absolute(path) };
    match whole {
        Ok(path) if path.exists() => Ok(path),
        _ => Err(LaunchError::Setup(format!(
            "the job names {}, which is not there; make it before the job starts, or leave it out",
            path.display()
        ))),
    }
}
