//! `autoresearch report`.

use super::failure::Failure;
use super::store::stored;
use super::{End, Given};
use autoresearch_report::Report;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    given: Given,
    /// The folder to write into (default: `report` beside the study's file).
    #[arg(long, short, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) fn report(arguments: Arguments) -> Result<End, Failure> {
    let place = stored(&arguments.given)?;
    let folder = arguments.out.unwrap_or_else(|| place.store.with_file_name("report"));
    let report = Report::open(&place.store)?.titled(&place.spec.name);
    report.write_all(&folder)?;
    if let Some(damage) = report.data().damage() {
        eprintln!("warning: {damage}");
    }
    println!("{}\n{}", report.in_short().headline, folder.join("report.html").display());
    Ok(End::Done)
}
