//! A study inside another tool: events go to the tool's own file, progress to its own display, and its own stop button
//! ends the study so that it can go on later (`cargo run --example embed_in_tool`).

use autoresearch::{
    Cancellation, Candidate, Event, Guarded, Limits, LocalSearch, Measurement, Notice, ParamSpace, Report,
    Seq, Status, StopReason, Store, StoreError, Study, StudyError, async_trait, evaluator_fn, executor_fn,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// A store of one's own: one JSON object a line. `append` keeps three promises: all of a batch or none of it, nothing if
/// somebody else has written since, and what it acknowledged is on the disk.
struct JsonLines {
    path: PathBuf,
    log: Mutex<Log>,
}

struct Log {
    file: File,
    last: Seq,
    /// Where each line begins, and the last event before it: a page is found without reading what is before it.
    lines: Vec<(u64, Seq)>,
    length: u64,
    /// A failed append left something behind that could not be cut off: nothing may be put after it.
    broken: bool,
}

impl JsonLines {
    /// Opens or makes the file; a line that a crash cut short is cut off, since nobody was told that it was stored.
    fn open(path: impl AsRef<Path>) -> std::io::Result<Self> {
        let path = path.as_ref().to_path_buf();
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        file.try_lock().map_err(|_| std::io::Error::other(format!("{} is in use", path.display())))?;
        let (mut length, mut last, mut lines, mut line) = (0, Seq(0), Vec::new(), Vec::new());
        let mut reader = BufReader::new(&mut file);
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            lines.push((length, last));
            length += line.len() as u64;
            // A batch is one line.
            last.0 += serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(&line)?.len() as u64;
            line.clear();
        }
        file.set_len(length)?;
        Ok(Self { path, log: Mutex::new(Log { file, last, lines, length, broken: false }) })
    }

    fn failed(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Io { place: self.path.display().to_string(), source: error.into() }
    }

    fn log(&self) -> Result<MutexGuard<'_, Log>, StoreError> {
        self.log.lock().map_err(|_| self.failed("an earlier append panicked"))
    }
}

#[async_trait]
impl<C: Candidate + Serialize + DeserializeOwned> Store<C> for JsonLines {
    async fn append(&self, expected: Seq, events: &[Event<C>]) -> Result<Seq, StoreError> {
        let mut log = self.log()?;
        if log.broken {
            return Err(self.failed("an earlier append failed half-way; open the file again"));
        }
        if log.last != expected {
            return Err(StoreError::Conflict { expected, found: log.last });
        }
        if events.is_empty() {
            return Ok(log.last);
        }
        let mut line = serde_json::to_vec(events).map_err(|e| self.failed(e))?;
        // What cannot be read back would make the whole study unreadable.
        serde_json::from_slice::<Vec<Event<C>>>(&line).map_err(|e| self.failed(e))?;
        line.push(b'\n');
        if let Err(error) = log.file.write_all(&line).and_then(|()| log.file.sync_data()) {
            // Half a batch must not be read, nor may anything follow it.
            log.broken = log.file.set_len(log.length).and_then(|()| log.file.sync_data()).is_err();
            return Err(self.failed(error));
        }
        let begin = (log.length, log.last);
        log.lines.push(begin);
        log.length += line.len() as u64;
        log.last.0 += events.len() as u64;
        Ok(log.last)
    }

    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<C>)>, StoreError> {
        let mut log = self.log()?;
        // The last line that begins before the first event that is wanted.
        let first = log.lines.partition_point(|(_, before)| *before <= from).saturating_sub(1);
        let Some(&(begin, mut seq)) = log.lines.get(first) else { return Ok(Vec::new()) };
        let whole = log.length - begin;
        log.file.seek(SeekFrom::Start(begin)).map_err(|e| self.failed(e))?;
        let mut found = Vec::new();
        for line in BufReader::new((&log.file).take(whole)).lines() {
            if found.len() >= limit {
                break;
            }
            let line = line.map_err(|e| self.failed(e))?;
            for event in serde_json::from_str::<Vec<Event<C>>>(&line).map_err(|e| self.failed(e))? {
                seq.0 += 1;
                if seq > from && found.len() < limit {
                    found.push((seq, event));
                }
            }
        }
        Ok(found)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Query {
    batch: u32,
    prefetch: u32,
}

/// What the tool optimises: milliseconds of a job, noisy.
async fn measure(query: Query, seed: u64) -> f64 {
    tokio::time::sleep(Duration::from_millis(2)).await;
    let noise = ((seed * 77) as f64 * 12.9898).sin() * 0.5;
    200.0 / f64::from(query.batch).sqrt()
        + 0.05 * f64::from(query.batch)
        + 9.0 / f64::from(1 + query.prefetch)
        + noise
}

/// Tunes until it is done, or until the tool says stop; `store` is where it goes on the next time.
async fn tune(store: JsonLines, stop: &Cancellation) -> Result<Report<Query>, StudyError> {
    let space = ParamSpace::new().int("batch", 1..=512).int("prefetch", 0..=16);
    let show = |notice: &Notice<'_>, status: &Status| {
        if let Notice::Settled { title, fate, .. } = notice {
            println!("  {:>4} runs, {} kept | {fate}: {title}", status.runs, status.kept);
        }
    };
    Study::new(
        Query { batch: 8, prefetch: 0 },
        LocalSearch::over(space),
        executor_fn(|query: Query, run| async move { Ok(measure(query, run.seed).await) }),
        evaluator_fn(|ms: &f64| Ok(Measurement::scalar(*ms)?)),
    )
    .acceptor(Guarded::new())
    .limits(Limits::new().runs(300))
    .store(store)
    .observer(show)
    .cancelled_by(stop) // runs under way are told, given their grace, then dropped
    .in_flight(2)
    .run()
    .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tuning.jsonl");

    // The tool runs the study beside its own work, and its user has had enough after a moment.
    let (stop, store) = (Cancellation::new(), JsonLines::open(&file)?);
    let pressed = stop.clone();
    let tuning = tokio::spawn(async move { tune(store, &pressed).await });
    tokio::time::sleep(Duration::from_millis(150)).await;
    stop.cancel();
    let report = tuning.await??;
    println!("stopped after {} runs: {}", report.runs, report.stopped);

    // Another day: the same file, the same study.
    let report = tune(JsonLines::open(&file)?, &Cancellation::new()).await?;
    println!("{report}best: {:?}", report.certified());
    assert_ne!(report.stopped, StopReason::Cancelled);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoresearch_core::testkit;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_store_keeps_its_promises() {
        let folder = tempfile::tempdir().expect("a folder");
        let count = std::cell::Cell::new(0);
        testkit::conformance::store(|| {
            count.set(count.get() + 1);
            JsonLines::open(folder.path().join(count.get().to_string())).expect("a new file")
        })
        .await;
    }

    #[tokio::test]
    async fn a_line_cut_short_was_never_stored() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let store = JsonLines::open(&path).expect("a new file");
        let batch = [Event::<f64>::Exhausted, Event::Exhausted];
        assert_eq!(store.append(Seq(0), &batch).await.expect("stored"), Seq(2));
        assert!(JsonLines::open(&path).is_err(), "one writer at a time");
        drop(store);
        let mut text = std::fs::read(&path).expect("there");
        text.extend(b"[{\"event\":\"exhau");
        std::fs::write(&path, text).expect("writable");
        let store = JsonLines::open(&path).expect("it opens");
        let all: Vec<(Seq, Event<f64>)> = store.read(Seq(0), 9).await.expect("readable");
        assert_eq!(all.len(), 2);
    }

    /// What of an append was written cannot be cut off: a later one must not be acknowledged after it.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn after_half_a_line_that_stays_nothing_is_acknowledged() {
        let full = OpenOptions::new().append(true).open("/dev/full").expect("a device that is always full");
        let log = Log { file: full, last: Seq(0), lines: Vec::new(), length: 0, broken: false };
        let store = JsonLines { path: "/dev/full".into(), log: Mutex::new(log) };
        let append = || store.append(Seq(0), &[Event::<f64>::Exhausted]);
        assert!(append().await.is_err_and(|e| !e.is_conflict()));
        // Room again.
        let folder = tempfile::tempdir().expect("a folder");
        store.log().expect("no panic").file = File::create(folder.path().join("log")).expect("a file");
        let error = append().await.expect_err("it is poisoned");
        assert!(format!("{error:?}").contains("open the file again"), "{error:?}");
    }

    /// JSON has no word for infinity, so that it would not come back.
    #[tokio::test]
    async fn what_cannot_be_read_back_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = JsonLines::open(folder.path().join("log")).expect("a new file");
        let event = Event::<f64>::Charged(autoresearch::Charge::new(f64::INFINITY, "a run"));
        assert!(store.append(Seq(0), &[event]).await.is_err());
        assert_eq!(store.append(Seq(0), &[Event::<f64>::Exhausted]).await.expect("stored"), Seq(1));
    }
}
