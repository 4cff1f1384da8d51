//! What training costs, and what it gives: speed, overhead, memory, and bits per byte of one recipe against another.
//!
//! `cargo bench -p autoresearch-tch --bench trainer [-- --json] [-- --only PART]`; `cargo xtask bench trainer` runs the
//! parts in turn with PyTorch. Ratios are taken within one run. Without `--bench` (under `cargo test --benches`)
//! everything is played small, to see that it works.

#[path = "../../../autoresearch-core/benches/driver/figure.rs"]
#[allow(dead_code)] // what only the other benchmark uses
mod figure;
mod quality;
mod speed;

use figure::{Figure, Scale};

type Measure = fn(&Scale) -> Vec<Figure>;

/// Each with the name that `--only` chooses it by.
const MEASURES: &[(&str, Measure)] = &[
    ("speed-f32", speed::f32),
    ("speed-bf16", speed::bf16),
    ("muon", speed::muon),
    ("cuda", speed::cuda),
    ("quality-bf16", quality::bf16),
    ("quality-strong", quality::strong),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let only = args.iter().position(|arg| arg == "--only").and_then(|i| args.get(i + 1));
    let scale = Scale { full: has("--bench") };
    for (name, measure) in MEASURES {
        if only.is_some_and(|part| !name.contains(part.as_str())) {
            continue;
        }
        for figure in measure(&scale) {
            println!("{}", if has("--json") { figure.json() } else { figure.line() });
        }
    }
}

/// Runs a future to its end, on a runtime of one thread beside which training has its own.
fn wait<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}
