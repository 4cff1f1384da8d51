//! A study in an MLflow tracking server: the study is an experiment, a proposal is a run with parameters, metrics and tags.

mod server;

use crate::data::{About, Data, Fold, Trial};
use crate::error::ReportError;
use crate::report::Report;
use crate::source::Source;
use crate::text;
use autoresearch_core::Fate;
use serde_json::Value;
use server::{NewRun, name_of, string};
use std::time::Duration;

/// Logs studies to an MLflow tracking server over its REST API.
///
/// It goes by the store, not by the running study, so that it may log a study that is finished, that runs in another
/// process, or that was killed; a server that is away holds nobody up. Each settled proposal becomes one run, once, with what
/// it changes as parameters; and so does the baseline, with all of its values, when the first proposal is settled. They are
/// found again by their tag `autoresearch.logged`.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use autoresearch_report::{MlFlow, Report};
/// let logged = MlFlow::at("http://127.0.0.1:5000").log(&Report::open("study.db")?).await?;
/// println!("{logged} runs were new");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct MlFlow {
    client: reqwest::Client,
    server: String,
    experiment: Option<String>,
    token: Option<String>,
}

/// How often a store is looked at while it is followed.
const PERIOD: Duration = Duration::from_secs(2);

impl MlFlow {
    /// The server with this address.
    pub fn at(server: impl Into<String>) -> Self {
        let server: String = server.into();
        let server = server.trim_end_matches('/').to_string();
        Self { client: reqwest::Client::new(), server, experiment: None, token: None }
    }

    /// The experiment's name; else `autoresearch` and the study's identifier.
    #[must_use]
    pub fn experiment(mut self, name: impl Into<String>) -> Self {
        self.experiment = Some(name.into());
        self
    }

    /// A bearer token for servers that want one. It is sent to the server and shown nowhere.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Logs the baseline and every settled proposal, where they are not there yet; says how many that were.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    ///
    /// # Cancel safety
    /// What was logged stays; the next call goes on. A run that was cut off in the middle is logged anew, beside a run
    /// without the tag `autoresearch.logged`.
    pub async fn log(&self, report: &Report) -> Result<u64, ReportError> {
        self.log_data(report.data()).await
    }

    /// Logs a study as it goes on, until it stops.
    ///
    /// # Errors
    /// The store cannot be read, or the server refuses. A server that does not answer is asked again.
    ///
    /// # Cancel safety
    /// As for [`log`](Self::log).
    pub async fn follow(&self, source: &(impl Source + Sync + ?Sized)) -> Result<u64, ReportError> {
        let (mut fold, mut logged) = (Fold::new(), 0);
        loop {
            source.events(fold.last(), &mut |entry| fold.take(entry))?;
            let data = fold.data();
            match self.log_data(&data).await {
                Ok(new) => {
                    logged += new;
                    if data.state.stopped {
                        return Ok(logged);
                    }
                }
                Err(ReportError::Server { refused: false, .. }) => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn log_data(&self, data: &Data) -> Result<u64, ReportError> {
        let Some(study) = &data.study else { return Ok(0) };
        let default = || format!("autoresearch {}", study.id);
        let experiment = self.experiment_id(&self.experiment.clone().unwrap_or_else(default)).await?;
        let there = self.logged(&experiment, &study.id).await?;
        let mut new = 0;
        if data.funnel.open < data.funnel.proposed && !there.contains(BASELINE) {
            self.baseline(&experiment, data, study).await?;
            new += 1;
        }
        for trial in data.proposals.iter().filter(|trial| trial.fate.is_some()) {
            if !there.contains(&key(trial)) {
                self.trial(&experiment, data, &study.id, trial).await?;
                new += 1;
            }
        }
        Ok(new)
    }

    /// The baseline, once: what all else is compared with.
    async fn baseline(&self, experiment: &str, data: &Data, study: &About) -> Result<(), ReportError> {
        let began = data.state.began.unwrap_or(0);
        let first = data.incumbents.first();
        let run = NewRun {
            name: "baseline".into(),
            key: BASELINE.into(),
            tags: vec![
                ("autoresearch.proposal".into(), "0".into()),
                ("autoresearch.policy".into(), study.policy.clone()),
                ("autoresearch.executor".into(), study.executor.clone()),
            ],
            metrics: vec![
                ("objective", first.and_then(|first| first.objective)),
                ("runs", first.map(|first| first.runs as f64)),
            ],
            params: leaves(&study.baseline),
            span: (began, began),
            failed: false,
        };
        self.run(experiment, &study.id, run).await
    }

    async fn trial(
        &self,
        experiment: &str,
        data: &Data,
        study: &str,
        trial: &Trial,
    ) -> Result<(), ReportError> {
        let end = data.state.began.unwrap_or(0) + (trial.at_time * 1000.0) as i64;
        let tag = |key: &str, value: &str| (key.to_string(), value.to_string());
        let mut tags = vec![
            tag("autoresearch.proposal", &trial.id.to_string()),
            tag("autoresearch.fate", &trial.fate.map_or_else(String::new, |fate| fate.to_string())),
            tag("autoresearch.reason", &trial.reason),
            tag("autoresearch.version", &trial.version.to_string()),
            tag("mlflow.note.content", &note(trial)),
        ];
        tags.extend(trial.tags.iter().map(|label| (format!("label.{}", name_of(label)), "true".into())));
        let effect = trial.effect;
        let param = |change: &crate::data::Change| {
            let value = change.to.as_deref().or(change.diff.as_deref()).unwrap_or("");
            let name = if change.path.is_empty() { "candidate".into() } else { change.path.clone() };
            (name, value.to_string())
        };
        let run = NewRun {
            name: format!("p{} {}", trial.id, text::line(&text::straight(&trial.title), 120)),
            key: key(trial),
            tags,
            metrics: vec![
                ("objective", trial.objective),
                ("effect", effect.map(|e| e.mean)),
                ("effect_low", effect.and_then(|e| e.low)),
                ("effect_high", effect.and_then(|e| e.high)),
                ("expected", trial.expected),
                ("runs", Some(trial.runs as f64)),
                ("seconds", Some(trial.seconds)),
            ],
            params: trial.changes.iter().map(param).collect(),
            span: (end - (trial.seconds * 1000.0) as i64, end),
            failed: trial.fate == Some(Fate::Failed),
        };
        self.run(experiment, study, run).await
    }
}

/// The key of the baseline's run.
const BASELINE: &str = "baseline";

/// A candidate's values with the names of where they stand; all of it under one name, if it has none.
fn leaves(candidate: &str) -> Vec<(String, String)> {
    fn walk(at: &str, value: &Value, out: &mut Vec<(String, String)>) {
        let inner = |name: &str| if at.is_empty() { name.to_string() } else { format!("{at}.{name}") };
        match value {
            Value::Object(map) => map.iter().for_each(|(name, value)| walk(&inner(name), value, out)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(i, value)| walk(&inner(&i.to_string()), value, out));
            }
            value => out.push((if at.is_empty() { "candidate".into() } else { at.into() }, string(value))),
        }
    }
    let mut out = Vec::new();
    match serde_json::from_str::<Value>(candidate) {
        Ok(value) => walk("", &value, &mut out),
        Err(_) => out.push(("candidate".into(), candidate.into())),
    }
    out
}

/// A proposal that is settled again, as one that was kept and is revoked, is another run.
fn key(trial: &Trial) -> String {
    format!("{}:{}", trial.id, trial.fate.map_or("open", crate::data::word))
}

fn note(trial: &Trial) -> String {
    let change =
        if trial.change.is_empty() { String::new() } else { format!("\n\n```\n{}\n```", trial.change) };
    format!("{}{change}", trial.rationale)
}
