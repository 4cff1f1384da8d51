//! Proposals that were judged together.

use super::sections::figure;
use crate::chart::intervals::{Row, intervals};
use crate::data::{Cohort, Data};
use crate::text;
use maud::{Markup, html};

/// More cohorts than that are left to the JSON.
const COHORTS: usize = 6;

pub(super) fn cohorts(data: &Data) -> Markup {
    html! {
        p { "Proposals that shared runs: arms switch several of them on and off by design, and each effect is estimated beside the others'." }
        @for cohort in data.cohorts.iter().rev().take(COHORTS) { (one_cohort(cohort, data)) }
        @if data.cohorts.len() > COHORTS { p class="quiet" { "The last " (COHORTS) " of " (data.cohorts.len()) " cohorts; the JSON has all." } }
    }
}

fn one_cohort(cohort: &Cohort, data: &Data) -> Markup {
    const MEMBERS: usize = 40;
    let row = |m: &crate::data::Member| {
        let trial = data.proposals.get(data.proposals.binary_search_by_key(&m.proposal, |t| t.id).ok()?)?;
        let label = format!("p{} {}", trial.id, trial.title);
        let interval = m.effect.and_then(|e| e.low.zip(e.high));
        m.effect.map(|e| e.mean).or(m.crude)?;
        Some(Row { label, mean: m.effect.map(|e| e.mean), interval, fate: m.fate, other: m.crude })
    };
    let rows: Vec<Row> = cohort.members.iter().filter_map(row).take(MEMBERS).collect();
    let heard = format!(
        "Effects of {} judged together on incumbent {}, from {} runs.",
        text::of(rows.len() as u64, "proposal"),
        cohort.version,
        if cohort.fresh { "fresh" } else { "ranking" }
    );
    figure(
        |width| intervals(&rows, "improvement beside the others", &heard, width),
        &html! {
            "On incumbent " (cohort.version) ": " (text::of(cohort.members.len() as u64, "proposal")) ", "
            @if cohort.fresh {
                (text::of(cohort.runs, "fresh run")) " of several at once."
                @if cohort.members.iter().any(|m| m.effect.is_some()) { " Filled: the policy's estimate with its interval, adjusted for the others." }
            } @else { (text::of(cohort.runs, "run")) " of several at once that rank: those that come out best are overstated." }
            " Hollow: the plain difference between runs with and without it."
            @if cohort.members.len() > MEMBERS { " The " (MEMBERS) " largest." }
        },
    )
}
