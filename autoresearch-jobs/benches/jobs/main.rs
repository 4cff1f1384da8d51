//! What launching costs beside the bare command, how full places are kept, and what stays behind.
//!
//! `cargo bench -p autoresearch-jobs --bench jobs [-- --json] [-- --only PART] [-- --jobs N] [-- --runs N]`; `cargo xtask bench jobs` runs the same. Ratios and
//! differences are taken in turns within one run, because other work on the machine moves all times alike. Without `--bench`
//! (under `cargo test --benches`) everything is played small, to see that it works, and clusters only where they are named.

#[cfg(target_os = "linux")]
mod cluster;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod figure;
#[cfg(target_os = "linux")]
mod left;
#[cfg(all(target_os = "linux", feature = "ray"))]
mod made_up;
#[cfg(target_os = "linux")]
mod overhead;
#[cfg(target_os = "linux")]
mod places;

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("SKIPPED: there are no launchers for this system");
}

#[cfg(target_os = "linux")]
type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What the command line asks for.
#[cfg(target_os = "linux")]
#[derive(Clone)]
struct Asked {
    scale: figure::Scale,
    json: bool,
    only: Option<String>,
    jobs: Option<u64>,
    runs: Option<u64>,
}

#[cfg(target_os = "linux")]
impl Asked {
    fn read() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        let of = |flag: &str| args.iter().position(|arg| arg == flag).and_then(|i| args.get(i + 1));
        let number = |flag: &str| of(flag).and_then(|number| number.parse().ok());
        let (jobs, runs) = (number("--jobs"), number("--runs"));
        let scale = figure::Scale { full: has("--bench") };
        Self { scale, json: has("--json"), only: of("--only").cloned(), jobs, runs }
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| part.contains(only.as_str()))
    }

    fn show(&self, figures: Vec<figure::Figure>) {
        for figure in figures {
            println!("{}", if self.json { figure.json() } else { figure.line() });
        }
    }
}

#[cfg(target_os = "linux")]
fn main() -> Outcome {
    #[cfg(feature = "ray")]
    if std::env::args().any(|arg| arg == made_up::SERVE) {
        made_up::serve();
        return Ok(());
    }
    let asked = Asked::read();
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime()?.block_on(on_this_machine(&asked))?;
    #[cfg(feature = "ray")]
    if asked.wants("left made-up ray") {
        let runs = asked.runs.unwrap_or_else(|| asked.scale.of(2_000, 20));
        asked.show(runtime()?.block_on(made_up::measure(runs))?);
    }
    let of = |name: &str| asked.wants(&format!("places {name}")) || asked.wants(&format!("left {name}"));
    let named = asked.only.as_ref().is_some_and(|only| only.contains("slurm") || only.contains("ray"));
    if !asked.scale.full && !named {
        return Ok(());
    }
    if of("slurm")
        && let Some(engine) = engine::OnSlurm::start()
    {
        runtime()?.block_on(on_a_cluster(&asked, "slurm", &engine))?;
    }
    #[cfg(feature = "ray")]
    if of("ray") {
        // A thread of its own, for it goes into the head's network.
        let on_ray = move || match engine::OnRay::start() {
            Some(engine) => runtime()?.block_on(on_a_cluster(&asked, "ray", &engine)),
            None => Ok(()),
        };
        std::thread::spawn(on_ray).join().unwrap_or_else(|_| Err("the thread of Ray panicked".into()))?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
async fn on_a_cluster(asked: &Asked, name: &str, engine: &impl engine::Engine) -> Outcome {
    if asked.wants(&format!("places {name}")) {
        let jobs = asked.jobs.unwrap_or_else(|| asked.scale.of(200, 4));
        asked.show(cluster::places(&asked.scale, jobs, engine).await?);
    }
    if asked.wants(&format!("left {name}")) {
        let runs = asked.runs.unwrap_or_else(|| asked.scale.of(2_000, 20));
        asked.show(cluster::left(runs, engine).await?);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
async fn on_this_machine(asked: &Asked) -> Outcome {
    use autoresearch_jobs::{Bubblewrap, Launcher, LocalProcess};
    use std::sync::Arc;

    let Asked { scale, .. } = asked;
    let (wanted, show) = (|part: &str| asked.wants(part), |figures| asked.show(figures));

    let sandboxed = Bubblewrap::new().check().await.inspect_err(|why| eprintln!("SKIPPED: {why}")).is_ok();
    if wanted("overhead") {
        show(overhead::measure(scale, sandboxed).await?);
    }
    let folder = tempfile::tempdir()?;
    let local = LocalProcess::new().folder(folder.path()).slots(places::SLOTS);
    let mut launchers: Vec<(&str, Arc<dyn Launcher>)> = vec![("LocalProcess", Arc::new(local.clone()))];
    if sandboxed {
        launchers.push(("Bubblewrap", Arc::new(Bubblewrap::on(local))));
    }
    for (name, launcher) in launchers {
        if wanted("places") {
            show(places::measure(scale, name, &launcher).await?);
        }
        if wanted("left") {
            show(left::measure(scale, name, &launcher, folder.path()).await?);
        }
    }
    Ok(())
}
