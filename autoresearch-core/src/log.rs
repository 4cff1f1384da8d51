//! A study as a `results.tsv`, the table of the published autoresearch logs.

use crate::accept::Role;
use crate::candidate::Candidate;
use crate::measure::Measurement;
use crate::propose::Fate;
use crate::state::{Event, RunSpec};
use crate::stats::Moments;
use crate::store::{Seq, Store, StoreError};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Writes the lines of a `results.tsv`: `id`, the objective under a name of its own, `memory_gb`, `status`, `description`.
///
/// ```
/// use autoresearch_core::{Fate, ResultsTable};
/// let mut table = ResultsTable::new("val_bpb");
/// table.baseline(Some(1.25), 3.4);
/// table.row("p1", None, 3.4, Fate::Failed, "width 4096");
/// assert_eq!(table.finish().lines().last(), Some("p1\t0.000000\t3.4\tcrash\twidth 4096"));
/// ```
#[derive(Debug, Clone)]
pub struct ResultsTable(String);

impl ResultsTable {
    /// The heading, with this name for the objective.
    pub fn new(metric: &str) -> Self {
        Self(format!("id\t{}\tmemory_gb\tstatus\tdescription\n", cell(metric)))
    }

    /// The baseline's line.
    pub fn baseline(&mut self, objective: Option<f64>, memory_gb: f64) {
        self.row("baseline", objective, memory_gb, Fate::Kept, "baseline");
    }

    /// The line of something settled. The objective is 0 where there is none, as in the published logs.
    pub fn row(&mut self, id: &str, objective: Option<f64>, memory_gb: f64, fate: Fate, description: &str) {
        let status = match fate {
            Fate::Kept => "keep",
            Fate::Failed => "crash",
            _ => "discard",
        };
        let (objective, text) = (objective.unwrap_or(0.0), cell(description));
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{id}\t{objective:.6}\t{memory_gb:.1}\t{status}\t{text}");
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.0
    }

    /// Whether a run is one of the baseline itself, at the study's own fidelity.
    pub fn is_of_baseline(run: &RunSpec) -> bool {
        run.version.0 == 0 && run.arm.is_incumbent() && run.role != Role::Transfer
    }

    /// Whether a run trains one whole proposal and nothing else, at the study's own fidelity.
    pub fn is_alone(run: &RunSpec) -> bool {
        matches!(run.arm.parts(), [only] if only.unit.is_none()) && run.role != Role::Transfer
    }
}

/// A text as one cell: control characters, and marks that turn the direction of writing, are blanks in it.
fn cell(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c }).collect()
}

/// What is known of one arm's runs so far.
#[derive(Default)]
struct Row {
    alone: Moments,
    together: Moments,
    memory_gb: f64,
    title: String,
}

impl Row {
    fn take(&mut self, m: &Measurement, alone: bool) {
        let of = if alone { &mut self.alone } else { &mut self.together };
        of.push(m.objective());
        self.memory_gb = self.memory_gb.max(m.metrics().get("memory_gb").copied().unwrap_or(0.0));
    }

    fn mean(&self) -> Option<f64> {
        [&self.alone, &self.together].into_iter().find(|of| of.n() > 0).map(Moments::mean)
    }
}

/// Writes a stored study as tab-separated lines: `id`, the objective under the name `metric` (mean over the runs that
/// trained the proposal alone; where there are none, over those that trained it together with others; where there are none
/// either, 0), `memory_gb` (the largest metric of that name among all of these; what it means is the evaluator's business: that of the libtorch trainer is the peak of the whole process so far), `status`
/// (`keep`, `discard` or `crash`) and `description`. The baseline comes first, then every settled proposal in the order of
/// settling; one that is settled again, as one that was kept and is revoked, has a line for each time.
///
/// # Errors
/// The store cannot be read.
///
/// # Cancel safety
/// It only reads.
pub async fn results_tsv<C: Candidate>(store: &impl Store<C>, metric: &str) -> Result<String, StoreError> {
    let mut table = ResultsTable::new(metric);
    let mut baseline = Row::default();
    let mut rows: BTreeMap<u64, Row> = BTreeMap::new();
    let mut settled: Vec<(u64, Fate)> = Vec::new();
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
                    if ResultsTable::is_of_baseline(&run) {
                        baseline.take(&m, true);
                    }
                    let alone = ResultsTable::is_alone(&run);
                    for proposal in run.arm.proposals() {
                        if let Some(row) = rows.get_mut(&proposal.0) {
                            row.take(&m, alone);
                        }
                    }
                }
                Event::Settled { proposal, fate, .. } => settled.push((proposal.0, fate)),
                _ => {}
            }
        }
    }
    if baseline.alone.n() > 0 {
        table.baseline(baseline.mean(), baseline.memory_gb);
    }
    for (id, fate) in settled {
        if let Some(row) = rows.get(&id) {
            table.row(&format!("p{id}"), row.mean(), row.memory_gb, fate, &row.title);
        }
    }
    Ok(table.finish())
}
