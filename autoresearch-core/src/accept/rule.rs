//! Acceptors from closures.

use super::decision::{Step, Verdict};
use super::engine::{Design, Engine, Judge};
use super::evidence::Evidence;
use super::{Acceptor, Cohort, Guarantee, Seeds};
use crate::arm::ProposalId;
use std::fmt;

/// An acceptor from a rule that judges one proposal at a time on fresh candidate and incumbent runs.
///
/// The rule is asked with no pairs at first. Its pairs share seeds unless
/// [`independent_seeds`](AcceptorFn::independent_seeds) is called; 4 calibration runs come first, so that
/// [`Evidence::sigma`] is known. It promises nothing unless you say what with [`promising`](AcceptorFn::promising).
///
/// ```
/// use autoresearch_core::{acceptor_fn, stats::welch, Evidence, Verdict};
/// let rule = acceptor_fn(|evidence: &Evidence| match welch(evidence.candidate(), evidence.incumbent()).p {
///     p if p < 0.01 => Verdict::Accept,
///     _ if evidence.pairs() >= 8 => Verdict::Reject,
///     _ => Verdict::more(2),
/// });
/// # let _ = rule;
/// ```
pub fn acceptor_fn<F>(rule: F) -> AcceptorFn<F>
where
    F: FnMut(&Evidence) -> Verdict + Send,
{
    let design = Design { calibrate: 4, refresh: 0, screen: None, seeds: Seeds::Equal };
    AcceptorFn { engine: Engine::new(design, Rule(rule)), guarantee: Guarantee::None, name: "rule".into() }
}

/// Made by [`acceptor_fn`].
pub struct AcceptorFn<F> {
    engine: Engine<Rule<F>>,
    guarantee: Guarantee,
    name: String,
}

struct Rule<F>(F);

impl<F: FnMut(&Evidence) -> Verdict + Send> Judge for Rule<F> {
    fn begin(&mut self) -> Option<f64> {
        None
    }
    fn judge(&mut self, evidence: &Evidence) -> Verdict {
        (self.0)(evidence)
    }
}

impl<F> AcceptorFn<F> {
    /// A name, by which a stored study knows this rule again when it is opened.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A seed of its own for every run.
    #[must_use]
    pub fn independent_seeds(mut self) -> Self {
        self.engine.design.seeds = Seeds::Independent;
        self
    }

    /// States what the rule promises. You vouch for it: the report repeats it.
    #[must_use]
    pub fn promising(mut self, guarantee: Guarantee) -> Self {
        self.guarantee = guarantee;
        self
    }
}

impl<F: FnMut(&Evidence) -> Verdict + Send> Acceptor for AcceptorFn<F> {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        self.engine.next(cohort)
    }
    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.engine.settled(proposal, kept);
    }
    fn seed_correlation(&self) -> Option<f64> {
        self.engine.seed_correlation()
    }
    fn guarantee(&self) -> Guarantee {
        self.guarantee
    }
    fn describe(&self) -> String {
        format!("{} {:?}", self.name, self.engine.design)
    }
}

impl<F> fmt::Debug for AcceptorFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptorFn").field("name", &self.name).finish_non_exhaustive()
    }
}
