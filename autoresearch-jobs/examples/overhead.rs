//! What a launch takes, beside the bare command: `cargo run --release -p autoresearch-jobs --example overhead [repetitions]`.

#[cfg(not(target_os = "linux"))]
fn main() {}

/// Medians in milliseconds, measured in turns, so that a machine that is busy for a while is so for all.
#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use autoresearch_core::RunId;
    use autoresearch_jobs::{Bubblewrap, Job, JobId, Launcher, LocalProcess, Watch};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let repetitions: u64 = std::env::args().nth(1).map_or(Ok(200), |text| text.parse())?;
    let (local, sandbox) = (LocalProcess::new(), Bubblewrap::new());
    let has_sandbox = sandbox.check().await.inspect_err(|why| eprintln!("SKIPPED: {why}")).is_ok();
    let plain = Job::new(["true"]);
    let limited =
        plain.clone().cpu_time(Duration::from_secs(60)).memory(1 << 30).wall_clock(Duration::from_secs(60));
    let mut times: [Vec<f64>; 5] = Default::default();
    let bare = |words: &[&str]| -> std::io::Result<()> {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.output().map(drop)
    };
    let bwrap =
        ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/", "true"];
    for run in 0..repetitions {
        let id = JobId::new("overhead", RunId(run), 0);
        for (which, times) in times.iter_mut().enumerate() {
            if which >= 3 && !has_sandbox {
                continue;
            }
            let begun = Instant::now();
            match which {
                0 => bare(&["true"])?,
                1 => drop(local.launch(&id, &plain, &Watch::default()).await?),
                2 => drop(local.launch(&id, &limited, &Watch::default()).await?),
                3 => bare(&bwrap)?,
                _ => drop(sandbox.launch(&id, &plain, &Watch::default()).await?),
            }
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    let names = ["bare fork, exec, wait", "LocalProcess", "LocalProcess, limits", "bare bwrap", "Bubblewrap"];
    for (name, mut times) in names.into_iter().zip(times).filter(|(_, times)| !times.is_empty()) {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!("{name:>24}: median {:.2} ms, 90 % below {:.2} ms", at(0.5), at(0.9));
    }
    Ok(())
}
