//! `autoresearch status`.

use super::failure::Failure;
use super::out::say;
use super::store::stored;
use super::{End, Given};
use autoresearch_report::Report;

pub(super) fn status(given: &Given) -> Result<End, Failure> {
    let short = Report::open(stored(given)?.store)?.in_short();
    say(format!("{}\n{}", short.headline, short.state));
    for (what, lines) in
        [("Certain", &short.certain), ("Not certain", &short.uncertain), ("Cost", &short.cost)]
    {
        if !lines.is_empty() {
            say(format!("\n{what}:"));
        }
        lines.iter().for_each(|line| say(format!("- {line}")));
    }
    Ok(End::Done)
}
