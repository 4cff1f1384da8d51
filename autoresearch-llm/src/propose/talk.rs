//! The conversation of one call: asks, sends back what cannot be used, ends with what can.

use super::pay::{self, Unanswered, ask, explain};
use super::schema::{Form, envelope, is_about_schema};
use super::{LlmProposer, brief};
use crate::chat::{ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest, Message};
use crate::codec::Focus;
use crate::prompt::{Brief, one_line};
use autoresearch_core::{Candidate, Proposal, ProposeContext, ProposeError};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Tokens of a prompt where nothing is known about the model's window.
const PROMPT: u32 = 16_384;
/// Tokens of an answer unless said.
const ANSWER: u32 = 4096;
/// The temperature that APIs have unless said, about.
const USUAL: f64 = 0.8;
/// By how much it is raised each time that a model cannot get away from what cannot be used, and how far.
const HEAT: f64 = 0.2;
const HOTTEST: f64 = 1.4;
/// How often a prompt that does not fit is made shorter.
const SHRINKS: u32 = 8;
/// How often a call is made again that broke off and may be billed.
const REPEATS: u32 = 4;

pub(super) struct Talk<'a, C: Candidate> {
    pub(super) own: &'a mut LlmProposer<C>,
    pub(super) cx: &'a ProposeContext<'a, C>,
    /// How many proposals are asked for.
    pub(super) target: usize,
    /// Numbers the requests of this call, and of those that failed before it at the same point.
    request: u64,
    system: String,
    fixed: Brief,
    change: Value,
    /// The part that is to be changed, where the model could not get away from what was tried.
    pub(super) focus: Option<Focus>,
    /// What is said first, as it was rendered last, and whether anything of the history is in it.
    pub(super) user: Option<(String, bool)>,
    /// Answers, and what was said to them.
    pub(super) turns: Vec<(String, String)>,
    /// The last answer was cut off before it said anything.
    pub(super) short: bool,
    /// The last answer held nothing but repetitions; and the one before as well.
    pub(super) repeats: bool,
    pub(super) stuck: bool,
    /// How often the model could not get away from what cannot be used: it is made more adventurous.
    pub(super) heat: u32,
    prompt_tokens: u64,
    pub(super) answer_tokens: u32,
    pub(super) answers: u32,
    pub(super) made: Vec<Proposal<C>>,
    /// The latest reason why something cannot be used.
    pub(super) last: String,
}

impl<'a, C: Candidate> Talk<'a, C> {
    pub(super) fn new(
        own: &'a mut LlmProposer<C>,
        cx: &'a ProposeContext<'a, C>,
        target: usize,
        failures: u64,
    ) -> Result<Self, ProposeError> {
        let window = own.model.window();
        let answer_tokens = own.learned.answer_tokens.unwrap_or_else(|| planned_answer(own));
        let room = window.map_or(PROMPT, |w| w.saturating_sub(answer_tokens));
        let prompt_tokens = u64::from(own.prompt_tokens.unwrap_or(room));
        let prompt_tokens = own.learned.prompt_tokens.map_or(prompt_tokens, |n| n.min(prompt_tokens));
        let system = own.templates.say_system(&own.program).map_err(|e| ProposeError::new(e.to_string()))?;
        let mut fixed = brief::fixed(cx, &*own.codec);
        fixed.program.clone_from(&own.program);
        let change = own.codec.schema(cx.incumbent);
        let mut talk = Self {
            own,
            cx,
            target,
            request: failures << 16,
            system,
            fixed,
            change,
            focus: None,
            user: None,
            turns: Vec::new(),
            short: false,
            repeats: false,
            stuck: false,
            heat: u32::try_from(failures).unwrap_or(u32::MAX),
            prompt_tokens,
            answer_tokens,
            answers: 0,
            made: Vec::new(),
            last: String::new(),
        };
        let narrow = talk.own.learned.narrow;
        talk.own.learned.narrow = narrow.saturating_sub(1);
        if failures > 0 || narrow > 0 {
            talk.narrow();
            talk.heat = talk.heat.max(u32::from(talk.focus.is_some()));
        }
        Ok(talk)
    }

    /// Asks about a part from here on, drawn anew each time, if the codec knows parts.
    pub(super) fn narrow(&mut self) {
        self.focus = self.own.codec.focus(self.cx.incumbent, mix(!self.cx.seed, self.request));
        self.fixed.focus = self.focus.as_ref().map_or_else(String::new, |focus| focus.said.clone());
        self.user = None;
    }

    /// The schema of a change.
    fn change(&self) -> &Value {
        self.focus.as_ref().map_or(&self.change, |focus| &focus.schema)
    }

    /// The most tokens that one proposal may take.
    fn each(&self) -> u32 {
        let n = u32::try_from(self.target).unwrap_or(u32::MAX);
        self.answer_tokens / n.max(1)
    }

    pub(super) async fn run(mut self) -> Result<Vec<Proposal<C>>, ProposeError> {
        let ended = self.converse().await;
        match (ended, self.made.is_empty()) {
            (Ok(()), false) => Ok(self.made),
            (Err(error), true) => Err(error),
            // What is there is not thrown away.
            (Err(error), false) => {
                let name = self.name();
                self.cx.remark(format!("{name}: what was missing is not asked for again: {error}"));
                Ok(self.made)
            }
            (Ok(()), true) => {
                let (name, answers, last) = (self.name(), self.answers, one_line(&self.last, 400));
                Err(ProposeError::new(format!(
                    "nothing of {answers} answers of the model {name} could be used; of the last one: {last}"
                )))
            }
        }
    }

    /// Asks, and sends answers back, until there is enough or nothing more to be had.
    async fn converse(&mut self) -> Result<(), ProposeError> {
        let mut repairs = self.own.repairs;
        loop {
            let reply = self.ask().await?;
            self.answers += 1;
            let complaints = self.take(&reply).await;
            let enough = self.made.len() >= self.target;
            if enough || (complaints.is_empty() && !self.made.is_empty()) || repairs == 0 {
                return Ok(());
            }
            repairs -= 1;
            self.send_back(&reply, &complaints)?;
        }
    }

    pub(super) fn name(&self) -> &str {
        self.own.model.name()
    }

    /// Asks until there is an answer, whatever it says.
    async fn ask(&mut self) -> Result<ChatReply, ProposeError> {
        let (mut shrinks, mut repeats) = (0, 0);
        loop {
            let request = self.say()?;
            let model = Arc::clone(&self.own.model);
            match ask(&*model, self.own.price.as_ref(), self.cx, &request).await {
                Ok((reply, told)) => {
                    if !told && !std::mem::replace(&mut self.own.learned.silent, true) {
                        let name = self.name();
                        self.cx.remark(format!(
                            "{name} does not say how many tokens calls take: they are estimated"
                        ));
                    }
                    return Ok(reply);
                }
                Err(Unanswered::Unpaid(error)) => return Err(error),
                Err(Unanswered::Failed(error)) => match error.kind {
                    ChatErrorKind::ContextOverflow if shrinks < SHRINKS && self.shrink(&request, &error) => {
                        shrinks += 1;
                        tracing::info!(%error, tokens = self.prompt_tokens, "asking with a shorter prompt");
                    }
                    ChatErrorKind::BadRequest if self.lower(&error) => {
                        tracing::info!(%error, tokens = self.answer_tokens, "asking for a shorter answer");
                    }
                    // What broke off is paid for; another one is set aside for anew.
                    _ if error.may_repeat() && repeats < REPEATS => {
                        repeats += 1;
                        let pause = error.retry_after.unwrap_or(Duration::from_secs(1 << repeats));
                        tracing::info!(%error, ?pause, "asking again");
                        tokio::time::sleep(pause).await;
                    }
                    ChatErrorKind::BadRequest if is_about_schema(&error.message) && self.simplify() => {
                        tracing::info!(%error, "asking with less of a schema");
                    }
                    ChatErrorKind::BadRequest if self.heat > 0 && self.cool(&error) => {
                        tracing::info!(%error, "asking at the usual temperature");
                    }
                    _ => return Err(explain(self.name(), &error)),
                },
            }
        }
    }

    /// Puts the next request together, as long as a prompt may be.
    fn say(&mut self) -> Result<ChatRequest, ProposeError> {
        let model = Arc::clone(&self.own.model);
        let mut request = self.assemble();
        let mut tokens = pay::estimate(&*model, &request);
        // What was said long ago makes room first.
        while tokens > self.prompt_tokens && self.turns.len() > 1 {
            self.turns.remove(0);
            request = self.assemble();
            tokens = pay::estimate(&*model, &request);
        }
        let told = match &self.user {
            None => true,
            Some((_, history)) => *history && tokens > self.prompt_tokens,
        };
        if told {
            let user = self.user.take().map_or(0, |(text, _)| u64::from(model.count(&text)));
            let around = tokens.saturating_sub(user);
            self.user = Some(self.tell(self.prompt_tokens.saturating_sub(around))?);
            request = self.assemble();
        }
        // Not every API takes more than 31 bits.
        request.seed = Some(mix(self.cx.seed, self.request) >> 33);
        self.request += 1;
        Ok(request)
    }

    fn assemble(&self) -> ChatRequest {
        let mut messages = vec![Message::system(self.system.as_str()).cached()];
        messages.push(Message::user(self.user.as_ref().map_or("", |(text, _)| text)));
        for (said, back) in &self.turns {
            messages.extend([Message::assistant(said.as_str()), Message::user(back.as_str())]);
        }
        let mut request = ChatRequest::new(messages).max_tokens(self.affordable());
        request.temperature = self.temperature();
        request.answer = match self.own.learned.form {
            _ if self.own.is_plain() => None,
            Form::Prompted => None,
            form => {
                Some(envelope(self.change(), if self.short { 1 } else { self.target }, self.each(), form))
            }
        };
        request
    }

    fn temperature(&self) -> Option<f64> {
        match self.own.temperature {
            set if self.heat == 0 || self.own.learned.cold => set,
            set => {
                let usual = set.unwrap_or(USUAL);
                Some((usual + HEAT * f64::from(self.heat)).min(HOTTEST).max(usual))
            }
        }
    }

    /// Tokens of an answer, before anything was learned about them.
    pub(super) fn planned_answer(&self) -> u32 {
        planned_answer(self.own)
    }

    /// The tokens of an answer that may be asked for: more than was planned only where money is no reason against it.
    fn affordable(&self) -> u32 {
        let first = self.planned_answer().min(self.answer_tokens);
        match (&self.own.price, self.cx.money_left()) {
            (Some(price), Some(left))
                if price.at_most(self.prompt_tokens, self.answer_tokens.into()) > left =>
            {
                first
            }
            _ => self.answer_tokens,
        }
    }

    /// Renders what is said first within so many tokens, as far as that depends on the history.
    fn tell(&self, most: u64) -> Result<(String, bool), ProposeError> {
        let model = &self.own.model;
        let count = |text: &str| u64::from(model.count(text));
        let render = |room: u64| {
            let mut brief = self.fixed.clone();
            (brief.wanted, brief.plain) = (self.target, self.own.is_plain());
            if self.own.learned.form == Form::Prompted {
                brief.schema =
                    envelope(self.change(), self.target, self.each(), Form::Plain).schema.to_string();
            }
            let history =
                brief::fill(&mut brief, (&self.own.memory, &self.own.source()), self.cx, room, count);
            let text = self.own.templates.say_user(&brief).map_err(|e| ProposeError::new(e.to_string()))?;
            Ok::<_, ProposeError>((text, history))
        };
        let least = render(0)?;
        let mut room = most.saturating_sub(count(&least.0)); // 0: there is none
        for attempt in 0..12 {
            let told = render(room)?;
            let over = count(&told.0).saturating_sub(most);
            if over == 0 {
                return Ok(told);
            }
            // Headings; a template of the user's may take far more for an entry than its line.
            room = if attempt < 3 { room.saturating_sub(over + over / 4 + 1) } else { room / 2 };
        }
        Ok(least)
    }

    /// Makes the next request shorter than this one; says whether that is possible.
    fn shrink(&mut self, request: &ChatRequest, error: &ChatError) -> bool {
        if !self.turns.is_empty() {
            // The latest of them stays, unless it is the only one.
            let gone = (self.turns.len() - 1).max(1);
            self.turns.drain(..gone);
            return true;
        }
        let sent = pay::estimate(&*self.own.model, request);
        let told = error.tokens.filter(|(prompt, window)| *prompt > 0 && *window > 0);
        let mut answer = self.answer_tokens;
        let fits = match told {
            Some((prompt, window)) => {
                let share = u32::try_from(window / 4).unwrap_or(u32::MAX).max(64);
                answer = answer.min(share);
                let room = window.saturating_sub(answer.into()) as f64 * 0.95;
                (sent as f64 * room / prompt as f64) as u64
            }
            None => sent / 2,
        };
        let history = self.user.as_ref().is_some_and(|(_, history)| *history);
        if !history && answer == self.answer_tokens {
            return false;
        }
        if answer < self.answer_tokens {
            self.answer_tokens = answer;
            self.own.learned.answer_tokens = Some(answer);
        }
        // What was told may not have counted everything.
        self.prompt_tokens = fits.min(self.prompt_tokens / 8 * 7);
        self.own.learned.prompt_tokens = Some(self.prompt_tokens);
        self.user = None;
        true
    }

    /// Keeps to the longest answer that the server allows; says whether that is shorter than what was asked for.
    fn lower(&mut self, error: &ChatError) -> bool {
        let limit = error.answer_limit.and_then(|limit| u32::try_from(limit).ok());
        let Some(limit) = limit.filter(|limit| (1..self.answer_tokens).contains(limit)) else { return false };
        self.answer_tokens = limit;
        self.own.learned.answer_tokens = Some(limit);
        self.own.learned.answer_limit = Some(limit);
        true
    }

    /// Gives up on other temperatures; says whether that may help.
    fn cool(&mut self, error: &ChatError) -> bool {
        let about = error.message.to_lowercase().contains("temperature");
        about && !std::mem::replace(&mut self.own.learned.cold, true)
    }

    /// Tells the API less of the schema; says whether that is possible.
    fn simplify(&mut self) -> bool {
        let Some(form) = self.own.learned.form.simpler() else { return false };
        self.own.learned.form = form;
        self.user = None;
        true
    }
}

fn planned_answer<C: Candidate>(own: &LlmProposer<C>) -> u32 {
    let usual = || own.model.window().map_or(ANSWER, |window| ANSWER.min(window / 4).max(64));
    own.answer_tokens.unwrap_or_else(usual)
}

/// A seed from a seed and a number (the finaliser of SplitMix64; Steele, Lea and Flood 2014).
fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
