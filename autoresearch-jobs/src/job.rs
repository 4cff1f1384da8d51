//! What is to be run.

use crate::error::LaunchError;
use crate::limits::{JobLimits, Resources};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Variables of the driver that every job gets where they are set: the search path, language and time zone.
pub(crate) const ALWAYS: [&str; 5] = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ"];

/// A file that a job finds in its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileIn {
    /// This text.
    Text(String),
    /// These bytes.
    Bytes(Vec<u8>),
    /// A copy of this file of the driver's.
    At(PathBuf),
}

/// A command with all that it needs and all that it may use: what a [`Launcher`](crate::Launcher) runs.
///
/// ```
/// use autoresearch_jobs::Job;
/// use std::time::Duration;
/// let job = Job::new(["python3", "train.py", "--seed", "7"])
///     .file("train.py", "print('loss: 0.5')")
///     .inherit(["CUDA_VISIBLE_DEVICES"])
///     .env("OMP_NUM_THREADS", "1")
///     .collect(["*.json", "checkpoints/last.bin"], "results/r7")
///     .wall_clock(Duration::from_secs(600))
///     .memory(8 << 30);
/// assert_eq!(job.to_string(), "python3 train.py --seed 7");
/// ```
///
/// # Where it runs
/// In a folder of its own, empty but for the [files](Self::file) and deleted afterwards, unless [`folder`](Self::folder) names
/// another. Its `HOME` and `TMPDIR` are folders of its own, too, or one and the same; they are empty at the start and deleted with it.
///
/// # Environment
/// `PATH`, `LANG`, `LC_ALL`, `LC_CTYPE` and `TZ`, what [`inherit`](Self::inherit) names and what [`env`](Self::env) sets. Name
/// keys with `inherit` rather than write them out with `env`: a job is data that may be stored and shown.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Job {
    /// The program, found in `PATH` or by its path, and its arguments.
    pub command: Vec<String>,
    /// Files that it finds in its folder, by their relative paths.
    pub files_in: BTreeMap<String, FileIn>,
    /// Variables of the driver's environment that it gets as well, where they are set.
    pub inherit: BTreeSet<String>,
    /// Variables with their values.
    pub env: BTreeMap<String, String>,
    /// The folder to run in, which must exist and is left as the job leaves it; `None`: one of its own.
    pub folder: Option<PathBuf>,
    /// Which files are collected when it has ended, however it did: relative paths, or patterns (`*`, `**`, `?`, `{a,b}`).
    /// Symbolic links are neither collected nor followed.
    pub files_out: Vec<String>,
    /// Where they are put, under their relative paths.
    pub collect_into: Option<PathBuf>,
    /// What it may read besides the system and its own folder, where it is confined.
    pub readable: Vec<PathBuf>,
    /// What it may write besides its own folder, where it is confined.
    pub writable: Vec<PathBuf>,
    /// Whether it may use the network, where it is confined.
    pub network: bool,
    /// A file that standard output is written to; it is written anew.
    pub stdout: Option<PathBuf>,
    /// A file that standard error is written to; it is written anew.
    pub stderr: Option<PathBuf>,
    /// What it may use.
    pub limits: JobLimits,
    /// What it needs for itself.
    pub resources: Resources,
}

/// With less memory no program begins, and on the way to it the launcher itself may be held up.
const LEAST_MEMORY: u64 = 1 << 20;

impl Job {
    /// A job that runs this program with these arguments.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self { command: command.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Puts a file with this text into the job's folder.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.files_in.insert(path.into(), FileIn::Text(text.into()));
        self
    }

    /// Puts a copy of a file into the job's folder.
    #[must_use]
    pub fn copy(mut self, path: impl Into<String>, from: impl Into<PathBuf>) -> Self {
        self.files_in.insert(path.into(), FileIn::At(from.into()));
        self
    }

    /// Hands on variables of the driver's environment, as they are when the job starts, where they are set.
    #[must_use]
    pub fn inherit<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.inherit.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Runs in this folder, which must exist, instead of one of the job's own.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Collects files that match into this folder, when the job has ended.
    #[must_use]
    pub fn collect<S: Into<String>>(
        mut self,
        files: impl IntoIterator<Item = S>,
        into: impl Into<PathBuf>,
    ) -> Self {
        self.files_out.extend(files.into_iter().map(Into::into));
        self.collect_into = Some(into.into());
        self
    }

    /// Lets a confined job read this file or folder.
    #[must_use]
    pub fn readable(mut self, path: impl Into<PathBuf>) -> Self {
        self.readable.push(path.into());
        self
    }

    /// Lets a confined job write to this file or folder.
    #[must_use]
    pub fn writable(mut self, path: impl Into<PathBuf>) -> Self {
        self.writable.push(path.into());
        self
    }

    /// Lets a confined job use the network.
    #[must_use]
    pub fn network(mut self) -> Self {
        self.network = true;
        self
    }

    /// Writes standard output and standard error to these files.
    #[must_use]
    pub fn output_to(mut self, stdout: impl Into<PathBuf>, stderr: impl Into<PathBuf>) -> Self {
        (self.stdout, self.stderr) = (Some(stdout.into()), Some(stderr.into()));
        self
    }

    /// At most so much elapsed time.
    #[must_use]
    pub fn wall_clock(mut self, limit: std::time::Duration) -> Self {
        self.limits.wall_clock = Some(limit);
        self
    }

    /// At most so much processor time.
    #[must_use]
    pub fn cpu_time(mut self, limit: std::time::Duration) -> Self {
        self.limits.cpu_time = Some(limit);
        self
    }

    /// At most so many bytes of memory.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.limits.memory = Some(bytes);
        self
    }

    /// At most so many bytes of output.
    #[must_use]
    pub fn output(mut self, bytes: u64) -> Self {
        self.limits.output = Some(bytes);
        self
    }

    /// No file above so many bytes.
    #[must_use]
    pub fn file_size(mut self, bytes: u64) -> Self {
        self.limits.file_size = Some(bytes);
        self
    }

    /// At most so many bytes on the disk, with what is in its folder already.
    #[must_use]
    pub fn disk(mut self, bytes: u64) -> Self {
        self.limits.disk = Some(bytes);
        self
    }

    /// At most so many processes at once.
    #[must_use]
    pub fn processes(mut self, processes: u64) -> Self {
        self.limits.processes = Some(processes);
        self
    }

    /// Collects at most so many bytes of files.
    #[must_use]
    pub fn collected(mut self, bytes: u64) -> Self {
        self.limits.collected = Some(bytes);
        self
    }

    /// With so many CPUs for itself.
    #[must_use]
    pub fn cpus(mut self, cpus: u32) -> Self {
        self.resources.cpus = Some(cpus);
        self
    }

    /// With so many GPUs for itself.
    #[must_use]
    pub fn gpus(mut self, gpus: u32) -> Self {
        self.resources.gpus = gpus;
        self
    }

    /// An option of the engine's own.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.resources.options.insert(name.into(), value.into());
        self
    }

    /// Whether the job makes sense. Launchers check it before anything else.
    ///
    /// # Errors
    /// Says what does not: no command, a path that leaves the job's folder, a variable's name that is none.
    pub fn check(&self) -> Result<(), LaunchError> {
        let wrong = |message: String| Err(LaunchError::Setup(message));
        match self.command.first() {
            None => return wrong("the job has no command; give a program and its arguments".into()),
            Some(program) if program.is_empty() => {
                return wrong("the job's program has an empty name".into());
            }
            Some(_) => {}
        }
        if let Some(text) = self.command.iter().find(|text| text.contains('\0')) {
            return wrong(format!("{text:?} holds a zero byte, which commands cannot"));
        }
        if let Some((name, _)) = self.env.iter().find(|(_, value)| value.contains('\0')) {
            return wrong(format!(
                "the value of the variable {name:?} holds a zero byte, which variables cannot"
            ));
        }
        for path in self.files_in.keys().chain(&self.files_out) {
            let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
            if path.is_empty() || path.contains('\0') || !Path::new(path).components().all(inside) {
                return wrong(format!(
                    "{path:?} is no path within the job's folder; give a relative one without `..`"
                ));
            }
        }
        let parts = |path: &str| -> PathBuf {
            let named = |part: &Component<'_>| matches!(part, Component::Normal(_));
            Path::new(path).components().filter(named).collect()
        };
        let files: BTreeMap<PathBuf, &String> =
            self.files_in.keys().map(|path| (parts(path), path)).collect();
        for (path, name) in &files {
            if path.as_os_str().is_empty() || name.ends_with('/') {
                return wrong(format!("{name:?} names a folder, and is to be a file of the job"));
            }
            if let Some(above) = path.ancestors().skip(1).find_map(|above| files.get(above)) {
                return wrong(format!(
                    "{above:?} and {name:?} cannot both be files: one would be the folder of the other"
                ));
            }
        }
        if files.len() < self.files_in.len() {
            return wrong("two of the job's files have one path; give each its own".into());
        }
        if let (Some(out), Some(err)) = (&self.stdout, &self.stderr)
            && out == err
            && out != Path::new("/dev/null")
        {
            return wrong(format!(
                "standard output and standard error would overwrite one another in {}; give each a file, or join them in the \
                 command with `2>&1`",
                out.display()
            ));
        }
        if !self.files_out.is_empty() && self.collect_into.is_none() {
            return wrong(
                "the job has files to collect and no folder to put them; say `collect_into`".into(),
            );
        }
        for name in self.env.keys().chain(&self.inherit) {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            // Shells drop other names in silence, and there is a shell on most ways.
            if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
                return wrong(format!("{name:?} is no name of a variable; letters, digits and `_` make one"));
            }
        }
        if self.resources.cpus == Some(0) {
            return wrong("the job asks for 0 CPUs; ask for one or more, or leave it out".into());
        }
        let limits = &self.limits;
        let sizes = [limits.memory, limits.address_space, limits.file_size, limits.disk, limits.processes];
        if sizes.contains(&Some(0))
            || [limits.wall_clock, limits.cpu_time].iter().flatten().any(|d| d.is_zero())
        {
            return wrong(
                "the job has a limit of 0, with which nothing runs; leave out what is not to be limited"
                    .into(),
            );
        }
        for (name, limit) in [("memory", limits.memory), ("address space", limits.address_space)] {
            if let Some(limit) = limit.filter(|limit| *limit < LEAST_MEMORY) {
                return wrong(format!(
                    "the job has a limit of {limit} bytes of {name}, with which no program begins: limits are in bytes; give at \
                     least {LEAST_MEMORY} (8 GiB are `8 << 30`)"
                ));
            }
        }
        Ok(())
    }

    /// The environment, but for what the launcher adds.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(crate) fn environment(&self) -> BTreeMap<std::ffi::OsString, std::ffi::OsString> {
        let names = ALWAYS.into_iter().chain(self.inherit.iter().map(String::as_str));
        let inherited = names.filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
        inherited.chain(self.env.iter().map(|(name, value)| (name.into(), value.into()))).collect()
    }
}

/// All but the values of variables, which may be secrets: of those the names.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By its parts, so that a new one is not forgotten here.
        let Self {
            command,
            files_in,
            inherit,
            env,
            folder,
            files_out,
            collect_into,
            readable,
            writable,
            network,
            stdout,
            stderr,
            limits,
            resources,
        } = self;
        f.debug_struct("Job")
            .field("command", command)
            .field("files_in", files_in)
            .field("inherit", inherit)
            .field("env", &env.keys().collect::<Vec<_>>())
            .field("folder", folder)
            .field("files_out", files_out)
            .field("collect_into", collect_into)
            .field("readable", readable)
            .field("writable", writable)
            .field("network", network)
            .field("stdout", stdout)
            .field("stderr", stderr)
            .field("limits", limits)
            .field("resources", resources)
            .finish()
    }
}

/// The command, as a shell would read it.
impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.command.iter().enumerate() {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
            let space = if i > 0 { " " } else { "" };
            match !word.is_empty() && word.chars().all(plain) {
                true => write!(f, "{space}{word}")?,
                false => write!(f, "{space}'{}'", word.replace('\'', r"'\''"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_within_the_folder() {
        let good = Job::new(["true"]).file("a/b", "x").collect(["./c", "d/*.json", "**/e"], "out");
        assert_eq!(good.check(), Ok(()));
        for path in ["", "/etc/passwd", "../x", "a/../../x", "a\0b"] {
            assert!(Job::new(["true"]).file(path, "x").check().is_err(), "{path:?}");
            assert!(Job::new(["true"]).collect([path], "out").check().is_err(), "{path:?}");
        }
    }

    #[test]
    fn nonsense_is_said_to_be_so() {
        let none: [&str; 0] = [];
        let wrong = [
            (Job::new(none), "no command"),
            (Job::new([""]), "empty name"),
            (Job::new(["a\0"]), "zero byte"),
            (Job::new(["a"]).env("A=B", "x"), "name of a variable"),
            (Job::new(["a"]).cpus(0), "0 CPUs"),
            (Job::new(["a"]).memory(0), "limit of 0"),
            (Job::new(["a"]).memory(8), "8 bytes of memory"),
            (Job { files_out: vec!["a".into()], ..Job::new(["a"]) }, "collect_into"),
        ];
        for (job, expected) in wrong {
            let error = job.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_files_cannot_be_is_said() {
        let of = |paths: &[&str]| {
            paths
                .iter()
                .fold(Job::new(["true"]), |job, path| job.file(*path, ""))
                .check()
                .map_err(|why| why.to_string())
        };
        assert_eq!(of(&["a", "b/c", "b/d", "ab"]), Ok(()));
        for (paths, expected) in [
            (&["a", "a/b"][..], "\"a\" and \"a/b\""),
            (&["a/b/c", "./a"], "\"./a\" and \"a/b/c\""),
            (&["."], "names a folder"),
            (&["a/"], "names a folder"),
            (&["a", "./a"], "one path"),
        ] {
            let why = of(paths).unwrap_err();
            assert!(why.contains(expected), "{paths:?}: {why}");
        }
        let same = Job::new(["true"]).output_to("log", "log");
        assert!(same.check().unwrap_err().to_string().contains("overwrite one another"));
        assert_eq!(Job::new(["true"]).output_to("/dev/null", "/dev/null").check(), Ok(()));
    }

    #[test]
    fn values_of_variables_are_not_shown() {
        let job = Job::new(["true"]).env("KEY", "canary\0");
        let why = job.check().unwrap_err().to_string();
        assert!(why.contains("KEY") && why.contains("zero byte") && !why.contains("canary"), "{why}");
        let shown = format!("{job:?} {job:#?}");
        assert!(shown.contains("KEY") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_job_is_data() {
        let job = Job::new(["sh", "-c", "it's"]).file("a", "b").memory(5).gpus(1).option("partition", "gpu");
        assert_eq!(job.to_string(), r"sh -c 'it'\''s'");
        let json = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), job);
        assert_eq!(serde_json::from_str::<Job>(r#"{"command":["true"]}"#).unwrap(), Job::new(["true"]));
        assert!(serde_json::from_str::<Job>(r#"{"comand":["true"]}"#).is_err());
    }
}
