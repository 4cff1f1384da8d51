//! Audits an experiment log: which of its kept gains can be told from run noise?
//!
//! [`file()`] reads somebody's `results.tsv`, a CSV export or JSON lines; [`store()`] a study of one's own. [`Audit`] lets
//! its reader say what would else be guessed. The [`AuditReport`] accounts for every row.
//!
//! ```
//! use autoresearch_core::audit::{self, Undecided, Verdict};
//!
//! let log = "commit\tval_bpb\tstatus\tdescription\n\
//!            a000001\t0.9979\tkeep\tbaseline\n\
//!            a000002\t0.9860\tkeep\thalve the batch\n\
//!            a000003\t0.9867\tdiscard\trandom seed 42 to 137\n\
//!            a000004\t0.9858\tkeep\twarmdown 0.5 to 0.7\n";
//! let report = audit::text(log)?;
//! let last = &report.rows[2];
//! assert!(last.ratio < Some(1.0)); // less than the change of seed did
//! assert_eq!(last.verdict, Verdict::Undecidable(Undecided::FewRepeats)); // but one pair is no measurement of noise
//! println!("{report}");
//! # Ok::<(), autoresearch_core::audit::AuditError>(())
//! ```
//!
//! # What the verdicts rest on
//! The gain of a kept row is the value of the kept row before minus its own (the other way round where higher is
//! better), and its standard error the run noise times sqrt 2. The noise is stated by the user; or measured by rows that
//! repeat a configuration under different seeds, pooled within each; or by rows whose descriptions speak of another seed
//! and of nothing else, where no column that may be a setting differs. Repeats on one seed measure none; repeats whose
//! seeds nobody knows may call a gain noise, and no gain more than noise. With its degrees of freedom it gives a one-sided Student t p-value. Where nothing tells how large
//! the noise is, there is no verdict.
//!
//! A kept row was kept because it looked good. So every row that was tried counts, not just those kept: the adjusted
//! p-value bounds how often the luckiest of all tries would do as well, if none did anything. Given the noise it is
//! Bonferroni's, which needs no independence (gains share runs: each kept row is the reference of the next); its
//! expectation over the uncertainty of the noise is taken once for all tries rather than once for each, since they share
//! it. At few degrees of freedom that is far less severe than Bonferroni's or Holm's (1979) adjustment of the t p-values;
//! at many it is Bonferroni's. The false discovery rate (Benjamini & Hochberg 1995) would be kinder to long lists, and
//! needs a kind of dependence that gains over a shared, moving reference do not have.
//!
//! A log that is newest first is read from its end, where a column of times or a counter says so, or where the row called
//! the baseline is the last; the report says when. Where the kept rows contradict the name of the metric and nothing
//! else tells the order, there is no verdict until the direction is stated.
//!
//! What is no search is refused: the steps of a single run, and a column that is named like the metric but holds no numbers.
//!
//! "Within noise" is said only with three degrees of freedom or more, and only of a gain that would be within noise even
//! if its standard deviation were at the lower end of what the repeats leave possible.

mod chance;
mod columns;
mod curve;
mod delimited;
mod entries;
mod error;
mod json;
mod judge;
mod names;
mod noise;
mod number;
mod options;
mod order;
mod paragraph;
mod repeats;
mod report;
mod status;
mod stored;
mod table;
mod units;
mod verdict;
mod wording;
mod write;

pub use columns::{Columns, Guess, Sureness};
pub use error::AuditError;
pub use noise::{NoiseSource, RepeatedRows, RunNoise};
pub use options::Audit;
pub use repeats::SeedsOfRepeat;
pub use report::{AuditReport, Counts, Total};
pub use stored::store;
pub use table::{Format, Unreadable};
pub use verdict::{AuditedRow, Undecided, Verdict};

use std::path::Path;

/// Audits a log in a file, with everything guessed; see [`Audit::file`] for saying what it is.
///
/// # Errors
/// As [`Audit::file`] and [`Audit::run`].
pub fn file(path: impl AsRef<Path>) -> Result<AuditReport, AuditError> {
    Audit::file(path)?.run()
}

/// Audits a log in memory, with everything guessed.
///
/// # Errors
/// As [`Audit::run`].
pub fn text(log: impl AsRef<[u8]>) -> Result<AuditReport, AuditError> {
    Audit::text(log).run()
}
