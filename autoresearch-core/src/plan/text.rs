//! The answer in words: a table, and a paragraph that a researcher would sign.

use super::cost::{ONE_IN, PROPOSALS};
use super::{EvaluationDesign, PolicyCost};
use std::fmt;

/// With fewer finds in the simulation the price of one is not told.
const FINDS: u32 = 10;

/// Two significant digits, without an exponent where numbers have their usual size.
pub(super) fn figure(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    let digits = (1 - x.abs().log10().floor() as i32).max(0);
    if digits > 9 || x.abs() >= 1e9 { format!("{x:.1e}") } else { format!("{x:.*}", digits as usize) }
}

/// A probability or share in percent.
fn percent(x: f64) -> String {
    format!("{:.0} %", 100.0 * x)
}

impl EvaluationDesign {
    /// What a researcher would write of the metric, without the warnings.
    pub fn paragraph(&self) -> String {
        let mut text = vec![self.of_noise()];
        text.extend(self.of_documents());
        text.push(self.of_effects());
        text.extend(self.of_costs());
        text.push(self.of_holdout());
        text.push(self.of_levers());
        text.extend(self.of_repeats());
        text.push(self.of_shape());
        text.join(" ")
    }

    fn of_noise(&self) -> String {
        let s = &self.sigma;
        format!(
            "{} baseline runs on different seeds average {:.4} and scatter by sigma = {} (95 % interval {} to {}).",
            self.seeds,
            self.mean,
            figure(s.sd),
            figure(s.low),
            figure(s.high)
        )
    }

    fn of_documents(&self) -> Option<String> {
        let d = self.documents?;
        let mut text = format!(
            "Of one run's variance {} ({} to {}) is run × document noise, private to these {} documents; it falls with \
             more runs as well as with more documents. As a sample of text the split is uncertain by {}, which drops \
             out of comparisons on the same documents.",
            percent(d.run_share),
            percent(d.run_share_low),
            percent(d.run_share_high),
            d.count,
            figure(d.level_sd)
        );
        match self.pairs.as_ref().and_then(|p| Some((p.edits, p.split?))) {
            Some((edits, split)) => {
                let sigmas = |x: f64| figure(x / self.sigma.sd);
                let seen = if split.sd > 0.0 {
                    format!("is about {} sigma", sigmas(split.sd))
                } else {
                    "does not show".into()
                };
                text += &format!(
                    " What it misjudges an edit by, however many runs, {seen} in {edits} edits (below {} sigma with \
                     95 % confidence).",
                    sigmas(split.at_most)
                );
            }
            None => {
                text += " By how much it misjudges an edit however many runs it gets, baseline runs alone cannot say: \
                          that takes a few mild edits on the same seeds.";
            }
        }
        Some(text)
    }

    fn of_effects(&self) -> String {
        let d = &self.detectable;
        let seeds = match self.pairs.as_ref().filter(|p| p.sd > 0.0) {
            Some(p) => format!(
                "on equal seeds, whose correlation of {:.2} was seen in {} edits",
                p.correlation, p.edits
            ),
            None => "on unrelated seeds (equal seeds can only help, by how much is not known)".into(),
        };
        let pairs = d.runs / 2;
        let mut text = format!(
            "With {} runs on a proposal, {pairs} pairs {seeds}, a paired t-test at level {} finds an effect of {} ({:.1} \
             sigma) four times in five.",
            d.runs,
            self.alpha,
            figure(d.effect),
            d.in_sigma
        );
        if let Some(matters) = self.matters {
            let verdict = if d.effect > matters { "too small to be seen so" } else { "within reach" };
            text += &format!(" The {} that matters is {verdict}.", figure(matters));
        }
        text
    }

    fn of_costs(&self) -> Option<String> {
        if self.costs.is_empty() {
            return None;
        }
        // The cheapest of those that keep little junk, where they found enough to tell what a find costs.
        let clean = |c: &&PolicyCost| c.junk <= 0.10 && c.finds >= FINDS;
        let cost = |c: &PolicyCost| c.runs_per_find.unwrap_or(f64::INFINITY);
        let best = self.costs.iter().filter(clean).min_by(|a, b| cost(a).total_cmp(&cost(b)));
        let Some((best, find)) = best.and_then(|best| Some((best, best.runs_per_find?))) else {
            return Some(format!(
                "If one proposal in {ONE_IN} gains {}, no policy that keeps at most a tenth junk found {FINDS} of them in the \
                 simulation: which one is cheapest is not shown; ask for more simulations, or larger gains.",
                figure(self.target())
            ));
        };
        let mut text = format!(
            "If one proposal in {ONE_IN} gains {}, the cheapest policy that keeps at most a tenth junk is {}: about \
             {find:.0} runs for each one found, and it finds {} of them",
            figure(self.target()),
            best.policy,
            percent(best.found)
        );
        if let Some(greedy) = self.costs.iter().find(|c| c.policy.starts_with("Greedy")) {
            text += &format!("; of what keep-if-better keeps, {} would be junk", percent(greedy.junk));
        }
        Some(text + ".")
    }

    fn of_holdout(&self) -> String {
        let h = &self.holdout;
        let documents = h.documents.map_or(String::new(), |d| format!(" ({d} documents)"));
        let size = if h.multiple > 1.0 {
            format!("of {:.0} times the validation split{documents}", h.multiple)
        } else {
            format!("as large as the validation split{documents}")
        };
        let because = if h.assumed {
            ", the split's own noise being unknown and taken for as much as it could be"
        } else {
            ""
        };
        format!(
            "A holdout {size} keeps its own documents from adding more than a tenth to its error{because}."
        )
    }

    fn of_levers(&self) -> String {
        let l = &self.levers;
        let mut text =
            format!("Twice the runs would bring the smallest effect to {:.2} of that", l.twice_the_runs);
        match l.twice_the_documents.zip(l.all_documents) {
            Some((twice, all)) => {
                text += &format!(
                    ", twice the validation documents, which cost no training, to {twice:.2} (all the documents in the \
                     world: {all:.2})."
                );
            }
            None => text += "; what documents would buy is unknown without per-document values.",
        }
        if let Some(longer) = l.longer {
            text += &format!(
                " Runs that cost {} times as much scatter by {:.2} of sigma ({:.2} to {:.2}): they pay if an edit gains \
                 more than {:.1} times as much there, which baseline runs cannot tell.",
                figure(longer.cost),
                longer.ratio,
                longer.low,
                longer.high,
                longer.break_even
            );
        }
        text
    }

    fn of_repeats(&self) -> Option<String> {
        let r = self.repeats?;
        Some(if r.sd == 0.0 {
            format!(
                "{} repeat(s) on equal seeds came out the same to the last digit, so they say nothing of sigma.",
                r.runs
            )
        } else {
            format!(
                "{} repeats on equal seeds scatter by {:.2} of sigma ({:.2} to {:.2}).",
                r.runs, r.ratio, r.low, r.high
            )
        })
    }

    fn of_shape(&self) -> String {
        let drift = match self.drift {
            Some(d) if d.p < 0.01 => format!("The score drifts over the runs (p = {})", figure(d.p)),
            Some(d) => format!("No drift over the runs is seen (p = {:.2})", d.p),
            None => "Too few runs to see a drift".into(),
        };
        let tails = match self.tails {
            Some(t) if t.farthest.p < 0.05 => format!(
                "the run on seed {} lies {:+.1} sd out (Grubbs p = {}; sigma without it {}): a sample of this \
                 size may have none of them or several, so that the interval of sigma is too narrow",
                t.farthest.seed,
                t.farthest.deviation,
                figure(t.farthest.p),
                figure(t.farthest.sd_without)
            ),
            Some(t) if t.p < 0.01 => format!("the tails are heavy (excess kurtosis {:.1})", t.kurtosis),
            Some(t) => format!(
                "the farthest run at {:+.1} sd is what Gaussian noise brings (which {} runs cannot prove: where one run in \
                 sixteen is far out, a sample may have none, and sigma and its interval come out too small)",
                t.farthest.deviation, self.seeds
            ),
            None => "too few to see a tail".into(),
        };
        format!("{drift}; {tails}.")
    }
}

fn row(f: &mut fmt::Formatter<'_>, cost: &PolicyCost) -> fmt::Result {
    let find = cost.runs_per_find.map_or("-".into(), |x| format!("{x:.0}"));
    let (found, junk) = (percent(cost.found), percent(cost.junk));
    writeln!(f, "  {:<40} {find:>12} {found:>8} {junk:>8} {:>13.1}", cost.policy, cost.runs_per_proposal)
}

impl fmt::Display for EvaluationDesign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Smallest effect that is found four times in five (paired t-test, level {}):",
            self.alpha
        )?;
        writeln!(f, "  {:>16}  {:>10}  {:>8}", "runs a proposal", "effect", "in sigma")?;
        for d in &self.by_runs {
            writeln!(f, "  {:>16}  {:>10}  {:>8.2}", d.runs, figure(d.effect), d.in_sigma)?;
        }
        if !self.costs.is_empty() {
            writeln!(
                f,
                "Runs to find an edit of {} (simulated: {PROPOSALS} proposals, every {ONE_IN}th of them such an edit, the \
                 others nothing):",
                figure(self.target())
            )?;
            writeln!(
                f,
                "  {:<40} {:>12} {:>8} {:>8} {:>13}",
                "policy", "runs a find", "found", "junk", "runs/proposal"
            )?;
            self.costs.iter().try_for_each(|cost| row(f, cost))?;
        }
        writeln!(f, "\n{}", self.paragraph())?;
        if !self.warnings.is_empty() {
            writeln!(f)?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "Warning: {warning}"))
    }
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn two_digits() {
        let shown: Vec<String> = [0.00896, 2.84, 12.3, 0.98, 456.7, 0.0, 1e-14].map(figure).into();
        assert_eq!(shown, ["0.0090", "2.8", "12", "0.98", "457", "0", "1.0e-14"]);
    }
}
