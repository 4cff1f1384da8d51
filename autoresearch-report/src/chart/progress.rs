//! The incumbent with its interval, and every proposal as a dot by its fate.

use super::Width;
use super::frame::{Frame, c};
use super::mark;
use super::scale::span;
use crate::data::{Basis, Data, Incumbent, Trial};
use crate::text;
use autoresearch_core::{Direction, Fate};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// What stands along the horizontal axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Along {
    Runs,
    Time,
    /// Runs, from this one on, on a scale of its own.
    Late(u64),
}

/// Where a study's figure had come within a fifth of all that it gained, if much of the study lies behind that: drawn with the
/// large steps before it, nothing of that part can be seen.
pub(crate) fn late(data: &Data) -> Option<u64> {
    let kept: Vec<(u64, f64)> =
        data.incumbents.iter().filter_map(|i| Some((i.at_run, i.objective?))).collect();
    let stacked = || data.stacks.iter().filter_map(|s| Some((s.at_run, s.objective?)));
    let levels: Vec<(u64, f64)> =
        if kept.len() > 1 { kept } else { kept.into_iter().take(1).chain(stacked()).collect() };
    let ((_, first), (_, last)) = (levels.first()?, levels.last()?);
    let near = 0.2 * (first - last).abs();
    let far = levels.iter().rposition(|(_, level)| (level - last).abs() > near)?;
    let (from, _) = levels.get(far + 1)?;
    let end = data.runs.len() as u64;
    (end >= 40 && end - (*from).min(end) > 3 * end / 10).then_some(*from)
}

pub(crate) const SIZE: (f64, f64) = (860.0, 360.0);

/// More proposals than that are very many.
pub(super) const MANY: usize = 2000;

/// Proposals that failed stand in a row of their own.
const RAIL: f64 = 16.0;

/// A proposal where it is drawn: the objective of its own runs, else that of the runs which it shared with others, and only
/// where there are none, the incumbent's moved by the measured effect: an effect beside others is none beside the incumbent.
fn height(trial: &Trial, data: &Data) -> Option<f64> {
    trial.objective.or(trial.together).or_else(|| {
        let effect = trial.effect?.mean;
        let version = trial.settled_version?.saturating_sub(u32::from(trial.fate == Some(Fate::Kept)));
        let at = data.incumbents.partition_point(|incumbent| incumbent.version <= version);
        let incumbent = data.incumbents.get(at.checked_sub(1)?)?.objective?;
        Some(incumbent - data.direction().loss(effect))
    })
}

/// The range that most dots fit in: all incumbents, and dots up to three times as far as the middle half.
fn range(dots: &[f64], data: &Data, from: u64) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = dots.iter().copied().filter(|y| y.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let quantile =
        |p: f64| sorted.get((p * (sorted.len().saturating_sub(1)) as f64).round() as usize).copied();
    // Those that stand at the run from which it is drawn, and later ones.
    let old = data.incumbents.partition_point(|i| i.at_run <= from).saturating_sub(1);
    let old = if from == 0 { 0 } else { old };
    let shown = data.incumbents.get(old..).unwrap_or_default();
    // Beside a stack that has left it far behind, the baseline would take all the room.
    let shown: &[Incumbent] = if from > 0 && data.incumbents.len() < 2 { &[] } else { shown };
    let incumbents = shown.iter().filter_map(|i| i.objective);
    let stacks = data.stacks.iter().filter(|s| s.at_run >= from).filter_map(|stack| stack.objective);
    let levels = span(incumbents.chain(stacks));
    let middle = [0.25, 0.5, 0.75].into_iter().filter_map(quantile);
    let (must, reach) = match levels.filter(|(low, high)| from > 0 && high > low) {
        // The steps are what it is for; dots that are far from them are drawn at the edge.
        Some(levels) => (levels, levels.1 - levels.0),
        None => {
            let must = span(levels.into_iter().flat_map(|(low, high)| [low, high]).chain(middle))?;
            let box_width = quantile(0.75).zip(quantile(0.25)).map_or(0.0, |(b, a)| b - a);
            (must, (1.5 * box_width).max(0.25 * (must.1 - must.0)))
        }
    };
    let (low, high) = (must.0 - reach, must.1 + reach);
    let ends = shown.iter().flat_map(|i| [i.low, i.high]).flatten();
    span(dots.iter().copied().chain(ends).filter(|y| (low..=high).contains(y)).chain([must.0, must.1]))
}

pub(crate) fn progress(data: &Data, along: Along, width: Width) -> Option<Markup> {
    let size = (width.units(), SIZE.1);
    // The page has a limit to its size: of very many the one over runs is enough, and one dot of those at one place.
    let many = width == Width::Narrow && data.proposals.len() > MANY;
    if many && along != Along::Runs {
        return None;
    }
    let mut taken = BTreeSet::new();
    let minutes = data.cost.elapsed / 60.0;
    let (unit, per) = match along {
        Along::Runs | Along::Late(_) => ("runs", 1.0),
        Along::Time if minutes < 3.0 => ("seconds", 1.0),
        Along::Time if minutes < 180.0 => ("minutes", 60.0),
        Along::Time => ("hours", 3600.0),
    };
    let place = |at_run: u64, at_time: f64| match along {
        Along::Runs | Along::Late(_) => at_run as f64,
        Along::Time => at_time / per,
    };
    let end = place(data.runs.len() as u64, data.cost.elapsed);
    let from = if let Along::Late(from) = along { from } else { 0 };
    let late = data.proposals.iter().filter(|t| t.at_run >= from);
    let dots: Vec<(&Trial, Option<f64>)> = late.map(|t| (t, height(t, data))).collect();
    let heights: Vec<f64> = dots.iter().filter_map(|(_, y)| *y).collect();
    let y_range = range(&heights, data, from)?;
    let (better, arrow) = match data.direction() {
        Direction::Minimize => ("lower", "↓"),
        Direction::Maximize => ("higher", "↑"),
    };
    let mut frame = Frame::new(size, (from as f64, end.max(1e-9)), y_range).titled(
        format!("{unit} of the study"),
        match width {
            Width::Broad => format!("objective on validation ({arrow} {better} is better)"),
            Width::Narrow => format!("objective ({arrow} {better} is better)"),
        },
    );
    frame.y.range.0 -= RAIL;
    let rail = frame.y.range.0 + RAIL;
    let (mut beyond, mut rings) = (0, String::new());
    let members = data.stack().map_or(&[][..], |stack| stack.members.as_slice());
    let mut paths = mark::FATES.map(|fate| (fate, String::new(), String::new()));
    for (trial, y) in &dots {
        let (x, failed) = (frame.x.at(place(trial.at_run, trial.at_time)), trial.fate == Some(Fate::Failed));
        let y = match y {
            Some(y) if !failed => {
                beyond += u64::from(frame.y.misses(*y));
                frame.y.at(*y)
            }
            _ if failed => rail - 6.0,
            _ => continue,
        };
        if members.binary_search(&trial.id).is_ok() {
            rings.push_str(&format!("M{} {}{}", c(x), c(y), mark::RING));
        }
        if many && !taken.insert((mark::class(trial.fate), (x / 2.0) as i32, (y / 2.0) as i32)) {
            continue;
        }
        if let Some((fate, path, ids)) = paths.iter_mut().find(|(fate, ..)| *fate == trial.fate) {
            mark::draw(path, *fate, x, y);
            ids.push_str(&trial.id.to_string());
            ids.push(' ');
        }
    }
    let heard = heard(data, along, unit);
    let (stack, unmeasured) = stacks(&frame, data, place, end);
    let Steps { band, shaky, sure } = steps(&frame, &data.incumbents, place, end);
    let marks = html! {
        path class="band" d=(band) {}
        g class="dots" {
            @for (fate, path, ids) in &paths {
                @if !path.is_empty() {
                    path class={ "dot " (mark::class(*fate)) } d=(path) data-ids=(ids.trim_end()) {}
                }
            }
        }
        @if !rings.is_empty() { path class="ring" d=(rings) {} }
        @if !stack.is_empty() { path class="stack" d=(stack) {} }
        @if !unmeasured.is_empty() { path class="stack before" d=(unmeasured) {} }
        @if !shaky.is_empty() { path class="incumbent" d=(shaky) {} }
        @if !sure.is_empty() { path class="incumbent sure" d=(sure) {} }
        @if beyond > 0 {
            text class="note" x=(c(frame.x.range.1)) y="13" text-anchor="end" {
                @match width {
                    Width::Broad => { (text::of(beyond, "proposal")) " beyond the edge, drawn at it" }
                    Width::Narrow => { (text::count(beyond)) " beyond, at the edge" }
                }
            }
        }
        @if dots.iter().any(|(t, _)| t.fate == Some(Fate::Failed)) {
            text class="tick" x=(c(frame.x.range.0 - 8.0)) y=(c(rail - 6.0)) dy=".32em" text-anchor="end" { "failed" }
        }
    };
    let axes = html! {
        (axes(&frame, rail))
        (marks)
    };
    Some(super::frame::picture(size, &heard, &axes))
}

/// The axes, with the horizontal one below the row of failures.
fn axes(frame: &Frame, rail: f64) -> Markup {
    let (x0, x1) = frame.x.range;
    html! {
        g class="axes" {
            @for (value, label) in frame.y.ticks(6) {
                @let y = c(frame.y.at(value));
                line class="grid" x1=(c(x0)) x2=(c(x1)) y1=(y) y2=(y) {}
                text class="tick" x=(c(x0 - 8.0)) y=(y) dy=".32em" text-anchor="end" { (label) }
            }
            @for (value, label) in frame.x.ticks(((x1 - x0) / 90.0) as usize) {
                text class="tick" x=(c(frame.x.at(value))) y=(c(rail + 16.0)) text-anchor="middle" { (label) }
            }
            line class="axis" x1=(c(x0)) x2=(c(x1)) y1=(c(rail)) y2=(c(rail)) {}
            text class="title" x=(c((x0 + x1) / 2.0)) y=(c(rail + 34.0)) text-anchor="middle" { (frame.x_title) }
            text class="title" x="4" y="13" { (frame.y_title) }
        }
    }
}

/// The incumbent as steps.
#[derive(Default)]
struct Steps {
    /// Its interval behind them.
    band: String,
    /// Those that rest on the runs that chose them or on a claim: drawn dashed.
    shaky: String,
    /// The others: drawn unbroken.
    sure: String,
}

/// Whether an incumbent's objective is what those who chose it have seen or said.
pub(crate) fn is_shaky(incumbent: &Incumbent) -> bool {
    matches!(incumbent.basis, Basis::Selected | Basis::Claimed)
}

fn steps(frame: &Frame, incumbents: &[Incumbent], place: impl Fn(u64, f64) -> f64, end: f64) -> Steps {
    let known: Vec<&Incumbent> = incumbents.iter().filter(|i| i.objective.is_some()).collect();
    let Steps { mut band, mut shaky, mut sure } = Steps::default();
    // The level before, and whether that was a shaky one.
    let mut before: Option<(String, bool)> = None;
    for (i, incumbent) in known.iter().enumerate() {
        let Some(objective) = incumbent.objective else { continue };
        if known.get(i + 1).is_some_and(|next| place(next.at_run, next.at_time) < frame.x.domain.0) {
            continue; // before what is drawn
        }
        if frame.y.misses(objective) {
            before = None; // at the edge it would look like a level
            continue;
        }
        let next = known.get(i + 1).map_or(end, |next| place(next.at_run, next.at_time));
        let (from, to) = (frame.x.at(place(incumbent.at_run, incumbent.at_time)), frame.x.at(next));
        let y = c(frame.y.at(objective));
        let is_shaky = is_shaky(incumbent);
        let path = if is_shaky { &mut shaky } else { &mut sure };
        path.push_str(&match &before {
            None => format!("M{} {y}H{}", c(from), c(to)),
            Some((_, same)) if *same == is_shaky => format!("V{y}H{}", c(to)),
            Some((level, _)) => format!("M{} {level}V{y}H{}", c(from), c(to)),
        });
        before = Some((y, is_shaky));
        if let (Some(low), Some(high)) = (incumbent.low, incumbent.high) {
            let (a, b) = (c(frame.y.at(low)), c(frame.y.at(high)));
            band.push_str(&format!("M{} {a}H{}V{b}H{}z", c(from), c(to), c(from)));
        }
    }
    Steps { band, shaky, sure }
}

/// The unproven stack as steps, with gaps where it was given up; and, for a thin line, where it did not run as it is, at the
/// level of the last one that did.
fn stacks(frame: &Frame, data: &Data, place: impl Fn(u64, f64) -> f64, end: f64) -> (String, String) {
    let (mut line, mut drawn) = (String::new(), false);
    let (mut unmeasured, mut level) = (String::new(), None);
    for (i, stack) in data.stacks.iter().enumerate() {
        let next = data.stacks.get(i + 1).map_or(end, |next| place(next.at_run, next.at_time));
        if next < frame.x.domain.0 {
            continue;
        }
        // It ends where another incumbent takes its ground away.
        let later = data.incumbents.iter().find(|incumbent| incumbent.version > stack.version);
        let next = later.map_or(next, |later| next.min(place(later.at_run, later.at_time)));
        level = stack.objective.map(|y| (stack.version, y)).or(level);
        level = level.filter(|(version, _)| *version == stack.version && !stack.members.is_empty());
        if let (None, Some((_, y))) = (stack.objective, level.filter(|(_, y)| !frame.y.misses(*y))) {
            let from = frame.x.at(place(stack.at_run, stack.at_time));
            unmeasured.push_str(&format!("M{} {}H{}", c(from), c(frame.y.at(y)), c(frame.x.at(next))));
        }
        let within = stack.objective.filter(|objective| !frame.y.misses(*objective));
        match within.map(|objective| c(frame.y.at(objective))) {
            Some(y) if drawn => line.push_str(&format!("V{y}H{}", c(frame.x.at(next)))),
            Some(y) => {
                let from = frame.x.at(place(stack.at_run, stack.at_time));
                line.push_str(&format!("M{} {y}H{}", c(from), c(frame.x.at(next))));
            }
            None => {}
        }
        drawn = within.is_some();
    }
    (line, unmeasured)
}

/// The chart in words.
fn heard(data: &Data, along: Along, unit: &str) -> String {
    let known: Vec<f64> = data.incumbents.iter().filter_map(|i| i.objective).collect();
    let over = if along == Along::Time { "time" } else { "runs" };
    let mut said = format!("Progress over {over} ({unit}). ");
    if let Along::Late(from) = along {
        said = format!("Progress from run {from} on, on a scale of its own. ");
    }
    match (known.first(), known.last()) {
        (Some(first), Some(last)) if known.len() > 1 => {
            said += &format!(
                "The incumbent goes from {} to {} in {}. ",
                text::number(*first),
                text::number(*last),
                { text::of((known.len() - 1) as u64, "step") }
            );
        }
        (Some(first), _) => said += &format!("The baseline stands at {}. ", text::number(*first)),
        _ => {}
    }
    let stacks: Vec<f64> = data.stacks.iter().filter_map(|stack| stack.objective).collect();
    if let (Some(first), Some(last)) = (stacks.first(), stacks.last()) {
        said += &format!(
            "The unproven stack goes from {} to {}, by the runs that chose it. ",
            text::number(*first),
            text::number(*last)
        );
    }
    let fates: Vec<String> = data.funnel.fates.iter().map(|(fate, n)| format!("{n} {fate}")).collect();
    if !fates.is_empty() {
        said += &format!("Proposals: {}.", fates.join(", "));
    }
    if data.incumbents.iter().any(is_shaky) {
        said += " Some steps are dashed: they rest on the runs that chose them or on what was claimed, and look better than \
                 they are.";
    }
    said
}
