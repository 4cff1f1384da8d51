//! A study with a real model of the smallest kind behind a real server: whatever it says, what is valid is used, the rest
//! is explained, and the books agree with the transcript, which is counted by rules of this file's own.
//!
//! The long one, by hand: `cargo test --release -p autoresearch-llm --test soak_local -- --ignored --nocapture`.
//! With `AUTORESEARCH_SOAK=folder` it leaves store and transcript there.
#![allow(clippy::unwrap_used)]

mod local;

use autoresearch_core::{
    Cancellation, Compose, Event, FixedPaired, Limits, ParamSet, ParamSpace, ProposeContext, ProposeError,
    Proposed, Proposer, Report, Seq, SqliteStore, StopReason, Store, Study, TrialRecord, async_trait,
    executor_fn, testkit,
};
use autoresearch_llm::{
    ChatError, ChatModel, ChatReply, ChatRequest, LlmProposer, OpenAiCompatible, ParamCodec, RecordingModel,
};
use serde_json::{Map, Value, json};
use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A key that must not be found anywhere.
const CANARY: &str = "sk-canary-4b1f0a77d1";

fn space() -> ParamSpace {
    ParamSpace::new()
        .log_float("rate", 1e-4..=1.0)
        .doc("Learning rate.")
        .float("momentum", 0.0..=0.99)
        .int("layers", 1..=12)
        .log_int("width", 16..=1024)
        .choice("optimizer", ["sgd", "adam", "lion"])
        .bool("warmup")
        .float("beta", 0.9..=0.999)
        .when("optimizer", "adam")
}

fn start() -> ParamSet {
    ParamSet::new()
        .with("rate", 0.1)
        .with("momentum", 0.5)
        .with("layers", 3)
        .with("width", 64)
        .with("optimizer", "adam")
        .with("warmup", false)
        .with("beta", 0.95)
}

/// A loss with a minimum inside of the space, and noise.
fn loss(set: &ParamSet, seed: u64) -> f64 {
    let number = |name: &str| set.get(name).and_then(|v| v.as_f64()).unwrap();
    let optimizer = match set.text("optimizer").unwrap() {
        "adam" => (number("beta") - 0.98).abs(),
        "lion" => 0.05,
        _ => 0.3,
    };
    let mut z = (seed ^ number("rate").to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let noise = (z >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
    1.0 + 0.05 * (number("rate") / 0.01).ln().abs()
        + 0.2 * (number("momentum") - 0.9).abs()
        + 0.02 * (number("layers") - 6.0).abs()
        + 0.02 * (number("width") / 256.0).ln().abs()
        + 0.1 * f64::from(u8::from(!set.bool("warmup").unwrap()))
        + optimizer
        + 0.05 * noise
}

/// What was measured on the way.
#[derive(Default)]
struct Measured {
    calls: usize,
    /// Time that calls took, the model's and the server's included.
    away: Duration,
    /// Memory of this process after each call, in KiB.
    resident: Vec<u64>,
    /// What stood whenever the proposer was asked, and how many calls there were by then.
    asked: Vec<(usize, ParamSet)>,
    /// Time that the proposer took besides.
    own: Vec<Duration>,
}

type Shared = Arc<Mutex<Measured>>;

/// A model with a stopwatch.
struct Clocked<M>(M, Shared);

#[async_trait]
impl<M: ChatModel> ChatModel for Clocked<M> {
    fn name(&self) -> &str {
        self.0.name()
    }
    async fn chat(&self, request: &ChatRequest, cancel: &Cancellation) -> Result<ChatReply, ChatError> {
        let start = Instant::now();
        let reply = self.0.chat(request, cancel).await;
        let mut measured = self.1.lock().unwrap();
        measured.calls += 1;
        measured.away += start.elapsed();
        measured.resident.push(status("VmRSS:"));
        reply
    }
    fn window(&self) -> Option<u32> {
        self.0.window()
    }
    fn count(&self, text: &str) -> u32 {
        self.0.count(text)
    }
}

/// A proposer with a stopwatch.
struct Watched(LlmProposer<ParamSet>, Shared);

#[async_trait]
impl Proposer<ParamSet> for Watched {
    async fn propose(
        &mut self,
        cx: ProposeContext<'_, ParamSet>,
    ) -> Result<Proposed<ParamSet>, ProposeError> {
        let (calls, away) = {
            let mut measured = self.1.lock().unwrap();
            let calls = measured.calls;
            measured.asked.push((calls, cx.incumbent.clone()));
            (calls, measured.away)
        };
        let (start, made) = (Instant::now(), cx.proposals);
        let answer = self.0.propose(cx).await;
        let mut measured = self.1.lock().unwrap();
        let own = start.elapsed().saturating_sub(measured.away - away);
        let n = measured.calls - calls;
        measured.own.extend(std::iter::repeat_n(own / u32::try_from(n.max(1)).unwrap(), n));
        if made.is_multiple_of(10) || answer.is_err() {
            let (calls, took) = (measured.calls, measured.away);
            eprintln!("{made} proposals, {calls} calls, {took:.1?}: {:?}", answer.as_ref().err());
        }
        answer
    }
    fn observe(&mut self, settled: &TrialRecord<ParamSet>) {
        self.0.observe(settled);
    }
    fn composer(&self) -> Option<Arc<dyn Compose<ParamSet>>> {
        Proposer::composer(&self.0)
    }
}

/// A number of this process from the system's account of it; 0 where there is none.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Processor time of this process so far; nothing where the system does not say.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Runs a study of so many proposals in this folder; gives back its report and what was measured.
async fn study(url: &str, folder: &Path, proposals: u64) -> (Report<ParamSet>, Measured) {
    let shared = Shared::default();
    let model = OpenAiCompatible::new(url, "smollm2").key(CANARY).with_window(4096);
    let model = RecordingModel::new(Clocked(model, Arc::clone(&shared)), folder.join("calls.jsonl")).unwrap();
    let proposer = LlmProposer::new(model, ParamCodec::over(space()).at_most(2))
        .program("Find settings at which the training loss is low.")
        .prompt_tokens(1200)
        .answer_tokens(300);
    assert!(!format!("{proposer:?}").contains(CANARY));
    let report = Study::new(
        start(),
        Watched(proposer, Arc::clone(&shared)),
        executor_fn(|set: ParamSet, cx| async move { Ok(loss(&set, cx.seed)) }),
        testkit::loss(),
    )
    .acceptor(FixedPaired::new().pairs(4).alpha(0.05))
    .limits(Limits::new().proposals(proposals))
    .store(SqliteStore::open(folder.join("study.db")).unwrap())
    .run()
    .await
    .unwrap();
    let measured = std::mem::take(&mut *shared.lock().unwrap());
    (report, measured)
}

/// What a proposal of an answer leads to by rules of this file's own; nothing where it is of no use.
fn outcome(entry: &Value, base: &ParamSet) -> Option<ParamSet> {
    let mut given = Map::new();
    for pair in entry["change"].as_array()? {
        let (name, value) = (pair["parameter"].as_str()?, pair["value"].clone());
        let number = |low: f64, high: f64| value.as_f64().is_some_and(|x| (low..=high).contains(&x));
        let whole = value.as_f64().is_some_and(|x| x.fract() == 0.0);
        let fine = match name {
            "rate" => number(1e-4, 1.0),
            "momentum" => number(0.0, 0.99),
            "layers" => whole && number(1.0, 12.0),
            "width" => whole && number(16.0, 1024.0),
            "optimizer" => matches!(value.as_str()?, "sgd" | "adam" | "lion"),
            "warmup" => value.is_boolean(),
            "beta" => number(0.9, 0.999),
            _ => false,
        };
        let other = given.insert(name.to_string(), value.clone()).is_some_and(|before| before != value);
        if !fine || other {
            return None;
        }
    }
    let mut set = base.clone();
    for (name, value) in &given {
        set = match (name.as_str(), value) {
            ("layers" | "width", value) => set.with(name, value.as_f64()? as i64),
            (_, Value::Number(x)) => set.with(name, x.as_f64()?),
            (_, Value::Bool(b)) => set.with(name, *b),
            (_, value) => set.with(name, value.as_str()?),
        };
    }
    let idle = set.text("optimizer").ok()? != "adam" && set.get("beta") != base.get("beta");
    (set != *base && !idle).then_some(set)
}

/// What is the same about candidates that do the same.
fn essence(set: &ParamSet) -> String {
    let mut set = set.clone();
    if set.text("optimizer").unwrap() != "adam" {
        set.remove("beta");
    }
    set.iter().map(|(name, value)| format!("{name}={value} ")).collect()
}

/// The proposals that stand whole in an answer, and whether there is something besides.
fn parts(text: &str) -> (Vec<Value>, bool) {
    if let Ok(whole) = serde_json::from_str::<Value>(text) {
        let list = whole["proposals"].as_array().cloned().unwrap_or_default();
        let none = list.is_empty();
        return (list, none);
    }
    let list = text.split_once('[').map_or("", |(_, list)| list);
    let mut whole = Vec::new();
    let mut rest = list;
    while let Some(Ok(entry)) = serde_json::Deserializer::from_str(rest).into_iter::<Value>().next() {
        let at = (1..=rest.len())
            .find(|&n| rest.is_char_boundary(n) && serde_json::from_str::<Value>(&rest[..n]).is_ok());
        rest = rest[at.unwrap()..].trim_start_matches([',', ' ', '\n']);
        whole.push(entry);
    }
    (whole, true)
}

/// What the transcript holds, against what the store holds.
#[derive(Debug, Default)]
struct Count {
    calls: u64,
    prompt: u64,
    cached: u64,
    answer: u64,
    schema_valid: usize,
    used: usize,
    repeated: usize,
    useless: usize,
    broken: usize,
    failures: usize,
}

async fn recount(folder: &Path, asked: &[(usize, ParamSet)]) -> Count {
    let store = SqliteStore::open_read_only(folder.join("study.db")).unwrap();
    let events: Vec<(Seq, Event<ParamSet>)> = store.read(Seq::default(), usize::MAX).await.unwrap();
    let mut proposed: VecDeque<ParamSet> = VecDeque::new();
    let mut remarks: VecDeque<String> = VecDeque::new();
    let mut count = Count::default();
    for (_, event) in events {
        match event {
            Event::Proposed { proposals, .. } => proposed.extend(proposals.into_iter().map(|p| p.candidate)),
            Event::Remarked { text } if text.starts_with("the proposer failed: nothing of ") => {
                count.failures += 1;
            }
            Event::Remarked { text } => remarks.push_back(text),
            _ => {}
        }
    }
    let text = std::fs::read_to_string(folder.join("calls.jsonl")).unwrap();
    let mut seen = HashSet::from([essence(&start())]);
    for (at, line) in text.lines().enumerate() {
        let call: Value = serde_json::from_str(line).unwrap();
        let (reply, usage) = (&call["reply"], &call["reply"]["usage"]);
        assert!(reply.is_object(), "call {at} failed: {line}");
        count.calls += usage["calls"].as_u64().unwrap();
        count.prompt += usage["prompt"].as_u64().unwrap();
        count.cached += usage["cache_read"].as_u64().unwrap();
        count.answer += usage["answer"].as_u64().unwrap();
        let base = &asked.iter().rfind(|(calls, _)| *calls <= at).unwrap().1;
        let schema = &call["request"]["answer"]["schema"]["properties"]["proposals"]["items"];
        let schema = jsonschema::validator_for(schema).unwrap();
        let said = reply["text"].as_str().unwrap();
        let (entries, more) = parts(said);
        for entry in &entries {
            let valid = schema.is_valid(entry);
            count.schema_valid += usize::from(valid);
            let outcome = outcome(entry, base).filter(|_| valid);
            if let Some(set) =
                outcome.clone().filter(|set| seen.insert(essence(set)) && essence(set) != essence(base))
            {
                assert_eq!(proposed.pop_front(), Some(set), "call {at}: {entry}");
                count.used += 1;
            } else {
                let remark =
                    remarks.pop_front().unwrap_or_else(|| panic!("call {at}: no word about {entry}"));
                assert!(remark.contains("is not used: "), "call {at}: {remark}");
                let repeated = remark.contains("it is the same as");
                assert_eq!(repeated, outcome.is_some(), "call {at}: {remark}");
                count.repeated += usize::from(repeated);
                count.useless += usize::from(!repeated);
            }
        }
        if more {
            let remark = remarks.pop_front().unwrap_or_else(|| panic!("call {at}: no word about {said}"));
            assert!(remark.contains("answer is not used: "), "call {at}: {remark}");
            count.broken += 1;
        }
    }
    assert!(proposed.is_empty(), "proposals that nobody made: {proposed:?}");
    assert!(remarks.is_empty(), "remarks about nothing: {remarks:?}");
    count
}

async fn soak(proposals: u64) {
    let Some(server) = local::start().await else { return };
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("AUTORESEARCH_SOAK").map(std::path::PathBuf::from);
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let (begun, spent) = (Instant::now(), cpu());
    let (report, measured) = study(&server.url, folder, proposals).await;
    let (took, spent) = (begun.elapsed(), cpu() - spent);

    eprintln!("{report}");
    let count = recount(folder, &measured.asked).await;
    eprintln!("{count:?}");
    let calls = measured.calls;
    let mut own = measured.own.clone();
    own.sort();
    let resident = |calls: &[u64]| calls.iter().sum::<u64>() / calls.len().max(1) as u64;
    let tenth = (calls / 10).max(1);
    eprintln!(
        "{took:.1?} for {calls} calls, {:.1?} of them with the model; own time a call: median {:.2?}, slowest {:.2?}; \
         processor time a call, of everything: {:.2?}; memory: {} KiB after the first tenth, {} KiB at the end",
        measured.away,
        own[own.len() / 2],
        own[own.len() - 1],
        spent / u32::try_from(calls).unwrap(),
        resident(&measured.resident[tenth..2 * tenth.min(calls / 2)]),
        resident(&measured.resident[calls - tenth..]),
    );

    assert_eq!((&report.stopped, report.proposals), (&StopReason::Proposals, proposals), "{report}");
    assert_eq!((count.used as u64, count.calls), (proposals, calls as u64));
    let used = &report.charges[0].used;
    let told = |unit: &str| used.get(unit).copied().unwrap_or(0);
    assert_eq!(
        (told("calls"), told("prompt tokens"), told("cached tokens"), told("answer tokens")),
        (count.calls, count.prompt, count.cached, count.answer),
    );
    let said = format!("{report} {report:?} {}", json!(measured.asked.last().unwrap().1));
    assert!(!said.contains(CANARY));
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { continue };
        assert!(!bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes()), "{}", path.display());
    }
}

#[tokio::test]
#[ignore = "asks a real model for minutes"]
async fn a_short_study_with_a_real_model_is_accounted_for() {
    soak(4).await;
}

#[tokio::test]
#[ignore = "asks a real model for 200 proposals"]
async fn a_long_study_with_a_real_model_is_accounted_for_to_the_last_answer() {
    soak(200).await;
}
