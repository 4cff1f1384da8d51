//! Tables of proposals.

use crate::chart::mark;
use crate::data::{Change, Data, Trial};
use crate::summary;
use crate::text;
use maud::{Markup, html};

/// Kept edits with their differences take up to so many bytes of the page.
const ROOM: usize = 400_000;

/// As many kept edits have their differences in view; of more they are folded away.
const OPEN: usize = 12;

/// A fate with its sign.
pub(super) fn fate(trial: &Trial) -> Markup {
    html! { span class={ "fate " (mark::class(trial.fate)) } { (mark::name(trial.fate)) } }
}

/// The edits that are part of the incumbent.
pub(super) fn kept(data: &Data) -> Markup {
    let mut room = ROOM;
    let kept: Vec<&Trial> = data.kept().collect();
    let open = kept.len() <= OPEN;
    html! {
        @if kept.is_empty() { p { "Nothing was kept: the baseline stands." } } @else {
            div class="wide" tabindex="0" role="region" aria-label="Kept edits" {
                table {
                    thead { tr { th scope="col" { "Edit" } th scope="col" class="n" { "Improvement" } th scope="col" { "Evidence" } th scope="col" class="n" { "Cost" } } }
                    tbody {
                        @for trial in &kept { (row(trial, open, &mut room)) }
                    }
                }
            }
            p class="quiet" { "Improvement over the incumbent of then, with its interval. Cost: runs that trained the edit, and their time; that of a run of several edits is divided evenly among them." }
        }
    }
}

fn row(trial: &Trial, open: bool, room: &mut usize) -> Markup {
    let details = details(trial);
    let size = details.0.len();
    let fits = size <= *room;
    *room -= if fits { size } else { 0 };
    html! {
        tr {
            td {
                span class="id" { "p" (trial.id) } " " bdi { (trial.title) }
                @if fits && size > 0 {
                    details open[open] { summary { "Hypothesis and change" } (details) }
                } @else if size > 0 {
                    p class="quiet" { "What it changes is left out here for the size of the page; the JSON has it." }
                }
            }
            td class="n" { (effect(trial)) }
            td { (summary::evidence(trial)) @if !trial.reason.is_empty() { p class="quiet" { bdi { (trial.reason) } } } }
            td class="n" { (text::of(trial.runs, "run")) span class="quiet" { (text::duration(trial.share)) } }
        }
    }
}

/// An effect, and below it its interval.
fn effect(trial: &Trial) -> Markup {
    let Some(effect) = trial.effect else { return html! { "not measured" } };
    html! {
        @match text::estimate(effect.mean, effect.low.zip(effect.high)) {
            (mean, Some((low, high))) => { strong { (mean) } span class="quiet" { (format!("{:.0}", effect.level * 100.0)) " %: " (low) " to " (high) } }
            (mean, None) => { strong { (mean) } span class="quiet" { "no interval" } }
        }
    }
}

/// Why, and what changes.
fn details(trial: &Trial) -> Markup {
    html! {
        @if !trial.rationale.is_empty() { p class="pre" { bdi { (trial.rationale) } } }
        @if let Some(expected) = trial.expected { p { "Expected improvement: " (text::signed(expected)) } }
        @if !trial.tags.is_empty() { p { "Tags: " @for tag in &trial.tags { code { bdi { (tag) } } " " } } }
        @let kept = kept_changes(trial);
        @if !kept.is_empty() && kept.len() <= 24 {
            @for change in &kept { (one(change)) }
        }
        @if kept.len() < trial.changes.len() { p class="quiet" { "Only these " (kept.len()) " of its " (trial.changes.len()) " changes were kept." } }
        @if !trial.change.is_empty() { (diff(&trial.change)) }
    }
}

/// Its changes, or those of the units of it that were kept.
fn kept_changes(trial: &Trial) -> Vec<&Change> {
    let Some(units) = &trial.units else { return trial.changes.iter().collect() };
    let of = |change: &&Change| units.contains(&change.unit);
    let kept: Vec<&Change> = trial.changes.iter().filter(of).collect();
    // Units that are none of fields: of a candidate that merges in another way.
    if kept.is_empty() { trial.changes.iter().collect() } else { kept }
}

pub(super) fn one(change: &Change) -> Markup {
    let side = |x: &Option<String>| text::line(x.as_deref().unwrap_or("(nothing)"), 200);
    html! {
        @match &change.diff {
            Some(text) => { p { code { bdi { (change.path) } } } (diff(text)) }
            None => p class="change" {
                @if !change.path.is_empty() { code { bdi { (change.path) } } ": " }
                del { bdi { (side(&change.from)) } } " → " ins { bdi { (side(&change.to)) } }
            }
        }
    }
}

/// A text in which lines that begin with + or − are told apart by more than their colour.
fn diff(text: &str) -> Markup {
    html! {
        pre class="diff" tabindex="0" {
            @for line in text.lines() {
                @let class = match line.chars().next() { Some('+') => "add", Some('-') => "cut", Some('@') => "at", _ => "" };
                @if class.is_empty() { bdi { (line) } } @else { bdi class=(class) { (line) } }
                "\n"
            }
        }
    }
}

/// How many rows are there without a script.
const STATIC: usize = 100;

/// All proposals, for the script to sort and filter; without one, the last of them.
pub(super) fn all(data: &Data) -> Markup {
    let columns = [
        ("id", "Proposal", ""),
        ("title", "What changes", ""),
        ("fate", "Fate", ""),
        ("effect", "Improvement", "n"),
        ("runs", "Runs", "n"),
        ("seconds", "Time", "n"),
    ];
    let members = data.stack().map_or(&[][..], |stack| stack.members.as_slice());
    html! {
        form id="filter" role="search" hidden {
            label { "Find " input type="search" id="find" autocomplete="off"; }
            label { "Fate " select id="fate" { option value="" { "all" } } }
            span id="found" role="status" {}
        }
        div class="wide" tabindex="0" role="region" aria-label="All proposals" {
            table id="all" {
                thead { tr { @for (key, title, class) in columns { th scope="col" class=(class) data-key=(key) { (title) } } } }
                tbody {
                    @for trial in data.proposals.iter().rev().take(STATIC) {
                        tr {
                            td class="id" { "p" (trial.id) }
                            td { bdi { (text::line(&trial.title, 120)) } }
                            td { (fate(trial)) @if members.binary_search(&trial.id).is_ok() { ", in the stack" } }
                            td class="n" { @if trial.effect.is_some() { (summary::effect(trial)) } @else { "–" } }
                            td class="n" { (trial.runs) }
                            td class="n" { (text::duration(trial.share)) }
                        }
                    }
                }
            }
        }
        p id="pages" class="pages" {}
        @if data.proposals.len() > STATIC { noscript { p { "Without its script the page shows the last " (STATIC) " proposals; results.tsv and the JSON have all." } } }
    }
}
