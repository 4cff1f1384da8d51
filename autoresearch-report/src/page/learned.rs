//! What was learned: who proposes what holds, and what to look at again.

use crate::data::Data;
use crate::text;
use autoresearch_core::{Calibration, GroupLesson};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// More groups, near misses or changes of sign than that are left to the JSON.
const MOST: usize = 20;

pub(super) fn learned(data: &Data) -> Markup {
    let lessons = &data.learned;
    let due = |miss: &autoresearch_core::NearMiss| miss.is_due(lessons.version);
    html! {
        (groups("By source", &lessons.sources))
        (groups("By tag", &lessons.tags))
        @if !lessons.near_misses.is_empty() {
            h3 { "Near misses" }
            p { "Measured to be better, and not kept: what is best may be luck. The incumbent has moved since those that are due for a second look." }
            ul { @for miss in lessons.near_misses.iter().take(MOST) { li {
                (miss.proposal.to_string()) " " bdi { (miss.title) } ": " (miss.effect.to_string()) ", " (miss.fate.to_string()) @if due(miss) { ", " strong { "due" } }
            } } }
        }
        @if !lessons.sign_changes.is_empty() {
            h3 { "Better on one incumbent, worse on another" }
            ul { @for c in lessons.sign_changes.iter().rev().take(MOST) { li {
                (c.proposal.to_string()) " " bdi { (c.title) } ": " (text::signed(c.before.0)) " on incumbent " (c.before.1.0) ", " (text::signed(c.after.0)) " on incumbent " (c.after.1.0)
            } } }
        }
    }
}

fn groups(heading: &str, groups: &BTreeMap<String, GroupLesson>) -> Markup {
    // Those that were tried most first; by name among equals.
    let mut sorted: Vec<(&String, &GroupLesson)> = groups.iter().collect();
    sorted.sort_by_key(|(_, group)| std::cmp::Reverse(group.tried));
    let right = |group: &GroupLesson| calibration(&group.calibration);
    let predicted = sorted.iter().any(|(_, group)| right(group).is_some());
    html! {
        @if !sorted.is_empty() {
            h3 { (heading) }
            div class="wide" tabindex="0" role="region" aria-label=(heading) {
                table {
                    thead { tr {
                        th scope="col" {} th scope="col" class="n" { "Tried" } th scope="col" class="n" { "Kept" } th scope="col" class="n" { "Runs" }
                        th scope="col" class="n" { "Mean effect" } th scope="col" { "What became of the others" }
                        @if predicted { th scope="col" { "Its predictions" } }
                    } }
                    tbody { @for (name, group) in sorted.iter().take(MOST) { tr {
                        th scope="row" { bdi { (name) } }
                        td class="n" { (text::count(u64::from(group.tried))) } td class="n" { (text::count(u64::from(group.kept))) } td class="n" { (text::count(group.runs)) }
                        td class="n" { (effect(group)) }
                        td { @for (i, (fate, n)) in group.fates.iter().filter(|(fate, _)| *fate != "kept").enumerate() { @if i > 0 { ", " } (n) " " (fate) } @if !group.last_failure.is_empty() { "; failed last: " bdi { (text::line(&group.last_failure, 120)) } } }
                        @if predicted { td { (right(group).unwrap_or_default()) } }
                    } } }
                }
            }
            @if sorted.len() > MOST { p class="quiet" { "The " (MOST) " that were tried most; the JSON has all." } }
        }
    }
}

fn effect(group: &GroupLesson) -> String {
    let Some(mean) = group.effect else { return "-".into() };
    let (mean, ends) = text::estimate(mean, group.interval);
    match ends {
        Some((low, high)) => format!("{mean} ({low} to {high})"),
        None => mean,
    }
}

fn calibration(c: &Calibration) -> Option<String> {
    let slope = c.slope.zip(c.slope_error).map(|(slope, error)| {
        format!("{} ± {} measured for each 1 predicted", text::signed(slope), text::number(error))
    });
    let brier = c.brier.zip(c.brier_of_share).map(|(brier, share)| {
        let (brier, share) = (text::number(brier), text::number(share));
        format!("Brier score {brier} of the probability of being kept; {share} for always saying the share")
    });
    let within = c.coverage.map(|share| format!("{:.0} % within two stated deviations", 100.0 * share));
    let said: Vec<String> = [slope, within, brier].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}
