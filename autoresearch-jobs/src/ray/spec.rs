//! What a node is told about a job.

use super::Settings;
use super::package::{Package, hex};
use crate::error::LaunchError;
use crate::job::{FileIn, Job};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The script that runs jobs.
const SCRIPT: &str = include_str!("job.py");
/// Its name in packages.
const NAME: &str = "autoresearch_job.py";
/// Up to so many bytes it goes along with the submission, and above that in the package: each list of jobs repeats it.
const ALONG: usize = 8 << 10;
/// Bytes of output that are shown in Ray's own log.
const ECHO: usize = 256 << 10;

#[derive(Serialize)]
struct Spec<'a> {
    launch: &'a str,
    command: &'a [String],
    env: &'a BTreeMap<String, String>,
    /// In base 64.
    files: BTreeMap<&'a str, String>,
    packed: Vec<&'a str>,
    modes: BTreeMap<&'a str, u32>,
    limits: Limits,
    collect: Vec<String>,
    folder: Option<&'a Path>,
    at: Option<&'a Path>,
    echo: usize,
    returned: u64,
}

#[derive(Serialize)]
struct Limits {
    wall_clock: Option<f64>,
    cpu_time: Option<f64>,
    memory: Option<u64>,
    address_space: Option<u64>,
    output: Option<u64>,
    file_size: Option<u64>,
    collected: Option<u64>,
}

/// A job with all that was read for it: its files and its environment.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) job: Job,
    files: BTreeMap<String, (Vec<u8>, u32)>,
    env: BTreeMap<String, String>,
    patterns: Vec<String>,
    /// What is to be collected.
    pub(super) wanted: GlobSet,
    /// A hash of all that it is.
    pub(super) content: String,
}

/// How a launch is handed over.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) package: Package,
    pub(super) variables: BTreeMap<String, String>,
}

impl Read {
    /// Reads the job's files and the variables that it inherits.
    pub(super) fn new(job: &Job) -> Result<Self, LaunchError> {
        // Relative to where the study stands, as for every launcher; the node stands elsewhere.
        let folder = job.folder.as_ref().map(std::path::absolute).transpose();
        let job =
            &Job { folder: folder.map_err(LaunchError::io("the current folder is gone"))?, ..job.clone() };
        let mut files = BTreeMap::new();
        for (name, file) in &job.files_in {
            let name = name.trim_start_matches("./").to_owned();
            files.insert(name, contents(file)?);
        }
        let mut env = BTreeMap::new();
        for name in &job.inherit {
            if let Some(value) = std::env::var_os(name) {
                let value = value.into_string().map_err(|_| {
                    LaunchError::Setup(format!(
                        "the variable {name} is no UTF-8, as it must be for Ray; leave it out"
                    ))
                })?;
                env.insert(name.clone(), value);
            }
        }
        env.extend(job.env.clone());
        let (mut wanted, mut patterns) = (GlobSetBuilder::new(), Vec::new());
        for pattern in &job.files_out {
            let wrong = |why| LaunchError::Setup(format!("{pattern:?} is no pattern for files: {why}"));
            let glob = GlobBuilder::new(pattern.trim_start_matches("./"))
                .literal_separator(true)
                .build()
                .map_err(wrong)?;
            // As Python reads it: it matches whole names of bytes in any case.
            let regex =
                glob.regex().trim_start_matches("(?-u)").trim_start_matches('^').trim_end_matches('$');
            patterns.push(regex.to_owned());
            wanted.add(glob);
        }
        let wanted = wanted.build().map_err(|why| LaunchError::Setup(why.to_string()))?;
        let content = content(job, &files, &env);
        Ok(Self { job: job.clone(), files, env, patterns, wanted, content })
    }

    /// Everything that the node needs: in the launch's own folder on shared storage, or in package and environment.
    pub(super) fn hand(
        &self,
        launch: &str,
        at: Option<&Path>,
        settings: &Settings,
    ) -> Result<Handed, LaunchError> {
        let encode = |packed: bool| {
            let text = serde_json::to_vec(&self.spec(launch, at, packed, settings));
            text.map_err(|why| LaunchError::Infrastructure(why.to_string()))
        };
        if let Some(at) = at {
            let spec = encode(true)?;
            self.write(at, &spec)
                .map_err(LaunchError::io(format!("cannot write to the shared folder {}", at.display())))?;
            let variables =
                BTreeMap::from([("AUTORESEARCH_SPEC_AT".into(), at.join("spec.json").display().to_string())]);
            return Ok(Handed { package: script_alone()?, variables });
        }
        let small = self.files.values().map(|(bytes, _)| bytes.len()).sum::<usize>() <= ALONG;
        let spec = encode(!small)?;
        if spec.len() <= 2 * ALONG && small {
            let variables = BTreeMap::from([("AUTORESEARCH_SPEC".into(), STANDARD.encode(spec))]);
            return Ok(Handed { package: script_alone()?, variables });
        }
        let spec = encode(true)?;
        let files = self.files.iter().map(|(name, (bytes, _))| (format!("files/{name}"), &**bytes));
        let script = (NAME.to_owned(), SCRIPT.as_bytes());
        let all = [script, ("spec.json".to_owned(), &*spec)].into_iter().chain(files);
        Ok(Handed { package: Package::of(all)?, variables: BTreeMap::new() })
    }

    fn spec<'a>(
        &'a self,
        launch: &'a str,
        at: Option<&'a Path>,
        packed: bool,
        settings: &Settings,
    ) -> Spec<'a> {
        let limits = &self.job.limits;
        let names = self.files.keys().map(String::as_str);
        let modes = self.files.iter().filter(|(_, (_, mode))| mode & 0o111 != 0);
        Spec {
            launch,
            command: &self.job.command,
            env: &self.env,
            files: match packed {
                true => BTreeMap::new(),
                false => {
                    self.files.iter().map(|(name, (bytes, _))| (&**name, STANDARD.encode(bytes))).collect()
                }
            },
            packed: if packed { names.collect() } else { Vec::new() },
            modes: modes.map(|(name, (_, mode))| (&**name, *mode)).collect(),
            limits: Limits {
                wall_clock: limits.wall_clock.map(|d| d.as_secs_f64()),
                cpu_time: limits.cpu_time.map(|d| d.as_secs_f64()),
                memory: limits.memory,
                address_space: limits.address_space,
                output: limits.output,
                file_size: limits.file_size,
                collected: limits.collected,
            },
            collect: self.patterns.clone(),
            folder: self.job.folder.as_deref(),
            at,
            echo: ECHO,
            returned: settings.returned,
        }
    }

    fn write(&self, at: &Path, spec: &[u8]) -> std::io::Result<()> {
        private(at)?;
        for (name, (bytes, _)) in &self.files {
            let path = at.join("in").join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, bytes)?;
        }
        let half = at.join("spec.half");
        fs::write(&half, spec)?;
        fs::rename(half, at.join("spec.json"))
    }
}

/// The package of most jobs. Packing takes some hundred KiB of memory for a moment: once is enough.
fn script_alone() -> Result<Package, LaunchError> {
    static ALONE: OnceLock<Package> = OnceLock::new();
    if let Some(package) = ALONE.get() {
        return Ok(package.clone());
    }
    let package = Package::of([(NAME.to_owned(), SCRIPT.as_bytes())])?;
    Ok(ALONE.get_or_init(|| package).clone())
}

/// A folder that only its owner can look into: what is in it may hold secrets.
fn private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn contents(file: &FileIn) -> Result<(Vec<u8>, u32), LaunchError> {
    Ok(match file {
        FileIn::Text(text) => (text.clone().into_bytes(), 0),
        FileIn::Bytes(bytes) => (bytes.clone(), 0),
        FileIn::At(path) => {
            let bytes = fs::read(path).map_err(|why| {
                LaunchError::Setup(format!(
                    "the job's file {} cannot be read: {why}; make it, or leave it out",
                    path.display()
                ))
            })?;
            (bytes, mode(path))
        }
    })
}

#[cfg(unix)]
fn mode(path: &PathBuf) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).map_or(0, |about| about.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &PathBuf) -> u32 {
    0
}

fn content(job: &Job, files: &BTreeMap<String, (Vec<u8>, u32)>, env: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    // What the driver does with what comes back is no part of what the job is.
    let asked = Job { collect_into: None, stdout: None, stderr: None, ..job.clone() };
    add(serde_json::to_string(&asked).unwrap_or_default().as_bytes());
    for (name, (bytes, mode)) in files {
        add(name.as_bytes());
        add(bytes);
        add(&mode.to_le_bytes());
    }
    for (name, value) in env {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    hex(&hash.finalize()[..8])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(job: Job) -> Read {
        Read::new(&job).unwrap()
    }

    #[test]
    fn small_jobs_share_a_package_and_large_ones_have_their_own() {
        let hand = |job: Job| read(job).hand("L", None, &Settings::default()).unwrap();
        let one = hand(Job::new(["true"]).file("request.json", "{}"));
        let two = hand(Job::new(["false"]).file("request.json", "[]"));
        assert_eq!(one.package.name, two.package.name);
        assert_ne!(one.variables, two.variables);
        let large = hand(Job::new(["true"]).file("data", "x".repeat(10_000)));
        assert!(large.package.name != one.package.name && large.variables.is_empty());
        let long = hand(Job::new(["true".to_owned(), "x".repeat(200_000)]));
        assert!(long.variables.is_empty());
    }

    #[test]
    fn on_shared_storage_nothing_but_a_path_goes_along() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("launch");
        let job = Job::new(["true"]).env("KEY", "canary").file("a/b", "text");
        let handed = read(job).hand("L", Some(&at), &Settings::default()).unwrap();
        assert!(!format!("{:?}", handed.variables).contains("canary"));
        assert_eq!(fs::read_to_string(at.join("in/a/b")).unwrap(), "text");
        assert!(fs::read_to_string(at.join("spec.json")).unwrap().contains("canary"));
        #[cfg(unix)]
        assert_eq!(mode(&at) & 0o077, 0);
    }

    #[test]
    fn whatever_a_job_is_shows_in_its_hash() {
        let job = || Job::new(["true"]).file("a", "b").env("C", "d");
        let same = read(job()).content;
        assert_eq!(read(job()).content, same);
        for other in [job().file("a", "c"), job().env("C", "e"), job().memory(5), Job::new(["true"])] {
            assert_ne!(read(other).content, same);
        }
    }

    #[test]
    fn a_folder_is_told_from_where_the_study_stands() {
        let absolute = std::env::current_dir().unwrap().join("runs");
        assert_eq!(read(Job::new(["true"]).folder("runs")).job.folder, Some(absolute));
    }

    #[test]
    fn a_missing_file_is_said_to_be_missing() {
        let error = Read::new(&Job::new(["true"]).copy("a", "/no/such/file")).unwrap_err();
        assert!(matches!(&error, LaunchError::Setup(why) if why.contains("/no/such/file")), "{error}");
    }
}
