//! A corpus that is never in memory as a whole. Alone in its file: it looks at the memory of the process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use autoresearch_core::{EvalContext, Evaluator, Executor, Fidelity, RunContext};
use autoresearch_tch::{BitsPerByte, CorpusReader, GptRecipe, GptTrainer, Split};
use std::fs::File;
use std::io::{BufWriter, Write};

/// The most memory that this process ever held, in MiB.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

#[tokio::test]
async fn reading_splitting_training_and_measuring_stay_small() {
    let folder = tempfile::tempdir().unwrap();
    let mib = 32;
    let mut file = BufWriter::new(File::create(folder.path().join("large.jsonl")).unwrap());
    for document in 0..mib * 16 {
        let line = "what it says is the same again and again, ".repeat(1560);
        writeln!(file, "{{\"id\": {document}, \"content\": \"document {document}: {line}\"}}").unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();

    // A run of another corpus first: libtorch itself takes memory when it is first used.
    run("small documents say little".repeat(100).as_str(), None).await;
    let before = peak_mib();
    let bytes = run("", Some(folder.path())).await;
    assert!(bytes > mib * 1_000_000, "{bytes}");
    let grown = peak_mib() - before;
    println!("memory grew by {grown:.1} MiB");
    assert!(grown < mib as f64 / 2.0, "memory grew by {grown:.0} MiB for a corpus of {mib} MiB");
}

/// Trains and measures; returns the size of the corpus.
async fn run(text: &str, folder: Option<&std::path::Path>) -> usize {
    let scratch = tempfile::tempdir().unwrap();
    let small = tempfile::tempdir().unwrap();
    if folder.is_none() {
        for name in 0..30 {
            let line = serde_json::json!({ "content": format!("{name} {text}") }).to_string();
            std::fs::write(small.path().join(format!("{name}.jsonl")), line).unwrap();
        }
    }
    let reader = CorpusReader::new().field("content").scratch(scratch.path());
    let corpus = reader.read(folder.unwrap_or(small.path())).unwrap();
    assert!(!corpus.is_in_memory());
    let splits = corpus.split(Split::default()).unwrap();
    let trainer = GptTrainer::new(&splits).token_cache(scratch.path()).fidelity(Fidelity::steps(3));
    let out = tempfile::tempdir().unwrap();
    let recipe = GptRecipe { depth: 1, heads: 1, head_dim: 8, batch: 4, ..GptRecipe::default() };
    let trained = trainer.execute(recipe, RunContext::for_test(1).in_directory(out.path())).await.unwrap();
    let bits = BitsPerByte::on(splits.test()).evaluate(&trained, EvalContext::for_test(1)).await.unwrap();
    assert!(bits.objective() < 8.2);
    corpus.bytes()
}
