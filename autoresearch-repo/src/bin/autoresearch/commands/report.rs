//! `autoresearch report`.

use super::failure::Failure;
use super::out::say;
use super::store::{place, stored};
use super::{End, Given};
use autoresearch_core::Certified;
use autoresearch_report::{Live, Report};
use serde_json::Value;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    given: Given,
    /// The folder to write into (default: `report` beside the study's file).
    #[arg(long, short, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// What a certification found, a `Certified` of the library as JSON: its totals, leave-one-out and transfer are shown too.
    #[arg(long, value_name = "FILE", conflicts_with = "live")]
    certified: Option<PathBuf>,
    /// Serves the page on 127.0.0.1 with news as they come, and writes nothing; Ctrl-C ends it. A study that has not begun is
    /// waited for. Without a port (`--live=8080`), any that is free.
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "0", conflicts_with = "out")]
    live: Option<u16>,
}

pub(super) async fn report(arguments: Arguments) -> Result<End, Failure> {
    if let Some(port) = arguments.live {
        return live(&place(&arguments.given)?.store, port).await;
    }
    let place = stored(&arguments.given)?;
    let folder = arguments.out.unwrap_or_else(|| place.store.with_file_name("report"));
    let mut report = Report::open(&place.store)?.titled(&place.spec.name);
    if let Some(file) = &arguments.certified {
        report = report.certified(&certified(file)?);
    }
    report.write_all(&folder)?;
    if let Some(damage) = report.data().damage() {
        eprintln!("warning: {damage}");
    }
    say(format!("{}\n{}", report.in_short().headline, folder.join("report.html").display()));
    Ok(End::Done)
}

fn certified(file: &Path) -> Result<Certified<Value>, Failure> {
    let refused =
        |why: String| Failure::input(format!("{}: {why}; it wants a `Certified` as JSON", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| refused(error.to_string()))
}

async fn live(store: &Path, port: u16) -> Result<End, Failure> {
    let refused = |error: std::io::Error| Failure::work(format!("127.0.0.1, port {port}: {error}"));
    let live = Live::bind(store, port).await.map_err(refused)?;
    say(format!("http://{}/", live.address().map_err(refused)?));
    tokio::select! {
        served = live.serve() => served.map_err(refused).map(|()| End::Done),
        _ = tokio::signal::ctrl_c() => Ok(End::Done),
    }
}
