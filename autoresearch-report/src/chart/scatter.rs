//! One number against another, and small pictures of evidence as it grows.

use super::Width;
use super::frame::{Frame, c, picture};
use super::mark;
use super::scale::{Scale, span};
use crate::data::{Evidence, Noise, Predicted};
use crate::text;
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

/// Runs of incumbents about the mean of their version, with two standard deviations as a band.
pub(crate) fn noise(noise: &Noise, heard: &str, width: Width) -> Option<Markup> {
    let x = span(noise.residuals.iter().map(|r| r.at_run as f64))?;
    let y = span(noise.residuals.iter().map(|r| r.value).chain([-2.0 * noise.sd, 2.0 * noise.sd]))?;
    let frame = Frame::new((width.units(), 240.0), x, y)
        .titled("runs of the study", "objective minus the mean of its incumbent");
    let mut path = String::new();
    for r in &noise.residuals {
        mark::draw(&mut path, None, frame.x.at(r.at_run as f64), frame.y.at(r.value));
    }
    let (x0, x1) = frame.x.range;
    let (top, bottom) = (frame.y.at(2.0 * noise.sd), frame.y.at(-2.0 * noise.sd));
    let zero = c(frame.y.at(0.0));
    let marks = html! {
        rect class="band" x=(c(x0)) y=(c(top)) width=(c(x1 - x0)) height=(c(bottom - top)) {}
        line class="axis" x1=(c(x0)) x2=(c(x1)) y1=(zero) y2=(zero) {}
        path class="dot calibrate" d=(path) {}
    };
    Some(frame.picture(heard, &marks))
}

/// The evidence on one proposal: the mean gain after each pair, its interval, and the pairs themselves.
pub(crate) fn evidence(evidence: &Evidence, range: (f64, f64)) -> Markup {
    const SIZE: (f64, f64) = (260.0, 130.0);
    let n = evidence.pairs.len() as f64;
    let x = Scale::new((0.5, n + 0.5), (46.0, SIZE.0 - 6.0));
    let y = Scale::padded(range, 0.05, (SIZE.1 - 20.0, 8.0));
    let place = |i: usize| x.at(i as f64 + 1.0);
    let (mut line, mut upper, mut lower, mut dots) =
        (String::new(), String::new(), Vec::new(), String::new());
    for (i, pair) in evidence.pairs.iter().enumerate() {
        let go = |path: &str| if path.is_empty() { 'M' } else { 'L' };
        line.push_str(&format!("{}{} {}", go(&line), c(place(i)), c(y.at(pair.mean))));
        if let (Some(low), Some(high)) = (pair.low, pair.high) {
            upper.push_str(&format!("{}{} {}", go(&upper), c(place(i)), c(y.at(high))));
            lower.push(format!("L{} {}", c(place(i)), c(y.at(low))));
        }
        mark::draw(&mut dots, None, place(i), y.at(pair.gain));
    }
    lower.reverse();
    let band = if upper.is_empty() { String::new() } else { format!("{upper}{}z", lower.concat()) };
    let last = evidence.pairs.last();
    let heard = format!(
        "Proposal {}: mean improvement {} after {}{}.",
        evidence.proposal,
        text::signed(last.map_or(0.0, |p| p.mean)),
        text::of(evidence.pairs.len() as u64, "pair"),
        last.and_then(|p| p.low.zip(p.high)).map_or(String::new(), |(low, high)| {
            format!(", 95 % interval {} to {}", text::signed(low), text::signed(high))
        })
    );
    let zero = c(y.at(0.0));
    let marks = html! {
        @for (value, label) in y.ticks(3) {
            text class="tick" x="40" y=(c(y.at(value))) dy=".32em" text-anchor="end" { (label) }
        }
        path class={ "band " (mark::class(evidence.fate)) } d=(band) {}
        line class="axis" x1=(c(x.range.0)) x2=(c(x.range.1)) y1=(zero) y2=(zero) {}
        path class="dot rejected" d=(dots) {}
        path class={ "line " (mark::class(evidence.fate)) } d=(line) {}
        text class="tick" x=(c(place(0))) y=(c(SIZE.1 - 5.0)) text-anchor="middle" { "1" }
        text class="tick" x=(c(place(evidence.pairs.len().saturating_sub(1)))) y=(c(SIZE.1 - 5.0)) text-anchor="middle" { (evidence.pairs.len()) }
    };
    picture(SIZE, &heard, &marks)
}
