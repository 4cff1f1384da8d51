//! What the loop around the user's code costs: state machine, driver and stores, with user code that does nothing.
//!
//! `cargo bench -p autoresearch-core --bench driver [-- --json] [-- --only PART]`; `cargo xtask bench driver` runs the
//! same beside Optuna. Ratios are taken within one run, because other work on the machine moves all times alike.
//! Without `--bench` (under `cargo test --benches`) everything is played small, to see that it works.

mod figure;
mod machine;
#[cfg(feature = "sqlite")]
mod store;
mod study;

use figure::{Figure, Scale};

type Measure = fn(&Scale) -> Vec<Figure>;

/// Each with the name that `--only` chooses it by.
const MEASURES: &[(&str, Measure)] = &[
    ("machine", machine::rate),
    ("growth", machine::growth),
    ("tokio", study::rate),
    #[cfg(feature = "sqlite")]
    ("append", store::append),
    #[cfg(feature = "sqlite")]
    ("grouped", store::grouped),
    #[cfg(feature = "sqlite")]
    ("resume", store::resume),
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
