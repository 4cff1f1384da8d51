//! The certification with a runtime: a study of its own, driven like any other.

use super::pure::Case;
use super::result::Certified;
use super::rules::CertifyRules;
use super::speed::curves;
use crate::candidate::Candidate;
use crate::fidelity::Fidelity;
use crate::limits::Limits;
use crate::observe::Observe;
use crate::propose::{ProposeContext, Proposed, proposer_fn};
use crate::state::{Event, StateError};
use crate::store::{MemoryStore, Seq, Store};
use crate::study::{Study, StudyError};
use std::fmt;
use std::sync::Arc;

/// How many events are read at a time.
const PAGE: usize = 1024;

/// Re-tests what a study kept, on fresh runs, and says what may be claimed.
///
/// Give it the study as you would to resume it, with its store; the study itself is not touched. Executor, evaluators,
/// composer, runs in flight and cancellation are those of the study, its limits and observers are not.
///
/// Where the study has a holdout, that is what is measured, because validation is what the search has mined. The result,
/// the certification's store and its observers ([`Certify::observer`]) then have held-out numbers as they are: whoever
/// knows them and lets the study go on has shown it the holdout, and should give it a fresh holdout or shard. So it is
/// refused while such a study has not stopped, unless [`Certify::even_if_running`] says otherwise. No proposer of the
/// study hears of it. Without a holdout it does not matter whether the study has stopped.
///
/// ```
/// use autoresearch_core::{certify, evaluator_fn, executor_fn, FieldMerge, Greedy, Limits, Measurement, MemoryStore, Proposal, Study};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// struct Recipe { lr: f64, width: u32, seedling: u32 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let noise = |seed: u64| (seed as f64 * 78.233).sin() * 0.02;
/// let start = Recipe { lr: 1.0, width: 8, seedling: 0 };
/// let faster = Proposal::new(Recipe { lr: 0.1, ..start.clone() }).title("lr .1");
/// let wider = Proposal::new(Recipe { lr: 0.1, width: 16, ..start.clone() }).title("width 16");
/// let store = MemoryStore::new();
/// let study = || Study::new(
///         start.clone(),
///         autoresearch_core::testkit::scripted([faster.clone(), wider.clone()]),
///         executor_fn(move |r: Recipe, run| async move { Ok(r.lr.log10() - f64::from(r.width) / 8.0 + noise(run.seed)) }),
///         evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?)),
///     )
///     .acceptor(Greedy::new())
///     .compose(FieldMerge::new())
///     .store(store.clone());
/// study().run().await?;
///
/// let certified = certify(study()).leave_one_out().run().await?;
/// assert_eq!(certified.parts.len(), 2);
/// assert!(certified.cost.parts <= 2 * 2);
/// println!("{certified}");
/// # Ok(())
/// # }
/// ```
pub fn certify<C: Candidate, A: Send + Sync + 'static>(study: Study<C, A>) -> Certify<C, A> {
    let (rules, store, limits) = (CertifyRules::new(), Arc::new(MemoryStore::new()), Limits::new());
    Certify { study, rules, store, limits, observers: Vec::new(), even_if_running: false }
}

/// Made by [`certify()`].
pub struct Certify<C: Candidate, A: Send + Sync + 'static> {
    study: Study<C, A>,
    rules: CertifyRules,
    store: Arc<dyn Store<C>>,
    limits: Limits,
    observers: Vec<Box<dyn Observe>>,
    even_if_running: bool,
}

impl<C: Candidate, A: Send + Sync + 'static> Certify<C, A> {
    /// Leaves out every part of what was kept, and drops those that do not earn their place: at most 2 runs a part
    /// besides the totals.
    #[must_use]
    pub fn leave_one_out(mut self) -> Self {
        self.rules = self.rules.leave_one_out();
        self
    }

    /// Repeats it at another fidelity: do the parts rank alike there?
    #[must_use]
    pub fn transfer_to(mut self, fidelity: Fidelity) -> Self {
        self.rules = self.rules.transfer_to(fidelity);
        self
    }

    /// On how many fresh seeds two arms meet for each total (default 8).
    #[must_use]
    pub fn seeds(mut self, n: u32) -> Self {
        self.rules = self.rules.seeds(n);
        self
    }

    /// All rules at once.
    #[must_use]
    pub fn rules(mut self, rules: CertifyRules) -> Self {
        self.rules = rules;
        self
    }

    /// Where the certification's own history is kept, not the study's; opened again, it is resumed. Without, it is lost
    /// with the process. Once the study has kept more, that is another certification, which needs a new store.
    #[must_use]
    pub fn store(mut self, store: impl Store<C> + 'static) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// When to stop before the end, resumably.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds an observer of the certification's own events. Where the study has a holdout it hears held-out numbers as they
    /// are, so that the study's observers are not asked: what they write down, a proposer may read.
    #[must_use]
    pub fn observer(mut self, observer: impl Observe + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Certifies on the holdout also what a study kept that has not stopped: one that is running, or whose process was
    /// killed. A study that goes on afterwards has seen its holdout.
    #[must_use]
    pub fn even_if_running(mut self) -> Self {
        self.even_if_running = true;
        self
    }

    /// Makes the runs, and says what may be claimed.
    ///
    /// # Errors
    /// A store fails, the study has a holdout and has not stopped, its store holds no study or one whose kept stack cannot be put together again, or the
    /// certification's holds that of another study, of the same study before it kept more, or of other rules.
    ///
    /// # Cancel safety
    /// As [`Study::run`]: what was stored is safe, and the certification can be resumed.
    pub async fn run(self) -> Result<Certified<C>, StudyError> {
        let Self { mut study, rules, store, limits, observers, even_if_running } = self;
        let events = read(&*study.store).await?;
        let history = Arc::clone(&store);
        let goes_on = !matches!(events.last(), None | Some(Event::Stopped { .. }));
        if goes_on && study.holdout.is_some() && !even_if_running {
            let advice = "certify: the study has not stopped, and its holdout's numbers would come out while the search \
                          can still go by them; run it to its end or cancel it first, or say `.even_if_running()` and \
                          give it a fresh holdout or shard before it goes on";
            return Err(StateError::Settings(advice.into()).into());
        }
        let compose = study.compose.take().or_else(|| study.proposer.composer());
        let case = Arc::new(Case::new(&events, compose.as_deref(), rules)?);
        drop(events);
        let parts = Arc::clone(&case);
        let proposer = proposer_fn(move |cx: ProposeContext<'_, C>| {
            Ok(parts.proposal(cx.proposals).map_or(Proposed::Exhausted, Proposed::from))
        });
        let split = if study.holdout.is_some() { "holdout" } else { "validation" };
        let settings = case.settings().in_flight(study.settings.in_flight).limits(limits);
        let own = Study {
            checks: crate::checks::Checks::off(),
            baseline: (*case.lineage.origin).clone(),
            proposer: Box::new(proposer),
            executor: study.executor,
            evaluator: study.holdout.unwrap_or(study.evaluator),
            holdout: None,
            test: None,
            acceptor: Some(Box::new(case.panel())),
            compose,
            simplify: None,
            curation: None,
            people: Default::default(),
            store,
            observers,
            settings,
            cancel: study.cancel,
            scratch: study.scratch,
            fidelity: study.fidelity,
            transfer: case.rules.transfer,
            grace: study.grace,
        };
        let report = own.run().await?;
        // Of all sessions, not of this one alone.
        case.outcome.lock().curves = curves(&read(&*history).await?);
        Ok(case.result(split, report.stopped.clone(), report.incumbent().clone(), report.stack().clone()))
    }
}

/// All events of a store.
async fn read<C: Candidate>(store: &dyn Store<C>) -> Result<Vec<Event<C>>, StudyError> {
    let mut events: Vec<Event<C>> = Vec::new();
    let mut seq = Seq(0);
    loop {
        let page = store.read(seq, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(events) };
        seq = *last;
        events.extend(page.into_iter().map(|(_, event)| event));
    }
}

impl<C: Candidate, A: Send + Sync + 'static> fmt::Debug for Certify<C, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certify").field("study", &self.study).field("rules", &self.rules).finish()
    }
}
