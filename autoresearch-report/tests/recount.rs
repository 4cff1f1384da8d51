//! Figures and charts of real policies' studies, counted again from their events by other code.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_core::stats::{chi_square_quantile, student_quantile};
use autoresearch_core::*;
use autoresearch_report::{Basis, Report};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use support::policies::{Policy, night};
use support::svg::{self, Chart};

/// A run as its event has it.
struct Ran {
    arm: BTreeSet<u64>,
    parts: BTreeSet<(u64, Option<u16>)>,
    whole: bool,
    version: u32,
    seed: u64,
    role: Role,
    objective: Option<f64>,
    seconds: f64,
}

/// What the events say, told one by one.
struct Heard {
    events: Vec<Event<Value>>,
    runs: Vec<Ran>,
    /// Runs that had ended, version, proposal: of what was kept, in order.
    keeps: Vec<(u64, u32, u64)>,
}

fn heard(events: Vec<Event<Value>>) -> Heard {
    let (mut runs, mut keeps) = (Vec::new(), Vec::new());
    for event in &events {
        match event {
            Event::Finished { run, outcome, seconds, .. } => {
                let fault = outcome.as_ref().err().map(RunFailure::fault);
                if matches!(fault, Some(Fault::Infrastructure | Fault::Cancelled)) {
                    continue;
                }
                runs.push(Ran {
                    arm: run.arm.parts().iter().map(|part| part.proposal.0).collect(),
                    parts: run.arm.parts().iter().map(|part| (part.proposal.0, part.unit)).collect(),
                    whole: run.arm.parts().iter().all(|part| part.unit.is_none()),
                    version: run.version.0,
                    seed: run.seed,
                    role: run.role,
                    objective: outcome.as_ref().ok().map(Measurement::objective),
                    seconds: *seconds,
                });
            }
            Event::Settled { proposal, fate: Fate::Kept, version, .. } => {
                keeps.push((runs.len() as u64, version.0, proposal.0));
            }
            _ => {}
        }
    }
    Heard { events, runs, keeps }
}

async fn study(
    policy: Policy,
    runs: u64,
) -> (Report, Heard, autoresearch_core::Report<Value>, MemoryStore<Value>) {
    let store = MemoryStore::new();
    let told = night(policy, runs, 0.002).store(store.clone()).run().await.unwrap();
    let events = store.read(Seq(0), usize::MAX).await.unwrap().into_iter().map(|(_, event)| event).collect();
    (Report::of(&store).unwrap(), heard(events), told, store)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn squares(values: &[f64]) -> f64 {
    values.iter().map(|x| (x - mean(values)).powi(2)).sum()
}

#[track_caller]
fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0), "{a} is not {b}");
}

#[track_caller]
fn both(a: Option<f64>, b: Option<f64>) {
    assert_eq!(a.is_some(), b.is_some(), "{a:?} against {b:?}");
    near(a.unwrap_or(0.0), b.unwrap_or(0.0));
}

fn average(values: Vec<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| mean(&values))
}

const POLICIES: [(Policy, u64); 3] = [(Policy::Guarded, 250), (Policy::Factorial, 250), (Policy::Scout, 200)];

#[tokio::test(start_paused = true)]
async fn counts_and_costs() {
    for (policy, runs) in POLICIES {
        let (report, heard, told, store) = study(policy, runs).await;
        let data = report.data();
        assert_eq!(data.cost.runs, heard.runs.len() as u64);
        assert_eq!(data.cost.runs, told.runs);
        assert_eq!(data.cost.failed, heard.runs.iter().filter(|run| run.objective.is_none()).count() as u64);
        let (mut compute, mut money, mut asked, mut yes, mut fates) = (0.0, 0.0, 0, 0, BTreeMap::new());
        for event in &heard.events {
            match event {
                Event::Finished { seconds, .. } | Event::Interrupted { seconds, .. } => compute += seconds,
                Event::Charged(charge) => money += charge.amount,
                Event::Answered { answer, .. } => (asked, yes) = (asked + 1, yes + u64::from(answer.passed)),
                Event::Examined { answers, .. } => {
                    asked += answers.iter().flatten().count() as u64;
                    yes += answers.iter().flatten().filter(|yes| **yes).count() as u64;
                }
                Event::Settled { proposal, fate, .. } => {
                    fates.insert(proposal.0, *fate);
                }
                _ => {}
            }
        }
        near(data.cost.compute, compute);
        near(data.cost.money, money);
        assert!(money > 0.0 && data.cost.lost > 0, "the study charges and loses runs");
        let holdout = data.holdout.as_ref().unwrap();
        assert_eq!((holdout.asked, holdout.yes), (asked, yes));
        for role in &data.cost.roles {
            let of: Vec<&Ran> = heard.runs.iter().filter(|run| run.role == role.role).collect();
            assert_eq!(role.runs, of.len() as u64, "{policy:?} {:?}", role.role);
            assert!(role.seconds >= of.iter().map(|run| run.seconds).sum::<f64>() - 1e-6);
        }
        for trial in &data.proposals {
            assert_eq!(trial.fate, fates.get(&trial.id).copied());
            let of: Vec<&Ran> = heard.runs.iter().filter(|run| run.arm.contains(&trial.id)).collect();
            let fresh = of.iter().filter(|run| run.role == Role::Confirm).count();
            assert_eq!((trial.runs, trial.confirming), (of.len() as u64, fresh as u64), "p{}", trial.id);
            near(trial.seconds, of.iter().map(|run| run.seconds).sum());
            near(trial.share, of.iter().map(|run| run.seconds / run.arm.len() as f64).sum());
            let objectives = |alone: bool| {
                let of = of.iter().filter(|run| (run.arm.len() == 1 && run.whole) == alone);
                average(of.filter_map(|run| run.objective).collect())
            };
            both(trial.objective, objectives(true));
            both(trial.together, objectives(false));
        }
        let shares: f64 = data.proposals.iter().map(|trial| trial.share).sum();
        assert!(shares <= data.cost.compute + 1e-6, "no second is counted twice");
        // The table is the core's own, line by line; of what was settled more than once, its last line.
        let core = results_tsv(&store, "bpb").await.unwrap();
        let lines: Vec<&str> = core.lines().collect();
        let id = |line: &str| line.split('\t').next().map(str::to_string);
        let is_last = |(i, line): &(usize, &&str)| lines[i + 1..].iter().all(|later| id(later) != id(line));
        let last: Vec<&str> = lines.iter().enumerate().filter(is_last).map(|(_, line)| *line).collect();
        assert_eq!(report.results_tsv("bpb").lines().collect::<Vec<_>>(), last);
    }
}

#[tokio::test(start_paused = true)]
async fn incumbents_noise_and_evidence() {
    for (policy, runs) in POLICIES {
        let (report, heard, ..) = study(policy, runs).await;
        let data = report.data();
        assert!(heard.keeps.len() > 1, "{policy:?} keeps something");
        assert_eq!(data.incumbents.len(), heard.keeps.len() + 1);
        // What a run trains is what was kept by the version that it is applied to, and its arm.
        let trains = |run: &Ran| -> BTreeSet<u64> {
            let kept = heard.keeps.iter().filter(|keep| keep.1 <= run.version).map(|keep| keep.2);
            kept.chain(run.arm.iter().copied()).collect()
        };
        for (i, incumbent) in data.incumbents.iter().enumerate() {
            let stack: BTreeSet<u64> = heard.keeps[..i].iter().map(|keep| keep.2).collect();
            assert_eq!(incumbent.at_run, i.checked_sub(1).map_or(0, |i| heard.keeps[i].0));
            let own = |fresh: bool| -> Vec<f64> {
                let of = heard.runs.iter().filter(|run| run.whole && (run.role != Role::Screen) == fresh);
                of.filter(|run| trains(run) == stack).filter_map(|run| run.objective).collect()
            };
            let (fresh, selected) = (own(true), own(false));
            let since: Vec<f64> = heard.runs[incumbent.at_run as usize..]
                .iter()
                .filter(|run| run.whole && run.role != Role::Screen && trains(run) == stack)
                .filter_map(|run| run.objective)
                .collect();
            let enough = since.len() > 1 || i == 0;
            let values = if enough && !since.is_empty() {
                since
            } else if fresh.is_empty() {
                selected
            } else {
                fresh
            };
            assert_eq!(incumbent.low.is_some(), enough && values.len() > 1, "{policy:?} incumbent {i}");
            assert_eq!(incumbent.runs, values.len() as u64, "{policy:?} incumbent {i}");
            if !values.is_empty() {
                near(incumbent.objective.unwrap(), mean(&values));
            }
            if let (Some(low), Some(high), n @ 2..) = (incumbent.low, incumbent.high, values.len()) {
                let n = n as f64;
                let half = student_quantile(0.975, n - 1.0) * (squares(&values) / (n - 1.0) / n).sqrt();
                near(low, mean(&values) - half);
                near(high, mean(&values) + half);
            }
        }
        // Noise: within versions, of runs of the incumbent by itself.
        let mut versions: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for run in heard.runs.iter().filter(|run| run.arm.is_empty() && run.role != Role::Transfer) {
            versions.entry(run.version).or_default().extend(run.objective);
        }
        let noise = data.noise.as_ref().unwrap();
        let df: usize = versions.values().map(|v| v.len() - 1).sum();
        let sum: f64 = versions.values().map(|v| squares(v)).sum();
        assert_eq!(noise.df, df as u64);
        near(noise.sd, (sum / df as f64).sqrt());
        near(noise.low, (sum / chi_square_quantile(0.975, df as f64)).sqrt());
        assert_eq!(
            noise.residuals.len(),
            versions.values().filter(|v| v.len() > 1).map(Vec::len).sum::<usize>()
        );
        // Evidence: a proposal alone against the incumbent on the same seed.
        for evidence in &data.evidence {
            let fresh = |run: &&Ran| run.role == Role::Confirm && run.whole;
            let mut gains = Vec::new();
            let mut version = None;
            for run in
                heard.runs.iter().filter(fresh).filter(|run| run.arm == BTreeSet::from([evidence.proposal]))
            {
                if version != Some(run.version) {
                    (version, gains) = (Some(run.version), Vec::new());
                }
                let twin = heard.runs.iter().filter(fresh).find(|other| {
                    other.arm.is_empty() && other.seed == run.seed && other.version == run.version
                });
                gains.extend(twin.and_then(|twin| Some(twin.objective? - run.objective?)));
            }
            assert_eq!(evidence.pairs.len(), gains.len(), "p{}", evidence.proposal);
            near(evidence.pairs.last().unwrap().mean, mean(&gains));
        }
        assert_eq!(data.evidence.is_empty(), !matches!(policy, Policy::Guarded), "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn cohorts_and_expectations() {
    for (policy, runs) in POLICIES {
        let (report, heard, ..) = study(policy, runs).await;
        let data = report.data();
        assert_eq!(data.cohorts.is_empty(), matches!(policy, Policy::Guarded));
        for cohort in &data.cohorts {
            let members: BTreeSet<u64> = cohort.members.iter().map(|m| m.proposal).collect();
            let role = if cohort.fresh { Role::Confirm } else { Role::Screen };
            let of: Vec<&Ran> = heard
                .runs
                .iter()
                .filter(|run| run.role == role && run.version == cohort.version && run.arm.len() > 1)
                .filter(|run| run.arm.is_subset(&members))
                .collect();
            assert_eq!(cohort.runs, of.len() as u64);
            for member in &cohort.members {
                let side = |on: bool| {
                    let of = of.iter().filter(|run| run.arm.contains(&member.proposal) == on);
                    average(of.filter_map(|run| run.objective).collect())
                };
                both(member.crude, side(false).zip(side(true)).map(|(without, with)| without - with));
            }
        }
        let mut expected = BTreeMap::new();
        let mut measured = BTreeMap::new();
        for event in &heard.events {
            match event {
                Event::Proposed { first, proposals, .. } => {
                    expected
                        .extend((first.0..).zip(proposals.iter().map(|p| p.hypothesis.expected.unwrap())));
                }
                Event::Settled { proposal, effect, .. } => {
                    measured.insert(proposal.0, effect.map(|effect| effect.mean));
                }
                _ => {}
            }
        }
        let pairs: Vec<(f64, f64)> =
            measured.iter().filter_map(|(id, y)| Some((expected[id], (*y)?))).collect();
        let predicted = data.predicted.as_ref().unwrap();
        assert_eq!(predicted.points.len(), pairs.len());
        near(predicted.expected, mean(&pairs.iter().map(|p| p.0).collect::<Vec<_>>()));
        near(predicted.measured, mean(&pairs.iter().map(|p| p.1).collect::<Vec<_>>()));
        let right = pairs.iter().filter(|(x, y)| *x > 0.0 && *y > 0.0).count();
        assert_eq!(predicted.right_sign, right as u64);
    }
}

/// Solves `a x = b` by elimination, and gives the diagonal of the inverse of `a`.
fn solve(mut a: Vec<Vec<f64>>, b: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let n = b.len();
    for (i, row) in a.iter_mut().enumerate() {
        row.push(b[i]);
        row.extend((0..n).map(|j| f64::from(u8::from(i == j))));
    }
    for i in 0..n {
        let pivot = (i..n).max_by(|x, y| a[*x][i].abs().total_cmp(&a[*y][i].abs())).unwrap();
        a.swap(i, pivot);
        let scale = a[i][i];
        assert!(scale.abs() > 1e-9, "the design has full rank");
        a[i].iter_mut().for_each(|x| *x /= scale);
        let own = a[i].clone();
        for (_, row) in a.iter_mut().enumerate().filter(|(j, _)| *j != i) {
            let by = row[i];
            row.iter_mut().zip(&own).for_each(|(x, y)| *x -= by * y);
        }
    }
    (a.iter().map(|row| row[n]).collect(), (0..n).map(|i| a[i][n + 1 + i]).collect())
}

/// Effects of what was switched together, by normal equations with an intercept.
#[tokio::test(start_paused = true)]
async fn evidence_beside_others() {
    for (policy, runs) in [(Policy::Factorial, 250), (Policy::Scout, 200)] {
        let (report, heard, ..) = study(policy, runs).await;
        let mut counted = 0;
        for told in &report.data().together {
            let confirm: Vec<&Ran> = heard
                .runs
                .iter()
                .filter(|run| run.role == Role::Confirm && run.version == told.version)
                .filter(|run| run.objective.is_some())
                .collect();
            // The group: whoever shares a run with it, directly or not.
            let mut group: BTreeSet<u64> = told.proposals.iter().copied().collect();
            loop {
                let before = group.len();
                for run in &confirm {
                    if !run.arm.is_disjoint(&group) {
                        group.extend(&run.arm);
                    }
                }
                if group.len() == before {
                    break;
                }
            }
            let joint: BTreeSet<u64> =
                confirm.iter().filter(|run| run.arm.len() > 1).flat_map(|run| run.arm.clone()).collect();
            let only = joint.is_subset(&group);
            let of: Vec<&Ran> = confirm
                .into_iter()
                .filter(|run| if run.arm.is_empty() { only } else { run.arm.is_subset(&group) })
                .collect();
            let seeds: BTreeSet<u64> = of.iter().map(|run| run.seed).collect();
            if seeds.len() < of.len() {
                continue; // blocks of equal seeds have their own test
            }
            let parts: BTreeSet<_> = of.iter().flat_map(|run| run.parts.clone()).collect();
            let mut columns: Vec<(Vec<f64>, BTreeSet<u64>)> = vec![(vec![1.0; of.len()], BTreeSet::new())];
            for part in parts {
                let column: Vec<f64> =
                    of.iter().map(|run| f64::from(u8::from(run.parts.contains(&part)))).collect();
                match columns.iter_mut().find(|(other, _)| *other == column) {
                    Some((_, members)) => drop(members.insert(part.0)),
                    None => columns.push((column, BTreeSet::from([part.0]))),
                }
            }
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
            let y: Vec<f64> = of.iter().map(|run| -run.objective.unwrap()).collect();
            let xx: Vec<Vec<f64>> =
                columns.iter().map(|(a, _)| columns.iter().map(|(b, _)| dot(a, b)).collect()).collect();
            let xy: Vec<f64> = columns.iter().map(|(a, _)| dot(a, &y)).collect();
            let (beta, inverse) = solve(xx, &xy);
            let df = of.len() as f64 - columns.len() as f64;
            let residual = |i: usize| {
                y[i] - columns.iter().zip(&beta).map(|((column, _), b)| column[i] * b).sum::<f64>()
            };
            let rss: f64 = (0..of.len()).map(|i| residual(i).powi(2)).sum();
            let last = told.points.last().unwrap();
            assert_eq!(last.runs, of.len() as u64);
            // A proposal may have several parts that were switched apart: one of them is this.
            let fits = columns.iter().enumerate().skip(1).any(|(j, (_, members))| {
                let same = told.proposals.iter().copied().collect::<BTreeSet<u64>>() == *members;
                let half = student_quantile(0.975, df) * (rss / df * inverse[j]).sqrt();
                let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
                let ends = df < 1.0
                    || last.low.is_some_and(|low| close(low, beta[j] - half))
                        && last.high.is_some_and(|high| close(high, beta[j] + half));
                same && close(last.mean, beta[j]) && ends
            });
            assert!(fits, "{told:?}: {beta:?}");
            counted += 1;
        }
        assert!(counted > 2, "{policy:?}: {counted} of {}", report.data().together.len());
    }
}

/// As many units as a chart's coordinates are rounded to, on either axis, in the values of that axis.
fn within(chart: &Chart, x: bool) -> f64 {
    let (a, b) = chart.ends(x);
    0.12 * ((b.1 - a.1) / (b.0 - a.0)).abs()
}

#[tokio::test(start_paused = true)]
async fn charts_show_what_was_counted() {
    for (policy, runs) in POLICIES {
        let (report, heard, ..) = study(policy, runs).await;
        let (data, html) = (report.data(), report.html());
        // Kept dots stand at the run at which they were kept; the line's last level is the incumbent's objective.
        let chart = Chart::first(&html, "progress");
        let ids = chart.ids("kept");
        assert_eq!(ids.len(), heard.keeps.len());
        for ((x, _), id) in chart.dots("kept").into_iter().zip(ids) {
            let keep = heard.keeps.iter().find(|keep| keep.2 == id).unwrap();
            assert!((chart.value(x, true) - keep.0 as f64).abs() <= within(&chart, true), "p{id}");
        }
        let last = data.incumbents.iter().rev().find_map(|i| i.objective).unwrap();
        let of = data.incumbents.iter().rev().find(|i| i.objective.is_some()).unwrap().basis;
        let shaky = matches!(of, Basis::Selected | Basis::Claimed);
        let line = chart.path(if shaky { "incumbent" } else { "incumbent sure" });
        let level = line.rsplit('V').next().unwrap().split('H').next().unwrap().parse().unwrap();
        assert!((chart.value(level, false) - last).abs() <= within(&chart, false));
        // All settled proposals with a height of their own are drawn.
        let drawn: usize =
            ["rejected", "kept", "held-back", "set-aside", "undecided", "failed", "conflict", "open"]
                .map(|fate| chart.dots(fate).len())
                .iter()
                .sum();
        let tall = data.proposals.iter().filter(|t| {
            t.objective.or(t.together).is_some() || t.effect.is_some() || t.fate == Some(Fate::Failed)
        });
        assert_eq!(drawn, tall.count());
        // Kept edits: one dot and one interval each, at their effects.
        let chart = Chart::first(&html, "kept");
        let kept: Vec<Effect> = data.kept().filter_map(|t| t.effect).collect();
        let dots = chart.dots("big kept");
        assert_eq!(dots.len(), kept.len());
        for ((x, _), effect) in dots.iter().zip(&kept) {
            assert!((chart.value(*x, true) - effect.mean).abs() <= within(&chart, true));
        }
        for ((x1, x2), effect) in chart.lines("interval kept").into_iter().zip(&kept) {
            let room = within(&chart, true);
            let (low, high) = chart.ends(true);
            for (x, end) in [(x1, effect.low.unwrap()), (x2, effect.high.unwrap())] {
                let shown = chart.value(x, true);
                let cut = x <= low.0.min(high.0) || x >= svg::INTERVALS_END;
                assert!(cut || (shown - end).abs() <= room, "{shown} for {end}");
            }
        }
        // The funnel's bars are as long as their numbers are large.
        let chart = Chart::first(&html, "funnel");
        let bars = chart.bars();
        let f = &data.funnel;
        let numbers: Vec<f64> = [f.proposed, f.screened, f.confirmed, f.held_out.unwrap(), f.kept]
            .iter()
            .map(|n| *n as f64)
            .collect();
        assert_eq!(bars.len(), numbers.len());
        for (bar, number) in bars.iter().zip(&numbers) {
            assert!((bar / bars[0] - number / numbers[0]).abs() < 0.005, "{bar} for {number}");
        }
        // Bands of the noise are two standard deviations to either side, of each incumbent that ran three times or more.
        let chart = Chart::first(&html, "noise");
        let versions: BTreeSet<u32> = heard.runs.iter().map(|run| run.version).collect();
        let of = |version: &u32| -> Vec<f64> {
            let own = heard.runs.iter().filter(|run| run.arm.is_empty() && run.version == *version);
            own.filter(|run| run.role != Role::Transfer).filter_map(|run| run.objective).collect()
        };
        let sds: Vec<f64> = versions
            .iter()
            .map(of)
            .filter(|own| own.len() > 2)
            .map(|own| (squares(&own) / (own.len() as f64 - 1.0)).sqrt())
            .collect();
        let bands = chart.bands();
        assert!(!sds.is_empty() && bands.len() == sds.len());
        for ((top, height), sd) in bands.into_iter().zip(sds) {
            for (y, value) in [(top, 2.0 * sd), (top + height, -2.0 * sd)] {
                assert!((chart.value(y, false) - value).abs() <= 2.0 * within(&chart, false));
            }
        }
        // Expectations.
        let chart = Chart::first(&html, "predicted");
        let all: BTreeMap<u64, (f64, f64)> = data
            .predicted
            .as_ref()
            .unwrap()
            .points
            .iter()
            .map(|p| (p.proposal, (p.expected, p.measured)))
            .collect();
        for ((x, _), id) in chart.dots("kept").into_iter().zip(chart.ids("kept")) {
            assert!((chart.value(x, true) - all[&id].0).abs() <= within(&chart, true));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn observers_are_told_of_the_unproven_stack() {
    // At each tenth run what an observer is told is what the events until then come to.
    type Told = Vec<(u64, Option<Unproven>)>;
    let told: Arc<Mutex<Told>> = Arc::default();
    let heard = Arc::clone(&told);
    let store = MemoryStore::new();
    let observer = move |notice: &Notice<'_>, status: &Status| {
        if matches!(notice, Notice::RunFinished { .. }) && status.runs.is_multiple_of(10) {
            heard.lock().unwrap().push((status.runs, status.stack));
        }
    };
    night(Policy::Scout, 200, 0.002).store(store.clone()).observer(observer).run().await.unwrap();
    let mut told = std::mem::take(&mut *told.lock().unwrap()).into_iter().peekable();
    let (mut fold, mut stacked) = (autoresearch_report::Fold::new(), 0);
    for (seq, event) in store.read(Seq(0), usize::MAX).await.unwrap() {
        let ended = matches!(&event, Event::Finished { outcome: Ok(_), .. });
        let event: Event<Value> = serde_json::from_value(serde_json::to_value(&event).unwrap()).unwrap();
        fold.take(autoresearch_report::Entry { seq: seq.0, at: None, event: Ok(event) });
        if !ended || told.peek().is_none_or(|(runs, _)| *runs != fold.data().cost.runs) {
            continue;
        }
        let (data, (_, of_observer)) = (fold.data(), told.next().unwrap());
        let stack = data.stack();
        assert_eq!(of_observer.map(|s| s.edits), stack.map(|s| s.members.len() as u64));
        both(of_observer.and_then(|s| s.objective), stack.and_then(|s| s.objective));
        stacked += u64::from(stack.is_some_and(|s| s.objective.is_some()));
    }
    assert!(told.next().is_none() && stacked > 3, "{stacked} with a stack that ran");
}

#[tokio::test(start_paused = true)]
async fn what_keeps_the_best_it_sees_is_not_told_as_tested() {
    let (report, heard, ..) = study(Policy::Greedy, 60).await;
    let (data, html) = (report.data(), report.html());
    // Its plans say that they confirm, and its effects say that the runs behind them chose.
    assert!(heard.runs.iter().any(|run| run.role == Role::Confirm) && heard.keeps.len() > 2);
    assert!(data.kept().all(|trial| trial.effect.is_some_and(|effect| !effect.fresh)));
    assert!(data.proposals.iter().any(|trial| trial.fate == Some(Fate::Failed)));
    assert_eq!((data.funnel.confirmed, data.funnel.kept), (0, data.kept().count() as u64));
    assert!(data.proposals.iter().all(|trial| trial.confirming == 0) && data.evidence.is_empty());
    // All but the baseline, and the last one, which runs afresh at the end.
    let middle = &data.incumbents[1..data.incumbents.len() - 1];
    assert!(middle.iter().all(|incumbent| incumbent.basis == Basis::Selected && incumbent.low.is_none()));
    assert!(html.contains("this policy makes no fresh tests") && !html.contains("fresh tests (confirm)"));
    assert!(html.contains("it was kept by the very runs that chose it"));
    assert!(!report.in_short().certain.join(" ").contains("on fresh runs, which decided it"));
}
