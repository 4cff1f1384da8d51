//! A model for tests: it answers what it was told to.

use crate::chat::{ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest, Usage};
use autoresearch_core::{Cancellation, async_trait};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Answer = dyn FnMut(&ChatRequest) -> Result<ChatReply, ChatError> + Send;

/// A model for tests: answers from a list or from a closure, and remembers what it was asked. Clones share all of it.
///
/// Usage is estimated as [`ChatModel::count`] does where an answer has none.
///
/// ```
/// use autoresearch_llm::{ChatModel, ChatRequest, Message, ScriptedModel};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let model = ScriptedModel::answers(["forty-two"]);
/// let request = ChatRequest::new(vec![Message::user("What is the answer?")]);
/// assert_eq!(model.chat(&request, &Default::default()).await?.text, "forty-two");
/// assert!(model.chat(&request, &Default::default()).await.is_err()); // it has no more to say
/// assert_eq!(model.asked().len(), 2);
/// # Ok::<(), autoresearch_llm::ChatError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ScriptedModel {
    name: String,
    window: Option<u32>,
    script: Arc<Mutex<Script>>,
}

struct Script {
    answer: Box<Answer>,
    asked: Vec<ChatRequest>,
}

impl ScriptedModel {
    /// Answers these texts, one a call; then it fails with [`ChatErrorKind::BadRequest`].
    pub fn answers<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::replies(texts.into_iter().map(|text| Ok(ChatReply::new(text))))
    }

    /// The same with whole replies and errors.
    pub fn replies(replies: impl IntoIterator<Item = Result<ChatReply, ChatError>>) -> Self {
        let mut left: VecDeque<_> = replies.into_iter().collect();
        let none = || Err(ChatError::new(ChatErrorKind::BadRequest, "the script has no more answers"));
        Self::by(move |_| left.pop_front().unwrap_or_else(none))
    }

    /// Answers what the closure says.
    pub fn by(answer: impl FnMut(&ChatRequest) -> Result<ChatReply, ChatError> + Send + 'static) -> Self {
        let script = Script { answer: Box::new(answer), asked: Vec::new() };
        Self { name: "scripted".into(), window: None, script: Arc::new(Mutex::new(script)) }
    }

    /// The name that it goes by (default "scripted").
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The window that it claims to have.
    #[must_use]
    pub fn with_window(mut self, tokens: u32) -> Self {
        self.window = Some(tokens);
        self
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<ChatRequest> {
        self.script().asked.clone()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedModel").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl ChatModel for ScriptedModel {
    fn name(&self) -> &str {
        &self.name
    }

    async fn chat(&self, request: &ChatRequest, _cancel: &Cancellation) -> Result<ChatReply, ChatError> {
        let mut script = self.script();
        script.asked.push(request.clone());
        let mut reply = (script.answer)(request)?;
        let prompt = request.messages.iter().map(|m| u64::from(self.count(&m.text))).sum();
        let answer = self.count(&reply.text).into();
        reply.usage.get_or_insert_with(|| Usage::new(prompt, answer));
        Ok(reply)
    }

    fn window(&self) -> Option<u32> {
        self.window
    }
}
