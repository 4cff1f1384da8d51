//! The example's own evaluator: what a run leaves can be anything.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The bits a letter that the evaluator of the example gives to a model; nothing where it refuses it.
fn bits(model: &str) -> Option<f64> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/improve_repo");
    let artifacts = tempfile::tempdir().unwrap();
    fs::write(artifacts.path().join("model.json"), model).unwrap();
    let mut command = Command::new("python3");
    command.arg("-B").arg(example.join("repository/evaluate.py")).arg(artifacts.path());
    let output = command.arg(example.join("held/holdout.txt")).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    output
        .status
        .success()
        .then(|| serde_json::from_str::<serde_json::Value>(&told).unwrap()["bits"].as_f64().unwrap())
}

#[test]
fn a_model_of_odd_numbers_scores_nothing() {
    if Command::new("python3").arg("--version").output().is_err() {
        return println!("SKIPPED: no python3 here");
    }
    let model = |number: &str| {
        let row = format!("[{}]", [number; 27].join(","));
        format!("{{\"tables\": [[{}]]}}", vec![row; 27].join(","))
    };
    // Whatever is said of all letters alike tells none of them: the binary logarithm of 27.
    for number in ["0", "-0.5", "1e6", "999999"] {
        let bits = bits(&model(number)).unwrap();
        assert!((bits - 27_f64.log2()).abs() < 1e-9, "{number}: {bits}");
    }
    let digits = format!("1{}", "0".repeat(400));
    for number in ["1e17", "-1e17", "1e400", "NaN", "-Infinity", "\"0\"", "true", "[]", &digits] {
        assert_eq!(bits(&model(number)), None, "{number}");
    }
    for odd in
        ["{\"tables\": []}", "{\"tables\": {}}", "{\"tables\": [\"abcdefghijklmnopqrstuvwxyza\"]}", "[]"]
    {
        assert_eq!(bits(odd), None, "{odd}");
    }
}
