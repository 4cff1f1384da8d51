//! The audit in plain words.

use super::columns::Sureness;
use super::noise::NoiseSource;
use super::report::AuditReport;
use super::verdict::{Undecided, Verdict};
use super::write::{decimals, probability};
use crate::measure::Direction;
use crate::stats::{Sides, sample_size_two_sample_t, sigma_upper_factor};
use std::fmt::Write;

impl AuditReport {
    /// What was found and what to do, in a paragraph of plain English.
    pub fn paragraph(&self) -> String {
        let mut text = self.kept_sentence();
        text.push_str(&self.guess_sentence());
        for doubt in &self.doubts {
            text.push_str(doubt);
            text.push(' ');
        }
        let any = self.keeps().next().is_some();
        let unknown = Verdict::Undecidable(Undecided::DirectionUnknown);
        if self.with(unknown).next().is_some() {
            text.push_str("Nothing is said of any gain before that is settled. ");
            text.push_str(&self.advice());
            return text;
        }
        if any || self.noise.sd.is_some() {
            text.push_str(&self.noise_sentence());
        }
        if any {
            text.push_str(&self.verdict_sentence());
            text.push_str(&self.total_sentence());
        }
        text.push_str(&self.advice());
        text
    }

    fn kept_sentence(&self) -> String {
        let keeps = self.keeps().count();
        let how = match (self.keeps_are_stated, keeps) {
            (true, _) => "kept",
            (false, 1) => "a new best",
            (false, _) => "new bests",
        };
        format!(
            "Of {} rows {keeps} {} {how} after the baseline ({} tried with a value, {} crashed, {} unreadable). ",
            self.counts.rows,
            if keeps == 1 { "is" } else { "are" },
            self.tries,
            self.counts.crashed,
            self.counts.unreadable
        )
    }

    /// What hangs on a guess that nothing supports.
    fn guess_sentence(&self) -> String {
        let mut unsure = Vec::new();
        if self.columns.metric.sure == Sureness::Unsure {
            unsure.push(format!("that {} is the metric", self.columns.metric.value));
        }
        if self.direction.sure == Sureness::Unsure {
            let better = if self.direction.value == Direction::Minimize { "lower" } else { "higher" };
            unsure.push(format!("that {better} is better"));
        }
        if unsure.is_empty() {
            return String::new();
        }
        format!(
            "It is no more than a guess {}: everything below hangs on it; state it. ",
            unsure.join(" and ")
        )
    }

    fn noise_sentence(&self) -> String {
        let digits = decimals(self);
        let Some((sd, typical)) = self.noise.sd.zip(self.noise.typical_difference()) else {
            return "Nothing in the log tells how much the metric moves when only the seed changes, so that no gain can \
                    be told from noise, nor called noise. "
                .into();
        };
        let from = match self.noise.source {
            NoiseSource::Stated => "as stated".to_string(),
            NoiseSource::Study => "measured by the study's repeated runs".to_string(),
            NoiseSource::WeakRepeats => "from repeated rows whose seeds may be the same".to_string(),
            _ => match self.noise.repeats.iter().filter(|r| r.used).count() {
                1 => "from one group of rows that differ in the seed alone".to_string(),
                n => format!("from {n} groups of rows that differ in the seed alone"),
            },
        };
        let df = match self.noise.df {
            Some(1.0) => ", 1 degree of freedom".to_string(),
            Some(df) => format!(", {df:.0} degrees of freedom"),
            None => ", taken as exact".into(),
        };
        let mut text = format!("Run noise, {from}: standard deviation {sd:.digits$}{df}; ");
        if let Some((low, high)) = self.noise.interval {
            let _ = write!(text, "it may be anything from {low:.digits$} to {high:.digits$} (95 %); ");
        }
        let _ =
            write!(text, "two runs that differ in the seed alone are typically {typical:.digits$} apart. ");
        text
    }

    fn verdict_sentence(&self) -> String {
        let keeps = self.keeps().count();
        let count = |verdict| self.with(verdict).count();
        let undecidable = self.rows.iter().filter(|r| matches!(r.verdict, Verdict::Undecidable(_))).count();
        let mut parts = Vec::new();
        for (n, what) in [
            (count(Verdict::BeyondNoise), "beyond noise"),
            (count(Verdict::BeyondNoiseAlone), "beyond noise only if nothing else had been tried"),
            (count(Verdict::WithinNoise), "within noise"),
            (count(Verdict::NotBetter), "no better than the row before"),
            (count(Verdict::SeedOnly), "a change of seed and nothing else"),
            (count(Verdict::Repeat), "a repeat"),
            (undecidable, "undecidable"),
        ] {
            if n > 0 {
                parts.push(format!("{n} {what}"));
            }
        }
        let gains = if keeps == 1 { "the one kept gain".into() } else { format!("the {keeps} kept gains") };
        let mut text = format!("Of {gains}, at level {}: {}. ", self.alpha, parts.join(", "));
        let total = self.total.as_ref();
        if let Some((below, gain)) = total.and_then(|t| t.below_seed.zip(t.gain_below_seed)) {
            let digits = decimals(self);
            let _ = write!(text, "{below} of {keeps} gained less than a change of seed typically does");
            if below > 0 {
                let _ = write!(text, ", together {gain:+.digits$}");
            }
            text.push_str(". ");
        }
        text
    }

    fn total_sentence(&self) -> String {
        let Some(total) = &self.total else { return String::new() };
        let digits = decimals(self);
        let (from, to, gain) = (total.baseline, total.endpoint, total.gain);
        let mut text = format!(
            "From baseline to endpoint: {from:.digits$} to {to:.digits$}, a gain of {gain:+.digits$}, "
        );
        text.push_str(match total.verdict {
            Verdict::BeyondNoise => "beyond noise",
            Verdict::BeyondNoiseAlone => {
                "beyond noise if the endpoint had been the only try, but not with all tries counted"
            }
            Verdict::WithinNoise => "within noise",
            Verdict::NotBetter => "which is none",
            Verdict::Undecidable(Undecided::FewRepeats) => "undecidable with so few repeats",
            Verdict::Undecidable(Undecided::Inconclusive) => "inconclusive at this noise",
            Verdict::Undecidable(Undecided::SeedsUnknown) => {
                "undecidable while the seeds of the repeats are unknown"
            }
            _ => "undecidable",
        });
        if let Some((alone, all)) = total.p.zip(total.p_adjusted) {
            let _ = write!(text, " (p = {} alone", probability(alone));
            if self.noise.source != NoiseSource::Study {
                let _ = write!(text, ", at most {} among {}", probability(all), tries(self.tries));
            }
            text.push(')');
        }
        text.push_str(if self.noise.source == NoiseSource::Study {
            ". "
        } else {
            ". The endpoint was selected for its value, so that its gain is likely overstated. "
        });
        text
    }

    /// What would settle it.
    fn advice(&self) -> String {
        let unknown = Verdict::Undecidable(Undecided::DirectionUnknown);
        if self.with(unknown).next().is_some() {
            return "What to do: say which way is better with .direction(...), and audit again.".into();
        }
        let known = self.noise.sd.filter(|_| self.noise.freedom() >= 3.0);
        let mut gains: Vec<f64> =
            self.keeps().filter_map(|row| row.gain).filter(|gain| *gain > 0.0).collect();
        gains.sort_by(f64::total_cmp);
        let Some((low, high)) = gains.get(gains.len().saturating_sub(1) / 2).zip(gains.get(gains.len() / 2))
        else {
            return "There is no gain to be told from noise.".into();
        };
        let median = 0.5 * (low + high);
        let digits = decimals(self);
        if let Some(sd) = known {
            let runs = sample_size_two_sample_t(median / sd, 0.05, 0.8, Sides::One);
            return match runs {
                Ok(runs) => format!(
                    "To tell a gain like the median one, {median:.digits$}, from noise four times in five (one-sided level \
                     .05, one comparison) takes {:.0} fresh runs of each side on different seeds.",
                    runs.ceil().max(2.0)
                ),
                Err(_) => "The median gain is too small beside the noise for any number of runs.".into(),
            };
        }
        let factor = sigma_upper_factor(7.0, 0.9).unwrap_or(f64::NAN);
        let smallest = median / (self.hurdle(7.0) * std::f64::consts::SQRT_2);
        format!(
            "What to do: run the unchanged baseline 8 times on different seeds. That gives the noise to within a factor \
             of {factor:.1} (90 %), and shows whether the median kept gain, {median:.digits$}, means anything: with {} \
             counted, a single run of each side tells it from noise only if the standard deviation of a run is below \
             {smallest:.digits$}.",
            tries(self.tries)
        )
    }
}

fn tries(n: usize) -> String {
    if n == 1 { "1 try".into() } else { format!("{n} tries") }
}
