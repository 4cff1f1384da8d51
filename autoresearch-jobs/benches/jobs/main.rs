//! What launching costs beside the bare command, how full places are kept, and what stays behind.
//!
//! `cargo bench -p autoresearch-jobs --bench jobs [-- --json] [-- --only PART]`; `cargo xtask bench jobs` runs the same. Ratios and
//! differences are taken in turns within one run, because other work on the machine moves all times alike. Without `--bench`
//! (under `cargo test --benches`) everything is played small, to see that it works.

#[cfg(target_os = "linux")]
mod figure;
#[cfg(target_os = "linux")]
mod left;
#[cfg(target_os = "linux")]
mod overhead;
#[cfg(target_os = "linux")]
mod places;

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("SKIPPED: there are no launchers for this system");
}

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use autoresearch_jobs::{Bubblewrap, Launcher, LocalProcess};
    use std::sync::Arc;

    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let only = args.iter().position(|arg| arg == "--only").and_then(|i| args.get(i + 1));
    let wanted = |part: &str| only.is_none_or(|only| part.contains(only.as_str()));
    let scale = figure::Scale { full: has("--bench") };
    let show = |figures: Vec<figure::Figure>| {
        for figure in figures {
            println!("{}", if has("--json") { figure.json() } else { figure.line() });
        }
    };

    let sandboxed = Bubblewrap::new().check().await.inspect_err(|why| eprintln!("SKIPPED: {why}")).is_ok();
    if wanted("overhead") {
        show(overhead::measure(&scale, sandboxed).await?);
    }
    let folder = tempfile::tempdir()?;
    let local = LocalProcess::new().folder(folder.path()).slots(places::SLOTS);
    let mut launchers: Vec<(&str, Arc<dyn Launcher>)> = vec![("LocalProcess", Arc::new(local.clone()))];
    if sandboxed {
        launchers.push(("Bubblewrap", Arc::new(Bubblewrap::on(local))));
    }
    for (name, launcher) in launchers {
        if wanted("places") {
            show(places::measure(&scale, name, &launcher).await?);
        }
        if wanted("left") {
            show(left::measure(&scale, name, &launcher, folder.path()).await?);
        }
    }
    Ok(())
}
