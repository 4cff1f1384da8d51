//! Proposals that were judged together.

use super::sections::figure;
use crate::chart::intervals::{Row, intervals};
use crate::data::{Cohort, Data};
use crate::text;
use maud::{Markup, html};

/// More cohorts than that are left to the JSON.
const COHORTS: usize = 4;

pub(super) fn cohorts(data: &Data) -> Markup {
    html! {
        p { "Proposals that shared runs: arms switch several of them on at once, and each effect is estimated beside the others'." }
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
        let mean = m.effect.map(|e| e.mean).or(m.crude)?;
        Some(Row { label, mean, interval, fate: m.fate, other: m.effect.and(m.crude) })
    };
    let rows: Vec<Row> = cohort.members.iter().filter_map(row).take(MEMBERS).collect();
    let heard = format!(
        "Effects of {} judged together on incumbent {}.",
        text::of(rows.len() as u64, "proposal"),
        cohort.version
    );
    figure(
        intervals(&rows, "improvement beside the others", &heard),
        &html! {
            "On incumbent " (cohort.version) ": " (text::of(cohort.members.len() as u64, "proposal")) ", " (text::of(cohort.runs, "run")) " of several at once."
            @if cohort.members.len() > MEMBERS { " The " (MEMBERS) " largest." }
            " Filled: the policy's estimate, where it gave one. Hollow: the plain difference between runs with and without it."
        },
    )
}
