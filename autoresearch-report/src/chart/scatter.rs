//! One number against another, and small pictures of evidence as it grows.

use super::Width;
use super::frame::{Frame, c, picture};
use super::mark;
use super::scale::{Scale, span};
use crate::data::{Data, Evidence, Noise, Predicted, Together, Trial};
use crate::text;
use autoresearch_core::Fate;
use maud::{Markup, html};

/// Expected against measured effects, with the line on which both are equal.
pub(crate) fn predicted(data: &Predicted, heard: &str, width: Width) -> Option<Markup> {
    if width == Width::Narrow && data.points.len() > super::progress::MANY {
        return None;
    }
    let x = span(data.sound().map(|p| p.expected).chain([0.0]))?;
    let mut ys: Vec<f64> = data.points.iter().map(|p| p.measured).collect();
    ys.sort_by(f64::total_cmp);
    let at = |p: f64| ys.get((p * (ys.len() - 1) as f64).round() as usize).copied().unwrap_or(0.0);
    // The farthest fiftieth at each end is drawn at the edge.
    let y = span([at(0.02), at(0.98), 0.0, x.1])?;
    let frame =
        Frame::new((width.units(), 320.0), x, y).titled("expected improvement", "measured improvement");
    let mut paths = mark::FATES.map(|fate| (fate, String::new(), String::new()));
    for point in &data.points {
        if let Some((fate, path, ids)) = paths.iter_mut().find(|(fate, ..)| *fate == point.fate) {
            mark::draw(path, *fate, frame.x.at(point.expected), frame.y.at(point.measured));
            ids.push_str(&point.proposal.to_string());
            ids.push(' ');
        }
    }
    let low = frame.x.domain.0.max(frame.y.domain.0);
    let high = frame.x.domain.1.min(frame.y.domain.1);
    let zero = c(frame.y.at(0.0));
    let marks = html! {
        line class="axis" x1=(c(frame.x.range.0)) x2=(c(frame.x.range.1)) y1=(zero) y2=(zero) {}
        @if high > low {
            line class="reference" x1=(c(frame.x.at(low))) y1=(c(frame.y.at(low))) x2=(c(frame.x.at(high))) y2=(c(frame.y.at(high))) {}
        }
        g class="dots" {
            @for (fate, path, ids) in &paths {
                @if !path.is_empty() {
                    path class={ "dot " (mark::class(*fate)) } d=(path) data-ids=(ids.trim_end()) {}
                }
            }
        }
    };
    Some(frame.picture(heard, &marks))
}

/// Where an incumbent ran, and how its runs scatter.
struct Band {
    from: u64,
    to: u64,
    sd: f64,
}

/// A band for each incumbent that ran three times or more; where there is none, one for all together.
fn bands(noise: &Noise) -> Vec<Band> {
    let runs = || noise.residuals.iter().map(|r| r.at_run);
    let own = noise.versions.iter().filter(|of| of.df > 1).filter_map(|of| {
        let runs = || noise.residuals.iter().filter(|r| r.version == of.version).map(|r| r.at_run);
        Some(Band { from: runs().min()?, to: runs().max()?, sd: of.sd })
    });
    let own: Vec<Band> = own.collect();
    if !own.is_empty() {
        return own;
    }
    let all = runs().min().zip(runs().max());
    all.map(|(from, to)| Band { from, to, sd: noise.sd }).into_iter().collect()
}

/// Runs of incumbents about the mean of their version, with two standard deviations as a band.
pub(crate) fn noise(noise: &Noise, heard: &str, width: Width) -> Option<Markup> {
    let x = span(noise.residuals.iter().map(|r| r.at_run as f64))?;
    let bands = bands(noise);
    let ends = bands.iter().flat_map(|band| [-2.0 * band.sd, 2.0 * band.sd]);
    let y = span(noise.residuals.iter().map(|r| r.value).chain(ends))?;
    let frame = Frame::new((width.units(), 240.0), x, y)
        .titled("runs of the study", "objective minus the mean of its incumbent");
    let mut path = String::new();
    for r in &noise.residuals {
        mark::draw(&mut path, None, frame.x.at(r.at_run as f64), frame.y.at(r.value));
    }
    let (x0, x1) = frame.x.range;
    let zero = c(frame.y.at(0.0));
    let marks = html! {
        @for band in &bands {
            @let (left, right) = (frame.x.at(band.from as f64), frame.x.at(band.to as f64));
            @let (top, bottom) = (frame.y.at(2.0 * band.sd), frame.y.at(-2.0 * band.sd));
            rect class="band" x=(c(left)) y=(c(top)) width=(c((right - left).max(2.0))) height=(c(bottom - top)) {}
        }
        line class="axis" x1=(c(x0)) x2=(c(x1)) y1=(zero) y2=(zero) {}
        path class="dot calibrate" d=(path) {}
    };
    Some(frame.picture(heard, &marks))
}

/// How strong the evidence on a settled proposal was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached<'a> {
    pub(crate) trial: &'a Trial,
    /// The decimal logarithm of its e-value over the one that its level asks for.
    pub(crate) over: f64,
}

/// Those that were settled with an e-value.
pub(crate) fn strengths(data: &Data) -> impl Iterator<Item = Reached<'_>> {
    data.proposals.iter().filter_map(|trial| {
        let strength = trial.strength.filter(|s| s.level > 0.0 && !s.log_e.is_nan())?;
        let over = (strength.log_e + strength.level.ln()) / std::f64::consts::LN_10;
        Some(Reached { trial, over: over.clamp(-1e6, 1e6) })
    })
}

/// E-values over what is asked for, where they are settled.
pub(crate) fn strength(data: &Data, heard: &str, width: Width) -> Option<Markup> {
    // What is beyond is as good as certain, or as hopeless.
    const ENDS: (f64, f64) = (-4.0, 8.0);
    let all: Vec<Reached<'_>> = strengths(data).collect();
    if width == Width::Narrow && all.len() > super::progress::MANY {
        return None;
    }
    let y = span(all.iter().map(|s| s.over.clamp(ENDS.0, ENDS.1)).chain([-1.0, 1.0]))?;
    let frame = Frame::new((width.units(), 260.0), (0.0, data.runs.len() as f64), y)
        .titled("runs of the study", "e-value over the needed one, powers of ten");
    let mut paths = mark::FATES.map(|fate| (fate, String::new(), String::new()));
    for Reached { trial, over } in &all {
        if let Some((fate, path, ids)) = paths.iter_mut().find(|(fate, ..)| *fate == trial.fate) {
            mark::draw(path, *fate, frame.x.at(trial.at_run as f64), frame.y.at(*over));
            ids.push_str(&trial.id.to_string());
            ids.push(' ');
        }
    }
    let zero = c(frame.y.at(0.0));
    let marks = html! {
        line class="reference" x1=(c(frame.x.range.0)) x2=(c(frame.x.range.1)) y1=(zero) y2=(zero) {}
        g class="dots" {
            @for (fate, path, ids) in &paths {
                @if !path.is_empty() {
                    path class={ "dot " (mark::class(*fate)) } d=(path) data-ids=(ids.trim_end()) {}
                }
            }
        }
    };
    Some(frame.picture(heard, &marks))
}

/// One look at what is known of an effect.
struct Look {
    x: f64,
    mean: f64,
    interval: Option<(f64, f64)>,
}

/// The evidence on one proposal: the mean gain after each pair, its interval, and the pairs themselves.
pub(crate) fn evidence(evidence: &Evidence, range: (f64, f64)) -> Markup {
    let looks: Vec<Look> = (1u32..)
        .zip(&evidence.pairs)
        .map(|(i, p)| Look { x: f64::from(i), mean: p.mean, interval: p.low.zip(p.high) })
        .collect();
    let dots: Vec<(f64, f64)> = (1u32..).zip(&evidence.pairs).map(|(i, p)| (f64::from(i), p.gain)).collect();
    let heard = format!(
        "Proposal {}: mean improvement {}.",
        evidence.proposal,
        last(&looks, &text::of(evidence.pairs.len() as u64, "pair"))
    );
    growth(&looks, &dots, (0.5, evidence.pairs.len() as f64 + 0.5), range, evidence.fate, &heard)
}

/// The evidence on one of several that were judged together.
pub(crate) fn together(t: &Together) -> Markup {
    let looks: Vec<Look> = t
        .points
        .iter()
        .map(|p| Look { x: p.runs as f64, mean: p.mean, interval: p.low.zip(p.high) })
        .collect();
    // Of the first looks only a few runs are behind: their ends are cut off.
    let (half, mean) = (looks.len() / 2, |look: &Look| look.mean);
    let late = looks.get(half..).unwrap_or_default().iter().filter_map(|look| look.interval);
    let ends = late.flat_map(|(low, high)| [low, high]);
    let range = span(ends.chain(looks.iter().map(mean)).chain([0.0])).unwrap_or((-1.0, 1.0));
    let runs = t.points.last().map_or(0, |p| p.runs);
    let ids: Vec<String> = t.proposals.iter().take(10).map(|id| format!("p{id}")).collect();
    let heard = format!(
        "{}: improvement beside others {}.",
        ids.join(" with "),
        last(&looks, &text::of(runs, "run"))
    );
    growth(&looks, &[], (0.0, runs as f64), range, t.fate, &heard)
}

fn last(looks: &[Look], after: &str) -> String {
    let Some(last) = looks.last() else { return "not known".into() };
    let interval = last.interval.map_or(String::new(), |(low, high)| {
        format!(", 95 % interval {} to {}", text::signed(low), text::signed(high))
    });
    format!("{} after {after}{interval}", text::signed(last.mean))
}

/// A small picture of how an estimate with its interval grew.
fn growth(
    looks: &[Look],
    single: &[(f64, f64)],
    x: (f64, f64),
    range: (f64, f64),
    fate: Option<Fate>,
    heard: &str,
) -> Markup {
    const SIZE: (f64, f64) = (260.0, 130.0);
    let x = Scale::new(x, (62.0, SIZE.0 - 12.0));
    let y = Scale::padded(range, 0.05, (SIZE.1 - 20.0, 8.0));
    let (mut line, mut upper, mut lower, mut dots) =
        (String::new(), String::new(), Vec::new(), String::new());
    for look in looks {
        let go = |path: &str| if path.is_empty() { 'M' } else { 'L' };
        let at = c(x.at(look.x));
        line.push_str(&format!("{}{at} {}", go(&line), c(y.at(look.mean))));
        if let Some((low, high)) = look.interval {
            upper.push_str(&format!("{}{at} {}", go(&upper), c(y.at(high))));
            lower.push(format!("L{at} {}", c(y.at(low))));
        }
    }
    single.iter().for_each(|(at, gain)| mark::draw(&mut dots, None, x.at(*at), y.at(*gain)));
    lower.reverse();
    let band = if upper.is_empty() { String::new() } else { format!("{upper}{}z", lower.concat()) };
    let zero = c(y.at(0.0));
    let ends: Vec<f64> = looks.first().into_iter().chain(looks.last()).map(|look| look.x).collect();
    let marks = html! {
        @for (value, label) in y.ticks(3) {
            text class="tick" x="56" y=(c(y.at(value))) dy=".32em" text-anchor="end" { (label) }
        }
        path class={ "band " (mark::class(fate)) } d=(band) {}
        line class="axis" x1=(c(x.range.0)) x2=(c(x.range.1)) y1=(zero) y2=(zero) {}
        @if !dots.is_empty() { path class="dot rejected" d=(dots) {} }
        path class={ "line " (mark::class(fate)) } d=(line) {}
        @for at in ends {
            text class="tick" x=(c(x.at(at))) y=(c(SIZE.1 - 5.0)) text-anchor="middle" { (at) }
        }
    };
    picture(SIZE, heard, &marks)
}
