//! Values that stand in for one another: none of them is missed alone, and all of them together are.

use autoresearch_core::*;

/// Ten switches. The first four do the same twice over, one of them is enough for each pair; two more are worth something
/// by themselves, four do nothing.
fn loss(set: &ParamSet) -> f64 {
    let on = |i: usize| set.bool(&format!("k{i}")).expect("a switch");
    let worth = |any: bool, gain: f64| if any { gain } else { 0.0 };
    -(worth(on(0) || on(1), 30.0) + worth(on(2) || on(3), 20.0) + worth(on(4), 10.0) + worth(on(5), 5.0))
}

fn space() -> ParamSpace {
    (0..10).fold(ParamSpace::new(), |space, i| space.bool(format!("k{i}")))
}

fn all(on: bool) -> ParamSet {
    (0..10).fold(ParamSet::new(), |set, i| set.with(format!("k{i}"), on))
}

/// Normal with standard deviation 1, about: a sum of twelve uniform numbers (Irwin-Hall).
fn noisy(set: &ParamSet, seed: u64) -> f64 {
    let mut z = seed ^ serde_json::to_string(set).expect("JSON").len() as u64;
    let mut next = || {
        z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    loss(set) + (0..12).map(|_| next()).sum::<f64>() - 6.0
}

/// Everything at once, as a strategy that draws whole settings proposes it; then small steps.
struct AllAtOnce(LocalSearch, bool);

#[async_trait]
impl Proposer<ParamSet> for AllAtOnce {
    async fn propose(
        &mut self,
        cx: ProposeContext<'_, ParamSet>,
    ) -> Result<Proposed<ParamSet>, ProposeError> {
        if std::mem::take(&mut self.1) {
            return Ok(Proposal::new(all(true)).title("all of it").into());
        }
        self.0.propose(cx).await
    }
    fn observe(&mut self, settled: &TrialRecord<ParamSet>) {
        self.0.observe(settled);
    }
    fn composer(&self) -> Option<std::sync::Arc<dyn Compose<ParamSet>>> {
        Proposer::<ParamSet>::composer(&self.0)
    }
}

#[tokio::test]
async fn what_stands_in_for_one_another_is_kept_once() {
    for seed in 0..6 {
        let executor =
            executor_fn(
                |set: ParamSet, cx: RunContext| async move { Ok::<_, RunFailure>(noisy(&set, cx.seed)) },
            );
        let measure = evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?));
        let proposer = AllAtOnce(LocalSearch::over(space()), true);
        let report = Study::new(all(false), proposer, executor, measure)
            .acceptor(Scout::new())
            .limits(Limits::new().runs(150))
            .seed(seed)
            .run()
            .await
            .expect("it runs");
        let kept = report.certified();
        let is_on = |i: &usize| kept.bool(&format!("k{i}")).expect("a switch");
        let on = |keys: [usize; 2]| keys.iter().filter(|i| is_on(i)).count();
        assert_eq!(loss(kept), -65.0, "seed {seed}: nothing of the gain is lost in {kept:?}");
        assert_eq!((on([0, 1]), on([2, 3]), on([4, 5])), (1, 1, 2), "seed {seed}: {kept:?}");
        assert_eq!(on([6, 7]) + on([8, 9]), 0, "seed {seed}: {kept:?}");
    }
}
