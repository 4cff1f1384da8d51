//! Edits that were certified as one: a certificate speaks of the unit, and not of its edits one by one.

use super::message;
use std::collections::BTreeSet;

/// Which edits belong together, each given as the proposals of its unit with its own: for each unit the places of its
/// edits, in the order of the first ones.
pub(super) fn units(edits: &[BTreeSet<String>]) -> Vec<Vec<usize>> {
    let mut units: Vec<(BTreeSet<String>, Vec<usize>)> = Vec::new();
    for (at, names) in edits.iter().enumerate() {
        let (mut names, mut places) = (names.clone(), Vec::new());
        let mut first = units.len();
        // It may be what two units have in common.
        while let Some(i) = units.iter().position(|(others, _)| !others.is_disjoint(&names)) {
            let (others, before) = units.remove(i);
            names.extend(others);
            places.extend(before);
            first = first.min(i);
        }
        places.push(at);
        places.sort_unstable();
        units.insert(first.min(units.len()), (names, places));
    }
    units.into_iter().map(|(_, places)| places).collect()
}

/// The proposals of an edit's unit as its message tells them, with its own.
pub(super) fn told(message: &str) -> BTreeSet<String> {
    let found = message::trailers(message);
    let unit = found.get("Unit").map_or("", String::as_str).split_whitespace().map(String::from);
    unit.chain(found.get("Proposal").cloned()).collect()
}

/// The message of a unit: what each of its edits says, and the evidence once, as it is of all of them.
pub(super) fn joint(messages: &[&str]) -> String {
    let [first, others @ ..] = messages else { return String::new() };
    if others.is_empty() {
        return (*first).into();
    }
    let body =
        |text: &str| text.trim_end().rsplit_once("\n\n").map_or_else(String::new, |(body, _)| body.into());
    let mut text =
        format!("{}\n\nOne unit of {} edits, which were tested together.\n", subject(first), messages.len());
    for one in messages {
        text.push_str(&format!("\n{}\n", body(one)));
    }
    text.push('\n');
    let all: Vec<_> = messages.iter().map(|text| message::trailers(text)).collect();
    for name in [
        "Fate", "Effect", "Interval", "Evidence", "Runs", "Proposal", "Unit", "Holdout", "Study", "Base",
        "Settled",
    ] {
        let mut values: Vec<&str> = Vec::new();
        for value in all.iter().filter_map(|found| found.get(name)) {
            if !values.contains(&value.as_str()) {
                values.push(value);
            }
        }
        if !values.is_empty() {
            text.push_str(&format!("{name}: {}\n", values.join("; ")));
        }
    }
    text
}

fn subject(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, unit: &str) -> String {
        let unit = if unit.is_empty() { String::new() } else { format!("Unit: {unit}\n") };
        format!(
            "edit {id}\n\nwhy\n\nFate: kept\nEffect: +2\nEvidence: 8 fresh runs; certified\nProposal: {id}\n{unit}"
        )
    }

    #[test]
    fn edits_of_one_unit_are_one_commit_with_its_effect() {
        let texts = [message("p1", "p1 p4"), message("p2", ""), message("p4", "p1 p4")];
        let edits = texts.each_ref().map(|text| told(text));
        assert_eq!(units(&edits), [vec![0, 2], vec![1]]);
        let joint = joint(&[&texts[0], &texts[2]]);
        assert!(joint.starts_with("edit p1\n\nOne unit of 2 edits"), "{joint}");
        assert!(joint.contains("\nedit p4\n"), "{joint}");
        let found = message::trailers(&joint);
        assert_eq!((found["Effect"].as_str(), found["Proposal"].as_str()), ("+2", "p1; p4"));
        assert_eq!(found["Unit"], "p1 p4");
    }

    #[test]
    fn what_two_units_share_joins_them() {
        let edits = [["p1", "p3"], ["p2", "p3"], ["p3", "p1"]];
        let edits = edits.map(|names| names.map(String::from).into());
        assert_eq!(units(&edits), [vec![0, 1, 2]]);
    }

    #[test]
    fn what_the_evidence_says_makes_no_unit() {
        let text =
            message("p2", "").replace("certified", "certified, with p1, p2 as one unit, since they overlap");
        assert_eq!(units(&[told(&message("p1", "")), told(&text)]), [vec![0], vec![1]]);
    }
}
