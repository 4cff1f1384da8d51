//! What a study's own figures do not bear out.

use super::{compared, is_shown};
use crate::data::{Basis, Data, Trial};
use crate::text::{count, number, of, signed};
use autoresearch_core::Guarantee;

pub(super) fn uncertain(data: &Data) -> Vec<String> {
    let mut said = Vec::new();
    if data.study.as_ref().is_some_and(|study| study.guarantee == Some(Guarantee::None)) {
        said.push(
            "The policy keeps to no rate of errors: nothing limits how much of what it keeps is luck.".into(),
        );
    }
    let lost: Vec<&Trial> = data.passed_over().collect();
    if !lost.is_empty() {
        let names: Vec<String> = lost.iter().take(10).map(|trial| format!("p{}", trial.id)).collect();
        said.push(format!(
            "{} passed {} tests and the holdout and {} not part of the incumbent: {}{}. What {} would add to it is not known.",
            of(lost.len() as u64, "edit"),
            if lost.len() == 1 { "its" } else { "their" },
            if lost.len() == 1 { "is" } else { "are" },
            names.join(", "),
            if lost.len() > 10 { " and others" } else { "" },
            if lost.len() == 1 { "it" } else { "they" },
        ));
    }
    let unshown: Vec<&Trial> = data.kept().filter(|trial| !is_shown(trial)).collect();
    let selected = unshown.iter().filter(|trial| trial.effect.is_some_and(|e| !e.fresh)).count() as u64;
    let rest = unshown.len() as u64 - selected;
    if selected > 0 {
        said.push(format!(
            "{}: the effect is measured by the runs that chose the edit, and so is overstated, and may be luck alone.",
            of(selected, "kept edit")
        ));
    }
    if rest > 0 {
        said.push(format!(
            "{}: no interval of its own that excludes zero. It was kept for other reasons, which stand beside it, or its \
             effect was not measured alone.",
            of(rest, "kept edit")
        ));
    }
    if data.kept().count() > 1 {
        said.push(
            "Effects of kept edits do not add up: each was measured beside what had been kept by then."
                .into(),
        );
    }
    if let Some(result) = &data.result {
        for (name, splits) in [("What was kept", &result.kept), ("The bolder stack", &result.stack)] {
            if let Some(c) = splits.as_ref().map(|s| s.test).filter(|c| c.low.is_nan() || c.low <= 0.0) {
                said.push(format!(
                    "{name} is not shown to be better on the test split: {}.",
                    compared(&c, result.level)
                ));
            }
        }
    } else if data.study.is_some() {
        let why = match data.study.as_ref().is_some_and(|s| s.test_split) {
            true => "The test split has not been opened",
            false => "There is no test split",
        };
        let gain = if data.kept().next().is_some() || data.stack().is_some() {
            ": how much of the gain is fitted to the validation split, nothing here can tell."
        } else {
            "."
        };
        said.push(format!("{why}{gain}"));
    }
    if data.study.is_some() && data.holdout.is_none() {
        said.push(
            "There is no holdout: validation alone decided, and it was looked at once for every run.".into(),
        );
    }
    let open = data.funnel.open;
    if open > 0 {
        said.push(format!(
            "{} not been settled.",
            match open {
                1 => "1 proposal has".into(),
                n => format!("{} proposals have", count(n)),
            }
        ));
    }
    if data.incumbents.last().is_some_and(|last| matches!(last.basis, Basis::Selected | Basis::Claimed)) {
        said.push("The incumbent of now has no fresh run of its own: its objective is that of the runs that chose it, or what \
                   was claimed for its last edit.".into());
    }
    if data.incumbents.last().is_some_and(|last| last.basis == Basis::Decided) {
        said.push(
            "The incumbent of now has not run twice since it was kept: its objective is the mean of the runs that decided it, \
             a little too good if they could stop early, and it has no interval yet."
                .into(),
        );
    }
    if data.noise.is_none() && data.cost.runs > 0 {
        said.push("Run noise is unknown: no incumbent ran twice.".into());
    }
    if let Some(noise) = data.noise.as_ref().filter(|noise| noise.differs()) {
        let (low, high) = noise.extremes().unwrap_or((noise.low, noise.high));
        said.push(format!(
            "Run noise differs by incumbent, from {} to {} (Bartlett's test, p = {}, if Gaussian): no one figure is true of all.",
            number(low),
            number(high),
            number(noise.equal_p.unwrap_or(0.0))
        ));
        let now = data.incumbents.last().and_then(|now| noise.of(now.version));
        if now.is_none() {
            said.push("Run noise of the incumbent of now is unknown: it did not run twice.".into());
        }
    }
    if let Some([low, high]) =
        data.noise.as_ref().and_then(|n| n.drift_interval).filter(|d| d[0] > 0.0 || d[1] < 0.0)
    {
        said.push(format!(
            "Runs of one and the same incumbent drift by {} to {} in a hundred runs (95 % interval): something besides the \
             edits changes.",
            signed(low),
            signed(high)
        ));
    }
    if data.state.unreadable_count > 0 {
        said.push(format!(
            "{} of the store cannot be understood or are missing; what is said here leaves them out.",
            of(data.state.unreadable_count, "event")
        ));
    }
    said
}
