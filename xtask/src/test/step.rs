//! One step of the tests: a cargo command, its name and how long it took.
use crate::process;
use anyhow::{Result, anyhow};
use std::fmt;
use std::time::Instant;

/// A cargo command to run.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    arguments: Vec<String>,
    deny_doc_warnings: bool,
}

impl Step {
    /// A step that calls cargo with arguments that are parted by spaces.
    pub(crate) fn cargo(name: &str, arguments: &str) -> Self {
        let arguments = arguments.split(' ').map(str::to_owned).collect();
        Self { name: name.into(), arguments, deny_doc_warnings: false }
    }

    /// Warnings of rustdoc become errors.
    pub(crate) fn deny_doc_warnings(mut self) -> Self {
        self.deny_doc_warnings = true;
        self
    }

    /// What to type to repeat the step.
    pub(crate) fn line(&self) -> String {
        let variable = if self.deny_doc_warnings { "RUSTDOCFLAGS='-D warnings' " } else { "" };
        format!("{variable}cargo {}", self.arguments.join(" "))
    }
}

/// Runs steps and remembers how long each took. Its `Display` is the summary.
#[derive(Debug, Default)]
pub(crate) struct Runner {
    done: Vec<(String, f64, bool)>,
}

impl Runner {
    /// Runs a step, whose output goes where that of xtask goes.
    pub(crate) fn run(&mut self, step: Step) -> Result<()> {
        let mut cargo = process::cargo();
        cargo.args(&step.arguments);
        if step.deny_doc_warnings {
            cargo.env("RUSTDOCFLAGS", "-D warnings");
        }
        self.time(&step.name, &step.line(), || process::run(&mut cargo))
    }

    /// Runs something under the name of a step. `line` is what to type to repeat it.
    pub(crate) fn time(&mut self, name: &str, line: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n==> {name}: {line}");
        let start = Instant::now();
        let outcome = work();
        let seconds = start.elapsed().as_secs_f64();
        println!("<== {name}: {} after {seconds:.1} s", if outcome.is_ok() { "good" } else { "FAILED" });
        self.done.push((name.into(), seconds, outcome.is_ok()));
        outcome.map_err(|why| anyhow!("the step `{name}` failed: {why:#}\nTo repeat it: {line}"))
    }
}

impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.done.iter().map(|(name, seconds, good)| {
            format!("{seconds:>8.1} s  {name}{}", if *good { "" } else { " - FAILED" })
        });
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_step_and_how_to_repeat_it() {
        let mut runner = Runner::default();
        runner.time("one", "cargo one", || Ok(())).unwrap();
        let error = runner.time("two", "cargo two", || Err(anyhow!("it broke"))).unwrap_err();
        assert_eq!(error.to_string(), "the step `two` failed: it broke\nTo repeat it: cargo two");
        assert_eq!(runner.to_string(), "     0.0 s  one\n     0.0 s  two - FAILED");
    }

    #[test]
    fn the_line_has_what_the_step_sets() {
        let step = Step::cargo("docs", "doc --no-deps").deny_doc_warnings();
        assert_eq!(step.line(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }
}
