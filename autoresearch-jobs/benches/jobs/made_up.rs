//! A Jobs API that is made up, in a process of its own: what many runs leave in the launcher's memory, without the hour that Ray takes
//! for them.

#[allow(clippy::unwrap_used, dead_code, unreachable_pub)]
#[path = "../../tests/support/ray/fake.rs"]
mod fake;

use crate::figure::{Bound, Figure};
use crate::left;
use autoresearch_jobs::{LaunchError, Launcher, RayJobs};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The argument with which this program is the API, for as long as its input lasts.
pub(crate) const SERVE: &str = "--made-up-ray";

pub(crate) fn serve() {
    let fate = fake::Fate { runs: Some(Duration::from_millis(50)), odd: false, ..fake::Fate::default() };
    println!("{}", fake::Fake::start(fate, |_, _, _| None).address);
    let _ = std::io::stdin().read(&mut [0]);
}

/// Ends with this process, which holds its input.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// So many runs, with as many in flight as on a real head.
pub(crate) async fn measure(runs: u64) -> Result<Vec<Figure>, LaunchError> {
    let failed = |why: std::io::Error| LaunchError::infrastructure(format!("no made-up Ray: {why}"));
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut served = Served(command.spawn().map_err(failed)?);
    let (mut address, out) = (String::new(), served.0.stdout.take());
    out.map(|out| BufReader::new(out).read_line(&mut address)).transpose().map_err(failed)?;
    let launcher: Arc<dyn Launcher> = Arc::new(RayJobs::connect(address.trim())?);
    let left::Played { growth, descriptors, lost } = left::play_halves(&launcher, runs, 16).await?;
    tokio::task::block_in_place(|| drop(launcher));
    let label = |what: &str| format!("RayJobs, made-up API: {what} after {runs} runs");
    Ok(vec![
        Figure::new(label("runs lost"), lost.len() as f64, "", Bound::AtMost(0.0)),
        Figure::new(label("descriptors more"), descriptors as f64, "", Bound::AtMost(0.0)),
        Figure::new(label("memory more since the half,"), growth, "MiB", Bound::AtMost(left::GROWTH)),
    ])
}
