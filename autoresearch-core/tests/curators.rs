//! Curators, what they learn, and what is told of it.

use autoresearch_core::*;
use proptest::prelude::*;
use std::sync::Arc;

fn said(source: usize, tag: usize, expected: f64) -> Hypothesis {
    let said = Proposal::new(()).source(Source::proposer(format!("s{source}"))).tag(format!("t{tag}"));
    said.title(format!("{source} {tag} {expected}")).expecting(expected).hypothesis
}

fn measured(mean: f64, runs: u32) -> Option<Effect> {
    Some(Effect::new(mean, (mean - 0.5, mean + 0.5), 0.95, runs, true))
}

/// Uniform in [0, 1) from a number (SplitMix64, Steele, Lea & Flood 2014).
fn uniform(n: u64) -> f64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Learns from `n` ideas of two sources, of whom the first has merit in one of ten and the second in one of 200.
fn taught(n: u64) -> ExpectedGain {
    let mut curator = ExpectedGain::new();
    for i in 0..n {
        let source = (i % 2) as usize;
        let hit = uniform(i) < [0.1, 0.005][source];
        let (fate, mean, runs) = if hit { (Fate::Kept, 2.0, 12) } else { (Fate::Rejected, -0.5, 1) };
        let idea = said(source, (i % 3) as usize, uniform(i + 1000));
        curator.settled(&Settled::new(ProposalId(i + 1), &idea, fate, runs).effect(measured(mean, runs)));
    }
    curator
}

fn first_of(curator: &mut impl Curator, ideas: &[Hypothesis], seed: u64) -> usize {
    let backlog: Vec<Waiting<'_>> =
        ideas.iter().zip(0..).map(|(idea, i)| Waiting::new(ProposalId(i), idea, i)).collect();
    curator.rank(&backlog, &Ranking::new(1, seed))[0].0 as usize
}

#[test]
fn whose_ideas_earned_comes_first_and_nobody_starves() {
    let ideas = [said(1, 0, 0.5), said(0, 0, 0.5)];
    let better = |n: u64| {
        let mut curator = taught(n);
        (0..400).filter(|seed| first_of(&mut curator, &ideas, *seed) == 1).count()
    };
    let (early, late) = (better(40), better(2000));
    assert!(late > 390, "{late} of 400 after 2,000 ideas");
    assert!((150..400).contains(&early), "{early} of 400 after 40 ideas: the other has its turns");
}

#[test]
fn an_order_follows_from_history_and_seed() {
    let ideas: Vec<Hypothesis> = (0..30).map(|i| said(i % 3, i % 4, uniform(i as u64))).collect();
    for seed in 0..20 {
        assert_eq!(first_of(&mut taught(300), &ideas, seed), first_of(&mut taught(300), &ideas, seed));
        let mut asked_before = taught(300);
        (0..5).for_each(|other| _ = first_of(&mut asked_before, &ideas, other));
        assert_eq!(first_of(&mut asked_before, &ideas, seed), first_of(&mut taught(300), &ideas, seed));
    }
}

#[test]
fn predictions_are_trusted_as_far_as_they_proved_right() {
    let edge = |sign: f64| {
        let mut curator = ExpectedGain::new();
        for i in 0..2000 {
            let hit = uniform(i) < 0.05;
            let promised = uniform(i + 5000) + if hit { 0.3 * sign } else { 0.0 };
            let idea = said(0, 0, promised);
            let effect = measured(if hit { 2.0 } else { -0.5 }, 4);
            curator.settled(&Settled::new(ProposalId(i), &idea, Fate::Rejected, 4).effect(effect));
        }
        curator.edge(&Source::proposer("s0"))
    };
    // A uniform number has a standard deviation of .29.
    let (right, noise, inverted) = (edge(1.0), edge(0.0), edge(-1.0));
    assert!(right.mean > 0.7 && right.probability > 0.99, "{right:?}");
    assert!(noise.mean.abs() < 0.3 && noise.probability < 0.5, "{noise:?}");
    assert!(inverted.mean < -0.7 && inverted.probability > 0.99, "{inverted:?}");
    assert_eq!(edge(1.0).mean, right.mean);
}

#[test]
fn what_costs_less_comes_first_where_all_else_is_equal() {
    let (mut dear, mut cheap) = (said(0, 0, 1.0), said(0, 0, 1.0));
    (dear.cost, cheap.cost) = (Some(10.0), Some(2.0));
    assert_eq!(first_of(&mut taught(100), &[dear, cheap], 1), 1);
}

#[test]
fn what_stands_on_the_stack_counts_for_its_source() {
    let ideas = [said(1, 0, 0.5), said(0, 0, 0.5)];
    let mut curator = ExpectedGain::new();
    // A policy that scouts ahead settles only what it turns down: of both sources alike.
    for i in 0..100 {
        let idea = said((i % 2) as usize, 0, 0.5);
        let settled = Settled::new(ProposalId(i), &idea, Fate::SetAside, 1);
        curator.settled(&settled.effect(measured(0.3 - uniform(i) * 2.0, 1)));
    }
    let standing = said(0, 0, 0.5);
    let stack: Vec<&Hypothesis> = std::iter::repeat_n(&standing, 30).collect();
    let backlog: Vec<Waiting<'_>> =
        ideas.iter().zip(0..).map(|(idea, i)| Waiting::new(ProposalId(i), idea, i)).collect();
    let mut first = |stack: &[&Hypothesis]| {
        let by =
            |seed: &u64| curator.rank(&backlog, &Ranking::new(1, *seed).stack(stack))[0] == ProposalId(1);
        (0..300).filter(by).count()
    };
    let (with, without) = (first(&stack), first(&[]));
    assert!(with > 250 && (60..240).contains(&without), "{with} of 300 with the stack, {without} without");
}

#[test]
fn an_idea_that_is_settled_once_more_counts_once() {
    let idea = said(0, 0, 0.5);
    let set_aside = Settled::new(ProposalId(1), &idea, Fate::SetAside, 1).effect(measured(0.2, 1));
    let kept = Settled::new(ProposalId(1), &idea, Fate::Kept, 12).effect(measured(2.0, 12));
    let (mut lessons, mut only) = (Lessons::new(), Lessons::new());
    [&set_aside, &kept].into_iter().for_each(|outcome| lessons.settled(outcome));
    only.settled(&kept);
    let group = lessons.tag("t0").expect("a lesson");
    assert_eq!((group.tried, group.kept, group.effect), (1, 1, Some(2.0)));
    assert_eq!(lessons.page(), only.page());
}

#[test]
fn lessons_by_hand() {
    let mut lessons = Lessons::new();
    let outcomes = [(0.1, 0.2, Fate::Kept), (0.2, 0.5, Fate::Rejected), (0.3, 0.2, Fate::Rejected)];
    for ((x, y, fate), i) in outcomes.into_iter().zip(1..) {
        let idea = Proposal::new(()).title(format!("idea {i}")).source(Source::person("Ada"));
        let idea = idea.expecting(x).give_or_take(0.1).likely(0.5).hypothesis;
        lessons.settled(&Settled::new(ProposalId(i), &idea, fate, 2).effect(measured(y, 2)));
    }
    let ada = lessons.source(&Source::person("Ada")).expect("a lesson");
    assert_eq!((ada.tried, ada.kept, ada.fates["rejected"], ada.runs), (3, 1, 2, 6));
    // Mean .3, standard deviation √.03, t(.975, 2) = 4.303.
    assert!((ada.effect.expect("a mean") - 0.3).abs() < 1e-12);
    let (low, high) = ada.interval.expect("an interval");
    let half = 4.302_652_73 * (0.03f64 / 3.0).sqrt();
    assert!((low - 0.3 + half).abs() < 1e-6 && (high - 0.3 - half).abs() < 1e-6);
    // Symmetric about the middle: slope 0, and all of .06 is left for one degree of freedom.
    let c = &ada.calibration;
    assert!(
        c.slope.expect("a slope").abs() < 1e-9 && (c.noise.expect("noise") - 0.06f64.sqrt()).abs() < 1e-9
    );
    // .3 away by .3 of .2: two of three are within .2.
    assert!((c.coverage.expect("coverage") - 2.0 / 3.0).abs() < 1e-12);
    assert!((c.brier.expect("a score") - 0.25).abs() < 1e-12);
    assert!((c.brier_of_share.expect("a score") - 2.0 / 9.0).abs() < 1e-12);
}

/// Who proposed it, where no source is named, is what a portfolio marked it with; what the holdout held back has no effect.
#[test]
fn marks_of_a_portfolio_are_sources() {
    let mut lessons = Lessons::new();
    let idea = Proposal::new(()).title("a").tag("rate").tag("by:inner").tag("by:outer").hypothesis;
    for (id, fate, effect) in [(1, Fate::Kept, 0.2), (2, Fate::HeldBack, 40.0)] {
        lessons.settled(&Settled::new(ProposalId(id), &idea, fate, 2).effect(measured(effect, 2)));
    }
    let groups: Vec<_> = lessons.sources.iter().chain(&lessons.tags).collect();
    let names: Vec<_> =
        groups.iter().map(|(name, group)| (name.as_str(), group.tried, group.effect)).collect();
    assert_eq!(names, [("outer", 2, Some(0.2)), ("rate", 2, Some(0.2))]);
    assert!(!lessons.page().contains("40"), "{}", lessons.page());
}

#[test]
fn a_study_s_history_teaches() {
    let halve = proposer_fn(|cx: ProposeContext<'_, f64>| {
        Ok(Proposal::new(cx.incumbent / 2.0).tag("rate").title("half").into())
    });
    let played = testkit::play(halve, 8.0, 5, |rate, _| (rate - 1.0).abs());
    let lessons = Lessons::of(played.history());
    let group = lessons.tag("rate").expect("a tag");
    assert_eq!((group.tried, group.kept, group.runs), (5, 3, 5));
    // By hand: 8 -> 4 -> 2 -> 1 gains 4, 2 and 1, and 1 -> .5 loses .5 twice.
    assert_eq!(group.effect, Some(6.0 / 5.0));
    assert_eq!(lessons.sign_changes.len(), 1, "it helped until it did not");
    assert!(
        Lessons::of(
            testkit::play(
                proposer_fn(|_: ProposeContext<'_, f64>| Ok(Proposed::Exhausted)),
                1.0,
                3,
                |x, _| *x
            )
            .history()
        )
        .is_empty()
    );
}

#[test]
fn near_misses_are_due_when_the_incumbent_has_moved() {
    let mut lessons = Lessons::new();
    let idea = said(0, 0, 0.5);
    let missed = Settled::new(ProposalId(1), &idea, Fate::Rejected, 3).effect(measured(0.8, 3));
    lessons.settled(&missed.version(Version(2)));
    let other = said(1, 1, 0.1);
    for version in [3, 11] {
        let failed = Settled::new(ProposalId(u64::from(version)), &other, Fate::Failed, 1);
        lessons.settled(&failed.version(Version(version)).because("out of memory"));
    }
    assert_eq!(lessons.due().count(), 0);
    lessons.settled(&Settled::new(ProposalId(9), &other, Fate::Failed, 1).version(Version(12)));
    assert_eq!(lessons.due().map(|miss| miss.proposal).collect::<Vec<_>>(), [ProposalId(1)]);
    // Tried again on the incumbent of now it hurts.
    let again = Settled::new(ProposalId(10), &idea, Fate::Rejected, 3).effect(measured(-0.6, 3));
    lessons.settled(&again.version(Version(12)));
    let change = &lessons.sign_changes[0];
    assert_eq!((change.before, change.after), ((0.8, Version(2)), (-0.6, Version(12))));
    assert!(lessons.page().contains("worse on another"));
}

#[test]
fn a_digest_keeps_within_its_length() {
    let mut lessons = Lessons::new();
    for i in 0..60 {
        let idea = said(i % 3, i, 0.1);
        lessons
            .settled(&Settled::new(ProposalId(i as u64), &idea, Fate::Rejected, 1).effect(measured(0.1, 1)));
    }
    for length in [0, 40, 200, 1000] {
        let digest = lessons.digest(length);
        assert!(digest.chars().count() <= length && (digest.is_empty() || digest.ends_with('\n')));
    }
    assert!(lessons.digest(1000).lines().count() > 5);
}

#[test]
fn room_keeps_the_share_that_is_tried() {
    let room = Room::default();
    assert_eq!((room.ask(24, 1), room.ask(25, 1), room.ask(0, 1)), (Some(32), None, Some(32)));
    // 31 at a time: one in four of 128.
    assert_eq!(room.for_step(31), Room::new(96, 128));
    assert_eq!(room.ask(126, 31), Some(128));
    assert_eq!(room.ask(127, 31), None);
}

#[test]
fn a_member_that_only_fails_is_paused_and_says_so() {
    let works = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent * 1.01).into()));
    let crashes = proposer_fn(|_: ProposeContext<'_, f64>| Ok(Proposal::new(-1.0).into()));
    let mut portfolio = works.portfolio("works").with("crashes", crashes);
    let parent = Arc::new(1.0);
    let settle = |portfolio: &mut Portfolio<f64>, id: u64, name: &str, fate| {
        let proposal = Proposal::new(2.0).tag(format!("by:{name}"));
        let played = testkit::play(proposer_fn(move |_| Ok(proposal.clone().into())), 1.0, 1, |x, _| *x);
        let mut record = played.history().get(0).expect("one").clone();
        (record.id, record.fate, record.parent) = (ProposalId(id), fate, Arc::clone(&parent));
        portfolio.observe(&record);
    };
    for id in 1..=10 {
        assert_eq!(portfolio.paused().count(), 0);
        settle(&mut portfolio, id, "crashes", Fate::Failed);
    }
    assert_eq!(portfolio.paused().collect::<Vec<_>>(), ["crashes"]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let ask = |portfolio: &mut Portfolio<f64>, seed| {
        let cx = ProposeContext::for_test(&1.0, seed);
        let answer = runtime.block_on(portfolio.propose(cx.clone()));
        let Ok(Proposed::Proposals(made)) = answer else { panic!("{answer:?}") };
        (made[0].hypothesis.tags[0].clone(), cx.take_charges().1)
    };
    let (_, remarks) = ask(&mut portfolio, 0);
    assert!(remarks.len() == 1 && remarks[0].contains("crashes is paused"), "{remarks:?}");
    for seed in 1..200 {
        assert_eq!(ask(&mut portfolio, seed), ("by:works".to_string(), Vec::new()));
    }
    (11..=40).for_each(|id| settle(&mut portfolio, id, "works", Fate::Rejected));
    assert_eq!(portfolio.paused().count(), 0);
    // One failure more, and it is paused again; whatever is kept ends that.
    settle(&mut portfolio, 41, "crashes", Fate::Failed);
    assert_eq!(portfolio.paused().count(), 1);
    settle(&mut portfolio, 42, "works", Fate::Kept);
    assert_eq!(portfolio.paused().count(), 0);
}

#[test]
fn every_member_of_a_portfolio_has_its_floor() {
    let by = |factor: f64| {
        proposer_fn(move |cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent * factor).into()))
    };
    let share = |floor: f64| {
        let portfolio = by(0.95).portfolio("best").with("worst", by(1.5)).floor(floor);
        let played = testkit::play(portfolio, 1.0, 600, |loss, _| *loss);
        let by_worst = played.history().iter().skip(100);
        by_worst.filter(|t| t.proposal.hypothesis.tags.contains(&"by:worst".to_string())).count()
    };
    // 500 asks. The worst alone is owed .4 · .6 of them: 120, and binomial within four standard deviations.
    let (none, owed) = (share(0.0), share(0.4));
    assert!(none < 80 && owed > 82, "{none}, {owed}");
}

proptest! {
    /// Every idea once, whoever ranks, and the pinned ones first.
    #[test]
    fn an_order_names_every_idea_once(
        ideas in prop::collection::vec((0..4usize, 0..4usize, -1.0..1.0f64, any::<bool>()), 0..60),
        wanted in 1..9usize,
        seed: u64,
    ) {
        let said: Vec<Hypothesis> = ideas.iter().map(|(s, t, x, _)| said(*s, *t, *x)).collect();
        let waiting = said.iter().zip(&ideas).zip(0..).map(|((said, idea), i)| {
            let waiting = Waiting::new(ProposalId(i + 7), said, i);
            if idea.3 { waiting.pinned() } else { waiting }
        });
        let backlog: Vec<Waiting<'_>> = waiting.collect();
        let curators: Vec<Box<dyn Curator>> = vec![
            Box::new(Fifo::new()),
            Box::new(Person::first(taught(50))),
            Box::new(taught(50)),
            Box::new(Critic::new("expected", |idea: &Hypothesis| idea.expected)),
        ];
        for (mut curator, heeds_pins) in curators.into_iter().zip([false, true, true, false]) {
            let order = curator.rank(&backlog, &Ranking::new(wanted, seed));
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, backlog.iter().map(|w| w.id).collect::<Vec<_>>());
            let pins = backlog.iter().filter(|w| w.pinned).count();
            let is_pinned = |id: &ProposalId| backlog[id.0 as usize - 7].pinned;
            prop_assert!(!heeds_pins || order.iter().take(pins).all(is_pinned));
        }
    }
}
