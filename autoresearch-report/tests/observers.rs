//! What other tools get.
#![allow(clippy::unwrap_used)]

mod support;

#[cfg(feature = "tensorboard")]
#[tokio::test]
async fn tensorboard_files_hold_a_record_for_every_run() {
    use autoresearch_report::TensorBoard;
    let folder = tempfile::tempdir().unwrap();
    let board = TensorBoard::create(folder.path()).unwrap();
    let path = board.path().to_path_buf();
    let told = support::study(60, |i| format!("step {i}")).observer(board).run().await.unwrap();
    let bytes = std::fs::read(path).unwrap();
    let (mut at, mut records, mut scalars) = (0, 0, 0);
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let data = &bytes[at + 12..at + 12 + length];
        let sum = u32::from_le_bytes(bytes[at + 12 + length..at + 16 + length].try_into().unwrap());
        assert_eq!(sum, crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8));
        scalars += usize::from(data.windows(13).any(|w| w == b"objective/run"));
        records += 1;
        at += 16 + length;
    }
    assert_eq!(at, bytes.len());
    assert_eq!(scalars as u64, told.runs - told.failed_runs);
    assert!(records > scalars);
}

/// The reader of TensorBoard itself, where there is one: a Python that has it, `python3` or named by
/// `AUTORESEARCH_TENSORBOARD`.
#[cfg(feature = "tensorboard")]
#[tokio::test]
async fn tensorboard_itself_reads_the_same_numbers() {
    use autoresearch_core::{MemoryStore, Report};
    use autoresearch_report::TensorBoard;
    use serde_json::Value;
    const READ: &str = "
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
import tensorboard
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'tensors': 0})
events.Reload()
scalars = {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()['scalars']}
texts = [e.tensor_proto.string_val[0].decode() for tag in events.Tags()['tensors'] for e in events.Tensors(tag)]
print(json.dumps({'version': tensorboard.__version__, 'scalars': scalars, 'texts': texts}))
";
    let python = std::env::var("AUTORESEARCH_TENSORBOARD").unwrap_or_else(|_| "python3".into());
    let has = std::process::Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !has.is_ok_and(|has| has.status.success()) {
        eprintln!(
            "SKIPPED: `{python}` has no tensorboard; name a Python that has it by AUTORESEARCH_TENSORBOARD"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let board = TensorBoard::create(folder.path()).unwrap();
    let store: MemoryStore<Value> = MemoryStore::new();
    let title = |i| format!("{} {i}", support::HOSTILE[i as usize % support::HOSTILE.len()]);
    let told: Report<Value> =
        support::study(120, title).store(store.clone()).observer(board).run().await.unwrap();
    let read = std::process::Command::new(&python).args(["-c", READ]).arg(folder.path()).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    println!("read by TensorBoard {}", read["version"]);
    let of = |tag: &str| read["scalars"][tag].as_array().unwrap_or_else(|| panic!("no {tag}")).clone();
    let data = autoresearch_report::Report::of(&store).unwrap().data().clone();
    let objectives: Vec<f64> = data.runs.iter().filter_map(|run| run.objective).collect();
    let runs = of("objective/run");
    assert_eq!(runs.len(), objectives.len());
    for (read, told) in runs.iter().zip(&objectives) {
        assert!((read[1].as_f64().unwrap() - told).abs() < 1e-6, "{read} for {told}");
    }
    assert_eq!(of("study/kept").last().unwrap()[1].as_f64(), Some(told.kept.len() as f64));
    let effects: Vec<f64> = of("effect/kept").iter().map(|e| e[1].as_f64().unwrap()).collect();
    assert_eq!(effects.len(), told.kept.len());
    assert!(!effects.is_empty());
    let texts = read["texts"].as_array().unwrap();
    assert_eq!(texts.len(), told.kept.len());
    assert!(texts.iter().all(|text| !text.as_str().unwrap().contains("<script")));
}

/// A real server on loopback, where there is one: `mlflow` on the path, or named by `AUTORESEARCH_MLFLOW`.
#[cfg(feature = "mlflow")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mlflow_gets_a_run_for_every_proposal_once() {
    use autoresearch_report::{MlFlow, Report};
    use std::time::Duration;
    let program = std::env::var("AUTORESEARCH_MLFLOW").unwrap_or_else(|_| "mlflow".into());
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let database = format!("sqlite:///{}", folder.path().join("mlflow.db").display());
    let server = tokio::process::Command::new(&program)
        .args(["server", "--host", "127.0.0.1", "--workers", "1", "--port", &port.to_string()])
        .args(["--backend-store-uri", &database])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .process_group(0)
        .spawn();
    let Ok(mut server) = server else {
        eprintln!("SKIPPED: no `{program}` here; install MLflow or name it by AUTORESEARCH_MLFLOW");
        return;
    };
    let flow = MlFlow::at(format!("http://127.0.0.1:{port}/"));
    let title = |i: u64| support::HOSTILE[i as usize % support::HOSTILE.len()].to_string();
    let store = support::stored(support::large(6, title)).await;
    let report = Report::of(&store).unwrap();
    let mut logged = Err(None);
    // A server takes its time to start, on a busy machine minutes.
    for _ in 0..400 {
        assert!(server.try_wait().unwrap().is_none(), "the server ended");
        match flow.log(&report).await {
            Ok(new) => {
                logged = Ok(new);
                break;
            }
            Err(error) => logged = Err(Some(error)),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(logged.unwrap(), 7, "the baseline and six proposals");
    assert_eq!(flow.log(&report).await.unwrap(), 0);
    // What the server has now: an experiment with these runs, their metrics, parameters and tags.
    let client = reqwest::Client::new();
    let api = format!("http://127.0.0.1:{port}/api/2.0/mlflow");
    let version =
        client.get(format!("http://127.0.0.1:{port}/version")).send().await.unwrap().text().await.unwrap();
    println!("logged to MLflow {version}");
    let found =
        client.get(format!("{api}/experiments/get-by-name?experiment_name=autoresearch%20large")).send();
    let found: serde_json::Value = serde_json::from_str(&found.await.unwrap().text().await.unwrap()).unwrap();
    let ask = serde_json::json!({"experiment_ids": [found["experiment"]["experiment_id"]]});
    let runs =
        client.post(format!("{api}/runs/search")).json(&ask).send().await.unwrap().text().await.unwrap();
    let runs: serde_json::Value = serde_json::from_str(&runs).unwrap();
    let runs = runs["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 7);
    let of = |run: &serde_json::Value, what: &str, key: &str| {
        let all = run["data"][what].as_array().into_iter().flatten();
        all.clone().find(|entry| entry["key"] == key).map(|entry| entry["value"].clone())
    };
    for run in runs {
        let id: u64 = of(run, "tags", "autoresearch.proposal").unwrap().as_str().unwrap().parse().unwrap();
        let objective = of(run, "metrics", "objective").unwrap().as_f64().unwrap();
        let rate = of(run, "params", "rate").unwrap();
        if id == 0 {
            assert_eq!((objective, rate.as_str()), (3.0, Some("0.1")));
            continue;
        }
        let trial = &report.data().proposals[id as usize - 1];
        assert_eq!(objective, trial.objective.unwrap());
        assert_eq!(of(run, "metrics", "effect").unwrap().as_f64(), Some(trial.effect.unwrap().mean));
        assert_eq!(rate.as_str(), trial.changes[0].to.as_deref());
        assert_eq!(of(run, "tags", "autoresearch.fate").unwrap(), "rejected");
        assert_eq!(run["info"]["status"], "FINISHED");
    }
    // The workers are the server's children: the group is ended as a whole.
    let group = server.id().unwrap();
    let ended = tokio::process::Command::new("kill").arg("--").arg(format!("-{group}")).status().await;
    assert!(ended.unwrap().success());
    let _ = server.wait().await;
}
