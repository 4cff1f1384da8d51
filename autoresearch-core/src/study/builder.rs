//! A study is put together here; `driver` runs it.

use super::backlog_file::BacklogFile;
use super::people::{BacklogHandle, People};
use crate::accept::Acceptor;
use crate::cancel::Cancellation;
use crate::candidate::Candidate;
use crate::checks::Checks;
use crate::compose::Compose;
use crate::constraint::Constraint;
use crate::curate::Curation;
use crate::evaluate::Evaluator;
use crate::execute::Executor;
use crate::fidelity::Fidelity;
use crate::holdout::{Holdout, TestSplit};
use crate::limits::Limits;
use crate::observe::Observe;
use crate::propose::Proposer;
use crate::state::{Complexity, DecisionOrder, Settings, Stale};
use crate::store::{MemoryStore, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A search: a baseline, somebody who proposes, something that runs, something that measures.
///
/// These four are required and are the arguments of [`new`](Self::new); everything else has a default and is a
/// method, in any order. Unless said, the acceptor is [`Scout`](crate::Scout) where
/// candidates compose, [`Factorial`](crate::Factorial) if they do and the limit is below 150 runs, else
/// [`Guarded`](crate::Guarded). Opening the same store again resumes the study.
///
/// ```
/// use autoresearch_core::{evaluator_fn, executor_fn, Limits, LocalSearch, Measurement, ParamSpace, Study};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// struct Recipe { lr: f64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let report = Study::new(
///         Recipe { lr: 0.5 },
///         LocalSearch::over(ParamSpace::new().log_float("lr", 1e-4..=1.0)),
///         executor_fn(|recipe: Recipe, run| async move { Ok((recipe.lr, run.seed)) }),
///         evaluator_fn(|&(lr, seed): &(f64, u64)| {
///             let noise = (seed.wrapping_mul(2_654_435_761) % 1000) as f64 / 1e5;
///             Ok(Measurement::scalar((lr.log10() + 2.0).abs() + noise)?)
///         }),
///     )
///     .limits(Limits::new().runs(150))
///     .run()
///     .await?;
/// assert!(report.certified().lr < 0.5);
/// # Ok(())
/// # }
/// ```
///
/// Without an executor there is no study:
/// ```compile_fail
/// use autoresearch_core::{testkit, LocalSearch, ParamSpace, Study};
/// Study::new(1.0, LocalSearch::over(ParamSpace::new()), testkit::loss());
/// ```
pub struct Study<C: Candidate, A: Send + Sync + 'static> {
    pub(crate) baseline: C,
    pub(crate) proposer: Box<dyn Proposer<C>>,
    pub(crate) executor: Arc<dyn Executor<C, Output = A>>,
    pub(crate) evaluator: Arc<dyn Evaluator<A>>,
    pub(crate) holdout: Option<Arc<dyn Evaluator<A>>>,
    pub(crate) test: Option<Arc<dyn Evaluator<A>>>,
    pub(crate) acceptor: Option<Box<dyn Acceptor>>,
    pub(crate) compose: Option<Arc<dyn Compose<C>>>,
    pub(crate) simplify: Option<(f64, Arc<Complexity<C>>)>,
    pub(crate) curation: Option<Curation>,
    pub(crate) people: People<C>,
    pub(crate) store: Arc<dyn Store<C>>,
    pub(crate) observers: Vec<Box<dyn Observe>>,
    pub(crate) checks: Checks,
    pub(crate) settings: Settings,
    pub(crate) cancel: Cancellation,
    pub(crate) scratch: Option<PathBuf>,
    pub(crate) fidelity: Option<Fidelity>,
    /// The fidelity of runs whose role is to transfer.
    pub(crate) transfer: Option<Fidelity>,
    pub(crate) grace: Duration,
}

impl<C: Candidate, A: Send + Sync + 'static> Study<C, A> {
    /// A study of `baseline` with everything else at its default: the recommended policy, no holdout, no limits but
    /// 20 failed runs in a row, one run at a time, nothing kept on disk.
    pub fn new(
        baseline: C,
        proposer: impl Proposer<C> + 'static,
        executor: impl Executor<C, Output = A> + 'static,
        evaluator: impl Evaluator<A> + 'static,
    ) -> Self {
        Self {
            baseline,
            proposer: Box::new(proposer),
            executor: Arc::new(executor),
            evaluator: Arc::new(evaluator),
            holdout: None,
            test: None,
            acceptor: None,
            compose: None,
            simplify: None,
            curation: None,
            people: People::default(),
            store: Arc::new(MemoryStore::new()),
            observers: Vec::new(),
            checks: Checks::new(),
            settings: Settings::new(),
            cancel: Cancellation::new(),
            scratch: None,
            fidelity: None,
            transfer: None,
            grace: Duration::from_secs(10),
        }
    }

    /// Which proposals to believe.
    #[must_use]
    pub fn acceptor(mut self, acceptor: impl Acceptor + 'static) -> Self {
        self.acceptor = Some(Box::new(acceptor));
        self
    }

    /// Has every acceptance confirmed on data that validation never used; 100 questions unless
    /// [`holdout_rules`](Self::holdout_rules) says otherwise.
    #[must_use]
    pub fn holdout(mut self, evaluator: impl Evaluator<A> + 'static) -> Self {
        self.holdout = Some(Arc::new(evaluator));
        self.settings.holdout.get_or_insert_default();
        self
    }

    /// How often the holdout may be asked, in how many shards, by which rule it answers, and its stated noise.
    #[must_use]
    pub fn holdout_rules(mut self, rules: Holdout) -> Self {
        self.settings.holdout = Some(rules);
        self
    }

    /// Opens this split once, at the end, if anything was kept: baseline against incumbent on 8 fresh seeds each,
    /// unless [`test_rules`](Self::test_rules) says otherwise.
    #[must_use]
    pub fn test_split(mut self, evaluator: impl Evaluator<A> + 'static) -> Self {
        self.test = Some(Arc::new(evaluator));
        self.settings.test.get_or_insert_default();
        self
    }

    /// On how many seeds baseline and incumbent meet at the end.
    #[must_use]
    pub fn test_rules(mut self, rules: TestSplit) -> Self {
        self.settings.test = Some(rules);
        self
    }

    /// How candidates are merged, where the proposer does not know it itself.
    #[must_use]
    pub fn compose(mut self, compose: impl Compose<C> + 'static) -> Self {
        self.compose = Some(Arc::new(compose));
        self
    }

    /// Holds runs, or what is kept, to a bound on a metric that the evaluator gives. May be called several times.
    #[must_use]
    pub fn constraint(mut self, constraint: Constraint) -> Self {
        self.settings = self.settings.constraint(constraint);
        self
    }

    /// Keeps what is simpler if it is no worse by more than `margin` (in the objective's units), instead of only what
    /// is better: the non-inferiority half of TOST (Schuirmann 1987, *Journal of Pharmacokinetics and
    /// Biopharmaceutics* 15:657-680).
    ///
    /// `complexity` says how complex a candidate is, lower for simpler: lines, parameters, settings that are not at
    /// their default. The losses of a proposal that lowers it against what it was built upon are lowered by the margin
    /// for the policy and for the holdout alike, so that "better than the incumbent" becomes "not worse by more than
    /// the margin" with every policy, and the policy's promise then speaks of that; effects are reported as they are.
    /// Where a proposal is judged in units, those that are simpler share the margin. What is kept like this may add
    /// up: ten simplifications may cost ten margins.
    ///
    /// ```
    /// use autoresearch_core::{testkit, Greedy, Proposal, Study, executor_fn, evaluator_fn, Measurement};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let half_a_percent_worse = Proposal::new((1.005, 3));
    /// let report = Study::new(
    ///         (1.0, 10),
    ///         testkit::scripted([half_a_percent_worse]),
    ///         executor_fn(|recipe: (f64, u32), _| async move { Ok(recipe.0) }),
    ///         evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?)),
    ///     )
    ///     .acceptor(Greedy::new())
    ///     .simplify(0.01, |&(_, lines)| f64::from(lines))
    ///     .run()
    ///     .await?;
    /// assert_eq!(report.stack().1, 3);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn simplify(mut self, margin: f64, complexity: impl Fn(&C) -> f64 + Send + Sync + 'static) -> Self {
        self.simplify = Some((margin, Arc::new(complexity)));
        self
    }

    /// Lets proposals wait in a backlog, from which a curator says what is tried next. Proposers are asked when few wait, in
    /// batches, and never while enough do. What is known already (the same change, a near one, a mere change of seed,
    /// what the incumbent is anyway) is answered with what was found out the last time, and not run.
    ///
    /// Every move of an idea is an event in the store, so that a study that is opened again has the same backlog.
    ///
    /// ```
    /// use autoresearch_core::{testkit, Curation, ExpectedGain, Guarded, Limits, LocalSearch, ParamSpace, Study};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Debug, Clone, Serialize, Deserialize)]
    /// # struct Recipe { lr: f64 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use autoresearch_core::{executor_fn, evaluator_fn, Measurement};
    /// # let train = executor_fn(|recipe: Recipe, run| async move { Ok((recipe.lr, run.seed)) });
    /// # let loss = evaluator_fn(|&(lr, seed): &(f64, u64)| {
    /// #     Ok(Measurement::scalar((lr.log10() + 2.0).abs() + (seed.wrapping_mul(2_654_435_761) % 1000) as f64 / 1e5)?)
    /// # });
    /// let space = ParamSpace::new().log_float("lr", 1e-4..=1.0);
    /// let report = Study::new(Recipe { lr: 0.5 }, LocalSearch::over(space), train, loss)
    ///     .acceptor(Guarded::new())
    ///     .curate(Curation::new(ExpectedGain::new()))
    ///     .limits(Limits::new().runs(100))
    ///     .run()
    ///     .await?;
    /// # let _ = report;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn curate(mut self, curation: Curation) -> Self {
        self.curation = Some(curation);
        self
    }

    /// Lets people act on the backlog while the study runs, through this handle. The study must have a backlog
    /// ([`curate`](Self::curate)).
    #[must_use]
    pub fn people(mut self, handle: &BacklogHandle<C>) -> Self {
        self.people.handle = Some(handle.clone());
        self
    }

    /// Lets people act on the backlog while the study runs, through one plain file, which the study keeps up to date: it
    /// says in the file how. Beside the store is a good place, `study.backlog.toml` a good name. The study must have a
    /// backlog ([`curate`](Self::curate)).
    ///
    /// A file that is broken, or that asks for what cannot be, is refused whole: a remark in the history and a warning
    /// name the line, nothing changes, and the study leaves the file alone until somebody has mended it.
    ///
    /// What somebody adds is a change of some fields of the incumbent: `change = { lr = 0.003 }`, nested fields in nested
    /// tables. Where a candidate is no such thing, [`backlog_file_with`](Self::backlog_file_with) says how it is read.
    #[must_use]
    pub fn backlog_file(self, path: impl Into<PathBuf>) -> Self
    where
        C: Serialize + DeserializeOwned,
    {
        self.backlog_file_with(path, super::backlog_file::changed_fields)
    }

    /// The same, where `read` makes a candidate of the incumbent and of what somebody wrote as `change`; its error is told
    /// with the line.
    #[must_use]
    pub fn backlog_file_with(
        mut self,
        path: impl Into<PathBuf>,
        read: impl Fn(&C, &serde_json::Value) -> Result<C, String> + Send + Sync + 'static,
    ) -> Self {
        self.people.file = Some(BacklogFile::new(path.into(), Arc::new(read)));
        self
    }

    /// Where the history is kept. A store that holds this study already is resumed from.
    #[must_use]
    pub fn store(mut self, store: impl Store<C> + 'static) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// When to stop.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// How many runs may be under way at once.
    #[must_use]
    pub fn in_flight(mut self, n: usize) -> Self {
        self.settings = self.settings.in_flight(n);
        self
    }

    /// How many runs are planned at once, where that is not as many as may be under way ([`Settings::ahead`]).
    #[must_use]
    pub fn ahead(mut self, n: usize) -> Self {
        self.settings = self.settings.ahead(n);
        self
    }

    /// In which order finished runs are judged (default: as they end).
    #[must_use]
    pub fn order(mut self, order: DecisionOrder) -> Self {
        self.settings = self.settings.order(order);
        self
    }

    /// What becomes of proposals that were made for an incumbent of before (default: rebased and tested anew).
    #[must_use]
    pub fn stale(mut self, stale: Stale) -> Self {
        self.settings = self.settings.stale(stale);
        self
    }

    /// Higher objectives are better.
    #[must_use]
    pub fn maximize(mut self) -> Self {
        self.settings = self.settings.maximize();
        self
    }

    /// Seeds everything that the study draws.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings = self.settings.seed(seed);
        self
    }

    /// Is told what happens. May be called several times.
    #[must_use]
    pub fn observer(mut self, observer: impl Observe + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Which overfitting checks look on: all unless said, none with [`Checks::off`]. They change no decision.
    #[must_use]
    pub fn checks(mut self, checks: Checks) -> Self {
        self.checks = checks;
        self
    }

    /// Stops the study, resumably, when this goes up: runs under way are told, given [`grace`](Self::grace), then
    /// dropped.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: &Cancellation) -> Self {
        self.cancel = cancel.child();
        self
    }

    /// How long runs may take to stop after they were told to (default 10 s). One that gives its number by then counts like
    /// any other; of the rest it is remembered what they took, and they are made again when the study goes on.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Where runs get their folders, in a folder of this study's own. Default: beside the store, or under the system's
    /// temporary folder.
    #[must_use]
    pub fn scratch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.scratch = Some(folder.into());
        self
    }

    /// What each run is granted, where the executor does not decide it.
    #[must_use]
    pub fn fidelity(mut self, fidelity: Fidelity) -> Self {
        self.fidelity = Some(fidelity);
        self
    }
}

impl<C: Candidate, A: Send + Sync + 'static> fmt::Debug for Study<C, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Study")
            .field("baseline", &self.baseline)
            .field("policy", &self.acceptor.as_ref().map(|a| a.describe()))
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
