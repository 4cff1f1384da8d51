//! What else is known: noise and drift, what was expected, what it cost, what the study is.

use super::sections::{figure, list};
use crate::chart::bars::{Bar, bars};
use crate::chart::scatter;
use crate::data::{Data, role_name};
use crate::text;
use maud::{Markup, html};

pub(super) fn noise(data: &Data) -> Markup {
    let Some(n) = &data.noise else { return Markup::default() };
    let said = format!("Runs of incumbents scatter by {} about their means.", text::number(n.sd));
    html! {
        p {
            @if let (true, Some((low, high))) = (n.differs(), n.extremes()) {
                strong { "How far runs scatter differs by incumbent" } ": from " strong { (text::number(low)) } " to " strong { (text::number(high)) } " (Bartlett's test, p = " (text::number(n.equal_p.unwrap_or(0.0))) "). Taken together, which then is true of none: "
            }
            "A run of one and the same incumbent scatters by " (text::number(n.sd)) " (95 % interval " (text::number(n.low)) " to " (text::number(n.high)) ", if Gaussian; " (text::count(n.df)) " df)" @if n.versions.len() > 1 { ", over all incumbents" } "."
            @if let (Some(b), Some([low, high])) = (n.per_hundred_runs, n.drift_interval) {
                @let (b, ends) = text::estimate(b, Some((low, high)));
                " In a hundred runs it moves by " (b) @if let Some((low, high)) = ends { " (95 % interval " (low) " to " (high) ")" } ": "
                @if low > 0.0 || high < 0.0 { strong { "a drift" } "." } @else { "no drift is seen." }
            }
        }
        (figure(|width| scatter::noise(n, &said, width), &html! { "Runs of incumbents that ran more than once, about the mean of their version. " @if n.versions.iter().any(|of| of.df > 1) { "Bands are two standard deviations of each that ran three times or more." } @else { "The band is two standard deviations of all together." } }))
    }
}

pub(super) fn predicted(data: &Data) -> Markup {
    let Some(p) = &data.predicted else { return Markup::default() };
    let n = p.points.len() as u64;
    let said = format!("Expected against measured improvements of {}.", text::of(n, "proposal"));
    html! {
        p {
            "Of " (text::of(n, "proposal")) " with an expectation, " (text::count(p.right_sign)) " expected a gain and showed one. In the middle (median) "
            (text::signed(p.median_expected)) " was expected and " (text::signed(p.median_measured)) " measured."
            @if let (Some(rho), Some(pv)) = (p.rank_correlation, p.p) { " Rank correlation " (text::signed(rho)) " (p = " (text::number(pv)) ")." }
        }
        @if !p.absurd.is_empty() {
            p { (text::of(p.absurd.len() as u64, "expectation")) " of more than a thousand times the largest measured effect left out of these figures, and drawn at the edge: " @for (i, id) in p.absurd.iter().take(20).enumerate() { @if i > 0 { ", " } "p" (id) } @if p.absurd.len() > 20 { " and others" } "." }
        }
        div class="wide" tabindex="0" role="region" aria-label="Signs" {
            table {
                thead { tr { th scope="col" {} @for name in ["Gain measured", "Nothing", "Loss measured"] { th scope="col" class="n" { (name) } } } }
                tbody { @for (name, row) in ["Gain expected", "Nothing expected", "Loss expected"].iter().zip(p.signs) { tr { th scope="row" { (name) } @for n in row { td class="n" { (text::count(n)) } } } } }
            }
        }
        (figure(|width| scatter::predicted(p, &said, width), &html! { "On the dashed line both are equal. Measured effects are on validation; far ones are drawn at the edge." }))
    }
}

pub(super) fn spend(data: &Data) -> Markup {
    let c = &data.cost;
    // A policy that keeps what looks best decides by the runs that chose.
    let tests = data.funnel.confirmed > 0 || data.proposals.iter().all(|trial| !trial.is_chosen());
    let roles: Vec<Bar> = c
        .roles
        .iter()
        .map(|share| Bar {
            label: role_name(share.role).into(),
            value: share.seconds,
            written: format!("{}, {}", text::duration(share.seconds), text::of(share.runs, "run")),
            class: if tests && role_name(share.role) == "confirm" { "kept" } else { "" },
        })
        .collect();
    let used = c.charges.iter().any(|charge| !charge.used.is_empty());
    html! {
        (figure(|width| bars(&roles, "Time of runs by what they were for.", width), &html! { "Time of runs by what they were for: the incumbent alone (calibrate), a first look (screen), " @if tests { "fresh tests (confirm)" } @else { "runs that both choose and decide (confirm): this policy makes no fresh tests" } ", baseline and incumbent at the end (final)." }))
        @if !data.failures.is_empty() {
            h3 { "How runs failed" }
            div class="wide" tabindex="0" role="region" aria-label="Failures" {
                table {
                    thead { tr { th scope="col" class="n" { "Runs" } th scope="col" { "By the fault of" } th scope="col" { "What was said (# stands for numbers)" } th scope="col" { "Proposals" } } }
                    tbody { @for f in data.failures.iter().take(12) { tr {
                        td class="n" { (text::count(f.count)) }
                        td { @if f.infrastructure { "the infrastructure; repeated" } @else { "the candidate" } }
                        td { bdi { (f.what) } }
                        td class="id" { @for (i, id) in f.proposals.iter().take(5).enumerate() { @if i > 0 { ", " } "p" (id) } @if f.proposals.len() > 5 { ", …" } }
                    } } }
                }
            }
            @if data.failures.len() > 12 { p class="quiet" { "And rarer ones, which the JSON has." } }
        }
        @if !c.charges.is_empty() {
            div class="wide" tabindex="0" role="region" aria-label="Charges" {
                table {
                    thead { tr { th scope="col" { "Paid for" } @if used { th scope="col" { "Used" } } th scope="col" class="n" { "Charged" } } }
                    tbody { @for charge in &c.charges { tr {
                        td { bdi { (charge.what) } }
                        @if used { td { @for (i, (unit, n)) in charge.used.iter().enumerate() { @if i > 0 { ", " } (text::count(*n)) " " bdi { (unit) } } } }
                        td class="n" { (text::money(charge.amount)) }
                    } } }
                }
            }
        }
    }
}

pub(super) fn about(data: &Data) -> Markup {
    html! {
        @if let Some(s) = &data.study {
            dl {
                dt { "Policy" } dd { bdi { (text::described(&s.policy)) } }
                @if let Some(guarantee) = s.guarantee { dt { "It promises" } dd { (guarantee.to_string()) } }
                dt { "Executor and evaluators" } dd { bdi { (text::described(&unlimited(&s.executor))) } }
                dt { "Direction" } dd { (match s.direction { autoresearch_core::Direction::Minimize => "lower is better", autoresearch_core::Direction::Maximize => "higher is better" }) }
                dt { "Seed" } dd { (s.seed) }
                dt { "Runs at once" } dd { (s.in_flight) }
                dt { "Limits" } dd { @if s.limits.is_empty() { "none" } @for (i, (name, x)) in s.limits.iter().enumerate() { @if i > 0 { ", " } (name.replace('_', " ")) " " (text::figure(*x)) } }
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

/// The text with words for the largest number that there is, which stands for no limit.
fn unlimited(text: &str) -> String {
    text.replace(&format!("at most {}", u64::MAX), "any number of")
}
