//! Where events come from: a store's file or memory, whatever its candidates are.

use crate::error::ReportError;
use autoresearch_core::{Candidate, Event, MemoryStore, Seq, SqliteStore, Store, StoreError};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// An event as it is stored.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was stored, in milliseconds since 1970 (UTC), where the store knows.
    pub at: Option<i64>,
    /// What it says, its candidates as JSON; or why it cannot be understood.
    pub event: Result<Event<Value>, String>,
}

/// Something that a report can be made of.
pub trait Source {
    /// The events after number `after`, oldest first, handed to `take` one by one.
    ///
    /// An event that cannot be understood is handed over as such and is no error.
    ///
    /// # Errors
    /// The store as a whole cannot be read.
    fn events(&self, after: u64, take: &mut dyn FnMut(Entry)) -> Result<(), ReportError>;
}

impl<S: Source + ?Sized> Source for &S {
    fn events(&self, after: u64, take: &mut dyn FnMut(Entry)) -> Result<(), ReportError> {
        (**self).events(after, take)
    }
}

/// A study's file, opened for reading only, while a writer may be at work on it: it is neither slowed nor locked out.
impl Source for SqliteStore {
    fn events(&self, after: u64, take: &mut dyn FnMut(Entry)) -> Result<(), ReportError> {
        StudyFile::at(self.path())?.events(after, take)
    }
}

impl Source for Path {
    fn events(&self, after: u64, take: &mut dyn FnMut(Entry)) -> Result<(), ReportError> {
        StudyFile::open(self)?.events(after, take)
    }
}

impl<C: Candidate + Serialize> Source for MemoryStore<C> {
    fn events(&self, after: u64, take: &mut dyn FnMut(Entry)) -> Result<(), ReportError> {
        let mut reading = pin!(self.read(Seq(after), usize::MAX));
        // What is in memory is there at once.
        let events = match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(events) => events?,
            Poll::Pending => Vec::new(),
        };
        for (seq, event) in events {
            take(entry(seq, &event));
        }
        Ok(())
    }
}

/// An event of any candidate that can be written as JSON.
pub(crate) fn entry<C: Serialize>(seq: Seq, event: &Event<C>) -> Entry {
    let event = serde_json::to_value(event).and_then(serde_json::from_value::<Event<Value>>);
    Entry { seq: seq.0, at: None, event: event.map_err(|error| error.to_string()) }
}

/// A study's file, held open for reading.
pub(crate) struct StudyFile {
    path: PathBuf,
    connection: Connection,
}

/// One connection, one thread, no writing.
const READING: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// SQLite's write-ahead log of a file.
fn log(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// How many events are read in one transaction: a long one would keep the writer's log from being folded back.
const PAGE: i64 = 512;

impl StudyFile {
    /// Opens what the core takes for a study.
    pub(crate) fn open(path: &Path) -> Result<Self, ReportError> {
        let tidy = Self::tidy(path);
        // Its checks and its messages: is it there, is it a study, is it too new.
        match (SqliteStore::open_read_only(path), tidy) {
            (Ok(_), Some(connection)) => Self::sound(path, connection),
            (Ok(store), None) => Self::at(store.path()),
            (Err(refused), _) => Self::despite(path, &refused).ok_or_else(|| refused.into()),
        }
    }

    /// A connection that leaves nothing behind, where there is nothing in the log. To read, SQLite makes a log and its index beside the
    /// file, and takes them away when the last connection is closed that could write, which one for reading alone is not. This
    /// one could, and is told not to; it is asked for nothing before the core has found that this is a study.
    fn tidy(path: &Path) -> Option<Connection> {
        let real = path.canonicalize().ok()?;
        if log(&real).metadata().is_ok_and(|log| log.len() > 0) {
            return None; // a writer's, or of one that was killed: to be left as it is
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
        let connection = Connection::open_with_flags(&real, flags).ok()?;
        connection.pragma_update(None, "query_only", true).ok()?;
        Some(connection)
    }

    /// A study that was cut off, or that lies where nothing can be written: a writer cannot go on with it, and what is there
    /// can be read. `None`: it is refused for another reason, or is no study.
    fn despite(path: &Path, refused: &StoreError) -> Option<Self> {
        let StoreError::Open { source: Some(source), .. } = refused else { return None };
        let code = source.downcast_ref::<rusqlite::Error>()?.sqlite_error_code()?;
        let connection = match code {
            ErrorCode::DatabaseCorrupt => {
                let connection = Connection::open_with_flags(path, READING).ok()?;
                // Else a file that is shorter than its header says is refused as a whole.
                connection.execute_batch("PRAGMA writable_schema = ON").ok()?;
                connection
            }
            // Without a log nobody writes, and all is in the file itself.
            ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied
                if !log(path).exists() =>
            {
                let escaped = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                let flags = READING | OpenFlags::SQLITE_OPEN_URI;
                Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).ok()?
            }
            _ => return None,
        };
        let this = Self::of(path, connection).ok()?;
        let header = |name| this.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).ok();
        // "ARSH", and the version of tables that is known.
        (header("application_id")? == 0x4152_5348 && header("user_version")? <= 1).then_some(this)
    }

    fn at(path: &Path) -> Result<Self, ReportError> {
        let failed = |source| ReportError::Read { path: path.into(), source };
        Self::sound(path, Connection::open_with_flags(path, READING).map_err(failed)?)
    }

    /// A file that nothing is wrong with.
    fn sound(path: &Path, connection: Connection) -> Result<Self, ReportError> {
        let failed = |source| ReportError::Read { path: path.into(), source };
        let config = rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE;
        connection.set_db_config(config, true).map_err(failed)?;
        Self::of(path, connection)
    }

    fn of(path: &Path, connection: Connection) -> Result<Self, ReportError> {
        let failed = |source| ReportError::Read { path: path.into(), source };
        connection.busy_timeout(Duration::from_secs(10)).map_err(failed)?;
        // A stored study is data: nothing in the file may run.
        let config = rusqlite::config::DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA;
        connection.set_db_config(config, false).map_err(failed)?;
        Ok(Self { path: path.into(), connection })
    }

    fn page(&self, after: i64, take: &mut dyn FnMut(Entry)) -> rusqlite::Result<Option<i64>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, at, body FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
        let mut rows = statement.query((after, PAGE))?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(0)?;
            let body = row.get_ref(2)?.as_str().map_err(|error| error.to_string());
            let event = body.and_then(|body| serde_json::from_str(body).map_err(|error| error.to_string()));
            take(Entry { seq: seq.unsigned_abs(), at: row.get(1).ok(), event });
            last = Some(seq);
        }
        Ok(last)
    }
}

impl Source for StudyFile {
    fn events(&self, after: u64, take: &mut dyn FnMut(Entry)) -> Result<(), ReportError> {
        let mut after = i64::try_from(after).unwrap_or(i64::MAX);
        loop {
            let page = self.page(after, take);
            match page.map_err(|source| ReportError::Read { path: self.path.clone(), source })? {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}
