//! What one launch takes beside the bare command.

use crate::figure::{Bound, Figure, Scale, median};
use autoresearch_core::RunId;
use autoresearch_jobs::{Bubblewrap, Job, JobId, LaunchError, Launcher, LocalProcess, Watch};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The most milliseconds that a launch may add.
const ADDED: f64 = 3.0;
/// The most times that a sandboxed launch may take of the bare `bwrap`.
const TIMES: f64 = 1.3;

/// Of each way so many launches, in turns.
pub(crate) async fn measure(scale: &Scale, sandboxed: bool) -> Result<Vec<Figure>, LaunchError> {
    let (local, sandbox) = (LocalProcess::new(), Bubblewrap::new());
    let plain = Job::new(["true"]);
    let minute = Duration::from_secs(60);
    let limited = plain.clone().cpu_time(minute).memory(1 << 30).wall_clock(minute);
    let by_hand = if sandboxed { Some(ByHand::of(&plain).await?) } else { None };
    let mut times: [Vec<f64>; 6] = Default::default();
    for run in 0..scale.of(300, 3) {
        let id = JobId::new("overhead", RunId(run), 0);
        for (which, times) in times.iter_mut().enumerate() {
            if which >= 3 && !sandboxed {
                continue;
            }
            let begun = Instant::now();
            match which {
                0 => bare(&["true"])?,
                1 => drop(local.launch(&id, &plain, &Watch::default()).await?),
                2 => drop(local.launch(&id, &limited, &Watch::default()).await?),
                3 => bare(&BWRAP)?,
                4 => bare(&by_hand.iter().flat_map(ByHand::words).collect::<Vec<_>>())?,
                _ => drop(sandbox.launch(&id, &plain, &Watch::default()).await?),
            }
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    let [bare, plain, limited, bwrap, by_hand, sandboxed] = times;
    let pairs = |one: &[f64], other: &[f64], of: fn(f64, f64) -> f64| {
        median(one.iter().zip(other).map(|(&one, &other)| of(one, other)).collect())
    };
    let less = |one: f64, other: f64| one - other;
    let mut figures = vec![
        Figure::new("bare fork, exec, wait of `true`", median(bare.clone()), "ms", Bound::None),
        Figure::new("LocalProcess adds", pairs(&plain, &bare, less), "ms", Bound::AtMost(ADDED)),
        Figure::new(
            "LocalProcess with limits adds",
            pairs(&limited, &bare, less),
            "ms",
            Bound::AtMost(ADDED),
        ),
    ];
    if !bwrap.is_empty() {
        let times = pairs(&sandboxed, &bwrap, |one, other| one / other);
        figures.push(Figure::new("bare bwrap of `true`", median(bwrap), "ms", Bound::None));
        figures.push(Figure::new("Bubblewrap against bare bwrap", times, "times", Bound::AtMost(TIMES)));
        let times = pairs(&sandboxed, &by_hand, |one, other| one / other);
        figures.push(Figure::new(
            "bwrap of `true`, with our mounts by hand",
            median(by_hand),
            "ms",
            Bound::None,
        ));
        figures.push(Figure::new("Bubblewrap against that", times, "times", Bound::None));
    }
    Ok(figures)
}

/// The command by which `Bubblewrap` starts a job, as a user could write it.
struct ByHand {
    words: Vec<String>,
    /// What it mounts as `/etc` lives as long as this.
    _launcher: Bubblewrap,
    _folder: tempfile::TempDir,
}

impl ByHand {
    fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// A program in the place of `bwrap` takes note of it.
    async fn of(job: &Job) -> Result<Self, LaunchError> {
        let wrong = |why: &dyn std::fmt::Display| LaunchError::infrastructure(why.to_string());
        let folder = tempfile::tempdir().map_err(|why| wrong(&why))?;
        let (note, program) = (folder.path().join("note"), folder.path().join("bwrap"));
        let script = format!("#!/bin/sh\nprintf '%s\\0' \"$@\" >'{}'\nexec bwrap \"$@\"\n", note.display());
        std::fs::write(&program, script).map_err(|why| wrong(&why))?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
            .map_err(|why| wrong(&why))?;
        let own = folder.path().join("own");
        let launcher = Bubblewrap::on(LocalProcess::new().folder(&own)).program(program);
        launcher.launch(&JobId::new("by-hand", RunId(0), 0), job, &Watch::default()).await?;
        let said = std::fs::read_to_string(note).map_err(|why| wrong(&why))?;
        let mut words: Vec<String> =
            ["bwrap"].into_iter().chain(said.trim_end_matches('\0').split('\0')).map(str::to_owned).collect();
        // Nobody listens here.
        if let Some(at) = words.iter().position(|word| word == "--json-status-fd") {
            words.drain(at..at + 2);
        }
        let own = own.display().to_string();
        for path in words.iter().filter(|word| word.starts_with(&own)) {
            std::fs::create_dir_all(Path::new(path).join("work")).map_err(|why| wrong(&why))?;
        }
        Ok(Self { words, _launcher: launcher, _folder: folder })
    }
}

const BWRAP: [&str; 12] = [
    "bwrap",
    "--unshare-all",
    "--die-with-parent",
    "--new-session",
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "true",
];

fn bare(words: &[&str]) -> Result<(), LaunchError> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let done = command.output().map_err(|why| LaunchError::setup(format!("{}: {why}", words[0])))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(LaunchError::setup(format!("{words:?}: {}", String::from_utf8_lossy(&done.stderr)))),
    }
}
