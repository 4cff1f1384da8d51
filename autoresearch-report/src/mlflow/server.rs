//! What is said to the server.

use super::MlFlow;
use crate::error::ReportError;
use crate::text;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Of more parameters than that a server takes none (100 a request).
const PARAMS: usize = 90;

/// What a run is logged with.
pub(super) struct NewRun {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) tags: Vec<(String, String)>,
    pub(super) metrics: Vec<(&'static str, Option<f64>)>,
    pub(super) params: Vec<(String, String)>,
    /// When it began and ended, in milliseconds since 1970.
    pub(super) span: (i64, i64),
    pub(super) failed: bool,
}

/// A study's name as it may stand in a filter.
pub(super) fn plain(study: &str) -> String {
    study.replace(['\'', '\\'], "")
}

impl MlFlow {
    pub(super) async fn experiment_id(&self, name: &str) -> Result<String, ReportError> {
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
    pub(super) async fn logged(
        &self,
        experiment: &str,
        study: &str,
    ) -> Result<BTreeSet<String>, ReportError> {
        let filter = format!("tags.`autoresearch.study` = '{}'", plain(study));
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

    /// Logs a run; its last tag says that it is whole.
    pub(super) async fn run(&self, experiment: &str, study: &str, new: NewRun) -> Result<(), ReportError> {
        let (start, end) = new.span;
        let tag = |(key, value): &(String, String)| json!({ "key": key, "value": value });
        let own = [("mlflow.runName".into(), new.name.clone()), ("autoresearch.study".into(), plain(study))];
        let tags: Vec<Value> = own.iter().chain(&new.tags).map(tag).collect();
        let run =
            json!({ "experiment_id": experiment, "run_name": new.name, "start_time": start, "tags": tags });
        let made = self.call("POST", "runs/create", &run).await?;
        let id = string(&made["run"]["info"]["run_id"]);
        let metric =
            |(key, value): (&str, f64)| json!({ "key": key, "value": value, "timestamp": end, "step": 0 });
        let metrics: Vec<Value> =
            new.metrics.into_iter().filter_map(|(key, x)| Some(metric((key, x?)))).collect();
        let mut params: Vec<Value> = Vec::new();
        for (name, value) in new.params.iter().take(PARAMS) {
            let name = name_of(name);
            if params.iter().all(|p| p["key"] != name) {
                params.push(json!({ "key": name, "value": text::line(value, 400) }));
            }
        }
        let logged = json!({ "key": "autoresearch.logged", "value": new.key });
        let batch = json!({ "run_id": id, "metrics": metrics, "params": params, "tags": [logged] });
        self.call("POST", "runs/log-batch", &batch).await?;
        let status = if new.failed { "FAILED" } else { "FINISHED" };
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

pub(super) fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A name of the letters that MLflow allows.
pub(super) fn name_of(text: &str) -> String {
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
