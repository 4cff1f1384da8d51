//! One policy on one kind of world.
use super::policy;
use super::scenario::{AnyWorld, Scenario};
use anyhow::{Context, Result, bail};
use autoresearch_core::testkit::landscape::{Rules, Simulated, simulate, simulate_searched};
use autoresearch_core::{Acceptor, Evolution, Guarantee, LocalSearch, ProposerExt, Seeds, Tpe};

/// The length of a stream that is not endless.
const STREAM: u32 = 700;

/// What the worlds of a benchmark have in common.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub(super) struct Options {
    /// The validation split's own bias for each edit: its standard deviation, in that of one run [default: 0.3]
    #[arg(long, value_parser = not_negative)]
    pub(super) sigma_v: Option<f64>,
    /// The noise of runs
    #[arg(long, default_value = "gaussian", value_parser = ["gaussian", "t4", "hetero"])]
    pub(super) noise: String,
    /// How edits change one another's effects
    #[arg(long, default_value = "none",
          value_parser = ["none", "densenn", "sparse", "dense", "redundant", "clash"])]
    pub(super) interactions: String,
    /// Which seeds a policy compares on, where it has the choice
    #[arg(long, default_value = "equal", value_parser = ["equal", "independent"])]
    pub(super) seeds: String,
    /// The spread of interactions in the measured world
    #[arg(long, default_value_t = 0.0, value_parser = not_negative)]
    pub(super) tau: f64,
    /// The probability that two edits cannot be merged
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub(super) conflicts: f64,
    /// The share of runs that fail
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub(super) missing: f64,
    /// So many runs and an endless stream of proposals [default: 700 proposals within 701 runs]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) budget: Option<u64>,
    /// The stream of proposals ends after so many, with --budget too
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) proposals: Option<u32>,
    /// The seed that all else follows from
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x >= 0.0 => Ok(x),
        _ => Err("a number that is not negative is wanted".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if (0.0..=1.0).contains(&x) => Ok(x),
        _ => Err("a number between 0 and 1 is wanted".into()),
    }
}

/// One policy on one kind of world.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) policy: String,
    pub(super) scenario: String,
    pub(super) kind: Scenario,
    /// As far as they apply.
    pub(super) options: Options,
}

impl Cell {
    pub(super) fn new(policy: &str, scenario: &str, options: &Options) -> Result<Self> {
        let kind = Scenario::named(scenario).with_context(|| format!("no scenario is called {scenario}"))?;
        let mut options = options.clone();
        options.sigma_v = options.sigma_v.or(Some(0.3));
        let options = kind.applicable(&options);
        Ok(Self { policy: policy.into(), scenario: scenario.into(), kind, options })
    }

    /// Plays one repetition. All policies meet the same worlds.
    pub(super) fn play(&self, repetition: u64) -> Result<Simulated> {
        let options = &self.options;
        let seeds = if options.seeds == "equal" { Seeds::Equal } else { Seeds::Independent };
        let acceptor = policy::make(&self.policy, seeds)
            .with_context(|| format!("no policy is called {}", self.policy))?;
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(repetition);
        let mut rules = match (options.budget, options.proposals) {
            (Some(runs), None) => Rules::budget(runs),
            (runs, proposals) => {
                let proposals = proposals.unwrap_or(STREAM);
                Rules::stream(proposals).runs(runs.unwrap_or(u64::from(proposals) + 1))
            }
        };
        rules = rules.missing(options.missing).seed(seed);
        if acceptor.guarantee() == Guarantee::None {
            rules = rules.without_holdout(); // keep-if-better has never asked one
        }
        let played = match self.kind.world(options, seed) {
            AnyWorld::Edits(world) => simulate(&world, acceptor, &rules),
            AnyWorld::Slots(world) => simulate(&world, acceptor, &rules),
            AnyWorld::Searched(world) => {
                let local = LocalSearch::over(world.space()).portfolio("local");
                let all = local
                    .with("tpe", Tpe::over(world.space()))
                    .with("evolution", Evolution::over(world.space()));
                simulate_searched(&world, acceptor, all, &rules)
            }
        };
        let played = played.with_context(|| format!("{} on {}", self.policy, self.scenario))?;
        if !played.stopped.is_final() {
            bail!("{} on {}, repetition {repetition}: {}", self.policy, self.scenario, played.stopped);
        }
        Ok(played)
    }
}
