//! The audit as a table.

use super::entries::shortened;
use super::repeats::SeedsOfRepeat;
use super::report::AuditReport;
use super::verdict::{Undecided, Verdict};
use crate::measure::Direction;
use std::fmt;

/// Unreadable rows that are listed before the rest is only counted.
const LISTED: usize = 20;
/// Kept rows that are listed before the middle is left out.
const ROWS: usize = 200;

/// Decimals with which values of this log are written: enough for two digits of a small gain.
pub(super) fn decimals(report: &AuditReport) -> usize {
    let mut sizes: Vec<f64> =
        report.rows.iter().filter_map(|r| r.gain).map(f64::abs).filter(|g| *g > 0.0).collect();
    sizes.sort_by(f64::total_cmp);
    let small = sizes.get(sizes.len() / 4).copied().or(report.noise.sd).unwrap_or(0.01);
    (2.0 - small.log10().floor()).clamp(0.0, 12.0) as usize
}

/// A probability in few characters.
pub(super) fn probability(p: f64) -> String {
    if p >= 0.0995 {
        format!("{p:.2}")
    } else if p >= 0.001 {
        format!("{p:.3}")
    } else if p < 1e-99 {
        "<1e-99".into()
    } else {
        format!("{p:.0e}")
    }
}

impl AuditReport {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} rows, {}", self.source, self.counts.rows, self.format)?;
        let better = if self.direction.value == Direction::Minimize { "lower" } else { "higher" };
        let metric = &self.columns.metric;
        writeln!(f, "  metric       {} ({}: {})", metric.value, metric.sure, metric.why)?;
        writeln!(f, "  direction    {better} is better ({}: {})", self.direction.sure, self.direction.why)?;
        for (what, column) in [
            ("status", &self.columns.status),
            ("description", &self.columns.description),
            ("seed", &self.columns.seed),
            ("identifier", &self.columns.id),
        ] {
            match column {
                Some(c) => writeln!(f, "  {what:<12} {} ({}: {})", c.value, c.sure, c.why)?,
                None => writeln!(f, "  {what:<12} none")?,
            }
        }
        let (settings, agree) = (&self.columns.config, &self.columns.agree);
        if !settings.is_empty() {
            writeln!(f, "  settings     {}", shortened(&settings.join(", "), 90))?;
        }
        if !agree.is_empty() && agree != settings {
            writeln!(f, "  may be set   {}", shortened(&agree.join(", "), 90))?;
        }
        Ok(())
    }

    fn accounts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.counts;
        write!(
            f,
            "Rows: {} kept (the baseline among them), {} discarded, {} crashed",
            c.kept, c.discarded, c.crashed
        )?;
        for (n, what) in [
            (c.no_value, "without a value"),
            (c.unfinished, "unfinished"),
            (c.intermediate, "reports from the middle of a run"),
            (c.repeats, "repeats"),
        ] {
            if n > 0 {
                write!(f, ", {n} {what}")?;
            }
        }
        writeln!(f, ", {} unreadable: {} in all.", c.unreadable, c.accounted())?;
        for row in self.unreadable.iter().take(LISTED) {
            writeln!(f, "  line {}: {}", row.line, row.reason)?;
        }
        if self.unreadable.len() > LISTED {
            writeln!(f, "  and {} more", self.unreadable.len() - LISTED)?;
        }
        Ok(())
    }

    fn repeats(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.noise.repeats.iter().take(LISTED) {
            let lines: Vec<String> = group.lines.iter().take(12).map(u64::to_string).collect();
            let more = if group.lines.len() > 12 { ", \u{2026}" } else { "" };
            let seeds = match group.seeds {
                SeedsOfRepeat::Differ => "different seeds",
                SeedsOfRepeat::Same => "the same seed",
                SeedsOfRepeat::Unknown => "seeds not said",
            };
            let used = if group.used { "" } else { "; not used" };
            writeln!(f, "Repeat: lines {}{more}, {seeds}, by {}{used}.", lines.join(", "), group.how)?;
        }
        if self.noise.repeats.len() > LISTED {
            writeln!(f, "And {} more groups of repeats.", self.noise.repeats.len() - LISTED)?;
        }
        for warning in self.noise.warnings.iter().chain(&self.notes) {
            writeln!(f, "Note: {warning}")?;
        }
        Ok(())
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = decimals(self);
        let width = digits + 4;
        let ids = self.rows.iter().map(|r| r.id.chars().count()).max().unwrap_or(0).clamp(2, 12);
        let line = if self.format == super::Format::Store { "event" } else { "line" };
        writeln!(
            f,
            "{line:>6}  {:<ids$}  {:>width$}  {:>6}  {:>6}  {:>6}  verdict",
            "id", "gain", "x seed", "p", "p all"
        )?;
        for (at, row) in self.rows.iter().enumerate() {
            if at >= ROWS / 2 && at + ROWS / 2 < self.rows.len() {
                if at == ROWS / 2 {
                    writeln!(f, "     \u{2026}  {} more kept rows", self.rows.len() - ROWS)?;
                }
                continue;
            }
            let gain = row.gain.map_or_else(|| "-".into(), |gain| format!("{gain:+.digits$}"));
            let ratio = row.ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}"));
            let p = |p: Option<f64>| p.map_or_else(|| "-".into(), probability);
            let (alone, all) = (p(row.p), p(row.p_adjusted));
            let text = match row.verdict {
                Verdict::Baseline => format!("{}: {:.digits$}", row.verdict, row.value.unwrap_or(f64::NAN)),
                Verdict::Undecidable(
                    Undecided::FewRepeats | Undecided::Inconclusive | Undecided::SeedsUnknown,
                ) => {
                    let than = if row.ratio.is_some_and(|ratio| ratio < 1.0) { "less" } else { "more" };
                    format!("{than} than a change of seed; {}", row.verdict)
                }
                verdict => verdict.to_string(),
            };
            let text = match row.paired {
                Some(n) => format!("{text} ({n} pairs)"),
                None => text,
            };
            let what = if row.description.is_empty() {
                String::new()
            } else {
                format!("  [{}]", shortened(&row.description, 48))
            };
            writeln!(
                f,
                "{:>6}  {:<ids$}  {gain:>width$}  {ratio:>6}  {alone:>6}  {all:>6}  {text}{what}",
                row.line,
                shortened(&row.id, ids),
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.accounts(f)?;
        self.repeats(f)?;
        self.table(f)?;
        if self.rows.iter().any(|row| row.p.is_some()) {
            writeln!(
                f,
                "x seed: the gain over what a change of seed alone typically does. p: as if the row had been the only try. \
                 p all: at most how often the luckiest of {} tries does as well by chance.",
                self.tries
            )?;
        }
        write!(f, "{}", self.paragraph())
    }
}
