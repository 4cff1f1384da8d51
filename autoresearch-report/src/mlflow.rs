//! A study in an MLflow tracking server: the study is an experiment, a proposal is a run with parameters, metrics and tags.

use crate::data::{Data, Fold, Trial};
use crate::error::ReportError;
use crate::report::Report;
use crate::source::Source;
use crate::text;
use autoresearch_core::Fate;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Logs studies to an MLflow tracking server over its REST API.
///
/// It goes by the store, not by the running study, so that it may log a study that is finished, that runs in another
/// process, or that was killed; a server that is away holds nobody up. Each settled proposal becomes one run, once: it is
/// found again by its tag `autoresearch.proposal`.
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

    /// Logs every settled proposal that is not there yet; says how many that were.
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
        for trial in data.proposals.iter().filter(|trial| trial.fate.is_some()) {
            if !there.contains(&key(trial)) {
                self.trial(&experiment, data, &study.id, trial).await?;
                new += 1;
            }
        }
        Ok(new)
    }

    async fn experiment_id(&self, name: &str) -> Result<String, ReportError> {
        let name = text::line(name, 200);
        match self.call("POST", "experiments/create", &json!({ "name": name })).await {
            Ok(made) => Ok(string(&made["experiment_id"])),
            Err(ReportError::Server { refused: true, .. }) => {
                let found =
                    self.call("GET", "experiments/get-by-name", &json!({ "experiment_name": name })).await?;
                Ok(string(&found["experiment"]["experiment_id"]))
            }
            Err(error) => Err(error),
        }
    }

    /// The proposals of this study that were logged whole.
    async fn logged(&self, experiment: &str, study: &str) -> Result<BTreeSet<String>, ReportError> {
        let filter = format!("tags.`autoresearch.study` = '{}'", study.replace(['\'', '\\'], ""));
        let (mut there, mut token) = (BTreeSet::new(), Value::Null);
        loop {
            let mut query = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 1000 });
            if !token.is_null() {
                query["page_token"] = token;
            }
            let page = self.call("POST", "runs/search", &query).await?;
            for run in page["runs"].as_array().into_iter().flatten() {
                let tags = run["data"]["tags"].as_array().into_iter().flatten();
                there.extend(
                    tags.filter(|tag| tag["key"] == "autoresearch.logged").map(|tag| string(&tag["value"])),
                );
            }
            token = page["next_page_token"].clone();
            if token.as_str().is_none_or(str::is_empty) {
                return Ok(there);
            }
        }
    }

    async fn trial(
        &self,
        experiment: &str,
        data: &Data,
        study: &str,
        trial: &Trial,
    ) -> Result<(), ReportError> {
        let end = data.state.began.unwrap_or(0) + (trial.at_time * 1000.0) as i64;
        let start = end - (trial.seconds * 1000.0) as i64;
        let tag = |key: &str, value: &str| json!({ "key": key, "value": value });
        let name = format!("p{} {}", trial.id, text::line(&text::straight(&trial.title), 120));
        let mut tags = vec![
            tag("mlflow.runName", &name),
            tag("autoresearch.study", &study.replace(['\'', '\\'], "")),
            tag("autoresearch.proposal", &trial.id.to_string()),
            tag("autoresearch.fate", &trial.fate.map_or_else(String::new, |fate| fate.to_string())),
            tag("autoresearch.reason", &trial.reason),
            tag("autoresearch.version", &trial.version.to_string()),
            tag("mlflow.note.content", &note(trial)),
        ];
        tags.extend(trial.tags.iter().map(|label| tag(&format!("label.{}", name_of(label)), "true")));
        let run = json!({ "experiment_id": experiment, "run_name": name, "start_time": start, "tags": tags });
        let made = self.call("POST", "runs/create", &run).await?;
        let id = string(&made["run"]["info"]["run_id"]);
        let metric =
            |(key, value): (&str, f64)| json!({ "key": key, "value": value, "timestamp": end, "step": 0 });
        let effect = trial.effect;
        let metrics = [
            ("objective", trial.objective),
            ("effect", effect.map(|e| e.mean)),
            ("effect_low", effect.and_then(|e| e.low)),
            ("effect_high", effect.and_then(|e| e.high)),
            ("expected", trial.expected),
            ("runs", Some(trial.runs as f64)),
            ("seconds", Some(trial.seconds)),
        ];
        let metrics: Vec<Value> =
            metrics.into_iter().filter_map(|(key, x)| Some(metric((key, x?)))).collect();
        let param = |change: &crate::data::Change| {
            let value = change.to.as_deref().or(change.diff.as_deref()).unwrap_or("");
            let name = if change.path.is_empty() { "candidate".into() } else { name_of(&change.path) };
            json!({ "key": name, "value": text::line(value, 400) })
        };
        let mut params: Vec<Value> = Vec::new();
        for param in trial.changes.iter().take(90).map(param) {
            if params.iter().all(|p| p["key"] != param["key"]) {
                params.push(param);
            }
        }
        let batch = json!({
            "run_id": id, "metrics": metrics, "params": params, "tags": [tag("autoresearch.logged", &key(trial))],
        });
        self.call("POST", "runs/log-batch", &batch).await?;
        let status = if trial.fate == Some(Fate::Failed) { "FAILED" } else { "FINISHED" };
        self.call("POST", "runs/update", &json!({ "run_id": id, "status": status, "end_time": end })).await?;
        Ok(())
    }

    async fn call(&self, method: &str, what: &str, body: &Value) -> Result<Value, ReportError> {
        let url = format!("{}/api/2.0/mlflow/{what}", self.server);
        let failed = |why: String, refused| ReportError::Server { url: url.clone(), why, refused };
        let mut request = if method == "GET" {
            let query =
                body.as_object().into_iter().flatten().map(|(k, v)| format!("{k}={}", encoded(&string(v))));
            self.client.get(format!("{url}?{}", query.collect::<Vec<_>>().join("&")))
        } else {
            self.client.post(&url).json(body)
        };
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.timeout(Duration::from_secs(60)).send().await;
        let answer = answer.map_err(|error| failed(error.without_url().to_string(), false))?;
        let status = answer.status();
        let said = answer.text().await.map_err(|error| failed(error.without_url().to_string(), false))?;
        if !status.is_success() {
            let refused = status.is_client_error() && status.as_u16() != 429;
            return Err(failed(format!("{status}: {}", text::line(&said, 300)), refused));
        }
        serde_json::from_str(&said).map_err(|error| failed(format!("no JSON: {error}"), true))
    }
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

fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A name of the letters that MLflow allows.
fn name_of(text: &str) -> String {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '/');
    let name: String = text.chars().take(200).map(|c| if fine(c) { c } else { '_' }).collect();
    // A path that leads elsewhere is refused.
    let name = name.trim_matches(['/', '.', ' ']).replace("..", "_").replace("//", "/");
    if name.is_empty() { "_".into() } else { name }
}

/// For a query: letters and digits as they are, all else by their bytes.
fn encoded(text: &str) -> String {
    let byte = |b: u8| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(byte).collect()
}
