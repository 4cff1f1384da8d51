//! What certification found.

use super::sections::figure;
use crate::chart::intervals::{Row, intervals};
use crate::data::Data;
use crate::text;
use autoresearch_core::{Certified, CertifiedPart, Fate, PartVerdict, Total};
use maud::{Markup, html};
use serde_json::Value;

/// More parts than that are left to the JSON.
const PARTS: usize = 60;

pub(super) fn certified(c: &Certified<Value>, data: &Data) -> Markup {
    let parts: Vec<Row> = c.parts.iter().filter_map(|part| row(part, c, data)).collect();
    let shown = &parts[..parts.len().min(PARTS)];
    let totals = totals(c);
    let heard: Vec<String> =
        totals.iter().filter_map(|row| Some(format!("{} {}", row.label, text::signed(row.mean?)))).collect();
    html! {
        p { bdi { (c.to_string().lines().last().unwrap_or_default()) } }
        (figure(|width| intervals(&totals, "improvement over the baseline", &format!("Certified totals: {}.", heard.join(", ")), width), &html! {
            "The whole against the baseline on fresh seeds, with paired 95 % t intervals." @if totals.iter().any(|row| row.other.is_some()) { " Hollow: what its edits claimed together when they were kept." }
        }))
        (figure(|width| intervals(shown, "lost without it", "What is lost by leaving each part out of the kept stack.", width), &html! {
            "Leave one out: what is lost without each part, on fresh runs, with 95 % t intervals. Discs earn their place, triangles are not shown to, squares were dropped."
            @if let Some(transfer) = &c.transfer { " Hollow: the same at " (transfer.fidelity.to_string()) ", without its interval." }
            @if parts.len() > PARTS { " The first " (PARTS) " of " (parts.len()) "." }
        }))
    }
}

/// What is lost without a part. One that is all of a proposal has its title.
fn row(part: &CertifiedPart, c: &Certified<Value>, data: &Data) -> Option<Row> {
    let fate = match part.verdict {
        PartVerdict::Earns => Fate::Kept,
        PartVerdict::Dropped => Fate::Revoked,
        _ => Fate::Undecided,
    };
    let label = match part.edits.as_slice() {
        [one] if c.parts.iter().filter(|other| other.edits.contains(one)).count() == 1 => {
            let at = data.proposals.binary_search_by_key(&one.0, |trial| trial.id).ok();
            let title = at.and_then(|i| data.proposals.get(i)).map_or(&part.title, |trial| &trial.title);
            format!("{one} {title}")
        }
        _ => text::line(&part.title, 100),
    };
    Some(Row { other: part.elsewhere.map(|e| e.mean), ..Row::of(label, Some(fate), part.effect?) })
}

/// All that was kept, what is left standing, and that at the other fidelity.
fn totals(c: &Certified<Value>) -> Vec<Row> {
    let row = |label: &str, total: &Total| Row::of(label, Some(Fate::Kept), total.gain);
    let mut rows = Vec::new();
    if let Some(kept) = &c.kept {
        let claimed = (c.unclaimed == 0 && c.claimed != 0.0).then_some(c.claimed);
        rows.push(Row { other: claimed, ..row("all that was kept", kept) });
    }
    // Where nothing was taken out, these are the same runs.
    rows.extend(
        c.claim
            .as_ref()
            .filter(|claim| c.kept.as_ref() != Some(claim))
            .map(|claim| row("what stands", claim)),
    );
    if let Some(transfer) = &c.transfer {
        rows.extend(
            transfer
                .total
                .as_ref()
                .map(|total| row(&format!("what stands, at {}", transfer.fidelity), total)),
        );
    }
    rows
}
