//! Summaries as a table.
use super::cell::Options;
use super::summary::Summary;

/// Name, heading, width, digits, whether with its standard error.
const COLUMNS: &[(&str, &str, usize, usize, bool)] = &[
    ("true_gain", "true gain", 15, 1, true),
    ("stack_gain", "stack gain", 15, 1, true),
    ("ideal_gain", "ideal", 8, 1, false),
    ("share_of_optimum", "share", 6, 2, false),
    ("fdr", "fdr", 13, 3, true),
    ("fdr_unit", "unit fdr", 9, 3, false),
    ("any_false", "any false", 10, 2, false),
    ("kept", "kept", 7, 1, false),
    ("runs", "runs", 8, 0, false),
    ("proposals", "proposals", 10, 0, false),
    ("gain_per_1000_runs", "per 1000", 9, 1, false),
    ("reported_minus_true", "reported-true", 14, 1, false),
];

/// The settings, and the head of the table.
pub(super) fn header(options: &Options, reps: u32) -> String {
    let o = options;
    let budget = match (o.budget, o.proposals) {
        (None, None) => "700 proposals, 701 runs".into(),
        (None, Some(n)) => format!("{n} proposals, {} runs", n + 1),
        (Some(runs), None) => format!("{runs} runs"),
        (Some(runs), Some(n)) => format!("{n} proposals, {runs} runs"),
    };
    let sigma_v = o.sigma_v.unwrap_or(0.3);
    let mut text = format!("{budget}; {reps} repetitions, seed {}; sigma_v {sigma_v}, ", o.seed);
    text += &format!("{} noise, interactions {}, {} seeds, ", o.noise, o.interactions, o.seeds);
    text += &format!("tau {}, conflicts {}, missing {}\n\n", o.tau, o.conflicts, o.missing);
    text += &format!("{:18} {:12}", "policy", "scenario");
    for (_, heading, width, ..) in COLUMNS {
        text += &format!(" {heading:>width$}");
    }
    text
}

/// One cell.
pub(super) fn row(summary: &Summary<'_>) -> String {
    let mut text = format!("{:18} {:12}", summary.cell.policy, summary.cell.scenario);
    for (name, _, width, digits, with_error) in COLUMNS {
        let shown = match summary.get(name) {
            Some(m) if *with_error => format!("{:.digits$} ±{:.digits$}", m.mean, m.se),
            Some(m) => format!("{:.digits$}", m.mean),
            None => "-".into(),
        };
        text += &format!(" {shown:>width$}");
    }
    text
}
