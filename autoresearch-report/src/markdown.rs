//! The summary as Markdown: the same sentences as on the page, and the table of kept edits.

use crate::data::Trial;
use crate::report::Report;
use crate::summary;
use crate::text::{duration, line, markdown};
use std::fmt::Write;

/// More kept edits than that are left to the page.
const MOST: usize = 200;

pub(crate) fn summary(report: &Report) -> String {
    let said = report.in_short();
    let mut out =
        format!("# {}\n\n{}\n\n{}\n", markdown(&report.title()), said.headline, markdown(&said.state));
    for (title, items) in [("Certain", &said.certain), ("Not certain", &said.uncertain), ("Cost", &said.cost)]
    {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "\n## {title}\n");
        if items.is_empty() {
            out.push_str("Nothing that these data show.\n");
        }
        for item in items {
            let _ = writeln!(out, "- {}", markdown(item));
        }
    }
    let kept: Vec<&Trial> = report.data().kept().collect();
    if !kept.is_empty() {
        out.push_str("\n## Kept edits\n\n| | Edit | Improvement | Evidence | Runs | Time |\n|---|---|---|---|---|---|\n");
        for trial in kept.iter().take(MOST) {
            let _ = writeln!(
                out,
                "| p{} | {} | {} | {} | {} | {} |",
                trial.id,
                markdown(&line(&trial.title, 120)),
                summary::effect(trial),
                summary::evidence(trial),
                trial.runs,
                duration(trial.share)
            );
        }
        if kept.len() > MOST {
            let _ = writeln!(out, "\nThe first {MOST} of {}.", kept.len());
        }
    }
    out
}
