//! What can be wrong with a corpus.

use super::SplitName;
use std::path::PathBuf;

/// Why a corpus cannot be read or split.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing to read.
    #[error(
        "no documents in {}: .txt, .jsonl and .parquet files that hold text are read, {others} other or empty files were seen",
        path.display()
    )]
    NoDocuments {
        /// Where it was looked for.
        path: PathBuf,
        /// Files that are of another kind, or empty.
        others: usize,
    },
    /// A text in another encoding.
    #[error(
        "{} is not UTF-8 at byte {offset}: convert it (iconv -f latin1 -t utf-8) or move it out of the folder",
        path.display()
    )]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first byte that is not UTF-8.
        offset: usize,
    },
    /// A line of a `.jsonl` file that is not an object with a text.
    #[error("{}:{line}: {reason}; every line must be a JSON object with the text in the field {field:?}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the JSON parser said.
        reason: String,
        /// The field that was to hold the text.
        field: String,
    },
    /// A `.parquet` file that is damaged or has no texts where they are looked for.
    #[error("{}{}: {reason}", path.display(), row.map(|row| format!(", row {row}")).unwrap_or_default())]
    Row {
        /// The file.
        path: PathBuf,
        /// The row, from 1; `None`: it is not about one row.
        row: Option<u64>,
        /// What is wrong.
        reason: String,
    },
    /// The file that holds the texts of a corpus larger than memory.
    #[error("cannot keep texts in the scratch folder {}: {source}; is there room, and may it be written?", folder.display())]
    Scratch {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Fractions that are no fractions.
    #[error("{0}; validation, holdout and test are fractions from 0 that leave something to train on")]
    Fractions(String),
    /// No document fell to a split that was to have some.
    #[error("the {split} split is empty: of {documents} documents none fell to its {:.0} %; {advice}", 100.0 * fraction)]
    EmptySplit {
        /// Which split.
        split: SplitName,
        /// Documents in the whole corpus.
        documents: usize,
        /// What the split was to get.
        fraction: f64,
        /// What to do about it.
        advice: String,
    },
}
