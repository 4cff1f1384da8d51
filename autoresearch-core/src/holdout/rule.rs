//! What a question comes to on the holdout, and who makes an answer of it.

use crate::state::mix;
use crate::stats;
use std::fmt;

/// Makes the bits that leave the holdout: the one-bit test of [`OneBit`], [`Thresholdout`](crate::Thresholdout),
/// [`Ladder`](crate::Ladder), or one of your own. Given to a study by [`Holdout::rule`](crate::Holdout::rule).
///
/// A rule stands on the holdout's side of the wall: it sees held-out numbers, and its [`Reply`] is all that gets out.
/// It must be a pure function of its arguments, since a resumed study counts on the same answers; what it has to
/// remember is in [`Memory`], which the study rebuilds from its stored facts. A rule that panics stops the study.
///
/// ```
/// use autoresearch_core::{Heard, Holdout, HoldoutRule, Memory, Reply};
/// /// Yes to whatever is better by two standard errors.
/// #[derive(Debug)]
/// struct TwoErrors;
/// impl HoldoutRule for TwoErrors {
///     fn describe(&self) -> String {
///         "two errors".into()
///     }
///     fn answer(&self, question: &Heard, _: &Memory) -> Reply {
///         Reply::new(question.effects().iter().map(|e| e.gain > 2.0 * e.error).collect())
///     }
/// }
/// let rules = Holdout::new().rule(TwoErrors);
/// assert!(format!("{rules:?}").contains("two errors"));
/// ```
pub trait HoldoutRule: fmt::Debug + Send + Sync {
    /// Name and settings. A stored study goes on only with a rule that says the same.
    fn describe(&self) -> String;

    /// Answers a question: one bit for each of its [`effects`](Heard::effects), in their order.
    fn answer(&self, question: &Heard, memory: &Memory) -> Reply;

    /// How many answers may say that validation was overfitted, before a shard is used up. `None`: only the number of
    /// questions counts.
    fn detections(&self) -> Option<u64> {
        None
    }
}

/// One proposal, or one factor of several, on the holdout. Gains are positive for better, in the objective's units.
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct HeardEffect {
    /// The gain over the incumbent that the same runs show on validation, if it is known still.
    pub validation: Option<f64>,
    /// The gain on the holdout.
    pub gain: f64,
    /// Its standard error: runs and documents, as far as they are known.
    pub error: f64,
    /// Whether the holdout has answered yes about it already, for the incumbent of now.
    pub confirmed: bool,
}

impl HeardEffect {
    /// An effect of which nobody has asked before.
    pub fn new(validation: Option<f64>, gain: f64, error: f64) -> Self {
        Self { validation, gain, error, confirmed: false }
    }
}

impl fmt::Debug for HeardEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeardEffect(sealed)")
    }
}

/// A question with what the holdout's shard says about it. Only rules get to see one: no serde, no display.
#[derive(Clone)]
pub struct Heard {
    pub(crate) reference: f64,
    pub(crate) effects: Vec<HeardEffect>,
    pub(crate) test: Test,
    pub(crate) place: Place,
}

/// Which question this is. Decides the noise of rules that draw some.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) seed: u64,
    pub(crate) question: u64,
    pub(crate) shard: u64,
}

/// The test that the policy wants its proposals to pass.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// One proposal against the incumbent, at this level: `1 − Φ(g/SE) <= level`.
    Pair { level: f64 },
    /// Each factor at a level of its own, with these degrees of freedom.
    Levels(Vec<(f64, f64)>),
    /// All factors together by e-BH; each with its e-value on validation, and what is known of the run noise.
    Certificate { factors: Vec<Certified>, alpha: f64, of: usize, before: usize },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Certified {
    pub(crate) log_e: f64,
    pub(crate) df: f64,
    pub(crate) variance: f64,
}

impl Heard {
    /// A question about one proposal, for the tests of your own rules: the incumbent's held-out loss, the effect, and
    /// the level that the policy tests at.
    pub fn for_test(reference: f64, effect: HeardEffect, level: f64, question: u64) -> Self {
        let place = Place { seed: 0, question, shard: 0 };
        let test = Test::Pair { level };
        Self { reference, effects: vec![effect], test, place }
    }

    /// What was asked about.
    pub fn effects(&self) -> &[HeardEffect] {
        &self.effects
    }

    /// The incumbent's loss on the holdout, from the runs of this question. Lower is better.
    pub fn reference(&self) -> f64 {
        self.reference
    }

    /// The policy's own test, as if the gains were these: one bit each. [`OneBit`] puts the held-out gains in.
    pub fn test(&self, gains: &[f64]) -> Vec<bool> {
        let effects = self.effects.iter().zip(gains);
        match &self.test {
            Test::Pair { level } => effects.map(|(e, &gain)| passes(gain, e.error, *level)).collect(),
            Test::Levels(levels) => effects
                .zip(levels)
                .map(|((e, &gain), &(level, df))| stats::holdout_p_value(gain, e.error, df) <= level)
                .collect(),
            Test::Certificate { factors, alpha, of, before } => {
                let smaller = |((e, &gain), c): ((&HeardEffect, &f64), &Certified)| {
                    let w = e.error * e.error;
                    let holdout = stats::holdout_half_normal_log_e(gain, w, c.df, c.variance);
                    c.log_e.min(if holdout.is_nan() { f64::NEG_INFINITY } else { holdout })
                };
                let log_e: Vec<f64> = effects.zip(factors).map(smaller).collect();
                let mut bits = vec![false; log_e.len()];
                for j in stats::e_bh_after(&log_e, *alpha, *of, *before) {
                    bits[j] = true;
                }
                bits
            }
        }
    }

    /// A seed for what a rule draws: it depends on the study's seed, this question and the stream.
    pub fn seed(&self, stream: u64) -> u64 {
        mix(mix(self.place.seed, 0x4E01), mix(self.place.question, stream))
    }

    /// A seed that stays the same from question to question of a shard; it depends on the study's seed, the shard and
    /// the stream.
    pub fn lasting_seed(&self, stream: u64) -> u64 {
        mix(mix(self.place.seed, 0x4E02), mix(self.place.shard, stream))
    }
}

fn passes(gain: f64, error: f64, level: f64) -> bool {
    if error > 0.0 { stats::normal_sf(gain / error) <= level } else { gain > 0.0 }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heard(sealed)")
    }
}

/// What a shard has answered so far: all that a rule can go by besides the question.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Memory {
    /// Questions that it answered.
    pub answered: u64,
    /// How many of them with yes.
    pub yes: u64,
    /// How many said that validation was overfitted.
    pub detected: u64,
    /// The number that the rule released last, if it ever did.
    pub released: Option<f64>,
}

/// What leaves the holdout. All of it is stored.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// A bit for each effect.
    pub passed: Vec<bool>,
    /// How many of these answers said that validation was overfitted.
    pub detected: u64,
    /// A number for [`Memory::released`] in later questions. It leaves the holdout for good, so release only what
    /// the rule's guarantee allows for: rounded, and seldom a new one.
    pub released: Option<f64>,
}

impl Reply {
    /// These bits, and nothing else.
    pub fn new(passed: Vec<bool>) -> Self {
        Self { passed, detected: 0, released: None }
    }
}

/// The default: the policy's own test on the held-out gains, one bit each, and nothing remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OneBit;

impl HoldoutRule for OneBit {
    fn describe(&self) -> String {
        "one bit".into()
    }

    fn answer(&self, question: &Heard, _: &Memory) -> Reply {
        let gains: Vec<f64> = question.effects.iter().map(|e| e.gain).collect();
        Reply::new(question.test(&gains))
    }
}
