//! Figures that a benchmark of a crate prints as JSON, with the bounds that they are to keep.
use crate::process;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::process::{ExitCode, Stdio};

/// Shows figures as they come, and remembers which bounds were missed.
pub(super) struct Shown {
    json: bool,
    missed: usize,
}

impl Shown {
    pub(super) fn begin(json: bool) -> Self {
        if !json {
            println!("{:58} {:>14} {:10} {:18} ok", "figure", "value", "unit", "bound");
        }
        Self { json, missed: 0 }
    }

    pub(super) fn show(&mut self, figure: &Value) {
        self.missed += usize::from(figure["ok"] == false);
        println!("{}", if self.json { figure.to_string() } else { row(figure) });
    }

    /// Failure if a bound was not kept.
    pub(super) fn end(self) -> ExitCode {
        if self.missed > 0 {
            eprintln!("{} bounds are not kept", self.missed);
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }
}

/// What the benchmark `bench` of a package prints, one JSON object a line; with `only`, its parts of that name.
pub(super) fn of_bench(package: &[&str], bench: &str, only: Option<&str>) -> Result<Vec<Value>> {
    of_bench_with(package, bench, only, &[])
}

/// The same, with more options for the benchmark. What it says of parts that it leaves out goes to standard error.
pub(super) fn of_bench_with(
    package: &[&str],
    bench: &str,
    only: Option<&str>,
    more: &[&str],
) -> Result<Vec<Value>> {
    let mut cargo = process::cargo();
    cargo.args(["bench", "--quiet", "--package"]).args(package).args(["--bench", bench, "--", "--json"]);
    if let Some(only) = only {
        cargo.args(["--only", only]);
    }
    let told = process::capture(cargo.args(more).stderr(Stdio::inherit()))?;
    told.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("no figure: {line}")))
        .collect()
}

/// The value of the figure of this name.
pub(super) fn value(figures: &[Value], name: &str) -> Option<f64> {
    figures.iter().find(|figure| figure["name"] == name)?["value"].as_f64()
}

/// A ratio of two figures, and the least that it may be.
pub(super) fn at_least(name: &str, times: f64, bound: f64) -> Value {
    json!({ "name": name, "value": times, "unit": "times", "at_least": bound, "ok": times >= bound })
}

/// A ratio of two figures, and the most that it may be.
pub(super) fn at_most(name: &str, times: f64, bound: f64) -> Value {
    json!({ "name": name, "value": times, "unit": "times", "at_most": bound, "ok": times <= bound })
}

pub(super) fn row(figure: &Value) -> String {
    let text = |key: &str| figure[key].as_str().unwrap_or_default();
    let bound = match (figure["at_least"].as_f64(), figure["at_most"].as_f64()) {
        (Some(bound), _) => format!("at least {bound}"),
        (_, Some(bound)) => format!("at most {bound}"),
        _ => String::new(),
    };
    let ok = figure["ok"].as_bool().map_or("", |ok| if ok { "yes" } else { "NO" });
    let value = figure["value"].as_f64().unwrap_or(f64::NAN);
    format!("{:58} {value:>14.3} {:10} {bound:18} {ok}", text("name"), text("unit")).trim_end().into()
}
