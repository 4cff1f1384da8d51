//! A history in one SQLite file.

use super::{Seq, Store, StoreError};
use crate::candidate::Candidate;
use crate::state::Event;
use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Marks a SQLite file as ours: "aurs".
const APPLICATION: i64 = 0x6175_7273;
/// The newest schema that this code knows.
const SCHEMA: i64 = 1;

/// A durable history in one SQLite file.
///
/// WAL with `synchronous=FULL`: what an append acknowledged survives the death of the process and a loss of power, as
/// far as the disk keeps its word. Events are rows of JSON (`events`: seq, at in milliseconds since 1970, kind, body),
/// so that any tool can read them. One process writes at a time, held by a lock on `FILE.lock` that ends with the
/// process; others read with [`open_read_only`](Self::open_read_only) while the study runs. Keep the file on a local
/// disk: locks and WAL do not work over most network file systems.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let file = folder.path().join("study.db");
/// use autoresearch_core::SqliteStore;
/// let store = SqliteStore::open(&file)?;
/// assert!(SqliteStore::open(&file).is_err()); // one writer
/// let reader = SqliteStore::open_read_only(&file)?;
/// # let _ = (store, reader);
/// # Ok::<(), autoresearch_core::StoreError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SqliteStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Held as long as the store is open for writing.
    lock: Option<File>,
}

impl SqliteStore {
    /// Opens a store for writing; makes the file if there is none.
    ///
    /// # Errors
    /// The folder does not exist or cannot be written to, the file is something else, another process writes to it,
    /// or it was written by a newer version of this library.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_path_buf();
        check_place(&path)?;
        let lock = lock(&path)?;
        let connection = Connection::open(&path).map_err(|e| open_error(&path, e))?;
        let inner = Inner { path, connection: Mutex::new(connection), lock: Some(lock) };
        inner.prepare()?;
        Ok(Self(Arc::new(inner)))
    }

    /// Opens an existing store for reading, also while a study writes to it.
    ///
    /// # Errors
    /// There is no such file, it is something else, or it was written by a newer version of this library.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_path_buf();
        check_place(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(|e| open_error(&path, e))?;
        let inner = Inner { path, connection: Mutex::new(connection), lock: None };
        inner.check_schema()?;
        Ok(Self(Arc::new(inner)))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Runs blocking work on the connection. The work is finished even if the caller goes away, so that no
    /// transaction is left half open.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner, &mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.0);
        let work = move || {
            let mut connection = inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&inner, &mut connection)
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| StoreError::Medium {
            what: "the store's thread ended".into(),
            reason: e.to_string(),
        })?
    }
}

/// Says early and plainly what SQLite would say late and vaguely.
fn check_place(path: &Path) -> Result<(), StoreError> {
    let refuse = |reason: String| Err(StoreError::Open { path: path.into(), reason });
    if path.is_dir() {
        return refuse("it is a folder; name a file".into());
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return refuse(format!("the folder {} does not exist; make it first", parent.display()));
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let refuse = |e: std::io::Error| StoreError::Open {
        path: path.into(),
        reason: format!("cannot make or lock {}: {e}; the folder must be writable", name.display()),
    };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(refuse)?;
    // A child process that is being started holds copies of all locks for a moment: so not at the first refusal.
    for _ in 0..10 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            Err(TryLockError::Error(e)) => return Err(refuse(e)),
        }
    }
    Err(StoreError::InUse { path: path.into() })
}

fn open_error(path: &Path, error: rusqlite::Error) -> StoreError {
    StoreError::Open { path: path.into(), reason: explain(&error) }
}

fn explain(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, NotADatabase, ReadOnly};
    match error.sqlite_error_code() {
        Some(NotADatabase) => "it is not a database; name another file".into(),
        Some(ReadOnly) => "the file is read-only; make it writable, or name another".into(),
        Some(CannotOpen) => format!("{error}; does it exist, and may it be read and written?"),
        Some(DiskFull) => "the disk is full; free some room, then resume the study".into(),
        _ => error.to_string(),
    }
}

impl Inner {
    fn connection(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the file is ours, and of a schema that we know. A new file has neither mark.
    fn check_schema(&self) -> Result<bool, StoreError> {
        let connection = self.connection();
        let pragma = |name: &str| {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .map_err(|e| open_error(&self.path, e))
        };
        let (application, version) = (pragma("application_id")?, pragma("user_version")?);
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
            .map_err(|e| open_error(&self.path, e))?;
        if application != APPLICATION {
            let blank = application == 0 && version == 0 && tables == 0 && self.lock.is_some();
            return if blank { Ok(false) } else { Err(StoreError::Foreign { path: self.path.clone() }) };
        }
        if version > SCHEMA {
            return Err(StoreError::NewerSchema { path: self.path.clone(), found: version, known: SCHEMA });
        }
        Ok(true)
    }

    fn prepare(&self) -> Result<(), StoreError> {
        let known = self.check_schema()?;
        let connection = self.connection();
        let fail = |e| open_error(&self.path, e);
        connection.busy_timeout(Duration::from_secs(10)).map_err(fail)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
        if !known {
            let schema = format!(
                "BEGIN IMMEDIATE;
                 CREATE TABLE events (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, \
                                      body TEXT NOT NULL) STRICT;
                 PRAGMA application_id = {APPLICATION};
                 PRAGMA user_version = {SCHEMA};
                 COMMIT;"
            );
            connection.execute_batch(&schema).map_err(fail)?;
        }
        Ok(())
    }

    fn failed(&self, what: &str) -> impl FnOnce(rusqlite::Error) -> StoreError {
        let what = format!("{what} {}", self.path.display());
        move |e| StoreError::Medium { what, reason: explain(&e) }
    }
}

fn append(
    inner: &Inner,
    connection: &mut Connection,
    expected: Seq,
    rows: &[(&'static str, String)],
) -> Result<Seq, StoreError> {
    if inner.lock.is_none() {
        return Err(StoreError::ReadOnly { path: inner.path.clone() });
    }
    let fail = || inner.failed("cannot write to");
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail())?;
    let last = "SELECT coalesce(max(seq), 0) FROM events";
    let found: i64 = transaction
        .prepare_cached(last)
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .map_err(fail())?;
    let found = Seq(found as u64);
    if found != expected {
        return Err(StoreError::Conflict { expected, found });
    }
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    {
        let insert = "INSERT INTO events (seq, at, kind, body) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = transaction.prepare_cached(insert).map_err(fail())?;
        for (seq, (kind, body)) in (found.0 as i64 + 1..).zip(rows) {
            insert.execute(params![seq, at, kind, body]).map_err(fail())?;
        }
    }
    transaction.commit().map_err(fail())?;
    Ok(Seq(found.0 + rows.len() as u64))
}

fn read(
    inner: &Inner,
    connection: &mut Connection,
    from: Seq,
    limit: usize,
) -> Result<Vec<(Seq, String)>, StoreError> {
    let fail = || inner.failed("cannot read");
    let select = "SELECT seq, body FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut select = connection.prepare_cached(select).map_err(fail())?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = select
        .query_map(params![from.0 as i64, limit], |row| Ok((Seq(row.get::<_, i64>(0)? as u64), row.get(1)?)))
        .map_err(fail())?;
    rows.collect::<Result<_, _>>().map_err(fail())
}

#[async_trait]
impl<C: Candidate + Serialize + DeserializeOwned> Store<C> for SqliteStore {
    async fn append(&self, expected: Seq, events: &[Event<C>]) -> Result<Seq, StoreError> {
        let mut rows = Vec::with_capacity(events.len());
        for (i, event) in events.iter().enumerate() {
            let body = serde_json::to_string(event).map_err(|e| StoreError::Corrupt {
                seq: Seq(expected.0 + 1 + i as u64),
                reason: format!("it cannot be written as JSON: {e}"),
            })?;
            rows.push((event.kind(), body));
        }
        self.blocking(move |inner, connection| append(inner, connection, expected, &rows)).await
    }

    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<C>)>, StoreError> {
        let rows = self.blocking(move |inner, connection| read(inner, connection, from, limit)).await?;
        let mut events = Vec::with_capacity(rows.len());
        for (i, (seq, body)) in rows.into_iter().enumerate() {
            let should_be = Seq(from.0 + 1 + i as u64);
            if seq != should_be {
                return Err(StoreError::Corrupt { seq: should_be, reason: "it is missing".into() });
            }
            let event = serde_json::from_str(&body)
                .map_err(|e| StoreError::Corrupt { seq, reason: e.to_string() })?;
            events.push((seq, event));
        }
        Ok(events)
    }

    fn scratch(&self) -> Option<PathBuf> {
        let mut name = self.0.path.as_os_str().to_owned();
        name.push(".runs");
        Some(name.into())
    }
}
