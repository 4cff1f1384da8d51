//! A second look at proposals, before anything is spent on running them.

use crate::chat::{AnswerSchema, ChatModel, ChatRequest, Message};
use crate::money::Price;
use crate::prompt::{Reviewed, TemplateError, Templates, block, one_line, quote};
use crate::propose::{Found, Unanswered, ask, explain, find};
use autoresearch_core::{Candidate, Proposal, ProposeContext, ProposeError, async_trait};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// What a critic thinks of a proposal.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Opinion {
    /// Whether it should be run.
    pub keep: bool,
    /// How promising it is, on the critic's own scale, higher for better.
    pub score: Option<f64>,
    /// Why, in a sentence; of what is dropped it goes back to the proposing model, and into the history.
    pub reason: String,
}

impl Opinion {
    /// It should be run.
    pub fn keep() -> Self {
        Self { keep: true, score: None, reason: String::new() }
    }

    /// It should not, for this reason.
    pub fn drop(reason: impl Into<String>) -> Self {
        Self { keep: false, score: None, reason: reason.into() }
    }

    /// Says how promising it is.
    #[must_use]
    pub fn scored(mut self, score: f64) -> Self {
        self.score = Some(score);
        self
    }
}

/// Looks at proposals before they are handed to the study: a second model ([`ModelCritic`]), or a rule ([`critic_fn`]).
#[async_trait]
pub trait Critic<C: Candidate>: Send {
    /// Says what it thinks of each proposal, in their order; those that it says nothing of are kept. `brief` is what the
    /// proposing model was told.
    ///
    /// # Errors
    /// It cannot say; all proposals are then kept.
    async fn judge(
        &mut self,
        cx: &ProposeContext<'_, C>,
        brief: &str,
        proposals: &[Proposal<C>],
    ) -> Result<Vec<Opinion>, ProposeError>;
}

/// A critic from a rule that looks at one proposal at a time.
///
/// ```
/// use autoresearch_core::{Proposal, ProposeContext};
/// use autoresearch_llm::{Opinion, critic_fn};
/// let critic = critic_fn(|_: &ProposeContext<'_, f64>, proposal: &Proposal<f64>| match proposal.candidate {
///     rate if rate > 1.0 => Opinion::drop("rates above 1 have never worked here"),
///     _ => Opinion::keep(),
/// });
/// # let _ = critic;
/// ```
pub fn critic_fn<C, F>(rule: F) -> CriticFn<F>
where
    C: Candidate,
    F: FnMut(&ProposeContext<'_, C>, &Proposal<C>) -> Opinion + Send,
{
    CriticFn(rule)
}

/// Made by [`critic_fn`].
pub struct CriticFn<F>(F);

impl<F> fmt::Debug for CriticFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CriticFn")
    }
}

#[async_trait]
impl<C, F> Critic<C> for CriticFn<F>
where
    C: Candidate,
    F: FnMut(&ProposeContext<'_, C>, &Proposal<C>) -> Opinion + Send,
{
    async fn judge(
        &mut self,
        cx: &ProposeContext<'_, C>,
        _brief: &str,
        proposals: &[Proposal<C>],
    ) -> Result<Vec<Opinion>, ProposeError> {
        Ok(proposals.iter().map(|proposal| (self.0)(cx, proposal)).collect())
    }
}

/// A second model that scores proposals from 0 to 10; those below 3 ([`drop_below`](Self::drop_below)) are dropped.
///
/// It is told what the proposing model was told, and of each proposal title, rationale and change. What it costs is set
/// aside and charged like the proposing model's calls, under its own name; where it fails, cannot be understood or is not
/// affordable, all proposals are kept.
pub struct ModelCritic {
    model: Arc<dyn ChatModel>,
    price: Option<Price>,
    templates: Templates,
    drop_below: f64,
    answer_tokens: u32,
}

impl fmt::Debug for ModelCritic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelCritic").field("model", &self.model.name()).finish_non_exhaustive()
    }
}

impl ModelCritic {
    /// Asks this model.
    pub fn new(model: impl ChatModel + 'static) -> Self {
        Self {
            model: Arc::new(model),
            price: None,
            templates: Templates::new(),
            drop_below: 3.0,
            answer_tokens: 2048,
        }
    }

    /// What its calls cost.
    #[must_use]
    pub fn price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// Drops proposals with a lower score than this, 3 unless said.
    #[must_use]
    pub fn drop_below(mut self, score: f64) -> Self {
        self.drop_below = score;
        self
    }

    /// The most tokens that its answer may take, 2048 unless said.
    #[must_use]
    pub fn answer_tokens(mut self, n: u32) -> Self {
        self.answer_tokens = n.max(1);
        self
    }

    /// Asks in other words; see [`Templates`] for what there is to speak of.
    ///
    /// # Errors
    /// The template does not parse, or uses a name that there is not.
    pub fn template(mut self, text: impl Into<String>) -> Result<Self, TemplateError> {
        self.templates = self.templates.critic(text)?;
        Ok(self)
    }

    fn opinion(&self, entry: &Value) -> Option<Opinion> {
        let score = entry.get("score").and_then(Value::as_f64)?;
        let reason = entry.get("reason").and_then(Value::as_str).unwrap_or_default();
        let opinion = match score < self.drop_below {
            true => Opinion::drop(format!("{} (score {score} of 10)", one_line(reason, 300))),
            false => Opinion { reason: one_line(reason, 300), ..Opinion::keep() },
        };
        Some(opinion.scored(score))
    }
}

#[async_trait]
impl<C: Candidate> Critic<C> for ModelCritic {
    async fn judge(
        &mut self,
        cx: &ProposeContext<'_, C>,
        brief: &str,
        proposals: &[Proposal<C>],
    ) -> Result<Vec<Opinion>, ProposeError> {
        let reviewed: Vec<Reviewed> = proposals.iter().enumerate().map(|(i, p)| review(i + 1, p)).collect();
        let question = self.templates.say_critic(brief, &reviewed);
        let question = question.map_err(|e| ProposeError::new(e.to_string()))?;
        let mut request = ChatRequest::new(vec![Message::user(question)])
            .answer(AnswerSchema::new("opinions", schema()))
            .max_tokens(self.answer_tokens);
        request.seed = Some(cx.seed >> 33);
        let (reply, told) = match ask(&*self.model, self.price.as_ref(), cx, &request).await {
            Ok(answered) => answered,
            Err(Unanswered::Unpaid(error)) => return Err(error),
            Err(Unanswered::Failed(error)) => return Err(explain(self.model.name(), &error)),
        };
        if !told && self.price.is_some() {
            tracing::debug!(model = self.model.name(), "it does not say what calls take: they are estimated");
        }
        let Found::Entries(entries, _) = find(&reply.text, "opinions", "score") else {
            let said = quote(&reply.text, 120);
            return Err(ProposeError::new(format!("{} gave no opinions, but {said}", self.model.name())));
        };
        let mut opinions = vec![Opinion::keep(); proposals.len()];
        for (i, entry) in entries.iter().enumerate() {
            let number = entry.get("proposal").and_then(Value::as_u64);
            let place = number.map_or(Some(i), |n| usize::try_from(n).ok()?.checked_sub(1));
            if let Some(slot) = place.and_then(|place| opinions.get_mut(place))
                && let Some(opinion) = self.opinion(entry)
            {
                *slot = opinion;
            }
        }
        Ok(opinions)
    }
}

fn review<C>(number: usize, proposal: &Proposal<C>) -> Reviewed {
    let about = &proposal.hypothesis;
    Reviewed {
        number,
        title: quote(&about.title, 160),
        rationale: quote(&about.rationale, 800),
        change: block(&about.change, 80, 6000),
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"opinions": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "proposal": {"type": "integer", "description": "the proposal's number"},
                "reason": {"type": "string", "description": "why, in one sentence"},
                "score": {"type": "number", "description": "0 to 10"},
            },
            "required": ["proposal", "reason", "score"],
            "additionalProperties": false,
        }}},
        "required": ["opinions"],
        "additionalProperties": false,
    })
}
