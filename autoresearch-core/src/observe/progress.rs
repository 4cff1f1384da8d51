//! A progress bar on the terminal; plain lines where there is none.

use super::{Notice, Observe, Status};
use crate::propose::Fate;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Draws the study's progress on standard error: time, runs, proposals, kept edits, the incumbent's objective, ETA.
/// Kept edits are printed above the bar. Where standard error is no terminal it prints a line for each settled
/// proposal that got past its first run, and every 20 runs.
///
/// ```no_run
/// # use autoresearch_core::{Progress, Study, testkit, LocalSearch, ParamSpace, ParamSet};
/// # let (executor, _runs) = testkit::mock_executor();
/// # let study = Study::new(ParamSet::new(), LocalSearch::over(ParamSpace::new()), executor, testkit::loss());
/// let study = study.observer(Progress::bar());
/// ```
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    terminal: bool,
}

impl Progress {
    /// A bar, or plain lines where standard error is no terminal.
    pub fn bar() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {msg}") {
            bar.set_style(style);
        }
        if terminal {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        Self { bar, terminal }
    }

    fn say(&self, line: &str) {
        if self.terminal { self.bar.println(line) } else { eprintln!("{line}") }
    }
}

/// Seconds as m:ss.
fn clock(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    format!("{}:{:02}", s / 60, s % 60)
}

/// How much of the tightest limit is used up.
fn share(status: &Status) -> Option<f64> {
    let of = |used: f64, limit: f64| used / limit.max(1e-9);
    let count = |used: u64, limit: Option<u64>| limit.map(|limit| used as f64 / (limit.max(1)) as f64);
    let shares = [
        status.wall_clock.map(|limit| of(status.elapsed, limit)),
        status.compute_limit.map(|limit| of(status.compute, limit)),
        status.money_limit.map(|limit| of(status.money, limit)),
        count(status.runs, status.runs_limit),
        // The last one is still to be judged when it has been made.
        count(status.proposals.saturating_sub(1), status.proposals_limit),
    ];
    shares.into_iter().flatten().reduce(f64::max).map(|share| share.clamp(0.0, 1.0))
}

fn line(status: &Status) -> String {
    let number = |x: Option<f64>| x.map_or_else(|| "-".into(), |x| format!("{x:.4}"));
    let mut text = format!(
        "{} | {} runs (+{} under way) | {} tried, {} kept | objective {} (baseline {})",
        clock(status.elapsed),
        status.runs,
        status.in_flight,
        status.proposals,
        status.kept,
        number(status.incumbent),
        number(status.baseline),
    );
    if status.money > 0.0 {
        text += &format!(" | {:.2} charged", status.money);
    }
    if let Some(left) = status.holdout_left {
        text += &format!(" | holdout {left} left");
    }
    match share(status) {
        Some(share) if share >= 1.0 => text += " | final runs",
        Some(share) if share > 0.0 => {
            text += &format!(" | ETA {}", clock(status.elapsed * (1.0 / share - 1.0)))
        }
        _ => {}
    }
    text
}

impl Observe for Progress {
    fn notice(&mut self, notice: &Notice<'_>, status: &Status) {
        match notice {
            Notice::Opened { resumed: true } => self.say("going on where the stored study stands"),
            Notice::Settled { proposal, title, fate, effect, reason } => {
                let effect = effect.map_or_else(String::new, |e| format!(" {e}"));
                match fate {
                    Fate::Rejected if effect.is_empty() => {}
                    Fate::Kept => self.say(&format!("kept {proposal} {title}:{effect}")),
                    Fate::Rejected => self.say(&format!("{fate} {proposal} {title}:{effect}")),
                    _ => self.say(&format!("{fate} {proposal} {title}: {reason}")),
                }
            }
            Notice::RunFinished { .. } if !self.terminal && status.runs.is_multiple_of(20) => {
                self.say(&line(status))
            }
            Notice::Concern { concern } => self.say(&format!("concern: {concern}")),
            Notice::Stopped { reason } => {
                self.bar.finish_and_clear();
                if !self.terminal {
                    self.say(&line(status));
                }
                self.say(&format!("stopped: {reason}"));
                return;
            }
            _ => {}
        }
        if self.terminal {
            self.bar.set_position((share(status).unwrap_or(0.0) * 1000.0) as u64);
            self.bar.set_message(line(status));
        }
    }
}
