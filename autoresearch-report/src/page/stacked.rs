//! The stack that is built upon before it is proved.

use super::proposals::one;
use crate::data::{Change, Data, StackPart, Trial};
use crate::text;
use maud::{Markup, html};

/// More values of one change than that are left to the JSON.
const VALUES: usize = 8;

/// What the unproven stack of now is made of.
pub(super) fn stacked(data: &Data) -> Markup {
    let Some(stack) = data.stack() else { return Markup::default() };
    let level = match (stack.objective, data.measured_stack()) {
        (Some(y), _) => format!("It stands at {}, by {}.", text::number(y), text::of(stack.runs, "run")),
        (None, Some((before, ago))) => format!(
            "It has not run as it is; {} ago, with {}, it stood at {}, by {}.",
            text::of(ago, "change"),
            text::of(before.members.len() as u64, "edit"),
            text::number(before.objective.unwrap_or(f64::NAN)),
            text::of(before.runs, "run")
        ),
        (None, None) => "It has not run as it is.".into(),
    };
    let title =
        |id: u64| data.proposals.binary_search_by_key(&id, |t| t.id).ok().and_then(|i| data.proposals.get(i));
    html! {
        p {
            "What new proposals are made on, without being proved: " (text::of(stack.members.len() as u64, "edit")) " on version " (stack.version) ". " (level)
            " Its members were chosen one after the other by single runs, so that level is better than it is, and nothing of it need hold. It is tested before anything of it is kept."
        }
        div class="wide" tabindex="0" role="region" aria-label="The unproven stack" {
            table {
                thead { tr { th scope="col" { "Edit" } th scope="col" { "Part" } th scope="col" class="n" { "Since run" } th scope="col" { "What it changes" } } }
                tbody { @for part in &stack.parts { (row(part, title(part.proposal))) } }
            }
        }
        p class="quiet" { "Of an edit of which only a part is in the stack, the changes of that part are listed. A change is what the edit says against what it was made on, which had other members of the stack." }
    }
}

fn row(part: &StackPart, trial: Option<&Trial>) -> Markup {
    let all = trial.map_or(&[][..], |trial| trial.changes.as_slice());
    let units = all.iter().map(|change| u32::from(change.unit) + 1).max().unwrap_or(0);
    // A part that is none of fields is one of a candidate that merges in another way.
    let known = part.units.iter().all(|unit| u32::from(*unit) < units);
    let within = |change: &&Change| part.units.is_empty() || !known || part.units.contains(&change.unit);
    let changes: Vec<&Change> = all.iter().filter(within).collect();
    html! {
        tr {
            td { span class="id" { "p" (part.proposal) } @if let Some(trial) = trial { " " bdi { (text::line(&trial.title, 200)) } } }
            td { (share(part, known.then_some(units))) }
            td class="n" { (text::count(part.since)) }
            td { @for change in changes.iter().take(VALUES) { (one(change)) } @if changes.len() > VALUES { p class="quiet" { "and " (changes.len() - VALUES) " more" } } }
        }
    }
}

/// How much of an edit that is of so many units.
fn share(part: &StackPart, units: Option<u32>) -> String {
    let numbers: Vec<String> = part.units.iter().map(|unit| (u32::from(*unit) + 1).to_string()).collect();
    match (part.units.len() as u32, units) {
        (0, _) => "all".into(),
        (n, Some(all)) if n == all => "all".into(),
        (n, Some(all)) => format!("{n} of {all} changes"),
        (1, None) => format!("part {}", numbers.concat()),
        (_, None) => format!("parts {}", numbers.join(", ")),
    }
}
