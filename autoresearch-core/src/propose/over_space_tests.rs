//! Tests of the proposers over a parameter space.
// Empty ranges are among the mistakes that are tested.
#![allow(clippy::unwrap_used, clippy::reversed_empty_ranges)]

use super::*;
use crate::arm::{ProposalId, Version};
use crate::compose::{Unit, differences};
use crate::space::{ParamSet, ParamSpace};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;

/// A struct with all that a user's struct may hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Recipe {
    width: u32,
    heads: usize,
    dropout: f32,
    optim: Optim,
    bias: bool,
    data: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Optim {
    kind: OptimKind,
    lr: f64,
    momentum: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clip: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OptimKind {
    AdamW,
    Muon,
}

impl Recipe {
    fn space() -> ParamSpace {
        ParamSpace::new()
            .log_int("width", 32..=512)
            .choice("heads", [1, 2, 4, 8])
            .float("dropout", 0.0..=0.7)
            .choice("optim.kind", ["adamw", "muon"])
            .log_float("optim.lr", 1e-4..=1e-1)
            .float("optim.momentum", 0.8..=0.99)
            .when("optim.kind", "muon")
            .float("optim.clip", 0.1..=2.0)
            .optional()
            .bool("bias")
    }

    fn baseline() -> Self {
        let optim = Optim { kind: OptimKind::AdamW, lr: 1e-3, momentum: None, clip: None };
        Self { width: 64, heads: 4, dropout: 0.7, optim, bias: true, data: vec!["web".into()] }
    }
}

/// What one call makes; a future that needs no runtime is ready at once.
fn ask<C: Candidate>(
    proposer: &mut dyn Proposer<C>,
    incumbent: &C,
    seed: u64,
    wanted: usize,
    pending: &[Proposal<C>],
) -> Result<Proposed<C>, ProposeError> {
    let mut cx = ProposeContext::for_test(incumbent, seed);
    cx.wanted = wanted;
    cx.pending = pending.iter().cloned().map(Arc::new).collect();
    cx.under_way = !pending.is_empty();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(proposer.propose(cx))
}

fn made<C: Candidate>(
    proposer: &mut dyn Proposer<C>,
    incumbent: &C,
    seed: u64,
    wanted: usize,
) -> Vec<Proposal<C>> {
    match ask(proposer, incumbent, seed, wanted, &[]).unwrap() {
        Proposed::Proposals(made) => made,
        other => panic!("{other:?}"),
    }
}

fn settle<C: Candidate>(proposer: &mut dyn Proposer<C>, proposal: &Proposal<C>) {
    proposer.observe(&TrialRecord {
        id: ProposalId(1),
        proposal: Arc::new(proposal.clone()),
        parent: Arc::new(proposal.candidate.clone()),
        units: None,
        together: Vec::new(),
        version: Version(0),
        fate: Fate::Rejected,
        effect: None,
        reason: String::new(),
        runs: 1,
        keys: Vec::new(),
    });
}

fn changed<C: Serialize>(a: &C, b: &C) -> Vec<(String, Value)> {
    differences(&serde_json::to_value(a).unwrap(), &serde_json::to_value(b).unwrap())
}

proptest! {
    #[test]
    fn a_neighbour_is_valid_and_differs_in_the_parameters_that_it_names(seed: u64, steps in 1usize..30) {
        let mut incumbent = Recipe::baseline();
        let space = Recipe::space();
        let mut search = LocalSearch::over(space.clone());
        for step in 0..steps as u64 {
            let p = made(&mut search, &incumbent, seed.wrapping_add(step), 1).remove(0);
            prop_assert_eq!(space.validate(&p.candidate), Ok(()));
            let mut names: Vec<String> = changed(&incumbent, &p.candidate).into_iter().map(|(name, _)| name).collect();
            let activates = p.candidate.optim.kind != incumbent.optim.kind && incumbent.optim.momentum.is_none();
            prop_assert!((1..=2 + usize::from(activates)).contains(&names.len()), "{:?}", p.hypothesis);
            let mut tags = p.hypothesis.tags.clone();
            tags.sort();
            names.sort();
            prop_assert_eq!(tags, names);
            prop_assert_eq!(&p.candidate.data, &incumbent.data);
            incumbent = p.candidate;
        }
    }

    #[test]
    fn the_same_seed_proposes_the_same_and_several_differ(seed: u64) {
        let baseline = Recipe::baseline();
        let several = |proposer: &mut dyn Proposer<Recipe>| made(proposer, &baseline, seed, 8);
        for (first, again) in [
            (several(&mut LocalSearch::over(Recipe::space())), several(&mut LocalSearch::over(Recipe::space()))),
            (several(&mut RandomSearch::over(Recipe::space())), several(&mut RandomSearch::over(Recipe::space()))),
        ] {
            prop_assert_eq!(first.len(), 8);
            let different: HashSet<String> = first.iter().map(|p| format!("{:?}", p.candidate)).collect();
            prop_assert_eq!(different.len(), 8);
            prop_assert!(first.iter().all(|p| p.candidate != baseline && Recipe::space().contains(&p.candidate)));
            prop_assert_eq!(first, again);
        }
    }

    #[test]
    fn two_neighbours_that_touch_different_keys_compose(seed: u64) {
        let baseline = Recipe::baseline();
        let mut search = LocalSearch::over(Recipe::space());
        let made = made(&mut search, &baseline, seed, 2);
        let (a, b) = (&made[0], &made[1]);
        let overlap = a.hypothesis.tags.iter().any(|tag| b.hypothesis.tags.contains(tag));
        let merge = Proposer::<Recipe>::composer(&search).unwrap();
        let both = merge.apply(&a.candidate, &baseline, &b.candidate);
        if !overlap {
            let mut expected = changed(&baseline, &a.candidate);
            expected.extend(changed(&baseline, &b.candidate));
            expected.sort_by(|x, y| x.0.cmp(&y.0));
            prop_assert_eq!(changed(&baseline, &both.unwrap()), expected);
        }
        let units: Vec<Unit<Recipe>> = merge.units(&baseline, &a.candidate);
        prop_assert_eq!(units.len(), a.hypothesis.tags.len());
    }

    #[test]
    fn sets_and_structs_are_searched_alike(seed: u64) {
        let baseline = Recipe { data: vec![], ..Recipe::baseline() };
        let mut object = serde_json::to_value(&baseline).unwrap();
        object.as_object_mut().unwrap().remove("data");
        let set: ParamSet = serde_json::from_value(object).unwrap();
        let of_struct = made(&mut LocalSearch::over(Recipe::space()), &baseline, seed, 4);
        let of_set = made(&mut LocalSearch::over(Recipe::space()), &set, seed, 4);
        for (a, b) in of_struct.iter().zip(&of_set) {
            prop_assert_eq!(&a.hypothesis.tags, &b.hypothesis.tags);
            prop_assert_eq!(a.candidate.width as i64, b.candidate.int("width").unwrap());
            prop_assert_eq!(a.candidate.optim.lr, b.candidate.float("optim.lr").unwrap());
        }
    }
}

#[test]
fn titles_say_what_changes() {
    let titles: Vec<String> = (0..200)
        .map(|seed| made(&mut LocalSearch::over(Recipe::space()), &Recipe::baseline(), seed, 1).remove(0))
        .map(|p| p.hypothesis.title)
        .collect();
    for start in [
        "width 64 -> ",
        "heads 4 -> ",
        "dropout 0.7",
        "optim.lr 1.0",
        "bias true -> false",
        "optim.clip unset -> ",
    ] {
        assert!(titles.iter().any(|t| t.starts_with(start)), "{start}: {titles:?}");
    }
    assert!(titles.iter().any(|t| t.starts_with("optim.kind adamw -> muon, optim.momentum unset -> 0.")));
    let pairs = titles.iter().filter(|t| t.contains(", ") && !t.contains("momentum")).count();
    assert!((15..65).contains(&pairs), "about a fifth change two: {pairs}");
}

#[test]
fn steps_are_small_and_large_and_go_both_ways() {
    let space = ParamSpace::new().log_float("lr", 1e-4..=1e-1);
    let baseline = ParamSet::new().with("lr", 3e-3);
    let decades: Vec<f64> = (0..400)
        .map(|seed| made(&mut LocalSearch::over(space.clone()), &baseline, seed, 1).remove(0).candidate)
        .map(|c| (c.float("lr").unwrap() / 3e-3).log10())
        .collect();
    let share = |of: &dyn Fn(f64) -> bool| decades.iter().filter(|d| of(**d)).count();
    assert!((150..250).contains(&share(&|d| d > 0.0)));
    assert!(share(&|d| d.abs() < 0.15) > 60 && share(&|d| d.abs() > 0.7) > 60, "{decades:?}");
    assert!(decades.iter().all(|d| d.abs() > 0.05), "a step that nobody can measure is a run for nothing");
}

#[test]
fn nonsense_for_step_sizes_is_brought_into_range() {
    let space = ParamSpace::new().float("x", 0.0..=1.0);
    let at = ParamSet::new().with("x", 0.5);
    for steps in [f64::NAN..=f64::NAN, -1.0..=-1.0, 7.0..=9.0, f64::INFINITY..=0.0] {
        let p = made(&mut LocalSearch::over(space.clone()).steps(steps), &at, 1, 1).remove(0);
        assert!(space.contains(&p.candidate) && p.candidate != at);
    }
}

#[test]
fn a_bound_can_be_reached_and_left() {
    let space = ParamSpace::new().float("dropout", 0.0..=0.5);
    let from = |x: f64| -> Vec<f64> {
        let at = ParamSet::new().with("dropout", x);
        (0..100)
            .map(|s| {
                made(&mut LocalSearch::over(space.clone()), &at, s, 1)
                    .remove(0)
                    .candidate
                    .float("dropout")
                    .unwrap()
            })
            .collect()
    };
    assert!(from(0.1).contains(&0.0));
    assert!(from(0.0).iter().all(|x| *x > 0.0));
    assert!(from(0.5).iter().all(|x| *x < 0.5));
}

#[test]
fn a_discrete_space_is_searched_to_its_end() {
    let space = ParamSpace::new().bool("a").choice("b", ["x", "y", "z"]).int("c", 0..=3).when("a", true);
    let start = ParamSet::new().with("a", true).with("b", "x").with("c", 0);
    // Up to three changes reach everything. `a` = false makes `c` moot: 3 settings there, 12 with `a`, less the start.
    let local = LocalSearch::over(space.clone()).changes(1..=3);
    let random = RandomSearch::over(space);
    for mut proposer in [Box::new(local) as Box<dyn Proposer<ParamSet>>, Box::new(random)] {
        let mut seen = HashSet::new();
        for seed in 0.. {
            match ask(&mut proposer, &start, seed, 2, &[]).unwrap() {
                Proposed::Proposals(made) => {
                    for p in made {
                        let c =
                            if p.candidate.bool("a").unwrap() { p.candidate.int("c").unwrap() } else { 0 };
                        let effective =
                            (p.candidate.bool("a").unwrap(), p.candidate.text("b").unwrap().to_string(), c);
                        assert!(seen.insert(effective), "{:?} again", p.candidate);
                        settle(&mut *proposer, &p);
                    }
                }
                Proposed::Exhausted => break,
                Proposed::Wait => panic!("nothing is pending"),
            }
        }
        assert_eq!(seen.len(), 14);
    }
}

#[test]
fn what_is_pending_is_not_repeated_and_is_waited_for() {
    let space = ParamSpace::new().bool("a").bool("b");
    let start = ParamSet::new().with("a", true).with("b", true);
    let mut search = LocalSearch::over(space).changes(1..=1);
    let both = made(&mut search, &start, 1, 9);
    assert_eq!(both.len(), 2, "there are two neighbours, however many are wanted");
    let other = ask(&mut search, &start, 2, 1, &both[..1]).unwrap();
    assert_eq!(other, Proposed::Proposals(vec![both[1].clone()]));
    assert_eq!(ask(&mut search, &start, 2, 1, &both).unwrap(), Proposed::Wait);
    settle(&mut search, &both[0]);
    settle(&mut search, &both[1]);
    assert_eq!(ask(&mut search, &start, 2, 1, &[]).unwrap(), Proposed::Exhausted);
    let moved = both[0].candidate.clone();
    assert_eq!(made(&mut search, &moved, 3, 9).len(), 2, "a new incumbent has its own neighbours");
}

#[test]
fn only_these_parameters() {
    let baseline = Recipe::baseline();
    for seed in 0..30 {
        for proposer in [
            &mut LocalSearch::over(Recipe::space()).only(["optim.lr", "bias"]) as &mut dyn Proposer<Recipe>,
            &mut RandomSearch::over(Recipe::space()).only(["optim.lr", "bias"]),
        ] {
            let p = made(proposer, &baseline, seed, 1).remove(0);
            assert!(
                p.hypothesis.tags.iter().all(|t| t == "optim.lr" || t == "bias"),
                "{:?}",
                p.hypothesis.tags
            );
        }
    }
    let mut inactive = LocalSearch::over(Recipe::space()).only(["optim.momentum"]);
    assert_eq!(ask(&mut inactive, &baseline, 1, 1, &[]).unwrap(), Proposed::Exhausted);
}

#[test]
fn what_cannot_work_is_said() {
    let says = |search: LocalSearch, incumbent: &Recipe| {
        ask(&mut { search }, incumbent, 1, 1, &[]).unwrap_err().to_string()
    };
    let baseline = Recipe::baseline();
    let over = |space: ParamSpace| LocalSearch::over(space);
    assert_eq!(
        says(over(ParamSpace::new().int("width", 9..=1)), &baseline),
        "the parameter space is wrong at `width`: the range 9..=1 is empty or a single value; the lower bound comes first"
    );
    assert_eq!(says(over(ParamSpace::new()), &baseline), "the parameter space has no parameters");
    assert_eq!(
        says(over(Recipe::space()).only(["lr"]), &baseline),
        "`only` names `lr`, which the space does not have"
    );
    assert_eq!(
        says(over(ParamSpace::new().float("optim.rate", 0.0..=1.0)), &baseline),
        "the incumbent lies outside of the space: `optim.rate` is missing; it must be a number from 0.0 to 1.0 (is that the field's name? `.optional()` allows `None`)"
    );
    assert_eq!(
        says(over(Recipe::space()), &Recipe { width: 7, ..baseline.clone() }),
        "the incumbent lies outside of the space: `width` is 7; it must be a whole number from 32 to 512, log scale"
    );
    assert_eq!(
        says(over(ParamSpace::new().bool("optim.rate").optional()), &baseline),
        "the candidate does not take `optim.rate`: it has no such field once it is read back"
    );
    let error =
        says(over(ParamSpace::new().bool("bias").float("width", 0.0..=100.0)).changes(2..=2), &baseline);
    assert!(error.starts_with("the candidate's type does not take `width` = "), "{error}");
    assert!(error.contains("expected u32") && !error.contains("bias"), "{error}");
    let error = says(over(ParamSpace::new().choice("optim.kind", ["adamw", "sgd"])), &baseline);
    assert!(
        error.starts_with("the candidate's type does not take `optim.kind` = \"sgd\": unknown variant"),
        "{error}"
    );
}

#[test]
fn whole_numbers_stay_whole_in_json() {
    let set = made(
        &mut RandomSearch::over(ParamSpace::new().int("n", 0..=1000).log_int("m", 1..=1000)),
        &ParamSet::new().with("n", 1).with("m", 1),
        5,
        1,
    )
    .remove(0)
    .candidate;
    let value = json!(set);
    assert!(value["n"].is_i64() && value["m"].is_i64(), "{value}");
}

#[test]
fn what_was_settled_is_not_proposed_again() {
    let space = ParamSpace::new().float("x", 0.0..=1.0).float("y", 0.0..=1.0);
    let baseline = ParamSet::new().with("x", 0.5).with("y", 0.5);
    let mut search = RandomSearch::over(space);
    for seed in 0..300 {
        let p = made(&mut search, &baseline, seed, 1).remove(0);
        settle(&mut search, &p);
        assert!(
            made(&mut search, &baseline, seed, 1)[0].candidate != p.candidate,
            "settled, and proposed again"
        );
    }
}
