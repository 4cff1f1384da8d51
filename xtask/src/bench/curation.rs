//! `cargo xtask bench curation`: what the default curator gains over first in, first out, on worlds whose truth is known.
use super::curation_ideas::{Ideas, KINDS, Kind};
use super::{names, policy, pool};
use anyhow::{Context, Result, bail};
use autoresearch_core::testkit::landscape::{Curated, Landscape, Mixture, Rules, simulate_curated};
use autoresearch_core::{
    Curation, Curator, Effect, ExpectedGain, Fate, Fifo, Hypothesis, Proposal, ProposalId, Ranking, Room,
    Seeds, Settled, Source, Waiting,
};
use serde_json::json;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

/// The options of `cargo xtask bench curation`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Options {
    /// Which policies: several of them, separated by commas, or `all`
    #[arg(long, value_delimiter = ',', default_value = "guarded,factorial31,scout",
          value_parser = names::parser(policy::names()))]
    policy: Vec<String>,
    /// Which streams of ideas: several of them, separated by commas, or `all`
    #[arg(long, value_delimiter = ',', default_value = "all",
          value_parser = names::parser(KINDS.iter().map(|(name, _)| *name).collect()))]
    cell: Vec<String>,
    /// Repetitions of each cell; four times as many of predictions that are noise, where what is to be told from 1 is small
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..))]
    reps: u32,
    /// Runs of each study
    #[arg(long, default_value_t = 2000)]
    runs: u64,
    /// How many ideas wait at least and at most
    #[arg(long, num_args = 2, default_values_t = [24, 32])]
    room: Vec<usize>,
    /// The seed that all else follows from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// One JSON object a line and cell, not a table
    #[arg(long)]
    json: bool,
}

/// The validation split's own bias for each edit, as in the acceptance benchmark.
const SIGMA_V: f64 = 0.3;

/// What is to come of a stream: so many times the gain of first in, first out.
fn target(kind: Kind) -> Option<f64> {
    match kind {
        Kind::Sources => Some(1.4),
        Kind::Predictions => Some(1.2),
        Kind::Noise | Kind::Inverted => Some(0.97),
        Kind::Duplicates | Kind::AllNull => None,
    }
}

/// How many studies a repetition is.
fn studies(kind: Kind) -> u64 {
    if kind == Kind::Noise { 4 } else { 1 }
}

/// The bound on the false discovery rate, and on the share of runs that are spent on what is known.
const FDR: f64 = 0.10;
const WASTED: f64 = 0.01;
/// Ranking so many ideas is to take less than so many milliseconds.
const IDEAS: usize = 10_000;
const MILLISECONDS: f64 = 5.0;

/// The same world and the same ideas, by arrival and by the default curator.
struct Pair {
    fifo: Curated,
    gain: Curated,
}

impl Options {
    fn play(&self, policy: &str, kind: Kind, repetition: u64) -> Result<Pair> {
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(repetition);
        let mixture = if kind == Kind::AllNull { Mixture::AllNull } else { Mixture::Mixed };
        let play = |curator: Box<dyn Curator>| {
            let acceptor = policy::make(policy, Seeds::Equal).context("a policy")?;
            let world = Landscape::new(mixture, seed).split_noise(SIGMA_V);
            let mut ideas = Ideas::new(&world, kind, seed);
            let room = Room::new(self.room[0], self.room[1]);
            let rules = Rules::budget(self.runs).seed(seed);
            let curation = Curation::new(curator).room(room);
            let played = simulate_curated(&world, acceptor, curation, &mut || ideas.next(), &rules)?;
            if !played.simulated.stopped.is_final() {
                bail!("{policy}, repetition {repetition}: {}", played.simulated.stopped);
            }
            Ok(played)
        };
        Ok(Pair { fifo: play(Box::new(Fifo::new()))?, gain: play(Box::new(ExpectedGain::new()))? })
    }
}

/// A cell's figures.
struct Line {
    policy: String,
    cell: &'static str,
    target: Option<f64>,
    fifo: f64,
    gain: f64,
    ratio: f64,
    error: f64,
    fdr: [f64; 2],
    fdr_error: f64,
    tried: f64,
    known: f64,
    wasted: f64,
    studies: usize,
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

impl Line {
    fn of(policy: &str, (cell, kind): (&'static str, Kind), pairs: &[Pair]) -> Self {
        let fifo = mean(pairs.iter().map(|p| p.fifo.simulated.true_gain));
        let gain = mean(pairs.iter().map(|p| p.gain.simulated.true_gain));
        let ratio = gain / fifo;
        // The error of a ratio of means of pairs, by the delta method.
        let n = pairs.len() as f64;
        let residual = |p: &Pair| p.gain.simulated.true_gain - ratio * p.fifo.simulated.true_gain;
        let ss: f64 = pairs.iter().map(|p| residual(p).powi(2)).sum();
        let fdr = |c: &Curated| c.simulated.false_discovery_proportion();
        let of_gain = mean(pairs.iter().map(|p| fdr(&p.gain)));
        let fdr_ss: f64 = pairs.iter().map(|p| (fdr(&p.gain) - of_gain).powi(2)).sum();
        let share = |c: &Curated, part: u64| part as f64 / c.ideas as f64;
        Self {
            policy: policy.into(),
            cell,
            target: target(kind),
            fifo,
            gain,
            ratio,
            error: (ss / (n - 1.0) / n).sqrt() / fifo,
            fdr: [mean(pairs.iter().map(|p| fdr(&p.fifo))), of_gain],
            fdr_error: (fdr_ss / (n - 1.0) / n).sqrt(),
            tried: mean(pairs.iter().map(|p| share(&p.gain, p.gain.tried))),
            known: mean(pairs.iter().map(|p| share(&p.gain, p.gain.known))),
            studies: pairs.len(),
            wasted: mean(pairs.iter().map(|p| p.gain.wasted_runs as f64 / p.gain.simulated.runs as f64)),
        }
    }

    /// Two standard errors are granted to what is bounded, none to what is promised.
    fn ok(&self) -> bool {
        self.target.is_none_or(|target| self.ratio >= target)
            && self.fdr[1] - 2.0 * self.fdr_error <= FDR
            && self.wasted <= WASTED
    }

    fn text(&self) -> String {
        let target = self.target.map_or_else(|| "-".into(), |target| format!("{target}"));
        format!(
            "{:12} {:12} {:>7.1} {:>7.1} {:>6.2} ±{:.2} {target:>7} {:>7.3} {:>7.3} {:>6.2} {:>6.2} {:>7.4}  {}",
            self.policy,
            self.cell,
            self.fifo,
            self.gain,
            self.ratio,
            self.error,
            self.fdr[0],
            self.fdr[1],
            self.tried,
            self.known,
            self.wasted,
            if self.ok() { "yes" } else { "NO" }
        )
    }

    fn json(&self, args: &Options) -> String {
        json!({
            "policy": self.policy, "cell": self.cell, "studies": self.studies, "runs": args.runs, "room": args.room,
            "seed": args.seed, "fifo_gain": self.fifo, "true_gain": self.gain, "ratio": self.ratio,
            "ratio_se": self.error, "target": self.target, "fifo_fdr": self.fdr[0], "fdr": self.fdr[1],
            "fdr_se": self.fdr_error, "tried_share": self.tried, "known_share": self.known,
            "wasted_runs_share": self.wasted, "ok": self.ok(),
        })
        .to_string()
    }
}

/// Plays the cells. Fails if one does not come out as it is to.
pub(super) fn run(args: &Options) -> Result<ExitCode> {
    if args.room[1] <= args.room[0] {
        bail!("--room LOW HIGH: the second is to be larger");
    }
    let policies = names::chosen(&args.policy, policy::names());
    let kinds = names::chosen(&args.cell, KINDS.iter().map(|(name, _)| *name).collect());
    let cells: Vec<(&String, (&'static str, Kind))> = kinds
        .iter()
        .filter_map(|name| KINDS.iter().find(|(known, _)| known == name))
        .flat_map(|kind| policies.iter().map(move |policy| (policy, *kind)))
        .collect();
    if !args.json {
        println!(
            "{} runs, {} repetitions, seed {}; {} to {} ideas wait\n\n{:12} {:12} {:>7} {:>7} {:>12} {:>7} {:>7} {:>7} {:>6} {:>6} {:>7}  ok",
            args.runs,
            args.reps,
            args.seed,
            args.room[0],
            args.room[1],
            "policy",
            "ideas",
            "fifo",
            "gain",
            "times",
            "target",
            "fdr",
            "fdr",
            "tried",
            "known",
            "wasted"
        );
    }
    let reps = args.reps as usize;
    let play = |job: usize| {
        let (policy, (_, kind)) = cells[job / reps];
        let (repetition, n) = ((job % reps) as u64, studies(kind));
        (repetition * n..(repetition + 1) * n)
            .map(|i| args.play(policy, kind, i))
            .collect::<Result<Vec<Pair>>>()
    };
    let mut broken = 0;
    pool::each(cells.len(), reps, play, |cell, pairs| {
        let (policy, kind) = cells[cell];
        let line = Line::of(policy, kind, &pairs.into_iter().flatten().collect::<Vec<_>>());
        broken += usize::from(!line.ok());
        println!("{}", if args.json { line.json(args) } else { line.text() });
    })?;
    broken += usize::from(!times(args.json));
    if broken > 0 {
        eprintln!("{broken} rows do not come out as they are to");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn hypotheses(n: usize) -> Vec<Hypothesis> {
    let one = |i: usize| {
        let source = Source::proposer("llm").model(format!("model {}", i % 7)).prompt("v1");
        let said = Proposal::new(())
            .title(format!("idea {i}"))
            .source(source)
            .expecting((i % 101) as f64 / 50.0 - 1.0);
        said.tag(format!("tag {}", i % 40)).tag(format!("area {}", i % 9)).hypothesis
    };
    (0..n).map(one).collect()
}

/// How long ranking and learning take. Medians.
fn times(json: bool) -> bool {
    let ideas = hypotheses(IDEAS);
    let mut curator = ExpectedGain::new();
    let mut learn = |from: usize, n: usize| {
        let start = Instant::now();
        for i in from..from + n {
            let effect = Effect::new((i % 13) as f64 / 6.0 - 1.5, (f64::NAN, f64::NAN), 0.95, 3, true);
            let id = ProposalId(i as u64);
            let settled = Settled::new(id, &ideas[i % IDEAS], Fate::Rejected, 3).effect(Some(effect));
            curator.settled(black_box(&settled));
        }
        start.elapsed().as_secs_f64() * 1e9 / n as f64
    };
    let early = learn(1, 10_000);
    learn(10_001, 480_000);
    let late = learn(490_001, 10_000);
    let waiting = ideas.iter().zip(0..).map(|(idea, i)| Waiting::new(ProposalId(i), idea, i));
    let backlog: Vec<Waiting<'_>> = waiting.collect();
    let mut rank = |seed| {
        let start = Instant::now();
        black_box(curator.rank(&backlog, &Ranking::new(8, seed)));
        start.elapsed().as_secs_f64() * 1e3
    };
    let mut ranks: Vec<f64> = (0..51).map(&mut rank).collect();
    ranks.sort_by(f64::total_cmp);
    let median = ranks[25];
    let ok = median < MILLISECONDS && late < 3.0 * early;
    if json {
        println!(
            "{}",
            json!({ "ranking_ideas": IDEAS, "ranking_ms": median, "learning_ns_first_10000": early,
                    "learning_ns_last_10000_of_500000": late, "ok": ok })
        );
    } else {
        println!(
            "\nranking {IDEAS} ideas: {median:.1} ms (limit {MILLISECONDS}); learning from one that was tried: {early:.0} ns \
             in the first 10,000, {late:.0} ns in the last of 500,000  {}",
            if ok { "yes" } else { "NO" }
        );
    }
    ok
}
