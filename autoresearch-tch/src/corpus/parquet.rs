//! Texts in a column of a parquet file, a document a row.

use super::CorpusError;
use super::read::Sink;
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// Streams the rows of one file: a page at a time is in memory.
pub(super) fn read(path: &Path, column: &str, sink: &mut Sink) -> Result<(), CorpusError> {
    // The crate reports most damage, and panics at some.
    catch_unwind(AssertUnwindSafe(|| rows(path, column, sink))).unwrap_or_else(|_| {
        let reason = "damaged, in a way that the reader of parquet files does not expect".to_string();
        Err(CorpusError::Row { path: path.to_path_buf(), row: None, reason })
    })
}

fn rows(path: &Path, column: &str, sink: &mut Sink) -> Result<(), CorpusError> {
    let bad = |row: Option<u64>, reason: String| CorpusError::Row { path: path.to_path_buf(), row, reason };
    let damaged = |row: Option<u64>| move |error: ParquetError| bad(row, error.to_string());
    let file = File::open(path).map_err(|source| CorpusError::Io { path: path.to_path_buf(), source })?;
    let reader = SerializedFileReader::new(file).map_err(damaged(None))?;

    let schema = reader.metadata().file_metadata().schema();
    let fields = schema.get_fields();
    let Some(field) = fields.iter().find(|field| field.name() == column) else {
        let names: Vec<_> = fields.iter().map(|field| field.name()).collect();
        let reason =
            format!("no column {column:?}; it has {}: name one with CorpusReader::field", names.join(", "));
        return Err(bad(None, reason));
    };
    if !field.is_primitive() || field.get_physical_type() != Physical::BYTE_ARRAY {
        return Err(bad(None, format!("the column {column:?} does not hold texts")));
    }
    let only = Type::group_type_builder(schema.name()).with_fields(vec![Arc::clone(field)]).build();
    let rows = reader.get_row_iter(Some(only.map_err(damaged(None))?)).map_err(damaged(None))?;
    for (index, row) in rows.enumerate() {
        let at = Some(index as u64 + 1);
        let row = row.map_err(damaged(at))?;
        match row.get_column_iter().next() {
            Some((_, Field::Str(text))) => sink.take(text)?,
            // Writers that leave out that bytes are text.
            Some((_, Field::Bytes(bytes))) => match std::str::from_utf8(bytes.data()) {
                Ok(text) => sink.take(text)?,
                Err(error) => return Err(bad(at, format!("not UTF-8: {error}"))),
            },
            _ => return Err(bad(at, format!("no text in the column {column:?}"))),
        }
    }
    Ok(())
}
