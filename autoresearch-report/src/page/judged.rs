//! How proposals were judged: how far they got, what was held out, the evidence pair by pair.

use super::sections::figure;
use crate::chart::bars::{Bar, bars};
use crate::chart::intervals::{Row, intervals};
use crate::chart::scatter::strengths;
use crate::chart::{mark, scale, scatter};
use crate::data::{Data, Evidence, HoldoutUse, Trial};
use crate::report::Report;
use crate::text;
use autoresearch_core::{CheckReport, Comparison, Fate, FinalResult, PartVerdict};
use maud::{Markup, html};

pub(super) fn funnel(data: &Data, report: &Report) -> Markup {
    let f = &data.funnel;
    let bar = |label: &str, n: u64, class| Bar {
        label: label.into(),
        value: n as f64,
        written: text::count(n),
        class,
    };
    let mut stages = vec![
        bar("proposed", f.proposed, ""),
        bar("screened", f.screened, ""),
        bar("confirmed on fresh runs", f.confirmed, ""),
    ];
    if let Some(n) = f.held_out {
        stages.push(bar("holdout asked", n, "held-back"));
    }
    stages.push(bar("kept", f.kept, "kept"));
    if let Some(certified) = report.certificate() {
        let earn = certified.parts.iter().filter(|part| part.verdict == PartVerdict::Earns);
        stages.push(bar("certified", earn.map(|part| part.edits.len() as u64).sum(), "kept"));
    }
    let heard: Vec<String> = stages.iter().map(|bar| format!("{} {}", bar.written, bar.label)).collect();
    html! {
        (figure(|width| bars(&stages, &format!("Funnel: {}.", heard.join(", ")), width), &html! {
            "How many proposals got at least so far: had a run; had fresh runs, which did not help to choose them; were good enough for the holdout to be asked; are part of the incumbent"
            @if report.certificate().is_some() { "; were shown again, left out of it one at a time, to earn their place" } "."
            @if f.kept > f.confirmed { " Of what was kept, " (text::count(f.kept - f.confirmed)) " had no fresh run: it was kept by the very runs that chose it." }
            @if f.open > 0 { " " (text::of(f.open, "proposal")) " not settled yet." }
            @if f.stacked > 0 { " Of " (text::of(f.stacked, "proposal")) " something is part of " a href="#stack" { "the unproven stack" } "." }
        }))
        @if !f.reasons.is_empty() {
            h3 { "Why the others were not kept" }
            div class="wide" tabindex="0" role="region" aria-label="Reasons" {
                table {
                    thead { tr { th scope="col" class="n" { "Proposals" } th scope="col" { "Fate" } th scope="col" { "Where" } th scope="col" { "Reason (# stands for numbers)" } th scope="col" class="n" { "Median improvement" } } }
                    tbody { @for r in f.reasons.iter().take(12) {
                        tr { td class="n" { (text::count(r.count)) } td { span class={ "fate " (mark::class(Some(r.fate))) } { (r.fate) } } td { (r.stage.name()) } td { @if !r.reason.is_empty() { bdi { (r.reason) } } @else if r.median.is_some() { "the improvement was not convincing" } @else { "–" } } td class="n" { (r.median.map_or_else(|| "–".into(), text::signed)) } }
                    } }
                }
            }
            @if f.reasons.len() > 12 { p class="quiet" { "And rarer ones, which the JSON has." } }
        }
    }
}

pub(super) fn held(data: &Data, report: &Report) -> Markup {
    html! {
        @if let Some(result) = &data.result { (splits(result)) }
        @else if data.study.as_ref().is_some_and(|s| s.test_split) { p { "The test split has not been opened. It is, once, when the study ends." } }
        @if let Some(gap) = report.checks().gap.as_ref().and_then(|gap| gap.numbers) {
            p { "From the same runs, at the look with the strongest evidence: " (text::signed(gap.validation)) " on validation, " (text::signed(gap.holdout)) " on the holdout; the gap is " (text::signed(gap.gap)) " with a standard error of " (text::number(gap.error)) "." }
        }
        @if let Some(holdout) = &data.holdout { (asked(holdout)) }
        @let lost: Vec<&Trial> = data.passed_over().collect();
        @if !lost.is_empty() {
            p { "Of those with yes, " (text::of(lost.len() as u64, "proposal")) " did not become part of the incumbent:" }
            ul { @for trial in lost.iter().take(20) {
                li { span class="id" { "p" (trial.id) } " " bdi { (text::line(&trial.title, 120)) } ", " (mark::name(trial.fate)) @if !trial.reason.is_empty() { ": " bdi { (trial.reason) } } }
            } }
            @if lost.len() > 20 { p class="quiet" { "And others, which the JSON has." } }
        }
    }
}

/// What the overfitting checks found: the alarms, and each check in a paragraph.
pub(super) fn checks(checks: &CheckReport) -> Markup {
    let concerns = checks.concerns();
    html! {
        @if concerns.is_empty() { p { "No overfitting check raised an alarm. That is no certificate." } }
        @for concern in &concerns { p class="alarm" { "Concern: " (concern.to_string()) "." } }
        ul { @for line in checks.to_string().lines() { li { (line) } } }
    }
}

/// Gains on every split, as the study's own report has them.
fn splits(result: &FinalResult) -> Markup {
    let mut rows = Vec::new();
    for (what, splits) in [("kept", &result.kept), ("stack", &result.stack)] {
        let Some(splits) = splits else { continue };
        let fate = Some(if what == "kept" { Fate::Kept } else { Fate::Undecided });
        let row = |split: &str, c: &Comparison| Row {
            label: format!("{what}: {split}"),
            mean: Some(c.gain),
            interval: Some((c.low, c.high)),
            fate,
            other: None,
        };
        rows.push(row("validation", &splits.validation));
        rows.extend(splits.holdout.as_ref().map(|c| row("holdout", c)));
        rows.push(row("test", &splits.test));
    }
    let heard: Vec<String> = rows
        .iter()
        .map(|r| format!("{} {}", r.label, r.mean.map_or_else(String::new, text::signed)))
        .collect();
    html! {
        (figure(|width| intervals(&rows, "improvement over the baseline", &format!("Improvement over the baseline: {}.", heard.join(", ")), width), &html! {
            "Baseline against version " (result.version.0) " at the end of the study: " (text::of(result.pairs.into(), "pair")) " on fresh seeds, paired "
            (format!("{:.0}", result.level * 100.0)) " % t intervals over the seeds. The search has mined validation: expect it to be the largest."
        }))
    }
}

fn asked(holdout: &HoldoutUse) -> Markup {
    html! {
        p {
            "The holdout answered " (text::of(holdout.asked, "question")) ", " (text::count(holdout.yes)) " with yes; " (text::count(holdout.left())) " left of "
            (text::count(holdout.queries.saturating_mul(holdout.shards)))
            @if holdout.shards > 1 { " on " (text::count(holdout.shards)) " shards" } "."
            @if holdout.refused > 0 { " " (text::of(holdout.refused, "question")) " found the budget spent." }
            @if holdout.unmeasured > 0 { " " (text::of(holdout.unmeasured, "output")) " could not be measured on it, which counts as a no." }
        }
        @if !holdout.basis.is_empty() {
            p class="quiet" { "What noise its answers took into account: " @for (i, (basis, n)) in holdout.basis.iter().enumerate() { @if i > 0 { ", " } (basis) " (" (text::count(*n)) ")" } "." }
        }
    }
}

/// More small pictures than that are too many to look at.
const PANELS: usize = 24;

pub(super) fn evidence(data: &Data) -> Markup {
    let strong = strengths(data).count() as u64;
    let enough = strengths(data).filter(|s| s.over >= 0.0).count() as u64;
    let heard = format!(
        "E-values of {} against what their levels ask for: {} reach it.",
        text::of(strong, "proposal"),
        text::count(enough)
    );
    html! {
        @if strong > 0 {
            (figure(|width| scatter::strength(data, &heard, width), &html! {
                "How strong the evidence on each proposal was when it was settled: its e-value over the one that its level asks for (1 / level), in powers of ten. Those on or above the line have enough; far ones are drawn at the edge. An e-value may be looked at after every run: one that reaches 1 / level has a probability of at most that level if the proposal is without merit."
            }))
        }
        @if !data.evidence.is_empty() { (pairs(data)) }
        @if !data.together.is_empty() { (cohort_runs(data)) }
    }
}

fn title(data: &Data, id: u64) -> String {
    let at = data.proposals.binary_search_by_key(&id, |t| t.id).ok();
    at.and_then(|i| data.proposals.get(i)).map_or(String::new(), |t| text::line(&t.title, 60))
}

fn pairs(data: &Data) -> Markup {
    let shown = &data.evidence[..data.evidence.len().min(PANELS)];
    let range =
        |e: &Evidence| scale::span(e.pairs.iter().map(|p| p.gain).chain([0.0])).unwrap_or((-1.0, 1.0));
    html! {
        h3 { "Pair by pair" }
        p { "Each picture is a proposal against the incumbent on equal seeds. Dots are the improvements of single pairs, the line their mean, the band a 95 % t interval as if there had been one look only; policies that look after every pair use wider ones. Each has a scale of its own, with zero on it." }
        div class="panels" {
            @for e in shown {
                figure {
                    (scatter::evidence(e, range(e)))
                    figcaption { span class="id" { "p" (e.proposal) } " " bdi { (title(data, e.proposal)) } " " span class={ "fate " (mark::class(e.fate)) } { (mark::name(e.fate)) } }
                }
            }
        }
        @if data.evidence.len() > PANELS { p class="quiet" { "The first " (PANELS) " of " (data.evidence.len()) ": kept ones first, then those with the most pairs. The JSON has more." } }
    }
}

/// What was judged on runs of several at once.
fn cohort_runs(data: &Data) -> Markup {
    let shown = &data.together[..data.together.len().min(PANELS)];
    html! {
        h3 { "Run by run, beside others" }
        p { "Each picture is a proposal, or a part of one, that was switched on and off beside others: its effect by ordinary least squares on what was switched on, after so many of the cohort's fresh runs, with a 95 % t interval as if there had been one look only. Runs made after it was settled are among them. The policy's own figure rests on the runs until then, and on what it knew of their noise besides. Each has a scale of its own, with zero on it." }
        div class="panels" {
            @for t in shown {
                figure {
                    (scatter::together(t))
                    figcaption {
                        span class="id" { @for (i, id) in t.proposals.iter().take(3).enumerate() { @if i > 0 { "+" } "p" (id) } @if t.proposals.len() > 3 { "+…" } } " "
                        @if let [one] = t.proposals.as_slice() { bdi { (title(data, *one)) } } @else { (t.proposals.len()) " edits that were switched only together" }
                        @if let Some(n) = t.parts { " (" (text::of(n, "part")) ")" }
                        " " span class={ "fate " (mark::class(t.fate)) } { (mark::name(t.fate)) }
                    }
                }
            }
        }
        @if data.together.len() > PANELS { p class="quiet" { "The first " (PANELS) " of " (data.together.len()) ": kept ones first, then those of the latest cohorts. The JSON has more." } }
    }
}
