//! One call to a model, paid for.

use crate::chat::{ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest, Usage};
use crate::money::Price;
use autoresearch_core::{Cancellation, Candidate, ProposeContext, ProposeError};
use std::time::Duration;

/// What an API puts around a message, in tokens.
const AROUND: u64 = 12;

/// How long a service is left alone that is away, or gives something that is no answer.
const AWAY: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The call was not made: it may cost more than is left.
    Unpaid(ProposeError),
    /// The call failed.
    Failed(ChatError),
}

/// An upper estimate of the tokens of a request's prompt.
pub(crate) fn estimate(model: &dyn ChatModel, request: &ChatRequest) -> u64 {
    let said: u64 = request.messages.iter().map(|m| u64::from(model.count(&m.text)) + AROUND).sum();
    let schema =
        request.answer.as_ref().map_or(0, |a| u64::from(model.count(&a.schema.to_string())) + AROUND);
    said + schema + AROUND
}

/// Asks, having set aside the most that it may cost; says whether the API told what it took.
///
/// A call without a price is counted, at an amount of 0. One whose usage is not told is charged as estimated: at the most
/// that it may have cost, since what a model thinks does not show. One that failed is charged in full where the server
/// may have begun to answer, and not at all where it turned the call away.
///
/// # Cancel safety
/// Dropped while the model answers, it is charged in full.
pub(crate) async fn ask<C: Candidate>(
    model: &dyn ChatModel,
    price: Option<&Price>,
    cx: &ProposeContext<'_, C>,
    request: &ChatRequest,
) -> Result<(ChatReply, bool), Unanswered> {
    let prompt = estimate(model, request);
    let answer = u64::from(request.max_tokens);
    let most = price.map_or(0.0, |price| price.at_most(prompt, answer));
    let set_aside = cx.commit(most, model.name()).map_err(Unanswered::Unpaid)?;
    let cancel = Cancellation::new();
    let _ends_with_us = cancel.on_drop();
    match model.chat(request, &cancel).await {
        Ok(reply) => {
            let charge = match &reply.usage {
                Some(usage) => usage.charge(price.map_or(0.0, |p| p.cost(usage)), model.name()),
                None => {
                    let said = u64::from(model.count(&reply.text)).min(answer);
                    Usage::new(prompt, said).charge(most, model.name())
                }
            };
            set_aside.settle(charge);
            let told = reply.usage.is_some();
            Ok((reply, told))
        }
        Err(error) => {
            match &error.usage {
                // What the model knows of an answer that broke off.
                Some(usage) if usage.calls > 0 => {
                    set_aside.settle(usage.charge(price.map_or(0.0, |p| p.cost(usage)), model.name()));
                }
                None if error.may_be_billed() => {
                    set_aside.settle(Usage::new(prompt, 0).charge(most, model.name()));
                }
                _ => set_aside.release(),
            }
            Err(Unanswered::Failed(error))
        }
    }
}

/// What failed, and what to do about it.
pub(crate) fn explain(model: &str, error: &ChatError) -> ProposeError {
    use ChatErrorKind as Kind;
    let (what, advice) = match error.kind {
        Kind::Auth => ("refuses the key", "; give the model the key of an account that may use it"),
        Kind::NotFound => ("is not there", "; check the base URL and the model's name"),
        Kind::OutOfCredit => {
            ("is not paid for any more", "; top up the account at the provider and open the study again")
        }
        Kind::BadRequest => ("does not take the request", ""),
        Kind::ContextOverflow => (
            "cannot take the prompt even without any history",
            "; shorten the program text, ask for fewer proposals in a call, lower `answer_tokens`, or take a model with a \
             larger window",
        ),
        _ => ("did not answer", ""),
    };
    let failed = ProposeError::new(format!("the model {model} {what}: {error}{advice}"));
    let away = error.kind.is_transient() || error.kind == Kind::BadReply;
    if away { failed.ask_again_after(error.retry_after.unwrap_or(AWAY)) } else { failed }
}
