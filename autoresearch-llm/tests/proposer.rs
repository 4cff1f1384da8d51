//! One call of the proposer: what is asked, what is used of the answer, what happens to the rest.

mod recipe;

use autoresearch_core::{
    ParamSet, ParamSpace, Proposal, ProposeContext, Proposed, Proposer, testkit::conformance,
};
use autoresearch_llm::{
    ChatError, ChatErrorKind, ChatReply, Finish, LlmProposer, ModelCritic, Opinion, ParamCodec, Price,
    ScriptedModel, Templates, Usage, critic_fn,
};
use recipe::*;
use serde_json::json;
use std::sync::Arc;

fn proposer(model: &ScriptedModel) -> LlmProposer<Recipe> {
    LlmProposer::new(model.clone(), Recipes)
}

fn cx(wanted: usize) -> ProposeContext<'static, Recipe> {
    let start = Box::leak(Box::new(Recipe::start())); // a few words for each test
    let mut cx = ProposeContext::for_test(start, 7);
    cx.wanted = wanted;
    cx
}

fn failed(kind: ChatErrorKind, message: &str) -> Result<ChatReply, ChatError> {
    Err(ChatError::new(kind, message))
}

fn cut(text: &str, finish: Finish) -> Result<ChatReply, ChatError> {
    let mut reply = ChatReply::new(text);
    reply.finish = finish;
    Ok(reply)
}

#[tokio::test]
async fn a_proposal_is_asked_for_with_its_hypothesis() {
    let model = ScriptedModel::answers([answer([lr(0.2)])]);
    let answered = ask(&mut proposer(&model).program("Make it converge.").temperature(0.4), cx(1)).await;
    assert_eq!(answered.made(), [Recipe::new(0.2, 64)]);
    let about = &answered.made.as_ref().expect("one")[0].hypothesis;
    assert_eq!((about.rationale.as_str(), about.expected), ("it may help", Some(0.01)));
    assert_eq!((about.change.as_str(), about.tags.as_slice()), ("lr 0.1 -> 0.2", &["knob".to_string()][..]));
    assert!(answered.remarks.is_empty(), "{:?}", answered.remarks);
    let request = &model.asked()[0];
    assert!(request.messages[0].cache && request.messages[0].text.contains("Make it converge."));
    assert_eq!(request.temperature, Some(0.4));
    assert!(request.seed.is_some_and(|seed| seed < 1 << 31));
    let schema = &request.answer.as_ref().expect("a schema").schema;
    assert_eq!(schema["properties"]["proposals"]["maxItems"], 1);
    // It is counted although it costs nothing.
    assert_eq!((answered.charges[0].amount, answered.charges[0].used["calls"]), (0.0, 1));
}

#[tokio::test]
async fn what_cannot_be_used_goes_back_with_the_exact_error() {
    let model = ScriptedModel::answers([answer([lr(20.0), width(32)]), answer([lr(2.0)])]);
    let answered = ask(&mut proposer(&model), cx(2)).await;
    assert_eq!(answered.made(), [Recipe::new(0.1, 32), Recipe::new(2.0, 64)]);
    let back = &model.asked()[1];
    assert_eq!(back.messages.len(), 4);
    assert_eq!(back.messages[2].text, answer([lr(20.0), width(32)]));
    let text = last(back);
    assert!(text.contains("proposal 1 of 2: `lr` is 20.0; it must be a number from 0.0001 to 10"), "{text}");
    assert!(
        text.contains("1 of your proposals is taken already") && text.contains("with 1 proposal"),
        "{text}"
    );
    assert_ne!(back.seed, model.asked()[0].seed);
    assert_eq!(answered.remarks.len(), 1);
    let remark = &answered.remarks[0];
    assert!(
        remark.starts_with("scripted, answer 1: proposal 1 of 2 is not used: `lr` is 20.0; it"),
        "{remark}"
    );
    assert!(remark.contains("20.0") && remark.len() < 800, "{remark}");
}

#[tokio::test]
async fn what_is_fine_is_kept_when_the_rest_is_never_mended() {
    let model = ScriptedModel::by(|_| Ok(ChatReply::new(answer([width(8), lr(20.0)]))));
    let answered = ask(&mut proposer(&model).repairs(3), cx(2)).await;
    assert_eq!(answered.made(), [Recipe::new(0.1, 8)]);
    assert_eq!(model.asked().len(), 4);
    // Of each answer both: the first repeats what was taken, but for the first time.
    assert_eq!(answered.remarks.len(), 7);
    assert!(answered.remarks[1].contains("which you have proposed already"), "{:?}", answered.remarks);
}

#[tokio::test]
async fn an_answer_that_is_never_mended_is_a_failure_that_says_why() {
    let model = ScriptedModel::by(|_| Ok(ChatReply::new("I would try harder.")));
    let answered = ask(&mut proposer(&model).repairs(1), cx(1)).await;
    assert_eq!(
        answered.error(),
        "nothing of 2 answers of the model scripted could be used; of the last one: the answer: it holds no JSON object \
         with a list of proposals"
    );
    assert_eq!((model.asked().len(), answered.remarks.len()), (2, 2));
    assert!(answered.remarks[1].ends_with("It says \"I would try harder.\""), "{:?}", answered.remarks);
}

#[tokio::test]
async fn a_failed_call_is_repeated_with_another_seed() {
    let model = ScriptedModel::by(|_| Ok(ChatReply::new("no")));
    let mut proposer = proposer(&model).repairs(0);
    for _ in 0..3 {
        ask(&mut proposer, cx(1)).await.error();
    }
    let seeds: std::collections::HashSet<_> = model.asked().iter().map(|r| r.seed).collect();
    assert_eq!(seeds.len(), 3);
}

#[tokio::test]
async fn a_model_that_copies_itself_begins_anew_and_more_adventurous() {
    let same = answer([lr(0.1)]);
    let model = ScriptedModel::answers([same.clone(), same.clone(), answer([lr(0.2)])]);
    let answered = ask(&mut proposer(&model).temperature(0.5), cx(1)).await;
    assert_eq!(answered.made(), [Recipe::new(0.2, 64)]);
    let asked = model.asked();
    assert_eq!(asked.iter().map(|r| r.messages.len()).collect::<Vec<_>>(), [2, 4, 2]);
    assert_eq!(asked.iter().map(|r| r.temperature).collect::<Vec<_>>(), [Some(0.5), Some(0.5), Some(0.7)]);
    // Two answers with nothing new are as bad.
    let model = ScriptedModel::answers([answer([lr(0.1)]), answer([width(64)]), answer([lr(0.2)])]);
    assert_eq!(ask(&mut proposer(&model), cx(1)).await.made().len(), 1);
    assert_eq!(model.asked().iter().map(|r| r.messages.len()).collect::<Vec<_>>(), [2, 4, 2]);
    assert_eq!(model.asked()[2].temperature, Some(1.0));
    // An API that does not take that is asked as before.
    let model = ScriptedModel::by(move |request| match request.temperature {
        None => Ok(ChatReply::new(same.clone())),
        Some(_) => failed(ChatErrorKind::BadRequest, "Unsupported value: 'temperature' must be 1"),
    });
    let mut proposer = proposer(&model);
    assert!(ask(&mut proposer, cx(1)).await.error().contains("nothing changes"));
    assert_eq!(model.asked().len(), 4, "one of them was turned away");
    ask(&mut proposer, cx(1)).await.error();
    assert_eq!(model.asked().len(), 7);
}

#[tokio::test]
async fn a_model_that_repeats_itself_is_asked_about_one_thing_at_a_time() {
    let space = ParamSpace::new().int("depth", 1..=1000).int("width", 1..=1000).float("rate", 0.0..=1.0);
    let base = ParamSet::new().with("depth", 1).with("width", 1).with("rate", 0.5);
    fn set(name: &str, value: i64) -> String {
        answer([json!([{"parameter": name, "value": value}])])
    }
    // Twice the same; then it does as it is told, five times, and once more when it is free to choose again.
    let mut asked = 0;
    let model = ScriptedModel::by(move |_| {
        asked += 1;
        Ok(ChatReply::new(if asked < 3 { set("depth", 1) } else { set("width", 10 + asked) }))
    });
    let mut proposer = LlmProposer::new(model.clone(), ParamCodec::over(space));
    for _ in 0..6 {
        let cx = ProposeContext::for_test(&base, 7);
        assert_eq!(ask(&mut proposer, cx).await.made().len(), 1);
    }
    let about = "This time: change nothing but `";
    let (asked, mut seen) = (model.asked(), Vec::new());
    for request in &asked {
        let schema = request.answer.as_ref().expect("a schema").schema.to_string();
        let parameters = schema.matches("\"parameter\":{").count();
        let narrow = said(request).contains(about);
        assert_eq!(parameters, if narrow { 1 } else { 3 });
        seen.push(narrow);
    }
    assert_eq!(seen, [false, false, true, true, true, true, true, false]);
}

#[tokio::test]
async fn whatever_is_around_the_proposals_they_are_found() {
    let fine = answer([lr(0.2)]);
    for text in [
        format!("```json\n{fine}\n```"),
        format!("<think>\n{{\"proposals\": [{{}}]}}?\n</think>\n{fine}"),
        format!("Certainly! Here it is:\n{fine}\nGood luck."),
        entry(lr(0.2)).to_string(),
        format!("[{}]", entry(lr(0.2))),
        lr(0.2).to_string(),
        json!({"proposals": [{"title": "t", "change": lr(0.2).to_string()}]}).to_string(),
        json!({"proposals": [{"title": "t", "lr": 0.2}]}).to_string(),
    ] {
        let model = ScriptedModel::replies([cut(&text, Finish::ToolIgnored)]);
        let answered = ask(&mut proposer(&model), cx(1)).await;
        assert_eq!(answered.made(), [Recipe::new(0.2, 64)], "{text}");
        assert!(answered.remarks.is_empty(), "{:?}", answered.remarks);
        assert!(!answered.made.expect("one")[0].hypothesis.title.is_empty());
    }
}

#[tokio::test]
async fn plain_text_is_a_change_where_the_codec_says_so() {
    let start = "old".to_string();
    for text in ["title: newer\nset new", "I suggest {this}:\n```\nset new\n```", "set new"] {
        let model = ScriptedModel::answers([text]);
        let mut proposer = LlmProposer::new(model, Words);
        let answered = ask(&mut proposer, ProposeContext::for_test(&start, 1)).await;
        assert_eq!(answered.made()[0].trim_end_matches('`'), "new", "{text}");
    }
    let model = ScriptedModel::answers(["title: newer\nrationale: it is time\nset new"]);
    let mut proposer = LlmProposer::new(model.clone(), Words).plain_text().per_call(4);
    let answered = ask(&mut proposer, ProposeContext::for_test(&start, 1)).await;
    let about = &answered.made.as_ref().expect("one")[0].hypothesis;
    assert_eq!((about.title.as_str(), about.rationale.as_str()), ("newer", "it is time"));
    let asked = &model.asked()[0];
    assert!(
        asked.answer.is_none() && user(asked).ends_with("under \"What may be changed\"."),
        "{}",
        user(asked)
    );
    assert!(user(asked).contains("# Your answer\n\nPropose one change."), "{}", user(asked));
    let model = ScriptedModel::answers(["nothing here", "set old", "set new"]);
    let answered =
        ask(&mut LlmProposer::new(model.clone(), Words), ProposeContext::for_test(&start, 1)).await;
    assert_eq!(answered.made(), ["new"]);
    assert!(last(&model.asked()[1]).contains("the answer: there is no line `set WORD`"));
}

#[tokio::test]
async fn nothing_is_proposed_twice() {
    let noted = |p: Proposal<Recipe>, title: &str| p.title(title);
    let state = tried([
        (noted(Proposal::new(Recipe::new(0.1, 128)), "twice as wide"), Ok(0.9)),
        (noted(Proposal::new(Recipe::new(0.5, 128)), "faster"), Ok(1.2)),
        (noted(Proposal::new(Recipe::new(9.0, 128)), "much faster"), Err("loss is NaN")),
    ]);
    let model = ScriptedModel::answers([answer([
        lr(0.5),   // was tried
        lr(9.0),   // failed
        width(64), // the baseline
        lr(0.1),   // what stands now
        lr(0.3),   // is being judged
        lr(0.2),   // new
        lr(0.2),   // twice in one answer
    ])]);
    let mut proposer = proposer(&model).repairs(0);
    observe(&mut proposer, state.history());
    let mut cx = state.view();
    cx.wanted = 7;
    cx.pending.push(Arc::new(Proposal::new(Recipe::new(0.3, 128)).title("a third")));
    let answered = ask(&mut proposer, cx).await;
    assert_eq!(answered.made(), [Recipe::new(0.2, 128)]);
    for (remark, expected) in answered.remarks.iter().zip([
        "it is the same as p2 (\"faster\"), which was found not better, with an effect of -0.300",
        "it is the same as p3 (\"much faster\"), which was tried and failed to run",
        "it is the same as the baseline",
        "it is the same as what stands now: nothing changes",
        "it is the same as \"a third\", which is being judged now",
        "which you have proposed already",
    ]) {
        assert!(remark.contains(expected), "{remark} should say {expected}");
    }
    assert_eq!(answered.remarks.len(), 6);
}

#[tokio::test]
async fn more_than_were_asked_for_are_used_within_reason() {
    let model = ScriptedModel::answers([answer((1..=20).map(width))]);
    let answered = ask(&mut proposer(&model), cx(1)).await;
    assert_eq!(answered.made().len(), 16);
    assert_eq!(answered.remarks.len(), 4);
    assert!(answered.remarks[0].contains("16 proposals of one call are the most"), "{:?}", answered.remarks);
    let model = ScriptedModel::answers([answer((1..=3).map(width))]);
    let answered = ask(&mut proposer(&model).per_call(3), cx(1)).await;
    assert_eq!(answered.made().len(), 3);
    assert!(last(&model.asked()[0]).contains("Propose 3 different changes"));
}

#[tokio::test]
async fn what_a_cut_answer_holds_is_used() {
    let text = answer([lr(0.2), lr(0.3)]);
    let model = ScriptedModel::replies([cut(&text[..text.len() - 20], Finish::Length)]);
    let answered = ask(&mut proposer(&model).repairs(0), cx(2)).await;
    assert_eq!(answered.made(), [Recipe::new(0.2, 64)]);
    assert!(
        answered.remarks[0].contains("the rest of the answer is not used: it is cut off"),
        "{:?}",
        answered.remarks
    );
}

#[tokio::test]
async fn an_answer_that_is_cut_off_before_it_says_anything_may_be_longer_the_next_time() {
    let model = ScriptedModel::replies([
        cut("", Finish::Length),
        cut("<think>well, well", Finish::Length),
        cut("{\"proposals\": [{\"title\": \"an endless", Finish::Length),
        cut("{\"proposals\": [{\"title\": \"an endless", Finish::Length),
        cut(&answer([lr(0.2)]), Finish::Stop),
    ]);
    let mut proposer = proposer(&model).answer_tokens(100).repairs(4);
    let answered = ask(&mut proposer, cx(2)).await;
    assert_eq!(answered.made(), [Recipe::new(0.2, 64)]);
    let tokens: Vec<u32> = model.asked().iter().map(|r| r.max_tokens).collect();
    assert_eq!(tokens, [100, 200, 400, 400, 400]);
    let back = last(&model.asked()[3]).to_string();
    assert!(back.contains("Be short") && back.contains("with 1 proposal"), "{back}");
    assert_eq!(
        model.asked()[3].answer.as_ref().expect("a schema").schema["properties"]["proposals"]["maxItems"],
        1
    );
    // An empty message is none, for any API.
    assert!(model.asked().iter().all(|r| r.messages.iter().all(|m| !m.text.is_empty())));
    assert!(answered.remarks[0].contains("all of it may have been thinking"), "{:?}", answered.remarks);
}

#[tokio::test]
async fn refusals_and_empty_answers_are_told_apart() {
    let model = ScriptedModel::replies([
        cut("I cannot help with that.", Finish::Refusal),
        cut("", Finish::Refusal),
        cut(" ", Finish::Stop),
    ]);
    let answered = ask(&mut proposer(&model), cx(1)).await;
    assert!(answered.error().ends_with("the answer: it is empty"), "{}", answered.error());
    for (remark, expected) in answered.remarks.iter().zip([
        "the model refuses. It says \"I cannot help",
        "the model refuses, and does not say why",
        "it is empty",
    ]) {
        assert!(remark.contains(expected), "{remark}");
    }
}

#[tokio::test]
async fn a_window_that_is_too_small_shortens_the_history() {
    let state = tried(
        (1..=200).map(|i| (Proposal::new(Recipe::new(0.1, 64 + i)).title(format!("step {i}")), Ok(2.0))),
    );
    for told in [true, false] {
        let model = ScriptedModel::by(move |request| {
            let tokens = request.messages.iter().map(|m| m.text.len() as u64 / 4).sum::<u64>();
            if tokens <= 1500 {
                return Ok(ChatReply::new(answer([lr(0.2)])));
            }
            let mut error = ChatError::new(ChatErrorKind::ContextOverflow, "too long");
            error.tokens = told.then_some((tokens, 2000));
            Err(error)
        });
        let mut proposer = proposer(&model).answer_tokens(400);
        observe(&mut proposer, state.history());
        let answered = ask(&mut proposer, state.view()).await;
        assert_eq!(answered.made().len(), 1);
        let asked = model.asked();
        assert!((2..=4).contains(&asked.len()), "{}", asked.len());
        let all = user(&asked[0]).matches("- p").count();
        let left = user(asked.last().expect("one")).matches("- p").count();
        assert!(left > 10 && left < all, "of {all} {left} are told");
        assert!(user(asked.last().expect("one")).contains("p200 "), "the newest is told");
        // What was learned is kept, and nothing is paid for a call that was turned away.
        ask(&mut proposer, state.view()).await.made();
        assert_eq!(model.asked().len(), asked.len() + 1);
        assert_eq!(answered.charges[0].used["calls"], 1);
    }
}

#[tokio::test]
async fn a_window_that_is_too_small_for_anything_is_an_error_that_says_what_to_do() {
    let state = tried((1..=20).map(|i| (Proposal::new(Recipe::new(0.1, 64 + i)), Ok(2.0))));
    let model = ScriptedModel::by(|_| failed(ChatErrorKind::ContextOverflow, "too long"));
    let mut proposer = proposer(&model);
    observe(&mut proposer, state.history());
    let error = ask(&mut proposer, state.view()).await.error();
    assert!(
        error.contains("even without any history") && error.contains("shorten the program text"),
        "{error}"
    );
    assert!(model.asked().len() <= 9);
}

#[tokio::test]
async fn what_no_repetition_mends_is_not_repeated() {
    for (kind, expected) in [
        (ChatErrorKind::Auth, "refuses the key"),
        (ChatErrorKind::NotFound, "check the base URL"),
        (ChatErrorKind::BadRequest, "does not take the request: nope"),
        (ChatErrorKind::OutOfCredit, "top up the account"),
        (ChatErrorKind::Unavailable, "did not answer: nope"),
    ] {
        let model = ScriptedModel::by(move |_| failed(kind, "nope"));
        let error = ask(&mut proposer(&model), cx(1)).await.error();
        assert!(error.contains(expected), "{error}");
        assert_eq!(model.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_does_not_take_the_schema_is_told_less_of_it() {
    let model = ScriptedModel::by(|request| match &request.answer {
        None => Ok(ChatReply::new(answer([lr(0.2)]))),
        Some(schema) if schema.schema.to_string().contains("maxLength") => {
            failed(ChatErrorKind::BadRequest, "Invalid schema: 'maxLength' is not permitted")
        }
        Some(_) => failed(ChatErrorKind::BadRequest, "response_format is not supported by this model"),
    });
    let mut proposer = proposer(&model);
    assert_eq!(ask(&mut proposer, cx(1)).await.made().len(), 1);
    let asked = model.asked();
    assert_eq!(asked.len(), 3);
    assert!(
        user(&asked[2]).contains("It follows this JSON schema") && !user(&asked[1]).contains("JSON schema")
    );
    ask(&mut proposer, cx(1)).await.made();
    assert_eq!(model.asked().len(), 4, "it was learned");
}

#[tokio::test]
async fn usage_is_charged_at_its_price() {
    let mut reply = ChatReply::new(answer([lr(0.2)]));
    reply.usage = Some(Usage::new(2_000, 500));
    let model = ScriptedModel::replies([Ok(reply)]).named("dear");
    let answered = ask(
        &mut proposer(&model).price(Price::new(10.0, 40.0).expect("a price")),
        cx(1).with_money(1.0, 0.5),
    )
    .await;
    let charge = &answered.charges[0];
    assert!((charge.amount - 0.04).abs() < 1e-12, "{charge:?}");
    assert_eq!((charge.what.as_str(), charge.used["answer tokens"]), ("dear", 500));
}

#[tokio::test]
async fn a_call_that_may_cost_too_much_is_not_made() {
    let model = ScriptedModel::answers([answer([lr(0.2)])]);
    let mut proposer = proposer(&model).price(Price::new(10.0, 40.0).expect("a price"));
    let answered = ask(&mut proposer, cx(1).with_money(1.0, 0.9)).await;
    let error = answered.made.expect_err("4096 tokens of answer may cost .16");
    assert!(error.is_unaffordable() && model.asked().is_empty(), "{error}");
}

#[tokio::test]
async fn what_was_paid_for_is_not_thrown_away_when_the_money_is_spent() {
    let mut reply = ChatReply::new(answer([lr(20.0), lr(0.2)]));
    reply.usage = Some(Usage::new(1_000, 4_000));
    let model = ScriptedModel::replies([Ok(reply)]);
    let mut proposer = proposer(&model).price(Price::new(10.0, 40.0).expect("a price"));
    let answered = ask(&mut proposer, cx(2).with_money(0.25, 0.0)).await;
    assert_eq!(answered.made(), [Recipe::new(0.2, 64)]);
    assert_eq!(answered.remarks.len(), 2);
    assert!(
        answered.remarks[1].contains("is not asked for again: scripted may cost"),
        "{:?}",
        answered.remarks
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_charged_where_it_may_be_billed() {
    for (kind, charged) in [(ChatErrorKind::Timeout, true), (ChatErrorKind::RateLimited, false)] {
        let model = ScriptedModel::by(move |_| failed(kind, "nope"));
        let mut proposer =
            proposer(&model).price(Price::new(10.0, 40.0).expect("a price")).answer_tokens(1000);
        let answered = ask(&mut proposer, cx(1).with_money(10.0, 0.0)).await;
        let amount: f64 = answered.charges.iter().map(|c| c.amount).sum();
        let calls = model.asked().len() as f64;
        assert_eq!(amount > 0.04 * calls, charged, "{kind:?}: {amount}");
        assert!(amount < 0.1 * calls && calls <= 5.0, "{calls} calls, {amount}");
    }
}

/// Answers after an hour, and does not say what it took.
struct Slow;

#[autoresearch_core::async_trait]
impl autoresearch_llm::ChatModel for Slow {
    fn name(&self) -> &str {
        "slow"
    }
    async fn chat(
        &self,
        _: &autoresearch_llm::ChatRequest,
        _: &autoresearch_core::Cancellation,
    ) -> Result<ChatReply, ChatError> {
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
        Ok(ChatReply::new(answer([lr(0.2)])))
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_and_one_that_tells_no_usage_are_charged_in_full() {
    let mut proposer =
        LlmProposer::new(Slow, Recipes).price(Price::new(0.0, 1000.0).expect("a price")).answer_tokens(100);
    let cx = cx(1).with_money(1.0, 0.0);
    let dropped = tokio::time::timeout(std::time::Duration::from_secs(1), proposer.propose(cx.clone())).await;
    assert!(dropped.is_err());
    let (charges, _) = cx.take_charges();
    assert!((charges[0].amount - 0.1).abs() < 1e-12, "{charges:?}");
    let answered = ask(&mut proposer, cx.clone()).await;
    assert!((answered.charges[0].amount - 0.1).abs() < 1e-12, "{:?}", answered.charges);
    assert_eq!(answered.remarks, ["slow does not say how many tokens calls take: they are estimated"]);
    assert!(ask(&mut proposer, cx).await.remarks.is_empty(), "once is enough");
}

#[tokio::test]
async fn a_rule_may_object() {
    let model = ScriptedModel::answers([answer([lr(0.2), lr(0.9)]), answer([lr(0.3)])]);
    let critic = critic_fn(|_: &ProposeContext<'_, Recipe>, p: &Proposal<Recipe>| match p.candidate.lr {
        lr if lr > 0.5 => Opinion::drop("it diverges above .5"),
        _ => Opinion::keep(),
    });
    let answered = ask(&mut proposer(&model).critic(critic), cx(2)).await;
    assert_eq!(answered.made(), [Recipe::new(0.2, 64), Recipe::new(0.3, 64)]);
    let why = "proposal 2 of 2: a critic advises against it: it diverges above .5";
    assert!(last(&model.asked()[1]).contains(why));
    assert_eq!(answered.remarks.len(), 1);
}

#[tokio::test]
async fn a_critic_that_drops_everything_makes_the_call_fail() {
    let model = ScriptedModel::answers([answer([lr(0.2)])]);
    let critic = critic_fn(|_: &ProposeContext<'_, Recipe>, _: &Proposal<Recipe>| Opinion::drop("never"));
    let answered = ask(&mut proposer(&model).critic(critic).repairs(0), cx(1)).await;
    assert!(answered.error().contains("a critic advises against it: never"), "{}", answered.error());
}

#[tokio::test]
async fn a_second_model_may_object_and_is_paid() {
    let opinions = json!({"opinions": [
        {"proposal": 2, "score": 1, "reason": "it was tried"}, {"proposal": 1, "score": 8, "reason": "good"},
    ]});
    let second = ScriptedModel::answers([opinions.to_string()]).named("second");
    let model = ScriptedModel::answers([answer([lr(0.2), lr(0.9)])]);
    let critic = ModelCritic::new(second.clone()).price(Price::new(1.0, 1.0).expect("a price"));
    let answered = ask(&mut proposer(&model).critic(critic).repairs(0), cx(2)).await;
    assert_eq!(answered.made(), [Recipe::new(0.2, 64)]);
    assert!(answered.remarks[0].contains("it was tried (score 1 of 10)"), "{:?}", answered.remarks);
    assert!(answered.charges.iter().any(|c| c.what == "second" && c.amount > 0.0));
    let question = said(&second.asked()[0]);
    assert!(question.contains("lr: a number") && question.contains("| lr 0.1 -> 0.9"), "{question}");
}

#[tokio::test]
async fn a_critic_that_fails_keeps_everything() {
    for second in [ScriptedModel::answers(["hm"]), ScriptedModel::answers::<&str>([])] {
        let model = ScriptedModel::answers([answer([lr(0.2), lr(0.9)])]);
        let answered = ask(&mut proposer(&model).critic(ModelCritic::new(second)), cx(2)).await;
        assert_eq!(answered.made().len(), 2);
        assert_eq!(answered.remarks.len(), 1);
        assert!(answered.remarks[0].starts_with("the critic failed, so all 2"), "{:?}", answered.remarks);
    }
}

#[tokio::test]
async fn templates_can_be_replaced() {
    let templates = Templates::new()
        .user("Now {{ incumbent }}; {{ wanted }} wanted of:\n{{ space }}{% for t in kept %}{{ t.title }}{% endfor %}")
        .expect("a template");
    let model = ScriptedModel::answers([answer([lr(0.2)])]);
    ask(&mut proposer(&model).templates(templates), cx(1)).await.made();
    let asked = model.asked();
    assert!(user(&asked[0]).starts_with("Now None; 1 wanted of:\n- lr: a number"), "{}", user(&asked[0]));
}

#[tokio::test]
async fn a_resumed_study_asks_the_same() {
    let state = tried((1..=30).map(|i| {
        let loss = match i {
            _ if i % 7 == 0 => Err("it crashed"),
            _ if i % 5 == 0 => Ok(0.9 / i as f64),
            _ => Ok(2.0),
        };
        let proposal = Proposal::new(Recipe::new(0.1, 64 + i)).title(format!("step {i}"));
        (proposal.tag(format!("t{}", i % 3)), loss)
    }));
    let model = || {
        ScriptedModel::by(|request| {
            Ok(ChatReply::new(answer([width(request.seed.unwrap_or(1) % 90_000 + 1)])))
        })
    };
    // One that was there all the time, and was asked now and then; another that is made anew.
    let (long, anew) = (model(), model());
    let mut first = proposer(&long);
    for record in state.history().iter() {
        first.observe(record);
        ask(&mut first, state.view()).await.made();
    }
    let mut second = proposer(&anew);
    observe(&mut second, state.history());
    ask(&mut second, state.view()).await.made();
    assert_eq!(long.asked().len(), 30);
    assert_eq!(long.asked().last(), anew.asked().last());
}

#[tokio::test]
async fn it_is_a_proposer_like_any_other() {
    let by_seed = || {
        let model = ScriptedModel::by(|request| {
            let seed = request.seed.unwrap_or_default();
            Ok(ChatReply::new(if seed % 4 == 0 { "hm".into() } else { answer([width(1 + seed % 900_000)]) }))
        });
        LlmProposer::new(model, Recipes).repairs(8).composer(autoresearch_core::FieldMerge::new())
    };
    conformance::proposer(by_seed, Recipe::start()).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_broke_off_is_paid_for_and_made_again_with_money_of_its_own() {
    let broke = || Err(ChatError::new(ChatErrorKind::Timeout, "silence"));
    let model = ScriptedModel::replies([broke(), broke(), Ok(ChatReply::new(answer([lr(0.05)])))]);
    let priced = || proposer(&model).price(Price::new(0.0, 1000.0).expect("a price")).answer_tokens(100);
    let context = cx(1).with_money(1.0, 0.0);
    let Ok(Proposed::Proposals(made)) = priced().propose(context.clone()).await else { panic!() };
    assert_eq!((made.len(), model.asked().len()), (1, 3));
    let spent: f64 = context.take_charges().0.iter().map(|charge| charge.amount).sum();
    assert!((0.2..0.3).contains(&spent), "two in full and what the third took: {spent}");

    // Where the limit leaves less than the next one may cost, it is not made.
    let model = ScriptedModel::by(move |_| broke());
    let mut poor = proposer(&model).price(Price::new(0.0, 1000.0).expect("a price")).answer_tokens(100);
    let error = poor.propose(cx(1).with_money(0.25, 0.0)).await.expect_err("too poor");
    assert!(error.is_unaffordable() && model.asked().len() == 2, "{error}");
}

#[tokio::test]
async fn an_answer_longer_than_the_server_allows_is_asked_for_shorter() {
    let mut refused = ChatError::new(ChatErrorKind::BadRequest, "max_tokens is too large: at most 512");
    refused.answer_limit = Some(512);
    let good = || Ok(ChatReply::new(answer([lr(0.05)])));
    let model = ScriptedModel::replies([Err(refused), good(), good()]);
    let mut asking = proposer(&model);
    assert!(matches!(asking.propose(cx(1)).await, Ok(Proposed::Proposals(_))));
    let asked: Vec<u32> = model.asked().iter().map(|request| request.max_tokens).collect();
    assert_eq!(asked, [4096, 512]);
}

#[tokio::test]
async fn a_model_that_goes_round_in_circles_is_not_quoted_without_end() {
    let junk = format!("{{\"proposals\":[{}1]}}", "1,".repeat(5_000));
    let model = ScriptedModel::by(move |_| Ok(ChatReply::new(junk.clone())));
    let context = cx(1);
    let error = proposer(&model).repairs(1).propose(context.clone()).await.expect_err("nothing to use");
    assert!(error.to_string().contains("nothing of 2 answers"), "{error}");
    let remarks = context.take_charges().1;
    assert_eq!(remarks.len(), 2 * 51);
    assert!(
        remarks[50].contains("4951 more, proposal 51 of 5001 to proposal 5001 of 5001"),
        "{}",
        remarks[50]
    );
    let asked = model.asked();
    let one_over = format!("{{\"proposals\":[{}1]}}", "1,".repeat(50));
    let model = ScriptedModel::answers([one_over]);
    let context = cx(1);
    proposer(&model).repairs(0).propose(context.clone()).await.expect_err("nothing to use");
    assert_eq!(context.take_charges().1.len(), 51, "the last one is explained as well");

    let back = &asked[1].messages.last().expect("what was sent back").text;
    assert!(back.contains("4993 more of the kind") && back.len() < 20_000, "{} bytes", back.len());
}
