//! Events in one SQLite file: `open` finds, checks and locks the file, this reads and writes it, `backup` copies it.

mod backup;
mod open;

use super::{Seq, Store, StoreError};
use crate::candidate::Candidate;
use crate::state::Event;
use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Mutex;

/// Keeps a study's events in one SQLite file.
///
/// When an append returns, its events survive the death of the process and, as far as the disk keeps its promises, a
/// power failure (write-ahead log, `synchronous=FULL`: about one fsync an append).
///
/// One writer at a time: [`open`](Self::open) takes a lock that vanishes with the process, however it dies. Other
/// processes may read meanwhile ([`open_read_only`](Self::open_read_only), or any SQLite tool). Clones share the one
/// connection. Keep the file on a local disk: SQLite's write-ahead log does not work across the machines of a network
/// file system.
///
/// Beside `study.db` there may be `study.db-wal` and `study.db-shm` (SQLite's; they belong to the database: what is in
/// the log alone is missing in a copy without it, and a copy made while the writer works may not be readable, so make
/// it with [`backup_to`](Self::backup_to) or `sqlite3 study.db ".backup copy.db"`), `study.db.lock` (empty but for the writer's process number)
/// and the folder `study.db.runs` (where runs keep their files).
///
/// Its calls need a tokio runtime.
///
/// ```
/// use autoresearch_core::{Event, Seq, SqliteStore, Store};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("study.db");
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = SqliteStore::open(&path)?;
/// store.append(Seq(0), &[Event::<f64>::Exhausted]).await?;
/// drop(store);
/// let stored: Vec<(Seq, Event<f64>)> = SqliteStore::open_read_only(&path)?.read(Seq(0), 100).await?;
/// assert_eq!(stored, [(Seq(1), Event::Exhausted)]);
/// # Ok::<(), autoresearch_core::StoreError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    path: Arc<Path>,
    writes: bool,
    database: Arc<Mutex<Database>>,
}

/// An open file. The connection is closed before the lock is let go.
struct Database {
    connection: Connection,
    _lock: Option<File>,
}

/// An event as it is stored.
struct Row {
    kind: &'static str,
    body: String,
}

impl SqliteStore {
    /// Opens the file for writing and creates it if it does not exist; its folder must exist.
    ///
    /// Opening and dropping do blocking input and output, for milliseconds; a store that another writer holds is
    /// waited for, for half a second.
    ///
    /// # Errors
    /// [`Locked`](StoreError::Locked): another writer has it open. [`Open`](StoreError::Open): the folder is missing,
    /// file or folder cannot be written, it is a directory, not a database, or another program's database.
    /// [`NewerSchema`](StoreError::NewerSchema): a later version of this library wrote it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let (path, connection, lock) = open::for_writing(path.as_ref())?;
        Ok(Self::new(path, connection, Some(lock)))
    }

    /// Opens the file for reading, while a writer may be at work on it. Appending to it is refused.
    ///
    /// Each read sees what has been appended by then. SQLite keeps its index of the write-ahead log beside the file,
    /// so the folder must be writable unless a writer is at work.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and if there is no such file or no study in it; never
    /// [`Locked`](StoreError::Locked).
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let (path, connection) = open::for_reading(path.as_ref())?;
        Ok(Self::new(path, connection, None))
    }

    /// Writes a copy of the study, as it is now, into a new file: one file that can be opened, moved and kept, while
    /// the writer goes on. The runs' folders are not copied; a study resumed from the copy makes again what it needs
    /// of them.
    ///
    /// The copy is made under the name `path` with `.partial` added, synced, and gets its name when it is whole.
    ///
    /// # Errors
    /// [`Open`](StoreError::Open): there is such a file already, or its folder is missing or cannot be written.
    /// [`Full`](StoreError::Full): there is no room for it.
    ///
    /// # Cancel safety
    /// A dropped future does not stop the copying: the file appears whole, or not at all.
    pub async fn backup_to(&self, path: impl AsRef<Path>) -> Result<(), StoreError> {
        let (from, to) = (Arc::clone(&self.path), path.as_ref().to_path_buf());
        match tokio::task::spawn_blocking(move || backup::copy(&from, &to)).await {
            Ok(result) => result,
            Err(lost) if lost.is_panic() => std::panic::resume_unwind(lost.into_panic()),
            Err(lost) => Err(StoreError::Io { place: self.place(), source: lost.into() }),
        }
    }

    fn new(path: PathBuf, connection: Connection, lock: Option<File>) -> Self {
        let writes = lock.is_some();
        let database = Arc::new(Mutex::new(Database { connection, _lock: lock }));
        Self { path: path.into(), writes, database }
    }

    /// The file, as an absolute path without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// Runs `work` where blocking is allowed. Whoever drops the future while it runs does not stop it, and the
    /// connection stays taken until it ends: a later call sees its outcome.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut database = Arc::clone(&self.database).lock_owned().await;
        match tokio::task::spawn_blocking(move || work(&mut database.connection)).await {
            Ok(result) => result,
            Err(lost) if lost.is_panic() => std::panic::resume_unwind(lost.into_panic()),
            Err(lost) => Err(StoreError::Io { place: self.place(), source: lost.into() }),
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<C: Candidate + Serialize + DeserializeOwned> Store<C> for SqliteStore {
    async fn append(&self, expected: Seq, events: &[Event<C>]) -> Result<Seq, StoreError> {
        let place = self.place();
        if !self.writes {
            return Err(StoreError::ReadOnly { place });
        }
        let rows = events.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        self.blocking(move |connection| {
            insert(connection, expected, &rows)
                .map_err(|error| failure(place, error))?
                .map_err(|found| StoreError::Conflict { expected, found })
        })
        .await
    }

    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<C>)>, StoreError> {
        let place = self.place();
        self.blocking(move |connection| select(connection, from, limit, &place)).await
    }

    fn scratch(&self) -> Option<PathBuf> {
        Some(open::beside(&self.path, ".runs"))
    }
}

/// What cannot be read back must not be written: it would make the whole study unreadable.
fn encode<C: Serialize + DeserializeOwned>(event: &Event<C>) -> Result<Row, StoreError> {
    let kind = event.kind();
    let refuse = |error: serde_json::Error| StoreError::Encode { kind, reason: error.to_string() };
    let body = serde_json::to_string(event).map_err(refuse)?;
    serde_json::from_str::<Event<C>>(&body).map_err(refuse)?;
    Ok(Row { kind, body })
}

/// Compare and append in one transaction; the inner error is the last event found.
fn insert(connection: &mut Connection, expected: Seq, rows: &[Row]) -> rusqlite::Result<Result<Seq, Seq>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    // Dropped on every way out but the last, it rolls back.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last: i64 = transaction
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM events")?
        .query_row([], |row| row.get(0))?;
    let found = Seq(last.unsigned_abs());
    if found != expected {
        return Ok(Err(found));
    }
    let mut seq = last;
    {
        let mut statement =
            transaction.prepare_cached("INSERT INTO events (seq, at, kind, body) VALUES (?1, ?2, ?3, ?4)")?;
        for row in rows {
            seq += 1;
            statement.execute(params![seq, now, row.kind, row.body])?;
        }
    }
    transaction.commit()?;
    Ok(Ok(Seq(seq.unsigned_abs())))
}

fn select<C: Candidate + DeserializeOwned>(
    connection: &Connection,
    from: Seq,
    limit: usize,
    place: &str,
) -> Result<Vec<(Seq, Event<C>)>, StoreError> {
    let failed = |error| failure(place.into(), error);
    let (after, limit) =
        (i64::try_from(from.0).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
    let mut statement = connection
        .prepare_cached("SELECT seq, body FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")
        .map_err(failed)?;
    let mut rows = statement.query(params![after, limit]).map_err(failed)?;
    let mut events = Vec::new();
    let mut due = from.0.saturating_add(1);
    while let Some(row) = rows.next().map_err(failed)? {
        let corrupt = |reason: String| StoreError::Corrupt { place: place.into(), seq: Seq(due), reason };
        let seq: i64 = row.get(0).map_err(failed)?;
        if seq.unsigned_abs() != due {
            return Err(corrupt(format!("it is missing, the next one is {seq}")));
        }
        let body = row.get_ref(1).map_err(failed)?.as_str().map_err(|e| corrupt(e.to_string()))?;
        let event = serde_json::from_str(body).map_err(|e| corrupt(e.to_string()))?;
        events.push((Seq(due), event));
        due += 1;
    }
    Ok(events)
}

fn failure(place: String, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { place },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { place },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { place },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { place, source: error.into() }
        }
        _ => StoreError::Io { place, source: error.into() },
    }
}
