//! What is played for the page: worlds, policies, numbers of runs, and how often each.
use super::cell::{Cell, Options};
use super::summary::{Mean, Summary};
use super::{policy, pool};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// One policy in one world with so many runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// A place in [`WORLDS`], so that keys are in the page's order.
    pub(super) world: usize,
    pub(super) runs: u64,
    pub(super) policy: &'static str,
}

/// A world by the name that it has on the page.
#[derive(Debug)]
pub(super) struct World {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    scenario: &'static str,
    tweak: fn(&mut Options),
    /// Long studies take about this much longer than elsewhere, and are repeated so many times less.
    dear: usize,
}

const fn world(
    id: &'static str,
    label: &'static str,
    scenario: &'static str,
    dear: usize,
    tweak: fn(&mut Options),
) -> World {
    World { id, label, scenario, tweak, dear }
}

/// Every world of the page, in its order.
pub(super) const WORLDS: &[World] = &[
    world("mixed", "mixed", "mixed", 1, |_| ()),
    world("neutral", "neutral", "neutral", 1, |_| ()),
    world("decaying", "decaying", "decaying", 1, |_| ()),
    world("catastrophic", "catastrophic", "catastrophic", 1, |_| ()),
    world("t4", "t4 noise", "mixed", 1, |o| o.noise = "t4".into()),
    world("hetero", "hetero noise", "mixed", 1, |o| o.noise = "hetero".into()),
    world("split1", "sigma_v = 1", "mixed", 1, |o| o.sigma_v = Some(1.0)),
    world("densenn", "dense among non-zero", "mixed", 2, |o| o.interactions = "densenn".into()),
    world("sparse", "sparse", "mixed", 3, |o| o.interactions = "sparse".into()),
    world("dense", "dense", "mixed", 4, |o| o.interactions = "dense".into()),
    world("redundant", "redundant twins", "mixed", 1, |o| o.interactions = "redundant".into()),
    world("clash", "clashing twins", "mixed", 1, |o| o.interactions = "clash".into()),
    world("slots15", "15 keys", "slots15", 1, |_| ()),
    world("slots35", "35 keys", "slots35", 1, |_| ()),
    world("slots80", "80 keys", "slots80", 1, |_| ()),
    world("steep35", "35 keys, plain baseline", "steep35", 1, |_| ()),
    world("file300", "file of 300 lines", "file300", 1, |_| ()),
    world("file1000", "file of 1,000 lines", "file1000", 1, |_| ()),
    world("measured", "measured", "measured", 1, |_| ()),
    world("measured-tau", "measured, tau .25", "measured", 3, |o| o.tau = 0.25),
    world("measured-own-seeds", "measured, independent seeds", "measured", 1, |o| {
        o.seeds = "independent".into();
    }),
    world("mixed-own-seeds", "mixed, independent seeds", "mixed", 1, |o| o.seeds = "independent".into()),
    world("null", "all null", "allnull", 1, |_| ()),
];

/// The place of a world in the list.
pub(super) fn place(id: &str) -> Result<usize> {
    WORLDS.iter().position(|world| world.id == id).with_context(|| format!("the page has no world {id}"))
}

/// Which policies a part of the page is about; empty for all of them.
pub(super) fn policies(named: &[&str]) -> Vec<&'static str> {
    policy::names().into_iter().filter(|name| named.is_empty() || named.contains(name)).collect()
}

/// Every combination.
pub(super) fn keys(named: &[&str], worlds: &[&str], budgets: &[u64]) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    for id in worlds {
        let world = place(id)?;
        for &runs in budgets {
            keys.extend(policies(named).into_iter().map(|policy| Key { world, runs, policy }));
        }
    }
    Ok(keys)
}

impl Key {
    /// Fewer where a repetition takes longer; at least two, since one has no sampling error.
    fn reps(self, base: u32) -> usize {
        let dear = if self.runs > 1000 { 2 * WORLDS[self.world].dear } else { 1 };
        (base as usize / dear).max(2)
    }

    fn cell(self) -> Result<Cell> {
        let world = &WORLDS[self.world];
        let mut options = Options {
            sigma_v: None,
            noise: "gaussian".into(),
            interactions: "none".into(),
            seeds: "equal".into(),
            tau: 0.0,
            conflicts: 0.0,
            missing: 0.0,
            budget: Some(self.runs),
            proposals: None,
            seed: 0,
        };
        (world.tweak)(&mut options);
        Cell::new(self.policy, world.scenario, &options)
    }
}

/// What the repetitions of a cell came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) reps: usize,
    pub(super) figures: BTreeMap<&'static str, Mean>,
    /// True gains, a repetition each. Policies meet the same worlds in the same order.
    pub(super) gains: Vec<f64>,
}

/// How two policies compare that met the same worlds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Compared {
    pub(super) difference: Mean,
    pub(super) ratio: Mean,
}

impl Compared {
    /// The error of the ratio of means by the delta method.
    fn of(a: &[f64], b: &[f64]) -> Self {
        let mean = |xs: &[f64]| Mean::of(xs.iter().copied()).mean;
        let (below, ratio) = (mean(b), mean(a) / mean(b));
        let left = |share: f64| Mean::of(a.iter().zip(b).map(move |(a, b)| a - share * b));
        Self { difference: left(1.0), ratio: Mean { mean: ratio, se: left(ratio).se / below.abs() } }
    }
}

/// Everything that was played.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Outcomes(pub(super) BTreeMap<Key, Outcome>);

impl Outcomes {
    /// Plays these cells, each once, `base` times where repetitions are cheap.
    pub(super) fn play(keys: &BTreeSet<Key>, base: u32) -> Result<Self> {
        let mut by_reps: BTreeMap<usize, Vec<Key>> = BTreeMap::new();
        for key in keys {
            by_reps.entry(key.reps(base)).or_default().push(*key);
        }
        let mut all = BTreeMap::new();
        for (reps, keys) in by_reps {
            let cells: Vec<Cell> = keys.iter().map(|key| key.cell()).collect::<Result<_>>()?;
            let play = |job: usize| cells[job / reps].play((job % reps) as u64);
            pool::each(cells.len(), reps, play, |cell, played| {
                let figures = Summary::of(&cells[cell], &played).figures().collect();
                let gains = played.iter().map(|s| s.true_gain).collect();
                all.insert(keys[cell], Outcome { reps, figures, gains });
            })?;
        }
        Ok(Self(all))
    }

    /// A cell that was played.
    pub(super) fn of(&self, key: Key) -> Result<&Outcome> {
        self.0.get(&key).with_context(|| format!("not played: {key:?}"))
    }

    /// One figure of it.
    pub(super) fn get(&self, key: Key, figure: &str) -> Result<Mean> {
        let found = self.of(key)?.figures.get(figure).copied();
        found.with_context(|| format!("{key:?} has no figure {figure}"))
    }

    /// The true gain of one policy against another's in the same worlds.
    pub(super) fn compare(&self, key: Key, other: Key) -> Result<Compared> {
        Ok(Compared::of(&self.of(key)?.gains, &self.of(other)?.gains))
    }

    /// Made-up outcomes, for tests of what is made of them.
    #[cfg(test)]
    pub(super) fn made_up(keys: &BTreeSet<Key>) -> Self {
        let names = ["true_gain", "stack_gain", "ideal_gain", "fdr", "fdr_unit", "any_false", "kept", "runs"];
        let names = names.into_iter().chain([
            "proposals",
            "runs_per_proposal",
            "reported_minus_true",
            "share_of_optimum",
        ]);
        let outcome = |(i, key): (usize, &Key)| {
            let mean = Mean { mean: 0.5 + (i % 7) as f64, se: 0.25 };
            let figures = names.clone().map(|name| (name, mean)).collect();
            (*key, Outcome { reps: 2, figures, gains: vec![mean.mean - 0.25, mean.mean + 0.25] })
        };
        Self(keys.iter().enumerate().map(outcome).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_world_can_be_played() {
        for (world, made) in WORLDS.iter().enumerate() {
            let key = Key { world, runs: 30, policy: "greedy" };
            let cell = key.cell().unwrap();
            assert_eq!(cell.play(0).unwrap().runs, 30, "{}", made.id);
            assert_eq!(place(made.id).unwrap(), world, "{} is there once", made.id);
        }
    }

    #[test]
    fn dear_cells_are_played_less_often_and_never_once() {
        let reps = |id, runs, base| Key { world: place(id).unwrap(), runs, policy: "scout" }.reps(base);
        assert_eq!([reps("dense", 701, 60), reps("mixed", 2000, 60), reps("dense", 2000, 60)], [60, 30, 7]);
        assert_eq!(reps("dense", 2000, 1), 2);
    }

    #[test]
    fn differences_and_ratios_by_hand() {
        let Compared { difference, ratio } = Compared::of(&[1.0, 2.0, 6.0], &[1.0, 1.0, 1.0]);
        // Deviations -2, -1, 3: √(14/2)/√3.
        let se = (7f64 / 3.0).sqrt();
        assert!((difference.mean - 2.0).abs() < 1e-12 && (difference.se - se).abs() < 1e-12);
        assert!((ratio.mean - 3.0).abs() < 1e-12 && (ratio.se - se).abs() < 1e-12);
        // What goes up and down together says nothing against the ratio.
        assert!(Compared::of(&[2.0, 4.0, 8.0], &[1.0, 2.0, 4.0]).ratio.se < 1e-12);
    }

    #[test]
    fn the_same_cells_give_the_same_figures() {
        let keys: BTreeSet<Key> =
            keys(&["greedy", "scout"], &["mixed"], &[120]).unwrap().into_iter().collect();
        assert_eq!(keys.len(), 2);
        let play = || Outcomes::play(&keys, 3).unwrap();
        assert_eq!(play(), play());
    }
}
