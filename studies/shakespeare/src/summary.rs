//! The figures, and the page that shows them: a pure function of the data.

use crate::data::Data;
use crate::estimate::Estimate;
use crate::noise::{self, Noise};
use crate::plan::closer;
use crate::policy::Policy;
use crate::referee::{Compared, Judged, compare, judge};
use crate::search::STUDY;
use crate::transfer::{self, Transfer};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// All figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) policies: Vec<Compared>,
    pub(crate) searches: Vec<Judged>,
    pub(crate) noise: Vec<Noise>,
    pub(crate) transfer: Vec<Transfer>,
    /// Runs of the searches, and beside them.
    pub(crate) search_runs: u64,
    pub(crate) other_runs: usize,
}

impl Summary {
    pub(crate) fn of(data: &Data) -> Self {
        let searches: Vec<Judged> = data.searches.iter().map(|ended| judge(ended, data)).collect();
        Self {
            policies: compare(&searches),
            noise: closer(&data.searches)
                .into_iter()
                .filter_map(|ended| noise::measure(ended, data))
                .collect(),
            transfer: closer(&data.searches)
                .into_iter()
                .filter_map(|ended| transfer::measure(ended, data))
                .collect(),
            search_runs: data.searches.iter().map(|ended| ended.runs).sum(),
            other_runs: data.runs(),
            searches,
        }
    }

    /// The page.
    pub(crate) fn markdown(&self) -> String {
        let mut page = String::from("# What the study found\n\n");
        let _ = writeln!(
            page,
            "Made by `cargo xtask study shakespeare` from {} runs of searches and {} beside them; every figure is in \
             summary.json, and is computed from data.json. Gains are in bits per byte, positive for better. Intervals are \
             95 %.\n",
            self.search_runs, self.other_runs
        );
        self.head_to_head(&mut page);
        self.kept(&mut page);
        self.of_noise(&mut page);
        self.of_transfer(&mut page);
        page
    }

    fn head_to_head(&self, page: &mut String) {
        page.push_str(
            "## The same number of runs, five rules\n\n\
             True: on the test split, fresh seeds, mean over repetitions with its interval (over repetitions). Stack: the bolder \
             result of the same search. Keys: in which what was kept differs from the start. Junk: of these keys, those \
             whose worth with everything else in place is not above 0, and those surely below it.\n\n\
             | start | policy | repetitions | runs | claimed | true | stack, true | keys | junk | surely harmful | seconds of runs |\n\
             |---|---|---:|---:|---:|---|---|---:|---:|---:|---:|\n",
        );
        for row in &self.policies {
            // Where no key was judged, none was found to be junk either: that is no figure.
            let share = |n: usize| match row.judged_keys {
                0 => "-".into(),
                all => percent(n as f64 / all as f64),
            };
            let _ = writeln!(
                page,
                "| {} | {} | {} | {:.0} | {:.3} | {} | {} | {:.1} | {} | {} | {:.0} |",
                row.start.name(),
                row.policy.name(),
                row.repetitions,
                row.runs,
                row.claimed,
                of(row.test),
                of(row.stack_test),
                row.keys,
                share(row.not_positive),
                share(row.harmful),
                row.compute_seconds
            );
        }
        page.push_str(
            "\n| search | runs | edits kept | keys | claimed | validation | holdout | test | stack, test | junk keys |\n\
             |---|---:|---:|---:|---:|---|---|---|---|---:|\n",
        );
        for one in &self.searches {
            let _ = writeln!(
                page,
                "| {} {} {} | {} | {} | {} | {:.3} | {} | {} | {} | {} | {} of {} |",
                one.start.name(),
                one.policy.name(),
                if one.repetition == STUDY { "study".into() } else { one.repetition.to_string() },
                one.runs,
                one.kept_edits,
                one.keys,
                one.claimed,
                of(one.validation),
                of(one.holdout),
                of(one.test),
                of(one.stack_test),
                one.not_positive(),
                one.left_out.len()
            );
        }
        page.push('\n');
    }

    fn kept(&self, page: &mut String) {
        let first = |start| {
            let own = self.searches.iter().filter(move |j| j.policy == Policy::Scout && j.start == start);
            own.min_by_key(|j| j.repetition)
        };
        for one in crate::recipes::Start::ALL.into_iter().filter_map(first) {
            let _ = write!(
                page,
                "## What the recommended policy kept from the {} start\n\n\
                 {}, {} proposals in {} runs. Worth: with everything else in place, over validation, holdout and test, on \
                 seeds that no search had.\n\n| change | worth | on test |\n|---|---|---:|\n",
                one.start.name(),
                if one.repetition == STUDY { "The study" } else { "The first repetition" },
                one.proposals,
                one.runs
            );
            let mut keys = one.left_out.clone();
            keys.sort_by(|a, b| b.worth.mean.total_cmp(&a.worth.mean));
            for key in keys {
                let _ = writeln!(page, "| {} | {} | {:.4} |", key.change, of(Some(key.worth)), key.test);
            }
            page.push('\n');
        }
    }

    fn of_noise(&self, page: &mut String) {
        page.push_str("## Noise and interactions\n\n");
        for one in &self.noise {
            let option = |x: Option<f64>| x.map_or("-".into(), |x| format!("{x:.2}"));
            let (low, median, high) = one.sd_edits.unwrap_or((f64::NAN, f64::NAN, f64::NAN));
            let _ = writeln!(
                page,
                "From the {} start ({} seeds): a run varies by {:.4} bits per byte at the start and by {:.4} at what was kept; \
                 with single edits {low:.2} to {high:.2} times as much (median {median:.2}, four seeds each). The same run twice: \
                 {}. Correlation under equal seeds: {} for single edits, {} for what was kept with one key less, {} for \
                 start and end. The part of a single edit's effect that belongs to the documents of validation: {} of a run's \
                 standard deviation. Of {} keys the single effects add up to {:.3}, the main effects with half of them on to {:.3}, \
                 leave-one-out to {:.3}; everything together gives {}. Rank correlation of single and leave-one-out {}, of main \
                 effect and leave-one-out {}.\n",
                one.start.name(),
                one.seeds,
                one.sd_start,
                one.sd_kept,
                match one.repeats {
                    Some(true) => "the same bits",
                    Some(false) => "not the same bits",
                    None => "not tried",
                },
                option(one.rho_single),
                option(one.rho_left_out),
                option(one.rho_far),
                option(one.split_component),
                one.edits.len(),
                one.sum_single,
                one.sum_main,
                one.sum_left_out,
                of(one.total),
                option(one.single_to_left_out),
                option(one.main_to_left_out),
            );
        }
    }

    fn of_transfer(&self, page: &mut String) {
        page.push_str(
            "## A larger model, trained for longer\n\n\
             | start | parameters | gain on test | reached | tokens | operations | seconds | rank correlation of edits |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for one in &self.transfer {
            let _ = writeln!(
                page,
                "| {} | {} → {} | {} | {} of {} | {} | {} | {} | {} of {} |",
                one.start.name(),
                one.parameters.0,
                one.parameters.1,
                of(Some(one.test)),
                one.reached,
                one.test.n,
                share(one.tokens),
                share(one.flops),
                share(one.seconds),
                one.rank_correlation.map_or("-".into(), |rho| format!("{rho:.2}")),
                one.edits.len()
            );
        }
        page.push_str("\nTokens, operations, seconds: what the kept recipe needs to reach the start's final training loss, of what the start needed.\n");
    }
}

fn of(estimate: Option<Estimate>) -> String {
    match estimate {
        Some(e) if e.n > 1 => format!("{:.3} ({:.3} to {:.3})", e.mean, e.low, e.high),
        Some(e) => format!("{:.3}", e.mean),
        None => "-".into(),
    }
}

fn share(estimate: Option<Estimate>) -> String {
    match estimate {
        Some(e) => format!("{} ({} to {})", percent(e.mean), percent(e.low), percent(e.high)),
        None => "-".into(),
    }
}

fn percent(x: f64) -> String {
    format!("{:.0} %", 100.0 * x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The committed figures are those of the committed data, and the page is that of the figures.
    #[test]
    fn the_summary_is_computed_from_its_data() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a committed result");
        let data: Data = serde_json::from_str(&read("data.json")).expect("data");
        let summary: Summary = serde_json::from_str(&read("summary.json")).expect("figures");
        let again = Summary::of(&data);
        assert_eq!(
            serde_json::to_string(&again).expect("JSON"),
            serde_json::to_string(&summary).expect("JSON")
        );
        assert_eq!(summary.markdown(), read("summary.md"));
    }
}
