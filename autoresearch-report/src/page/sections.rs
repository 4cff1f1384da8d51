//! What the page says, part by part.

use super::{Section, proposals};
use crate::chart::bars::{Bar, bars};
use crate::chart::intervals::{Row, intervals};
use crate::chart::progress::{Along, progress};
use crate::chart::{mark, scale, scatter};
use crate::data::{Cohort, Data, HoldoutUse, Trial, role_name};
use crate::report::Report;
use crate::summary::Summary;
use crate::text;
use autoresearch_core::{Certified, Comparison, Effect, Fate, FinalResult, PartVerdict};
use maud::{Markup, html};
use serde_json::Value;

pub(super) fn all(report: &Report, summary: &Summary) -> Vec<Section> {
    let data = report.data();
    let there =
        |yes: bool, id, title, body: &dyn Fn() -> Markup| yes.then(|| Section { id, title, body: body() });
    let proposed = !data.proposals.is_empty();
    [
        there(true, "summary", "In short", &|| short(data, summary)),
        there(data.cost.runs > 0, "progress", "Progress", &|| charts(data)),
        there(data.study.is_some(), "kept", "Kept edits", &|| kept(data)),
        there(proposed, "funnel", "From proposal to kept", &|| funnel(data)),
        there(
            data.holdout.is_some() || data.result.is_some(),
            "holdout",
            "Validation against held-out",
            &|| held(data, report),
        ),
        there(!data.evidence.is_empty(), "evidence", "Evidence, pair by pair", &|| evidence(data)),
        there(!data.cohorts.is_empty(), "cohorts", "Judged together", &|| cohorts(data)),
        there(report.certificate().is_some(), "certified", "Certification", &|| {
            report.certificate().map_or_else(Markup::default, certified)
        }),
        there(data.noise.is_some(), "noise", "Noise and drift", &|| noise(data)),
        there(data.predicted.is_some(), "predicted", "Expected against measured", &|| predicted(data)),
        there(data.cost.runs > 0 || !data.cost.charges.is_empty(), "spend", "What it cost", &|| spend(data)),
        there(proposed, "proposals", "All proposals", &|| proposals::all(data)),
        there(true, "about", "About this study", &|| about(data)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A picture with its caption; on narrow screens it scrolls within itself.
fn figure(svg: Option<Markup>, caption: &Markup) -> Markup {
    html! {
        @if let Some(svg) = svg {
            figure { div class="wide chart" tabindex="0" role="group" aria-label="chart; arrow keys go from dot to dot" { (svg) } figcaption { (caption) } }
        }
    }
}

fn list(items: &[String]) -> Markup {
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
            li { svg viewBox="0 0 24 12" aria-hidden="true" { path class="band" d="M0 1h24v10h-24z" {} path class="incumbent" d="M0 6h24" {} } "incumbent, 95 % interval" }
            @for fate in mark::FATES.iter().rev() {
                @let n = data.proposals.iter().filter(|t| t.fate == *fate).count();
                @if n > 0 {
                    @let path = { let mut path = String::new(); mark::draw(&mut path, *fate, 6.0, 6.0); path };
                    li { svg viewBox="0 0 12 12" aria-hidden="true" { path class={ "dot " (mark::class(*fate)) } d=(path) {} } (mark::name(*fate)) " (" (text::count(n as u64)) ")" }
                }
            }
        }
    }
}

fn charts(data: &Data) -> Markup {
    html! {
        (legend(data))
        (figure(progress(data, Along::Runs), &html! {
            "Over runs. The line is the incumbent's mean on validation, the band its 95 % interval where it has two runs or more. A dot is a proposal: the mean of the runs that trained it alone, else the incumbent of then and the measured effect, where it was settled."
        }))
        (figure(progress(data, Along::Time), &html! { "The same over time." }))
    }
}

fn kept(data: &Data) -> Markup {
    let rows: Vec<Row> = data.kept().filter_map(|trial| effect_row(trial, trial.effect)).collect();
    let many = rows.len() > 60;
    let rows: Vec<Row> = rows.into_iter().rev().take(60).rev().collect();
    html! {
        @if rows.len() > 1 {
            (figure(intervals(&rows, "improvement", "Kept edits with their measured improvements; the table below has the same numbers."), &html! {
                "Improvement of each kept edit over the incumbent of then, with its interval, oldest first." @if many { " The last 60." }
            }))
        }
        (proposals::kept(data))
    }
}

fn effect_row(trial: &Trial, effect: Option<Effect>) -> Option<Row> {
    let effect = effect?;
    Some(Row {
        label: format!("p{} {}", trial.id, trial.title),
        mean: effect.mean,
        interval: effect.low.zip(effect.high),
        fate: trial.fate,
        other: None,
    })
}

fn funnel(data: &Data) -> Markup {
    let f = &data.funnel;
    let bar = |label: &str, n: u64, class| Bar {
        label: label.into(),
        value: n as f64,
        written: text::count(n),
        class,
    };
    let mut stages = vec![
        bar("proposed", f.proposed, ""),
        bar("run", f.screened, ""),
        bar("tested on fresh runs", f.confirmed, ""),
    ];
    if let Some(n) = f.held_out {
        stages.push(bar("holdout asked", n, "held-back"));
    }
    stages.push(bar("kept", f.kept, "kept"));
    let heard: Vec<String> = stages.iter().map(|bar| format!("{} {}", bar.written, bar.label)).collect();
    html! {
        (figure(bars(&stages, &format!("Funnel: {}.", heard.join(", "))), &html! {
            "How many proposals got at least so far."
            @if f.open > 0 { " " (text::of(f.open, "proposal")) " not settled yet." }
        }))
        @if !f.reasons.is_empty() {
            h3 { "Why the others were not kept" }
            div class="wide" tabindex="0" role="region" aria-label="Reasons" {
                table {
                    thead { tr { th scope="col" class="n" { "Proposals" } th scope="col" { "Fate" } th scope="col" { "Reason (# stands for numbers)" } } }
                    tbody { @for r in f.reasons.iter().take(12) {
                        tr { td class="n" { (text::count(r.count)) } td { span class={ "fate " (mark::class(Some(r.fate))) } { (r.fate) } } td { bdi { (r.reason) } } }
                    } }
                }
            }
            @if f.reasons.len() > 12 { p class="quiet" { "And rarer ones, which the JSON has." } }
        }
    }
}

fn held(data: &Data, report: &Report) -> Markup {
    html! {
        @if let Some(result) = &data.result { (splits(result)) }
        @else if data.study.as_ref().is_some_and(|s| s.test_split) { p { "The test split has not been opened. It is, once, when the study ends." } }
        @if let Some(gap) = report.checks().and_then(|checks| checks.gap.as_ref()).and_then(|gap| gap.numbers) {
            p { "From the same runs, at the look with the strongest evidence: " (text::signed(gap.validation)) " on validation, " (text::signed(gap.holdout)) " on the holdout; the gap is " (text::signed(gap.gap)) " with a standard error of " (text::number(gap.error)) "." }
        }
        @if let Some(checks) = report.checks() {
            @let concerns = checks.concerns();
            @if concerns.is_empty() { p { "No overfitting check raised an alarm. That is no certificate." } }
            @for concern in &concerns { p class="alarm" { "Concern: " (concern.to_string()) "." } }
        }
        @if let Some(holdout) = &data.holdout { (asked(holdout)) }
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
            mean: c.gain,
            interval: Some((c.low, c.high)),
            fate,
            other: None,
        };
        rows.push(row("validation", &splits.validation));
        rows.extend(splits.holdout.as_ref().map(|c| row("holdout", c)));
        rows.push(row("test", &splits.test));
    }
    let heard: Vec<String> = rows.iter().map(|r| format!("{} {}", r.label, text::signed(r.mean))).collect();
    html! {
        (figure(intervals(&rows, "improvement over the baseline", &format!("Improvement over the baseline: {}.", heard.join(", "))), &html! {
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

fn evidence(data: &Data) -> Markup {
    let shown = &data.evidence[..data.evidence.len().min(PANELS)];
    let mut gains: Vec<f64> = shown.iter().flat_map(|e| e.pairs.iter().map(|p| p.gain)).collect();
    gains.sort_by(f64::total_cmp);
    let at = |p: f64| gains.get((p * gains.len().saturating_sub(1) as f64).round() as usize).copied();
    let range = scale::span([at(0.01), at(0.99), Some(0.0)].into_iter().flatten()).unwrap_or((-1.0, 1.0));
    let title = |id: u64| {
        let at = data.proposals.binary_search_by_key(&id, |t| t.id).ok();
        at.and_then(|i| data.proposals.get(i)).map_or(String::new(), |t| text::line(&t.title, 60))
    };
    html! {
        p { "Each picture is a proposal against the incumbent on equal seeds. Dots are the improvements of single pairs, the line their mean, the band a 95 % t interval as if there had been one look only; policies that look after every pair use wider ones. All share one scale." }
        div class="panels" {
            @for e in shown {
                figure {
                    (scatter::evidence(e, range))
                    figcaption { span class="id" { "p" (e.proposal) } " " bdi { (title(e.proposal)) } " " span class={ "fate " (mark::class(e.fate)) } { (mark::name(e.fate)) } }
                }
            }
        }
        @if data.evidence.len() > PANELS { p class="quiet" { "The first " (PANELS) " of " (data.evidence.len()) ": kept ones first, then those with the most pairs. The JSON has more." } }
    }
}

/// More cohorts than that are left to the JSON.
const COHORTS: usize = 4;

fn cohorts(data: &Data) -> Markup {
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

fn certified(c: &Certified<Value>) -> Markup {
    let row = |part: &autoresearch_core::CertifiedPart| {
        let effect = part.effect?;
        let fate = match part.verdict {
            PartVerdict::Earns => Fate::Kept,
            PartVerdict::Dropped => Fate::Revoked,
            _ => Fate::Undecided,
        };
        let label = text::line(&part.title, 100);
        Some(Row {
            label,
            mean: effect.mean,
            interval: effect.low.zip(effect.high),
            fate: Some(fate),
            other: part.elsewhere.map(|e| e.mean),
        })
    };
    let rows: Vec<Row> = c.parts.iter().filter_map(row).take(60).collect();
    html! {
        p { bdi { (c.to_string().lines().last().unwrap_or_default()) } }
        (figure(intervals(&rows, "lost without it", "What is lost by leaving each part out of the kept stack."), &html! {
            "Leave one out: what is lost without each part, on fresh runs, with 95 % t intervals. Discs earn their place, triangles are not shown, squares were dropped."
            @if c.transfer.is_some() { " Hollow: the same at the other fidelity." }
        }))
        @if let Some(transfer) = &c.transfer {
            p {
                "Transfer to " (transfer.fidelity.to_string()) ": "
                @if let Some(total) = &transfer.total { "what stands gains " (text::signed(total.gain.mean)) @if let (Some(low), Some(high)) = (total.gain.low, total.gain.high) { " (95 % interval " (text::signed(low)) " to " (text::signed(high)) ")" } "; " }
                @if let Some(tau) = transfer.tau { "effects here and there rank with Kendall's tau " (text::signed(tau)) " (one-sided p = " (text::number(transfer.p)) ", " (text::of(transfer.parts as u64, "part")) ")." } @else { "too few parts to rank." }
            }
        }
    }
}

fn noise(data: &Data) -> Markup {
    let Some(n) = &data.noise else { return Markup::default() };
    let said = format!("Runs of incumbents scatter by {} about their means.", text::number(n.sd));
    html! {
        p {
            "A run of one and the same incumbent scatters by " strong { (text::number(n.sd)) } " (95 % interval " (text::number(n.low)) " to " (text::number(n.high)) ", if Gaussian; " (text::count(n.df)) " df)."
            @if let (Some(b), Some([low, high])) = (n.per_hundred_runs, n.drift_interval) {
                @let (b, ends) = text::estimate(b, Some((low, high)));
                " In a hundred runs it moves by " (b) @if let Some((low, high)) = ends { " (95 % interval " (low) " to " (high) ")" } ": "
                @if low > 0.0 || high < 0.0 { strong { "a drift" } "." } @else { "no drift is seen." }
            }
        }
        (figure(scatter::noise(n, &said), &html! { "Runs of incumbents that ran more than once, about the mean of their version. The band is two standard deviations." }))
    }
}

fn predicted(data: &Data) -> Markup {
    let Some(p) = &data.predicted else { return Markup::default() };
    let n = p.points.len() as u64;
    let said = format!("Expected against measured improvements of {}.", text::of(n, "proposal"));
    html! {
        p {
            "Of " (text::of(n, "proposal")) " with an expectation, " (text::count(p.right_sign)) " showed a gain as expected. On average "
            (text::signed(p.expected)) " was expected and " (text::signed(p.measured)) " measured."
            @if let (Some(rho), Some(pv)) = (p.rank_correlation, p.p) { " Rank correlation " (text::signed(rho)) " (p = " (text::number(pv)) ")." }
        }
        (figure(scatter::predicted(p, &said), &html! { "On the dashed line both are equal. Measured effects are on validation; far ones are drawn at the edge." }))
    }
}

fn spend(data: &Data) -> Markup {
    let c = &data.cost;
    let roles: Vec<Bar> = c
        .roles
        .iter()
        .map(|share| Bar {
            label: role_name(share.role).into(),
            value: share.seconds,
            written: format!("{}, {}", text::duration(share.seconds), text::of(share.runs, "run")),
            class: if role_name(share.role) == "confirm" { "kept" } else { "" },
        })
        .collect();
    html! {
        (figure(bars(&roles, "Time of runs by what they were for."), &html! { "Time of runs by what they were for: the incumbent alone (calibrate), a first look (screen), fresh tests (confirm), baseline and incumbent at the end (final)." }))
        @if !c.charges.is_empty() {
            div class="wide" tabindex="0" role="region" aria-label="Charges" {
                table {
                    thead { tr { th scope="col" { "Paid for" } th scope="col" class="n" { "Charged" } th scope="col" { "Used" } } }
                    tbody { @for charge in &c.charges { tr {
                        td { bdi { (charge.what) } } td class="n" { (text::number(charge.amount)) }
                        td { @for (i, (unit, n)) in charge.used.iter().enumerate() { @if i > 0 { ", " } (text::count(*n)) " " bdi { (unit) } } }
                    } } }
                }
            }
        }
    }
}

fn about(data: &Data) -> Markup {
    html! {
        @if let Some(s) = &data.study {
            dl {
                dt { "Policy" } dd { bdi { (s.policy) } }
                dt { "Executor and evaluators" } dd { bdi { (s.executor) } }
                dt { "Direction" } dd { (match s.direction { autoresearch_core::Direction::Minimize => "lower is better", autoresearch_core::Direction::Maximize => "higher is better" }) }
                dt { "Seed" } dd { (s.seed) }
                dt { "Runs at once" } dd { (s.in_flight) }
                dt { "Limits" } dd { @if s.limits.is_empty() { "none" } @for (i, (name, x)) in s.limits.iter().enumerate() { @if i > 0 { ", " } (name.replace('_', " ")) " " (text::number(*x)) } }
                @if let (Some(from), Some(to)) = (data.state.began, data.state.ended) { dt { "Stored" } dd { (text::date(from)) " to " (text::date(to)) @if data.state.resumed > 0 { ", resumed " (text::of(data.state.resumed, "time")) } } }
            }
            details { summary { "The baseline" } pre tabindex="0" { bdi { (s.baseline) } } }
        }
        @if !data.remarks.is_empty() {
            details { summary { "Remarks of the proposer (" (text::count(data.cost.remarks)) ", the last " (data.remarks.len()) ")" } (list(&data.remarks)) }
        }
        @if data.state.unreadable_count > 0 {
            h3 { "Events that cannot be understood" }
            ul { @for u in &data.state.unreadable { li { "event " (u.seq) ": " bdi { (u.why) } } } }
            @if data.state.unreadable_count > data.state.unreadable.len() as u64 { p { (text::count(data.state.unreadable_count)) " in all." } }
        }
    }
}
