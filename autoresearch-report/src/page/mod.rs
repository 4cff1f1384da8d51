//! The page: one HTML file with everything in it.
//!
//! Mark-up is maud: it is checked when this is compiled, escapes every value unless told otherwise, and needs no template
//! that could be missing or wrong when a report is due.

mod background;
mod certified;
mod cohorts;
mod judged;
mod learned;
mod proposals;
mod rows;
mod sections;
mod stacked;

#[cfg(feature = "live")]
pub(crate) use rows::{many, row, safe};

use crate::chart::STYLE;
use crate::report::Report;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A part of the page.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    /// Its anchor.
    pub(crate) id: &'static str,
    /// Its heading.
    pub(crate) title: &'static str,
    /// What is in it.
    pub(crate) body: Markup,
}

const CSS: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The parts that have something to say, in their order.
pub(crate) fn sections(report: &Report) -> Vec<Section> {
    sections::all(report, &report.in_short())
}

/// The whole file.
pub(crate) fn page(report: &Report) -> String {
    assembled(report, &sections(report), &rows::rows(report.data()), None)
}

/// The file of parts that are there already. `live` has it ask the server for what is newer than that look.
pub(crate) fn assembled(report: &Report, sections: &[Section], rows: &str, live: Option<u64>) -> String {
    let data = report.data();
    let fates: Vec<_> = crate::chart::mark::FATES
        .iter()
        .map(|f| [crate::chart::mark::name(*f), crate::chart::mark::class(*f).into()])
        .collect();
    let fates = rows::safe(&serde_json::json!(fates).to_string());
    // Nothing is loaded from anywhere; what the page needs is in it.
    let policy = if live.is_some() { "connect-src 'self'; " } else { "" };
    let policy = format!("default-src 'none'; {policy}style-src 'unsafe-inline'; script-src 'unsafe-inline'");
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(data.made_by);
                title { (report.title()) }
                style { (PreEscaped(CSS)) (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#summary" { "To the summary" }
                header {
                    h1 { bdi { (report.title()) } }
                    p class="quiet" {
                        @if let Some(study) = &data.study {
                            "Study " code { bdi { (study.id) } } " · policy " code { bdi { (study.policy.split_whitespace().next().unwrap_or_default()) } }
                            @if let Some(at) = data.state.ended { " · as of " span id="as-of" { (crate::text::date(at)) } }
                        } @else { "No study could be read." }
                        @if live.is_some() { " · " span id="live" role="status" { "live" } }
                    }
                    nav aria-label="Sections" id="nav" { (nav(sections)) }
                }
                main {
                    @for section in sections {
                        section id=(section.id) aria-labelledby={ (section.id) "-title" } {
                            h2 id={ (section.id) "-title" } { (section.title) }
                            div class="body" { (section.body) }
                        }
                    }
                }
                footer class="quiet" {
                    "Made by " (data.made_by) " from " (crate::text::of(data.state.events, "event")) ". Improvements are positive for better; intervals are of the stated level, over runs. Nothing on this page comes from the network."
                }
                div id="tip" role="status" aria-live="polite" hidden {}
                script type="application/json" id="fates" { (PreEscaped(fates)) }
                script type="application/json" id="rows" { (PreEscaped(rows)) }
                script { (PreEscaped(SCRIPT)) @if let Some(look) = live { (PreEscaped(format!("live({look});"))) } }
            }
        }
    };
    markup.into_string()
}

fn nav(sections: &[Section]) -> Markup {
    html! { @for section in sections { a href={ "#" (section.id) } { (section.title) } " " } }
}
