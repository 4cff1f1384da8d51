//! The table of the published autoresearch logs.

use crate::data::{Data, Trial};
use autoresearch_core::{ResultsTable, Role};

/// The baseline first, then settled proposals in the order of settling: as core's `results_tsv` has it, but for titles, which
/// are shortened here, and for what was settled twice, which has the line of its last fate alone.
pub(crate) fn results(data: &Data, metric: &str) -> String {
    let mut table = ResultsTable::new(&crate::text::line(metric, 60));
    let of_baseline =
        data.runs.iter().filter(|run| run.version == 0 && run.arm.is_empty() && run.role != Role::Transfer);
    let baseline: Vec<f64> = of_baseline.filter_map(|run| run.objective).collect();
    if !baseline.is_empty() {
        let mean = baseline.iter().sum::<f64>() / baseline.len() as f64;
        table.baseline(Some(mean), data.baseline_memory_gb.unwrap_or(0.0));
    }
    let mut settled: Vec<&Trial> = data.proposals.iter().filter(|trial| trial.fate.is_some()).collect();
    settled.sort_by_key(|trial| trial.settled_at);
    for (trial, fate) in settled.into_iter().filter_map(|trial| Some((trial, trial.fate?))) {
        let (objective, memory) = (trial.objective.or(trial.together), trial.memory_gb.unwrap_or(0.0));
        table.row(&format!("p{}", trial.id), objective, memory, fate, &trial.title);
    }
    table.finish()
}
