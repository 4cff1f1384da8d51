//! What certification found.

use super::sections::figure;
use crate::chart::intervals::{Row, intervals};
use crate::text;
use autoresearch_core::{Certified, Fate, PartVerdict};
use maud::{Markup, html};
use serde_json::Value;

pub(super) fn certified(c: &Certified<Value>) -> Markup {
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
