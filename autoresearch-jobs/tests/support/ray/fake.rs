//! A Jobs API that is made up, and can be made to fail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use zip::write::SimpleFileOptions;

/// What is done to a call instead of, or after, what was asked for.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is closed.
    Close,
    /// This is answered, and nothing done.
    Answer(u16, &'static str),
    /// It is done, and this answered.
    DoneButAnswer(u16, &'static str),
}

type Faults = Arc<dyn Fn(&str, &str, usize) -> Option<Fault> + Send + Sync>;

/// How jobs fare.
#[derive(Debug, Clone)]
pub struct Fate {
    /// How long each runs; `None`: it waits for ever.
    pub runs: Option<Duration>,
    /// What Ray says in the end.
    pub status: &'static str,
    pub error_type: Option<&'static str>,
    pub message: &'static str,
    pub exit_code: Option<i32>,
    /// What stands in the log.
    pub said: &'static str,
    /// Whether it leaves a record in the log.
    pub record: bool,
    /// How long it goes on after it was told to stop.
    pub lingers: Duration,
    /// Whether a job of another study runs all the time.
    pub beside: bool,
    /// Whether one is listed that cannot be read.
    pub odd: bool,
}

impl Default for Fate {
    fn default() -> Self {
        Self {
            runs: Some(Duration::from_millis(300)),
            status: "SUCCEEDED",
            error_type: None,
            message: "Job finished successfully.",
            exit_code: None,
            said: "said something\n",
            record: true,
            lingers: Duration::ZERO,
            beside: false,
            odd: true,
        }
    }
}

struct Job {
    request: Value,
    since: Instant,
    stopped: Option<Instant>,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<String, Job>,
    packages: BTreeSet<String>,
    calls: BTreeMap<String, usize>,
    submitted: Vec<Value>,
    /// Submissions while another job of the run was at work.
    overlaps: usize,
    headers: String,
}

#[derive(Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    pub address: String,
}

impl Fake {
    pub fn start(
        fate: Fate,
        faults: impl Fn(&str, &str, usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (state, faults): (Arc<Mutex<State>>, Faults) = (Arc::default(), Arc::new(faults));
        let fake = Self { state, address };
        let serving = fake.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serving, fate, faults) = (serving.clone(), fate.clone(), Arc::clone(&faults));
                std::thread::spawn(move || while serving.one(&stream, &fate, &faults).is_some() {});
            }
        });
        fake
    }

    /// How often a call was made, such as `GET api/jobs/`.
    pub fn calls(&self, call: &str) -> usize {
        self.state.lock().unwrap().calls.get(call).copied().unwrap_or(0)
    }

    /// The submissions that were taken.
    pub fn submitted(&self) -> Vec<Value> {
        self.state.lock().unwrap().submitted.clone()
    }

    /// How many submissions came while another job of their run was at work.
    pub fn overlaps(&self) -> usize {
        self.state.lock().unwrap().overlaps
    }

    pub fn jobs(&self) -> Vec<String> {
        self.state.lock().unwrap().jobs.keys().cloned().collect()
    }

    /// Loses all jobs, as a head does that is started anew.
    pub fn forget(&self) {
        self.state.lock().unwrap().jobs.clear();
    }

    /// The headers of the last call.
    pub fn headers(&self) -> String {
        self.state.lock().unwrap().headers.clone()
    }

    fn one(&self, mut stream: &TcpStream, fate: &Fate, faults: &Faults) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).ok()? > 0 && line.trim() != "" {
            head.push_str(&line);
            line.clear();
        }
        let mut words = head.split_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.trim_start_matches('/').to_owned());
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        let call = format!("{method} {}", general(&path));
        let n = {
            let mut state = self.state.lock().unwrap();
            state.headers = head.clone();
            let n = state.calls.entry(call).or_default();
            *n += 1;
            *n
        };
        let fault = faults(&method, general(&path), n);
        let (status, answer) = match fault {
            Some(Fault::Close) => return None,
            Some(Fault::Answer(status, text)) => (status, text.to_owned()),
            Some(Fault::DoneButAnswer(status, text)) => {
                self.answer(&method, &path, &body, fate);
                (status, text.to_owned())
            }
            None => self.answer(&method, &path, &body, fate),
        };
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all(format!("{head}{answer}").as_bytes()).ok()
    }

    fn answer(&self, method: &str, path: &str, body: &[u8], fate: &Fate) -> (u16, String) {
        let mut state = self.state.lock().unwrap();
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        match (method, &parts[..]) {
            ("GET", ["api", "packages", "gcs", name]) if state.packages.contains(*name) => {
                (200, String::new())
            }
            ("GET", ["api", "packages", "gcs", name]) => {
                (404, format!("Package gcs://{name} does not exist"))
            }
            ("PUT", ["api", "packages", "gcs", name]) => {
                state.packages.insert((*name).into());
                (200, String::new())
            }
            ("GET", ["api", "jobs"]) => {
                // Of somebody else's, who does otherwise.
                let odd = json!({"submission_id": 7, "status": ["RUNNING"], "metadata": "none"});
                let other = json!({
                    "submission_id": "other", "status": "RUNNING", "metadata": {"autoresearch_run": "other"},
                });
                let beside = fate.beside.then_some(other);
                let ours = state.jobs.values().map(|job| info(job, fate));
                let odd = fate.odd.then_some(odd);
                let all: Vec<Value> = ours.chain(odd).chain(beside).collect();
                (200, json!(all).to_string())
            }
            ("POST", ["api", "jobs"]) => {
                let request: Value = serde_json::from_slice(body).unwrap();
                let id = request["submission_id"].as_str().unwrap().to_owned();
                if state.jobs.contains_key(&id) {
                    let said =
                        format!("Traceback\nValueError: Job with submission_id {id} already exists.\n.\n");
                    return (500, said);
                }
                let run = |request: &Value| request["metadata"]["autoresearch_run"].clone();
                let beside =
                    |job: &&Job| run(&job.request) == run(&request) && info(job, fate)["status"] == "RUNNING";
                state.overlaps += state.jobs.values().filter(beside).count();
                state.submitted.push(request.clone());
                state.jobs.insert(id.clone(), Job { request, since: Instant::now(), stopped: None });
                (200, json!({"job_id": id, "submission_id": id}).to_string())
            }
            (_, ["api", "jobs", id, ..]) if !state.jobs.contains_key(*id) => {
                (404, format!("Job {id} does not exist"))
            }
            ("GET", ["api", "jobs", id]) => (200, info(&state.jobs[*id], fate).to_string()),
            ("GET", ["api", "jobs", id, "logs"]) => {
                (200, json!({"logs": log(&state.jobs[*id], fate)}).to_string())
            }
            ("POST", ["api", "jobs", id, "stop"]) => {
                state.jobs.get_mut(*id).unwrap().stopped.get_or_insert_with(Instant::now);
                (200, json!({"stopped": true}).to_string())
            }
            ("DELETE", ["api", "jobs", id]) => {
                if matches!(info(&state.jobs[*id], fate)["status"].as_str(), Some("PENDING" | "RUNNING")) {
                    return (
                        500,
                        "RuntimeError: Attempted to delete, but it is in a non-terminal state".into(),
                    );
                }
                state.jobs.remove(*id);
                (200, json!({"deleted": true}).to_string())
            }
            _ => (404, "no such thing".into()),
        }
    }
}

/// A call's path without what is different each time.
fn general(path: &str) -> &str {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["api", "packages", ..] => "api/packages",
        ["api", "jobs", id, "logs"] if !id.is_empty() => "api/jobs/ID/logs",
        ["api", "jobs", id, "stop"] if !id.is_empty() => "api/jobs/ID/stop",
        ["api", "jobs", id] if !id.is_empty() => "api/jobs/ID",
        ["api", "jobs", ..] => "api/jobs/",
        _ => "other",
    }
}

fn info(job: &Job, fate: &Fate) -> Value {
    let over = fate.runs.is_some_and(|runs| job.since.elapsed() >= runs);
    // What waits for its place is not ended by being told to stop.
    let (status, error, message) = match (fate.runs, job.stopped) {
        (None, _) => (
            "PENDING",
            None,
            "Job has not started yet. It may be waiting for resources (CPUs, GPUs) to become available.",
        ),
        (Some(runs), Some(stopped)) if stopped < job.since + runs => match stopped.elapsed() < fate.lingers {
            true => ("RUNNING", None, "Job is currently running."),
            false => ("STOPPED", None, "Job was intentionally stopped."),
        },
        (Some(_), _) if over => (fate.status, fate.error_type, fate.message),
        _ => ("RUNNING", None, "Job is currently running."),
    };
    json!({
        "type": "SUBMISSION", "job_id": null, "submission_id": job.request["submission_id"], "status": status,
        "message": message, "error_type": error, "metadata": job.request["metadata"],
        "runtime_env": job.request["runtime_env"],
        "driver_exit_code": if status == "SUCCEEDED" { json!(0) } else { json!(fate.exit_code) },
    })
}

/// As the script on a node writes it.
fn log(job: &Job, fate: &Fate) -> String {
    let said = format!("Running entrypoint for job\n{}", fate.said);
    let cut_short =
        matches!((fate.runs, job.stopped), (Some(runs), Some(stopped)) if stopped < job.since + runs);
    if !fate.record || cut_short {
        return said;
    }
    let launch = job.request["metadata"]["autoresearch_launch"].as_str().unwrap();
    let record = json!({"launch": launch, "ended": {"status": 0}, "wall_seconds": 0.3, "stdout": "\u{1}autoresearch-own\nsaid something\n", "place": "n",
        "own": ["\u{1}autoresearch-first", "\u{1}autoresearch-own"]});
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("exit.json", SimpleFileOptions::default()).unwrap();
    zip.write_all(record.to_string().as_bytes()).unwrap();
    let data = zip.finish().unwrap().into_inner();
    let sum: String = Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect();
    let mark = format!("\u{1}autoresearch-ray {launch}");
    format!("{said}\n{mark} begin {} {sum}\n{}\n{mark} end\n", data.len(), STANDARD.encode(&data))
}
