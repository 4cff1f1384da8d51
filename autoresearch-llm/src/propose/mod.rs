//! A language model as a proposer.
//!
//! `memory` and `digest` keep what was tried, `brief` chooses what of it is told, `talk` holds the conversation of one call,
//! `read` and `item` find proposals in an answer, `sift` says which of them can be used,
//! `take` explains the rest, `pay` pays.

mod brief;
mod digest;
mod item;
mod learned;
mod memory;
mod pay;
mod read;
mod schema;
mod sift;
mod take;
mod talk;

pub(crate) use item::tags;
pub(crate) use pay::{Unanswered, ask, explain};
pub(crate) use read::{Found, find};

use crate::chat::ChatModel;
use crate::codec::Codec;
use crate::critic::Critic;
use crate::money::Price;
use crate::prompt::Templates;
use autoresearch_core::{
    Candidate, Compose, ProposeContext, ProposeError, Proposed, Proposer, Source, TrialRecord, async_trait,
};
use memory::Memory;
use schema::Form;
use std::fmt;
use std::sync::Arc;
use talk::Talk;

/// How many proposals a call asks for at the most.
const MOST_ASKED: usize = 16;

/// Asks a language model for proposals.
///
/// Each call tells the model where the study stands (direction, baseline, incumbent, what may be changed, what is left of
/// runs and money) and what was tried: what was kept, near misses, failures with their messages, what worked by tag, and
/// the rest newest first, each with its measured effect and interval, as much as fits into
/// [`prompt_tokens`](Self::prompt_tokens). Nothing of holdout or test is in it but that a proposal was held back.
///
/// # What is used
/// Every proposal that the codec takes and that is new is used, also where there are more than were asked for: they are
/// paid for, and the study takes them (four times as many as were asked for, and at least 16, are the most). What
/// cannot be used (it does not parse or apply; it is the incumbent, the baseline, something that was tried, is being judged
/// or stands in the same answer; a [`Critic`] dropped it) goes back to the model in the same conversation, with the exact
/// reason, while fewer are there than were asked for, and at most [`repairs`](Self::repairs) times. Of
/// every answer, and part of an answer, that is not used the history says why ([`ProposeContext::remark`]). A call that
/// gave nothing is a failure of the proposer, not a trial: the study asks again after a pause, and ends after several
/// in a row.
///
/// # Models that repeat themselves
/// A model that says the same again, or nothing new twice, begins anew, without what was said, and is asked about a part of
/// what may be changed that is drawn at random, with values to choose from, where the codec knows parts
/// ([`Codec::focus`]); so are the next four calls. What was tried is refused as ever.
///
/// # Money
/// With a [`price`](Self::price) the most that a call may cost is set aside before it is made, so that
/// [`Limits::money`](autoresearch_core::Limits::money) is not exceeded; the study ends with that reason when the next
/// call is not affordable. Without one, calls and tokens are counted at an amount of 0.
///
/// ```
/// use autoresearch_core::{ProposeContext, Proposed, Proposer, Candidate};
/// use autoresearch_llm::{Codec, CodecError, LlmProposer, ScriptedModel};
/// use serde_json::{Value, json};
///
/// struct Rate; // a codec for a candidate that is one number; ParamCodec is the one for parameter spaces
/// impl Codec<f64> for Rate {
///     fn schema(&self, _: &f64) -> Value {
///         json!({"type": "number", "exclusiveMinimum": 0})
///     }
///     fn describe(&self, base: &f64) -> String {
///         format!("The learning rate, a number above 0; it is {base}. `change` is the new rate.")
///     }
///     fn apply(&self, _: &f64, change: &Value) -> Result<f64, CodecError> {
///         let rate = change.as_f64().filter(|rate| *rate > 0.0);
///         rate.ok_or_else(|| CodecError::new(format!("the rate must be a number above 0, and is {change}")))
///     }
///     fn difference(&self, from: &f64, to: &f64) -> String {
///         format!("rate {from} -> {to}")
///     }
///     fn identity(&self, rate: &f64) -> String {
///         rate.to_string()
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let model = ScriptedModel::answers([
///     r#"{"proposals": [{"title": "none", "rationale": "", "expected_gain": null, "tags": [], "change": 0}]}"#,
///     r#"{"proposals": [{"title": "half", "rationale": "it diverges", "expected_gain": 0.1, "tags": ["rate"], "change": 0.05}]}"#,
/// ]);
/// let mut proposer = LlmProposer::new(model.clone(), Rate).program("Find a rate at which it converges.");
/// let Proposed::Proposals(made) = proposer.propose(ProposeContext::for_test(&0.1, 1)).await? else { panic!() };
/// assert_eq!((made[0].candidate, made[0].hypothesis.title.as_str()), (0.05, "half"));
/// let sent_back = &model.asked()[1].messages[3].text;
/// assert!(sent_back.contains("the rate must be a number above 0, and is 0"), "{sent_back}");
/// # Ok::<(), autoresearch_core::ProposeError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Resuming
/// What it knows of earlier proposals it learns from the history again. The seeds of requests follow from
/// [`ProposeContext::seed`] and the number of the request.
///
/// # Cancel safety
/// Dropped in the middle of a call, the call ends and is charged in full; nothing of its answer is kept.
pub struct LlmProposer<C: Candidate> {
    model: Arc<dyn ChatModel>,
    codec: Arc<dyn Codec<C>>,
    composer: Option<Arc<dyn Compose<C>>>,
    critic: Option<Box<dyn Critic<C>>>,
    templates: Templates,
    program: String,
    per_call: usize,
    plain: bool,
    repairs: u32,
    prompt_tokens: Option<u32>,
    answer_tokens: Option<u32>,
    temperature: Option<f64>,
    price: Option<Price>,
    memory: Memory,
    learned: Learned,
    /// After so many proposals the last calls failed, so often in a row: the seed that the study hands in is the same then.
    failed: (u64, u64),
}

/// What was found out about the model on the way. A proposer that is made anew finds it out again.
#[derive(Debug)]
struct Learned {
    prompt_tokens: Option<u64>,
    answer_tokens: Option<u32>,
    /// The longest answer that the server allows, once it has said so.
    answer_limit: Option<u32>,
    form: Form,
    /// The API does not take other temperatures than its own or the user's.
    cold: bool,
    /// So many calls to come begin with a part of what may be changed, since the model could not get away from what was tried.
    narrow: u32,
    /// The history was told that the API does not say what calls take.
    silent: bool,
}

impl<C: Candidate> fmt::Debug for LlmProposer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmProposer")
            .field("model", &self.model.name())
            .field("settled", &self.memory.counts.settled)
            .finish_non_exhaustive()
    }
}

impl<C: Candidate> LlmProposer<C> {
    /// Asks this model for changes in the codec's words.
    pub fn new(model: impl ChatModel + 'static, codec: impl Codec<C> + 'static) -> Self {
        Self {
            model: Arc::new(model),
            codec: Arc::new(codec),
            composer: None,
            critic: None,
            templates: Templates::new(),
            program: String::new(),
            per_call: 1,
            plain: false,
            repairs: 2,
            prompt_tokens: None,
            answer_tokens: None,
            temperature: None,
            price: None,
            memory: Memory::default(),
            learned: Learned {
                prompt_tokens: None,
                answer_tokens: None,
                answer_limit: None,
                form: Form::Bounded,
                cold: false,
                narrow: 0,
                silent: false,
            },
            failed: (0, 0),
        }
    }

    /// The owner's text about the task: its goals, its constraints, what to try and what to leave alone. It is sent with
    /// every call, so nothing that must stay private belongs in it.
    #[must_use]
    pub fn program(mut self, text: impl Into<String>) -> Self {
        self.program = text.into();
        self
    }

    /// Says it in other words.
    #[must_use]
    pub fn templates(mut self, templates: Templates) -> Self {
        self.templates = templates;
        self
    }

    /// Asks for at least so many different proposals in a call, 1 unless said, and 16 at the most: a prompt is then paid for
    /// once for all of them. Where the study wants more, more are asked for. Policies that judge one proposal after the
    /// other judge the later ones of a call on an incumbent that may have moved on.
    #[must_use]
    pub fn per_call(mut self, n: usize) -> Self {
        self.per_call = n.clamp(1, MOST_ASKED);
        self
    }

    /// Asks for the change as plain text instead of JSON, one in a call, where the codec takes that
    /// ([`Codec::takes_text`]): many models write diffs better so. Elsewhere it changes nothing.
    #[must_use]
    pub fn plain_text(mut self) -> Self {
        self.plain = true;
        self
    }

    /// How often an answer may be sent back within a call, 2 unless said.
    #[must_use]
    pub fn repairs(mut self, n: u32) -> Self {
        self.repairs = n;
        self
    }

    /// The most tokens that a prompt should take, as [`ChatModel::count`] estimates them. Unless said, what the model's window
    /// leaves beside the answer, or 16 384 where the window is not known. A prompt that proves too long is shortened anyhow.
    #[must_use]
    pub fn prompt_tokens(mut self, n: u32) -> Self {
        self.prompt_tokens = Some(n);
        self
    }

    /// The most tokens that an answer may take, thinking included. Unless said, 4096, or a quarter of the model's window where
    /// that is less. Where answers are cut off before they say anything, up to four times as many are allowed.
    #[must_use]
    pub fn answer_tokens(mut self, n: u32) -> Self {
        self.answer_tokens = Some(n.max(1));
        self
    }

    /// How adventurous the model is: 0 to 2; as its API has it unless said. Where a call gave nothing, or the model answers
    /// the same, or nothing new, twice in a row, the next request is a little more adventurous, up to 1.4, if the API lets it,
    /// and begins anew.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// What calls cost, in the currency of [`Limits::money`](autoresearch_core::Limits::money).
    #[must_use]
    pub fn price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// Whose its proposals are: the proposer `llm`, the model's name, and a fingerprint of templates and program. What is
    /// learned of predictions is learned for each of these apart.
    pub fn source(&self) -> Source {
        Source::proposer("llm").model(self.model.name()).prompt(self.templates.fingerprint(&self.program))
    }

    /// Has proposals looked at before they are handed on.
    #[must_use]
    pub fn critic(mut self, critic: impl Critic<C> + 'static) -> Self {
        self.critic = Some(Box::new(critic));
        self
    }

    /// How candidates are merged, where the codec does not know it.
    #[must_use]
    pub fn composer(mut self, composer: impl Compose<C> + 'static) -> Self {
        self.composer = Some(Arc::new(composer));
        self
    }

    fn is_plain(&self) -> bool {
        self.plain && self.codec.takes_text()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate> Proposer<C> for LlmProposer<C> {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let failures = if self.failed.0 == cx.proposals { self.failed.1 } else { 0 };
        let target = match self.is_plain() {
            true => 1,
            false => cx.wanted.max(self.per_call).clamp(1, MOST_ASKED),
        };
        // Before anything is paid for.
        self.codec.usable(cx.incumbent).map_err(|error| ProposeError::new(error.to_string()))?;
        match Talk::new(self, &cx, target, failures)?.run().await {
            Ok(made) => {
                let source = self.source();
                Ok(made.into_iter().map(|p| p.source(source.clone())).collect::<Vec<_>>().into())
            }
            Err(error) => {
                self.failed = (cx.proposals, failures + 1);
                Err(error)
            }
        }
    }

    fn observe(&mut self, settled: &TrialRecord<C>) {
        self.memory.observe(settled, &*self.codec);
    }

    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        self.composer.clone().or_else(|| self.codec.composer())
    }
}
