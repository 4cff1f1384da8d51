//! `autoresearch status`.

use super::failure::Failure;
use super::store::stored;
use super::{End, Given};
use autoresearch_report::Report;

pub(super) fn status(given: &Given) -> Result<End, Failure> {
    let short = Report::open(stored(given)?.store)?.in_short();
    println!("{}\n{}", short.headline, short.state);
    for (what, lines) in
        [("Certain", &short.certain), ("Not certain", &short.uncertain), ("Cost", &short.cost)]
    {
        if !lines.is_empty() {
            println!("\n{what}:");
        }
        lines.iter().for_each(|line| println!("- {line}"));
    }
    Ok(End::Done)
}
