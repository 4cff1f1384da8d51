//! A small candidate with its codec, and answers to propose changes of it.
#![allow(dead_code, unreachable_pub)] // each test takes what it needs

use autoresearch_core::{
    Acceptor, Action, Candidate, Charge, Greedy, History, Limits, Measurement, Proposal, ProposeContext,
    ProposeError, Proposed, Proposer, RunFailure, Settings, StudyState, TrialRecord,
};
use autoresearch_llm::{ChatRequest, Codec, CodecError, Speaker};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    pub lr: f64,
    pub width: u64,
}

impl Recipe {
    pub fn new(lr: f64, width: u64) -> Self {
        Self { lr, width }
    }

    pub fn start() -> Self {
        Self::new(0.1, 64)
    }
}

/// Changes are `{"lr": 0.2}`, `{"width": 32}` or both.
#[derive(Debug, Clone, Copy)]
pub struct Recipes;

impl Codec<Recipe> for Recipes {
    fn schema(&self, _: &Recipe) -> Value {
        json!({
            "type": "object",
            "properties": {
                "lr": {"type": ["number", "null"], "minimum": 0.0001, "maximum": 10},
                "width": {"type": ["integer", "null"], "minimum": 1, "maximum": 1_000_000},
            },
            "required": ["lr", "width"],
            "additionalProperties": false,
        })
    }

    fn describe(&self, base: &Recipe) -> String {
        let Recipe { lr, width } = base;
        format!(
            "- lr: a number from 0.0001 to 10; it is {lr}\n- width: an integer from 1 to 1000000; it is {width}"
        )
    }

    fn apply(&self, base: &Recipe, change: &Value) -> Result<Recipe, CodecError> {
        let fields = change.as_object().ok_or_else(|| CodecError::new(format!("{change} is no object")))?;
        let mut recipe = base.clone();
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            match name.as_str() {
                "lr" => {
                    let lr = value.as_f64().filter(|lr| (0.0001..=10.0).contains(lr));
                    recipe.lr = lr.ok_or_else(|| {
                        CodecError::new(format!("`lr` is {value}; it must be a number from 0.0001 to 10"))
                    })?;
                }
                "width" => {
                    let width = value.as_u64().filter(|width| (1..=1_000_000).contains(width));
                    recipe.width = width.ok_or_else(|| {
                        CodecError::new(format!(
                            "`width` is {value}; it must be an integer from 1 to 1000000"
                        ))
                    })?;
                }
                other => {
                    return Err(CodecError::new(format!(
                        "there is no `{other}`; there are `lr` and `width`"
                    )));
                }
            }
        }
        Ok(recipe)
    }

    fn difference(&self, from: &Recipe, to: &Recipe) -> String {
        let mut parts = Vec::new();
        if from.lr != to.lr {
            parts.push(format!("lr {} -> {}", from.lr, to.lr));
        }
        if from.width != to.width {
            parts.push(format!("width {} -> {}", from.width, to.width));
        }
        parts.join(", ")
    }

    fn identity(&self, recipe: &Recipe) -> String {
        format!("{recipe:?}")
    }
}

/// An answer that proposes these changes.
pub fn answer(changes: impl IntoIterator<Item = Value>) -> String {
    json!({"proposals": changes.into_iter().map(entry).collect::<Vec<_>>()}).to_string()
}

pub fn entry(change: Value) -> Value {
    json!({
        "title": format!("try {change}"), "rationale": "it may help", "expected_gain": 0.01, "tags": ["knob"],
        "change": change,
    })
}

pub fn lr(lr: f64) -> Value {
    json!({"lr": lr, "width": null})
}

pub fn width(width: u64) -> Value {
    json!({"lr": null, "width": width})
}

/// Everything that is said in a request.
pub fn said(request: &ChatRequest) -> String {
    request.messages.iter().map(|m| m.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// The first thing that the user says.
pub fn user(request: &ChatRequest) -> &str {
    let first = request.messages.iter().find(|m| m.speaker == Speaker::User);
    first.map_or("", |m| m.text.as_str())
}

/// The last thing that is said.
pub fn last(request: &ChatRequest) -> &str {
    request.messages.last().map_or("", |m| m.text.as_str())
}

/// One answer of a proposer, with what was charged and remarked.
pub struct Answered<C> {
    pub made: Result<Vec<Proposal<C>>, ProposeError>,
    pub charges: Vec<Charge>,
    pub remarks: Vec<String>,
}

impl<C: Candidate> Answered<C> {
    pub fn made(&self) -> Vec<C> {
        let made = self.made.as_ref().unwrap_or_else(|e| panic!("it failed: {e}"));
        made.iter().map(|p| p.candidate.clone()).collect()
    }

    pub fn error(&self) -> String {
        self.made.as_ref().err().unwrap_or_else(|| panic!("it did not fail")).to_string()
    }
}

pub async fn ask<C: Candidate>(proposer: &mut impl Proposer<C>, cx: ProposeContext<'_, C>) -> Answered<C> {
    let made = match proposer.propose(cx.clone()).await {
        Ok(Proposed::Proposals(made)) => Ok(made),
        Ok(other) => panic!("it said {other:?}"),
        Err(error) => Err(error),
    };
    let (charges, remarks) = cx.take_charges();
    Answered { made, charges, remarks }
}

/// A study in which each of these was tried in turn: its loss, or the message that it failed with. The baseline's is 1.
pub fn tried(
    trials: impl IntoIterator<Item = (Proposal<Recipe>, Result<f64, &'static str>)>,
) -> StudyState<Recipe> {
    let trials: Vec<_> = trials.into_iter().collect();
    let settings = Settings::new().limits(Limits::new().proposals(trials.len() as u64 + 10_000)).seed(3);
    let mut state = StudyState::new(Recipe::start(), Greedy::new(), settings).expect("a study");
    let mut left = trials.into_iter();
    let mut loss = Ok(1.0);
    loop {
        match state.next_action() {
            Action::Propose { .. } => match left.next() {
                Some((proposal, result)) => {
                    loss = result;
                    state.proposed(proposal).expect("it asked");
                }
                None => return state,
            },
            Action::Run(run) => {
                let outcome = match loss {
                    _ if run.arm.is_incumbent() && state.proposals() == 0 => Ok(1.0),
                    Ok(loss) => Ok(loss),
                    Err(message) => Err(RunFailure::candidate(message)),
                };
                let outcome = outcome.map(|loss| Measurement::scalar(loss).expect("a number"));
                state.finished(run.id, outcome).expect("it runs");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Tells a proposer of everything that is settled.
pub fn observe<C: Candidate>(proposer: &mut impl Proposer<C>, history: &History<C>) {
    history.iter().for_each(|record: &TrialRecord<C>| proposer.observe(record));
}

/// A text in one line, of which a change is one word after "set".
#[derive(Debug, Clone, Copy)]
pub struct Words;

impl Codec<String> for Words {
    fn schema(&self, _: &String) -> Value {
        json!({"type": "string"})
    }
    fn describe(&self, base: &String) -> String {
        format!("A word; it is {base}. Write: set WORD")
    }
    fn apply(&self, _: &String, change: &Value) -> Result<String, CodecError> {
        let text = change.as_str().unwrap_or_default();
        let word = text.lines().find_map(|line| line.trim().strip_prefix("set "));
        word.map(str::to_string).ok_or_else(|| CodecError::new("there is no line `set WORD`"))
    }
    fn difference(&self, from: &String, to: &String) -> String {
        format!("{from} -> {to}")
    }
    fn identity(&self, word: &String) -> String {
        word.clone()
    }
    fn takes_text(&self) -> bool {
        true
    }
}

/// A study in which each of these is judged by this acceptor.
pub fn judged(
    acceptor: impl Acceptor + 'static,
    trials: impl IntoIterator<Item = Proposal<Recipe>>,
    loss: impl Fn(&Recipe, u64) -> Result<f64, String>,
) -> StudyState<Recipe> {
    let settings = Settings::new().limits(Limits::new().proposals(1_000_000)).seed(3);
    let mut state = StudyState::new(Recipe::start(), acceptor, settings).expect("a study");
    let mut left = trials.into_iter();
    loop {
        match state.next_action() {
            Action::Propose { .. } => match left.next() {
                Some(proposal) => state.proposed(proposal).expect("it asked"),
                None => return state,
            },
            Action::Run(run) => {
                let outcome = match loss(&run.candidate, run.seed) {
                    Ok(loss) => Ok(Measurement::scalar(loss).expect("a number")),
                    Err(message) => Err(RunFailure::candidate(message)),
                };
                state.finished(run.id, outcome).expect("it runs");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Noise between -.5 and .5 that is the same for the same run.
pub fn noise(recipe: &Recipe, seed: u64) -> f64 {
    let mut x = (seed ^ recipe.width.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(recipe.lr.to_bits());
    for _ in 0..3 {
        x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    (x >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}
