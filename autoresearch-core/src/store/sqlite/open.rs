//! Finding, checking and locking a study's file.
//!
//! The database file itself is opened by SQLite alone: closing any other handle to it would drop the locks that SQLite
//! holds on it in this process (POSIX advisory locks).

use crate::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::error::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// In the file's header, so that `file` and SQLite tell a study from another program's database: "ARSH".
const APPLICATION: u32 = 0x4152_5348;
/// `user_version` in the file's header.
const SCHEMA: u32 = 1;
/// How long SQLite waits for another program's transaction.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an open waits for the lock: an append whose future was dropped may still be ending.
const GRACE: Duration = Duration::from_millis(500);

/// What is in a file.
enum Content {
    Nothing,
    Study,
}

pub(super) fn for_writing(path: &Path) -> Result<(PathBuf, Connection, File), StoreError> {
    let path = place(path)?;
    let failed = |error| explain(&path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connect(&path, flags)?;
    if connection.is_readonly("main").map_err(failed)? {
        let reason = "the file cannot be written; change its permissions, or open it read-only";
        return Err(refusal(&path, reason, None));
    }
    // Before anything is written, even beside the file: it may be another program's.
    identify(&path, &connection)?;
    let lock = lock(&path)?;
    // Again, now that no other writer can change it.
    let content = identify(&path, &connection)?;
    let journal: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(failed)?;
    if journal != "wal" {
        let reason = "its file system allows no write-ahead log; put it on a local disk";
        return Err(refusal(&path, reason, None));
    }
    if matches!(content, Content::Nothing) {
        create(&mut connection).map_err(failed)?;
        sync_folder(&path)?;
    }
    Ok((path, connection, lock))
}

pub(super) fn for_reading(path: &Path) -> Result<(PathBuf, Connection), StoreError> {
    let path = place(path)?;
    if !path.exists() {
        let reason = "there is no such file, and opening it read-only does not create one";
        return Err(refusal(&path, reason, None));
    }
    let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if matches!(identify(&path, &connection)?, Content::Nothing) {
        return Err(refusal(&path, "there is no study in it yet", None));
    }
    Ok((path, connection))
}

/// `path` with an ending added to its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

pub(super) fn refusal(path: &Path, reason: &str, source: Option<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Open { path: path.into(), reason: reason.into(), source }
}

pub(super) fn explain(path: &Path, error: rusqlite::Error) -> StoreError {
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => return StoreError::Full { place: path.display().to_string() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            return StoreError::Busy { place: path.display().to_string() };
        }
        Some(ErrorCode::NotADatabase) => "it is not an SQLite database; is it the right file?".into(),
        Some(ErrorCode::DatabaseCorrupt) => {
            format!("the database is damaged ({error}); restore it from a copy")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            format!(
                "{error}; file and folder must be writable, as SQLite keeps its write-ahead log beside the file"
            )
        }
        _ => error.to_string(),
    };
    refusal(path, &reason, Some(error.into()))
}

/// The path without links, so that all names of a file lead to the same lock.
fn place(path: &Path) -> Result<PathBuf, StoreError> {
    let path = without_links(path)?;
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let log = beside(&path, "-wal");
    // SQLite would take the file for a new database, and delete the log.
    if size(&path) == 0 && size(&log) > 0 {
        let reason = format!(
            "it is missing or empty, and its write-ahead log {} is not: the study was moved or restored without its \
             database. Bring the two together again; to begin a new study, take the log away or choose another name",
            log.display()
        );
        return Err(refusal(&path, &reason, None));
    }
    Ok(path)
}

fn without_links(path: &Path) -> Result<PathBuf, StoreError> {
    let unusable = |error: std::io::Error| refusal(path, &error.to_string(), Some(error.into()));
    let no_name = || refusal(path, "this names no file", None);
    let name = path.file_name().ok_or_else(no_name)?;
    let whole = std::path::absolute(path).map_err(unusable)?;
    match std::fs::metadata(&whole) {
        Ok(meta) if meta.is_dir() => Err(refusal(path, "it is a directory; name a file in it", None)),
        Ok(meta) if !meta.is_file() => Err(refusal(path, "it is not a regular file", None)),
        Ok(_) => whole.canonicalize().map_err(unusable),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unusable(error)),
        Err(_) if whole.is_symlink() => {
            Err(refusal(path, "it is a link to a file that does not exist; name that file itself", None))
        }
        Err(_) => {
            let folder = whole.parent().ok_or_else(no_name)?;
            let found = folder.canonicalize().map_err(|error| {
                let reason = format!("its folder {} does not exist; create it first", folder.display());
                refusal(path, &reason, Some(error.into()))
            })?;
            Ok(found.join(name))
        }
    }
}

/// Opens the file without writing to it; the path is absolute, so that no name (`:memory:`) has a second meaning.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let open = || {
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(PATIENCE)?;
        // A stored study is data: nothing in the file may run.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Where a plain fsync stops at the disk's cache (macOS); elsewhere they do nothing.
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        Ok(connection)
    };
    open().map_err(|error| explain(path, error))
}

fn identify(path: &Path, connection: &Connection) -> Result<Content, StoreError> {
    let header = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let look = || {
        let tables =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok((header("application_id")?.cast_unsigned(), header("user_version")?.cast_unsigned(), tables))
    };
    match look().map_err(|error| explain(path, error))? {
        (APPLICATION, SCHEMA, _) => Ok(Content::Study),
        (APPLICATION, found, _) if found > SCHEMA => {
            Err(StoreError::NewerSchema { path: path.into(), found, known: SCHEMA })
        }
        (0, 0, 0) => Ok(Content::Nothing),
        _ => Err(refusal(path, "it is a database of another program; nothing was written to it", None)),
    }
}

/// Takes the lock that keeps other writers out. The system lets it go when the process dies; the file stays, because
/// deleting it would let two writers lock two files of one name.
fn lock(path: &Path) -> Result<File, StoreError> {
    let name = beside(path, ".lock");
    let unusable = |error: std::io::Error| {
        let reason = format!("cannot lock {}: {error}; the folder must be writable", name.display());
        refusal(path, &reason, Some(error.into()))
    };
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(false).open(&name).map_err(unusable)?;
    let asked = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if asked.elapsed() < GRACE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(&name).ok().and_then(|text| text.trim().parse().ok());
                return Err(StoreError::Locked { path: path.into(), lock: name, holder });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
    }
    // Only for the other writer's error message: the lock holds without it, on a full disk too.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// All of the schema or nothing, header included.
fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "application_id", APPLICATION.cast_signed())?;
    transaction.pragma_update(None, "user_version", SCHEMA.cast_signed())?;
    transaction.execute_batch(
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
         -- `at`: milliseconds since 1970, UTC; `body`: JSON
         CREATE TABLE events (
             seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
         ) STRICT;",
    )?;
    let facts = [("schema", SCHEMA.to_string()), ("created_by", env!("CARGO_PKG_VERSION").into())];
    for (key, value) in facts {
        transaction.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", (key, value))?;
    }
    transaction.commit()
}

/// Makes the new file's name survive a power failure too.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let synced = match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder).and_then(|folder| folder.sync_all()),
        _ => Ok(()),
    };
    synced.map_err(|error| StoreError::Io { place: path.display().to_string(), source: error.into() })
}
