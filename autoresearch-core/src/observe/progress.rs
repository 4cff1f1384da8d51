//! A progress bar on the terminal; plain lines where there is none.

use super::left::{clock, left, roughly, share};
use super::{Notice, Observe, Status};
use crate::arm::{Arm, ProposalId, RunId};
use crate::execute::RunProgress;
use crate::propose::{Effect, Fate};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Draws the study's progress on standard error: time, runs, proposals, kept edits, and how long it may take yet; below
/// that the incumbent's objective, the effect of the last kept edit, what is left of the holdout, what was charged; and a
/// line for each run under way, eight at most. Kept edits are printed above the bar. Where standard error is no terminal,
/// or one that cannot move its cursor (`TERM=dumb`), it prints a line for each settled proposal that got past its first
/// run and was not set aside, and every 20 runs.
///
/// What is left is said once it can be known: after the first runs, as what the limit that is nearest leaves at the pace so
/// far, and as an upper bound where that limit is the clock. A study may end sooner, when nothing more is proposed.
///
/// Colours are left out where the variable `NO_COLOR` is set and not empty (<https://no-color.org>), and where there is no
/// terminal.
///
/// ```no_run
/// # use autoresearch_core::{Progress, Study, testkit, LocalSearch, ParamSpace, ParamSet};
/// # let (executor, _runs) = testkit::mock_executor();
/// # let study = Study::new(ParamSet::new(), LocalSearch::over(ParamSpace::new()), executor, testkit::loss());
/// let study = study.observer(Progress::bar());
/// ```
#[derive(Debug)]
pub struct Progress {
    all: MultiProgress,
    bar: ProgressBar,
    terminal: bool,
    colours: bool,
    quiet: bool,
    last_kept: Option<(ProposalId, Option<Effect>)>,
    runs: BTreeMap<RunId, (ProgressBar, String, Instant)>,
}

/// No more runs under way than that have a line of their own.
const LINES: usize = 8;

impl Progress {
    /// A bar, or plain lines where standard error is no terminal.
    pub fn bar() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = std::io::stderr().is_terminal() && !dumb;
        Self::new(terminal, ProgressDrawTarget::stderr(), false)
    }

    /// Says nothing but alarms, and why the study stopped: for `--quiet`.
    pub fn quiet() -> Self {
        Self::new(false, ProgressDrawTarget::hidden(), true)
    }

    fn new(terminal: bool, target: ProgressDrawTarget, quiet: bool) -> Self {
        let all =
            MultiProgress::with_draw_target(if terminal { target } else { ProgressDrawTarget::hidden() });
        let bar = all.add(ProgressBar::new(1000));
        bar.set_style(style("{bar:20} {msg}\n  {prefix}"));
        if terminal {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { all, bar, terminal, colours, quiet, last_kept: None, runs: BTreeMap::new() }
    }

    fn say(&self, line: &str) {
        if self.terminal { self.bar.println(line) } else { eprintln!("{line}") }
    }

    /// The text in one of the eight colours of terminals, or as it is.
    fn coloured(&self, colour: u8, text: &str) -> String {
        if self.colours { format!("\x1b[3{colour}m{text}\x1b[0m") } else { text.into() }
    }

    /// The lines of runs under way.
    fn follow(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::RunStarted { run, arm, attempt } if self.runs.len() < LINES => {
                let line = self.all.add(ProgressBar::new(1000));
                // Until it tells how far it is, its time alone shows that it runs.
                line.set_style(style("  {msg} | {elapsed}"));
                line.enable_steady_tick(Duration::from_secs(1));
                let again = if *attempt > 0 { format!(", attempt {}", attempt + 1) } else { String::new() };
                let what = format!("{run} {}{again}", trained(arm));
                line.set_message(what.clone());
                self.runs.insert(*run, (line, what, Instant::now()));
            }
            Notice::RunProgress { run, progress } => {
                if let Some((line, what, began)) = self.runs.get(run) {
                    line.disable_steady_tick();
                    line.set_style(style("  {msg}"));
                    line.set_message(under_way(what, progress, began.elapsed().as_secs_f64()));
                }
            }
            Notice::RunFinished { run, .. } | Notice::RunFailed { run, .. } => {
                if let Some((line, ..)) = self.runs.remove(run) {
                    line.finish_and_clear();
                    self.all.remove(&line);
                }
            }
            Notice::Stopped { .. } => {
                for (line, ..) in std::mem::take(&mut self.runs).into_values() {
                    line.finish_and_clear();
                    self.all.remove(&line);
                }
            }
            _ => {}
        }
    }

    /// What became of a proposal, where that is worth a line: what is dropped after a first run, and what is set aside, is one
    /// of hundreds.
    fn outcome(&self, notice: &Notice<'_>) -> Option<String> {
        let Notice::Settled { proposal, title, fate, effect, reason } = notice else { return None };
        let effect = effect.map_or_else(String::new, |e| format!(" {e}"));
        let (title, reason) = (plain(title), plain(reason));
        match fate {
            Fate::SetAside => None,
            Fate::Rejected if effect.is_empty() => None,
            Fate::Kept => Some(format!("{} {proposal} {title}:{effect}", self.coloured(2, "kept"))),
            Fate::Rejected => Some(format!("{fate} {proposal} {title}:{effect}")),
            _ => Some(format!("{fate} {proposal} {title}: {reason}")),
        }
    }

    /// What was found, and what it cost.
    fn found(&self, status: &Status) -> String {
        let number = |x: Option<f64>| x.map_or_else(|| "-".into(), |x| format!("{x:.4}"));
        let mut text =
            format!("objective {} (baseline {})", number(status.incumbent), number(status.baseline));
        if let Some(stack) = &status.stack {
            text += &format!(" | unproven stack of {}", stack.edits);
            if let Some(objective) = stack.objective {
                text += &format!(" at {objective:.4} by the runs that chose it");
            }
        }
        if let Some((id, effect)) = &self.last_kept {
            let effect = effect.map_or_else(String::new, |e| format!(" {:+.4}", e.mean));
            text += &format!(" | last kept {id}{effect}");
        }
        if let Some(left) = status.holdout_left {
            text += &format!(" | holdout {left} left");
        }
        if status.money > 0.0 {
            text += &format!(" | {:.2} charged", status.money);
        }
        text
    }
}

/// A style that is written here; should it not be understood, the library's own.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// More parts of an arm than that are counted.
const PARTS: usize = 4;

/// What a run trains, briefly.
fn trained(arm: &Arm) -> String {
    match arm.parts().len() {
        0 => "incumbent".into(),
        n if n > PARTS => format!("{n} parts"),
        _ => arm.to_string(),
    }
}

/// How far a run is, and when it may be done.
fn under_way(what: &str, progress: &RunProgress, seconds: f64) -> String {
    let mut text = format!("{what} | {}", clock(seconds));
    match progress.of {
        Some(of) => text += &format!(" | step {} of {of}", progress.step),
        None => text += &format!(" | step {}", progress.step),
    }
    if let Some(loss) = progress.loss {
        text += &format!(" | loss {loss:.4}");
    }
    // The first steps are slow, and tell little.
    if let Some(of) = progress.of.filter(|of| progress.step > 0 && *of >= progress.step)
        && seconds >= 2.0
        && progress.step.saturating_mul(50) >= of
    {
        let rest = seconds * (of - progress.step) as f64 / progress.step as f64;
        text += &format!(" | about {} left", roughly(rest));
    }
    text
}

/// Whether a character turns the direction of what follows it (Unicode Standard Annex 9).
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether it does more than stand where it is.
fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A text that somebody wrote, fit for a terminal: on one line, without control characters and marks that turn the
/// direction of writing, not too long.
fn plain(text: &str) -> String {
    const MOST: usize = 200;
    let straight = text.chars().filter(|c| !turns(*c)).take(MOST);
    let mut out: String = straight.map(|c| if breaks(c) { ' ' } else { c }).collect();
    if text.chars().filter(|c| !turns(*c)).nth(MOST).is_some() {
        out.push('…');
    }
    out
}

/// How far the study is.
fn line(status: &Status) -> String {
    let mut text = format!(
        "{} | {} runs (+{} under way) | {} tried, {} kept",
        clock(status.elapsed),
        status.runs,
        status.in_flight,
        status.proposals,
        status.kept,
    );
    if let Some(left) = left(status) {
        text += &format!(" | {left}");
    }
    text
}

impl Observe for Progress {
    fn notice(&mut self, notice: &Notice<'_>, status: &Status) {
        if self.quiet {
            match notice {
                Notice::Concern { concern } => self.say(&format!("concern: {concern}")),
                Notice::Stopped { reason } => self.say(&format!("stopped: {reason}")),
                _ => {}
            }
            return;
        }
        if self.terminal {
            self.follow(notice);
        }
        if let Notice::Settled { proposal, fate: Fate::Kept, effect, .. } = notice {
            self.last_kept = Some((*proposal, *effect));
        }
        match notice {
            Notice::Opened { resumed: true } => self.say("going on where the stored study stands"),
            Notice::Settled { .. } => {
                if let Some(line) = self.outcome(notice) {
                    self.say(&line);
                }
            }
            Notice::RunFinished { .. } if !self.terminal && status.runs.is_multiple_of(20) => {
                self.say(&format!("{} | {}", line(status), self.found(status)))
            }
            Notice::Concern { concern } => self.say(&format!("{}: {concern}", self.coloured(3, "concern"))),
            Notice::Stopped { reason } => {
                self.bar.finish_and_clear();
                self.say(&format!("{} | {}", line(status), self.found(status)));
                self.say(&format!("stopped: {reason}"));
                return;
            }
            _ => {}
        }
        if self.terminal {
            self.bar.set_position((share(status).unwrap_or(0.0) * 1000.0) as u64);
            self.bar.set_message(line(status));
            self.bar.set_prefix(self.found(status));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Unproven;
    use super::super::left::tests::status;
    use super::*;

    #[test]
    fn an_arm_of_many_parts_takes_no_line_of_its_own() {
        let of = |n: u64| trained(&(1..=n).map(ProposalId).collect());
        assert_eq!([of(0), of(4), of(38)], ["incumbent", "{1,2,3,4}", "38 parts"]);
    }

    #[test]
    fn a_run_tells_how_far_it_is() {
        let progress = RunProgress { step: 30, of: Some(120), loss: Some(2.5) };
        assert_eq!(
            under_way("r7 {3}", &progress, 20.0),
            "r7 {3} | 0:20 | step 30 of 120 | loss 2.5000 | about 60 s left"
        );
        assert_eq!(under_way("r7 {3}", &RunProgress::default(), 5.0), "r7 {3} | 0:05 | step 0");
        let first = RunProgress { step: 1, of: Some(1000), loss: None };
        assert_eq!(under_way("r7 {3}", &first, 5.0), "r7 {3} | 0:05 | step 1 of 1000");
    }

    #[test]
    fn texts_cannot_write_to_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\nc\u{7}"), "a [2Jb c ");
        assert_eq!(plain(&"x".repeat(300)).chars().count(), 201);
        assert_eq!(plain("a\u{202e}b\u{2066}c\u{2028}d\u{61c}"), "abc d");
        assert_eq!(plain(&"\u{200f}".repeat(300)), "");
    }

    #[test]
    fn a_line_is_for_what_is_rare() {
        let mut progress = Progress::new(true, ProgressDrawTarget::hidden(), false);
        progress.colours = false;
        let (title, reason) = ("a", "b");
        let settled = |fate, effect| Notice::Settled { proposal: ProposalId(3), title, fate, effect, reason };
        let effect = Some(Effect::new(0.1, (0.05, 0.15), 0.95, 4, true));
        assert_eq!(progress.outcome(&settled(Fate::SetAside, None)), None);
        assert_eq!(progress.outcome(&settled(Fate::SetAside, effect)), None);
        assert_eq!(progress.outcome(&settled(Fate::HeldBack, None)).as_deref(), Some("held back p3 a: b"));
        assert!(
            progress.outcome(&settled(Fate::Kept, effect)).is_some_and(|line| line.starts_with("kept p3 a:"))
        );
        // A run that does not tell how far it is has a line as well.
        let arm = Arm::single(ProposalId(3));
        progress.notice(&Notice::RunStarted { run: RunId(7), arm: &arm, attempt: 1 }, &status());
        let lines: Vec<String> = progress.runs.values().map(|(line, ..)| line.message()).collect();
        assert_eq!(lines, [format!("r7 {arm}, attempt 2")]);
    }

    #[test]
    fn the_last_kept_edit_is_told_with_its_effect() {
        let mut progress = Progress::new(false, ProgressDrawTarget::hidden(), false);
        let status = status();
        let effect = Some(Effect::new(0.1, (0.05, 0.15), 0.95, 4, true));
        let (title, reason) = ("a", "b");
        let kept = Notice::Settled { proposal: ProposalId(3), title, fate: Fate::Kept, effect, reason };
        progress.notice(&kept, &status);
        assert_eq!(line(&status), "1:00 | 12 runs (+2 under way) | 5 tried, 1 kept | about 60 s left");
        assert_eq!(
            progress.found(&status),
            "objective 2.9000 (baseline 3.0000) | last kept p3 +0.1000 | holdout 99 left | 0.25 charged"
        );
        let stack = Some(Unproven { edits: 38, objective: Some(2.8) });
        assert_eq!(
            progress.found(&Status { stack, ..status }),
            "objective 2.9000 (baseline 3.0000) | unproven stack of 38 at 2.8000 by the runs that chose it | last kept p3 \
             +0.1000 | holdout 99 left | 0.25 charged"
        );
    }
}
