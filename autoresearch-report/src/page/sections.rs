//! What the page says, part by part.

use super::background::{about, noise, predicted, spend};
use super::certified::certified;
use super::cohorts::cohorts;
use super::judged::{checks, evidence, funnel, held};
use super::learned::learned;
use super::stacked::stacked;
use super::{Section, proposals};
use crate::chart::intervals::{Row, intervals};
use crate::chart::progress::{Along, is_shaky, late, progress};
use crate::chart::scatter::strengths;
use crate::chart::{Width, legend};
use crate::data::{Data, Trial};
use crate::report::Report;
use crate::summary::Summary;
use crate::text;
use autoresearch_core::Effect;
use maud::{Markup, html};

pub(super) fn all(report: &Report, summary: &Summary) -> Vec<Section> {
    let data = report.data();
    let there =
        |yes: bool, id, title, body: &dyn Fn() -> Markup| yes.then(|| Section { id, title, body: body() });
    let proposed = !data.proposals.is_empty();
    [
        there(true, "summary", "In short", &|| short(data, summary)),
        there(data.cost.runs > 0, "progress", "Progress", &|| charts(data)),
        there(data.study.is_some(), "kept", "Kept edits", &|| kept(data)),
        there(data.stack().is_some(), "stack", "The unproven stack", &|| stacked(data)),
        there(proposed, "funnel", "From proposal to kept", &|| funnel(data, report)),
        there(
            data.holdout.is_some() || data.result.is_some(),
            "holdout",
            "Validation against held-out",
            &|| held(data, report),
        ),
        there(has_evidence(data), "evidence", "Evidence as it grew", &|| evidence(data)),
        there(!data.cohorts.is_empty(), "cohorts", "Judged together", &|| cohorts(data)),
        there(report.certificate().is_some(), "certified", "Certification", &|| {
            report.certificate().map_or_else(Markup::default, |c| certified(c, data))
        }),
        there(data.cost.runs > 0, "checks", "Overfitting checks", &|| checks(report.checks())),
        there(data.noise.is_some(), "noise", "Noise and drift", &|| noise(data)),
        there(data.predicted.is_some(), "predicted", "Expected against measured", &|| predicted(data)),
        there(!data.learned.is_empty(), "learned", "What was learned", &|| learned(data)),
        there(data.cost.runs > 0 || !data.cost.charges.is_empty(), "spend", "What it cost", &|| spend(data)),
        there(proposed, "proposals", "All proposals", &|| proposals::all(data)),
        there(true, "about", "About this study", &|| about(data)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn has_evidence(data: &Data) -> bool {
    !data.evidence.is_empty() || !data.together.is_empty() || strengths(data).next().is_some()
}

/// A picture with its caption, drawn for broad and for narrow screens, of which one is shown.
pub(super) fn figure(draw: impl Fn(Width) -> Option<Markup>, caption: &Markup) -> Markup {
    const HEARD: &str = "chart; arrow keys go from dot to dot";
    html! {
        @if let Some(svg) = draw(Width::Broad) {
            @let narrow = draw(Width::Narrow);
            figure class=[narrow.as_ref().map(|_| "two")] {
                div class="wide chart" tabindex="0" role="group" aria-label=(HEARD) { (svg) }
                @if let Some(svg) = narrow { div class="narrow chart" tabindex="0" role="group" aria-label=(HEARD) { (svg) } }
                figcaption { (caption) }
            }
        }
    }
}

pub(super) fn list(items: &[String]) -> Markup {
    html! { ul { @for item in items { li { bdi { (item) } } } } }
}

fn short(data: &Data, summary: &Summary) -> Markup {
    html! {
        p class="headline" { (summary.headline) }
        p { bdi { (summary.state) } }
        @if data.state.events > 0 {
            div class="columns" {
                div { h3 { "Certain" } @if summary.certain.is_empty() { p { "Nothing yet." } } (list(&summary.certain)) }
                div { h3 { "Not certain" } @if summary.uncertain.is_empty() { p { "Nothing that these data show." } } (list(&summary.uncertain)) }
                div { h3 { "Cost" } (list(&summary.cost)) }
            }
        }
    }
}

fn legend(data: &Data) -> Markup {
    html! {
        ul class="legend" {
            @for key in legend::keys(data) {
                li class=[(key.width > 12.0).then_some("long")] { svg viewBox=(format!("0 0 {} 12", key.width)) aria-hidden="true" { (key.marks) } (key.text) }
            }
        }
    }
}

fn charts(data: &Data) -> Markup {
    html! {
        (legend(data))
        (figure(|width| progress(data, Along::Runs, width), &html! {
            "Over runs. The line is the incumbent's mean on validation, the band its 95 % interval where it has run twice or more since it became the incumbent." @if data.incumbents.iter().any(is_shaky) { " Dashed steps rest on the very runs that chose them, or on what was claimed, and look better than they are." } " A dot is a proposal: the mean of the runs that trained it alone, else of those that trained it with others, else the incumbent of then and the measured effect, where it was settled."
        }))
        @if let Some(from) = late(data) {
            (figure(|width| progress(data, Along::Late(from), width), &html! { "The same from run " (text::count(from)) " on, when four fifths of the gain had been made, on a scale of its own; lines beyond its edges are left out." }))
        }
        (figure(|width| progress(data, Along::Time, width), &html! { "The same over time." }))
    }
}

fn kept(data: &Data) -> Markup {
    let rows: Vec<Row> = data.kept().filter_map(|trial| effect_row(trial, trial.effect)).collect();
    let many = rows.len() > 60;
    let rows: Vec<Row> = rows.into_iter().rev().take(60).rev().collect();
    html! {
        @if rows.len() > 1 {
            (figure(|width| intervals(&rows, "improvement", "Kept edits with their measured improvements; the table below has the same numbers.", width), &html! {
                "Improvement of each kept edit over the incumbent of then, with its interval, oldest first." @if many { " The last 60." }
            }))
        }
        (proposals::kept(data))
    }
}

fn effect_row(trial: &Trial, effect: Option<Effect>) -> Option<Row> {
    Some(Row::of(format!("p{} {}", trial.id, trial.title), trial.fate, effect?))
}
