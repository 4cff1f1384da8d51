//! The table of the published autoresearch logs.

use crate::data::{Data, Trial};
use crate::text::{line, straight};
use autoresearch_core::{Fate, Role};
use std::fmt::Write;

/// The baseline first, then settled proposals in the order of settling: the same columns as core's.
pub(crate) fn results(data: &Data, metric: &str) -> String {
    let mut out = format!("id\t{}\tmemory_gb\tstatus\tdescription\n", line(metric, 60));
    let of_baseline =
        data.runs.iter().filter(|run| run.version == 0 && run.arm.is_empty() && run.role != Role::Transfer);
    let baseline: Vec<f64> = of_baseline.filter_map(|run| run.objective).collect();
    let memory = |x: Option<f64>| x.unwrap_or(0.0);
    // Writing to a string cannot fail.
    if !baseline.is_empty() {
        let mean = baseline.iter().sum::<f64>() / baseline.len() as f64;
        let _ = writeln!(out, "baseline\t{mean:.6}\t{:.1}\tkeep\tbaseline", memory(data.baseline_memory_gb));
    }
    let mut settled: Vec<&Trial> = data.proposals.iter().filter(|trial| trial.fate.is_some()).collect();
    settled.sort_by_key(|trial| trial.settled_at);
    for trial in settled {
        let status = match trial.fate {
            Some(Fate::Kept) => "keep",
            Some(Fate::Failed) => "crash",
            _ => "discard",
        };
        let (objective, memory) = (trial.objective.unwrap_or(0.0), memory(trial.memory_gb));
        let _ =
            writeln!(out, "p{}\t{objective:.6}\t{memory:.1}\t{status}\t{}", trial.id, straight(&trial.title));
    }
    out
}
