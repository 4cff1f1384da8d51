//! A study as a `results.tsv`, the table of the published autoresearch logs.

use crate::candidate::Candidate;
use crate::propose::Fate;
use crate::state::Event;
use crate::stats::Moments;
use crate::store::{Seq, Store, StoreError};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What is known of one arm's runs so far.
#[derive(Default)]
struct Row {
    objective: Moments,
    memory_gb: f64,
    title: String,
}

impl Row {
    fn write(&self, out: &mut String, id: &str, status: &str, description: &str) {
        let objective = if self.objective.n() > 0 { self.objective.mean() } else { 0.0 };
        let text: String = description.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{id}\t{objective:.6}\t{:.1}\t{status}\t{text}", self.memory_gb);
    }
}

/// Writes a stored study as tab-separated lines: `id`, the objective under the name `metric` (mean over the arm's
/// runs; 0 where it has none), `memory_gb` (the largest metric of that name; what it means is the evaluator's business: that of the libtorch
/// trainer is the peak of the whole process so far), `status` (`keep`, `discard` or `crash`)
/// and `description`. The baseline comes first, then every settled proposal in the order of settling.
///
/// # Errors
/// The store cannot be read.
///
/// # Cancel safety
/// It only reads.
pub async fn results_tsv<C: Candidate>(store: &impl Store<C>, metric: &str) -> Result<String, StoreError> {
    let mut out = format!("id\t{metric}\tmemory_gb\tstatus\tdescription\n");
    let mut baseline = Some(Row::default());
    let mut rows: BTreeMap<u64, Row> = BTreeMap::new();
    let mut seq = Seq(0);
    loop {
        let page = store.read(seq, 1024).await?;
        let Some((last, _)) = page.last() else { break };
        seq = *last;
        for (_, event) in page {
            match event {
                Event::Proposed { first, proposals, .. } => {
                    for (id, proposal) in (first.0..).zip(proposals) {
                        rows.insert(id, Row { title: proposal.hypothesis.title, ..Row::default() });
                    }
                }
                Event::Finished { run, outcome: Ok(m), .. } => {
                    let row = match run.arm.proposals().next() {
                        Some(p) => rows.get_mut(&p.0),
                        None if run.version.0 == 0 => baseline.as_mut(),
                        None => None,
                    };
                    if let Some(row) = row {
                        row.objective.push(m.objective());
                        let memory = m.metrics().get("memory_gb").copied().unwrap_or(0.0);
                        row.memory_gb = row.memory_gb.max(memory);
                    }
                }
                Event::Settled { proposal, fate, .. } => {
                    if let Some(row) = baseline.take() {
                        row.write(&mut out, "baseline", "keep", "baseline");
                    }
                    let status = match fate {
                        Fate::Kept => "keep",
                        Fate::Failed => "crash",
                        _ => "discard",
                    };
                    if let Some(row) = rows.remove(&proposal.0) {
                        row.write(&mut out, &proposal.to_string(), status, &row.title);
                    }
                }
                _ => {}
            }
        }
    }
    if let Some(row) = baseline.filter(|row| row.objective.n() > 0) {
        row.write(&mut out, "baseline", "keep", "baseline");
    }
    Ok(out)
}
