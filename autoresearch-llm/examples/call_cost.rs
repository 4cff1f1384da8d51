//! What a call of the proposer costs of its own time, and of memory, by the length of the history. The model answers at once.
//!
//! `cargo run --release -p autoresearch-llm --example call_cost`

use autoresearch_core::{
    Action, Cancellation, Greedy, Limits, Measurement, ParamSet, Proposal, Proposed, Proposer, RunFailure,
    Settings, StudyState, async_trait,
};
use autoresearch_llm::{ChatError, ChatModel, ChatReply, ChatRequest, Codec, CodecError, LlmProposer, Usage};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Forty numbers.
struct Numbers;

impl Codec<ParamSet> for Numbers {
    fn schema(&self, base: &ParamSet) -> Value {
        let number = json!({"type": ["number", "null"], "minimum": 0, "maximum": 1});
        let properties: serde_json::Map<_, _> = names(base).map(|name| (name, number.clone())).collect();
        json!({"type": "object", "properties": properties, "additionalProperties": false})
    }
    fn describe(&self, base: &ParamSet) -> String {
        names(base)
            .map(|name| format!("- {name}: a number from 0 to 1; it is {:?}\n", base.float(&name)))
            .collect()
    }
    fn apply(&self, base: &ParamSet, change: &Value) -> Result<ParamSet, CodecError> {
        let fields = change.as_object().ok_or_else(|| CodecError::new("it is no object"))?;
        let number = |value: &Value| value.as_f64().ok_or_else(|| CodecError::new("it is no number"));
        fields.iter().try_fold(base.clone(), |set, (name, value)| Ok(set.with(name, number(value)?)))
    }
    fn difference(&self, from: &ParamSet, to: &ParamSet) -> String {
        let changed = names(to).filter(|name| from.float(name) != to.float(name));
        changed.map(|name| format!("{name} {:?} -> {:?} ", from.float(&name), to.float(&name))).collect()
    }
    fn identity(&self, set: &ParamSet) -> String {
        format!("{set:?}")
    }
}

fn names(_: &ParamSet) -> impl Iterator<Item = String> + use<> {
    (0..40).map(|i| format!("parameter_{i:02}"))
}

/// Proposes another number at each call.
#[derive(Default)]
struct AtOnce(AtomicU64);

#[async_trait]
impl ChatModel for AtOnce {
    fn name(&self) -> &str {
        "at once"
    }
    async fn chat(&self, _: &ChatRequest, _: &Cancellation) -> Result<ChatReply, ChatError> {
        let value = 1.0 / (2.5 + self.0.fetch_add(1, Ordering::Relaxed) as f64);
        let entries = json!([{"title": "another number", "rationale": "because", "expected_gain": 0.01, "tags": ["number"],
            "change": {"parameter_07": value}}]);
        let mut reply = ChatReply::new(json!({"proposals": entries}).to_string());
        reply.usage = Some(Usage::new(8_000, 80));
        Ok(reply)
    }
}

/// A study in which so many proposals were settled: most are no better, some crashed, some were kept.
fn study(settled: u64) -> Result<StudyState<ParamSet>, Box<dyn std::error::Error>> {
    let start = names(&ParamSet::new()).fold(ParamSet::new(), |set, name| set.with(&name, 0.5));
    let mut state = StudyState::new(
        start,
        Greedy::new(),
        Settings::new().limits(Limits::new().consecutive_failures(1_000_000)),
    )?;
    loop {
        match state.next_action() {
            Action::Propose { .. } if state.proposals() == settled => return Ok(state),
            Action::Propose { .. } => {
                let i = state.proposals();
                let edited =
                    state.incumbent().clone().with(format!("parameter_{:02}", i % 40), i as f64 / 1e6);
                let proposal = Proposal::new(edited)
                    .title(format!("parameter {} down to a millionth of {i}", i % 40))
                    .changing(format!("parameter_{:02} 0.5 -> {}", i % 40, i as f64 / 1e6))
                    .rationale("it was too high")
                    .tag(format!("tag-{}", i % 30));
                state.proposed(proposal)?;
            }
            Action::Run(run) => {
                let i = state.proposals();
                let outcome = match i {
                    _ if i % 7 == 3 => Err(RunFailure::candidate(format!(
                        "loss is NaN at step {i}\nTraceback: {}",
                        "at x ".repeat(200)
                    ))),
                    _ if i % 50 == 1 => Ok(Measurement::scalar(1.0 - i as f64 * 1e-6)?),
                    _ => Ok(Measurement::scalar(1.5)?),
                };
                state.finished(run.id, outcome)?;
            }
            other => return Err(format!("{other:?}").into()),
        }
    }
}

/// Memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("settled   median call   slowest of 200   a settled trial   memory of 200 calls");
    for settled in [100, 1_000, 10_000] {
        let state = study(settled)?;
        let mut proposer = LlmProposer::new(AtOnce::default(), Numbers)
            .program("Lower is better.".repeat(50))
            .prompt_tokens(16_384);
        let start = Instant::now();
        state.history().iter().for_each(|record| proposer.observe(record));
        let observing = start.elapsed() / u32::try_from(settled)?;
        let mut times: Vec<Duration> = Vec::new();
        let mut before = 0;
        for call in 0..220 {
            if call == 20 {
                before = resident();
            }
            let start = Instant::now();
            let answer = proposer.propose(state.view()).await?;
            if call >= 20 {
                times.push(start.elapsed());
            }
            assert!(matches!(answer, Proposed::Proposals(made) if made.len() == 1));
        }
        times.sort();
        let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
        let grown = resident().saturating_sub(before);
        println!("{settled:>7}   {median:>11.2?}   {slowest:>14.2?}   {observing:>15.2?}   {grown:>15} KiB");
    }
    Ok(())
}
