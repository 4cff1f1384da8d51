//! The report of a study.

use crate::data::{Data, Fold};
use crate::error::{ReportError, write};
use crate::page;
use crate::source::{Source, entry};
use crate::summary::Summary;
use crate::{chart, markdown, tsv};
use autoresearch_core::{Candidate, Certified, CheckReport, Seq, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// What is known of a study, ready to be written down: as a page, pictures, a summary, a table, JSON.
///
/// It is made from a store's events, whatever its candidates are and however far the study is: finished, running in this
/// or another process, or killed.
///
/// ```no_run
/// use autoresearch_core::SqliteStore;
/// use autoresearch_report::Report;
/// let store = SqliteStore::open_read_only("study.db")?;
/// Report::of(&store)?.write_html("report.html")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Report {
    data: Data,
    title: Option<String>,
    certificate: Option<Certified<Value>>,
    checks: CheckReport,
    /// When the store was read, in milliseconds since 1970.
    read: Option<i64>,
}

/// The time of day.
pub(crate) fn now() -> Option<i64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

impl Report {
    /// Of a store: [`SqliteStore`](autoresearch_core::SqliteStore), [`MemoryStore`](autoresearch_core::MemoryStore), or the
    /// path of a study's file. Other stores: [`read`](Self::read).
    ///
    /// # Errors
    /// The store cannot be opened, or not be read at all. One that breaks off in the middle gives a report that says so; but of
    /// a file of more than about 500 pages (2 MB) that was cut off before page 520 nothing can be read: that is where the pages
    /// are by which SQLite finds the others.
    pub fn of(source: &(impl Source + ?Sized)) -> Result<Self, ReportError> {
        let mut fold = Fold::new();
        let read = source.events(0, &mut |entry| fold.take(entry));
        match read {
            Err(error) if fold.last() == 0 => return Err(error),
            Err(error) => fold.damaged(&error.to_string()),
            Ok(()) => {}
        }
        Ok(Self { read: now(), ..Self::new(fold.data()) })
    }

    /// Of the study in the file at `path`.
    ///
    /// # Errors
    /// As for [`of`](Self::of).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReportError> {
        Self::of(path.as_ref())
    }

    /// Of any store whose candidates can be written as JSON.
    ///
    /// # Errors
    /// The store cannot be read at all.
    ///
    /// # Cancel safety
    /// It only reads.
    pub async fn read<C: Candidate + Serialize>(
        store: &(impl Store<C> + ?Sized),
    ) -> Result<Self, ReportError> {
        let mut fold = Fold::new();
        loop {
            match store.read(Seq(fold.last()), 1024).await {
                Ok(page) if page.is_empty() => break,
                Ok(page) => page.iter().for_each(|(seq, event)| fold.take(entry(*seq, event))),
                Err(error) if fold.last() == 0 => return Err(error.into()),
                Err(error) => {
                    fold.damaged(&error.to_string());
                    break;
                }
            }
        }
        Ok(Self { read: now(), ..Self::new(fold.data()) })
    }

    /// Of data that were gathered in another way.
    pub fn new(data: Data) -> Self {
        let checks = data.checks.clone();
        Self { data, title: None, certificate: None, checks, read: None }
    }

    /// Says when the store was read, in milliseconds since 1970 (UTC): the summary of a study that has not stopped sets the age
    /// of its last event beside how often there were any. [`of`](Self::of), [`open`](Self::open) and [`read`](Self::read) say
    /// that it is now.
    #[must_use]
    pub fn read_at(mut self, millis: i64) -> Self {
        self.read = Some(millis);
        self
    }

    /// What stands above it; else the study's identifier.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = Some(crate::text::line(&title.into(), 200));
        self
    }

    /// Adds what certification found: leave-one-out and transfer.
    #[must_use]
    pub fn certified<C: Serialize>(mut self, certified: &Certified<C>) -> Self {
        self.certificate = serde_json::to_value(certified).and_then(Certified::deserialize).ok();
        self
    }

    /// Takes what the overfitting checks found from the study's own report
    /// ([`Report::checks`](autoresearch_core::Report::checks)) instead of reckoning it from the stored events: that has the gap
    /// between validation and holdout, of which no number is stored. With `None`, the checks were off, it is left as it is.
    #[must_use]
    pub fn checked<'a>(mut self, checks: impl Into<Option<&'a CheckReport>>) -> Self {
        if let Some(checks) = checks.into() {
            self.checks = checks.clone();
        }
        self
    }

    /// What is shown, as plain data.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The study in plain words.
    pub fn in_short(&self) -> Summary {
        Summary::with(&self.data, self.certificate.as_ref(), &self.checks, self.read)
    }

    pub(crate) fn title(&self) -> String {
        match (&self.title, &self.data.study) {
            (Some(title), _) => title.clone(),
            (None, Some(study)) => format!("Study {}", study.id),
            (None, None) => "A study".into(),
        }
    }

    pub(crate) fn certificate(&self) -> Option<&Certified<Value>> {
        self.certificate.as_ref()
    }

    pub(crate) fn checks(&self) -> &CheckReport {
        &self.checks
    }

    /// The page: one HTML file with everything in it, for light and dark, screen and paper. It loads nothing.
    pub fn html(&self) -> String {
        page::page(self)
    }

    /// The chart of the progress as an SVG file of its own.
    pub fn progress_svg(&self) -> String {
        let svg = chart::progress::progress(&self.data, chart::progress::Along::Runs, chart::Width::Broad);
        let keys = if svg.is_some() { chart::legend::keys(&self.data) } else { Vec::new() };
        let svg = svg.unwrap_or_else(|| {
            chart::frame::picture(
                chart::progress::SIZE,
                "No run has ended yet.",
                &maud::html! {
                    text x="430" y="180" text-anchor="middle" { "No run has ended yet." }
                },
            )
        });
        let title = crate::text::straight(&self.title());
        chart::frame::standalone(&svg, &title, chart::progress::SIZE, &keys, &chart::standalone_style())
    }

    /// The same as a PNG file, twice as large.
    ///
    /// # Errors
    /// The chart cannot be drawn.
    #[cfg(feature = "png")]
    pub fn progress_png(&self) -> Result<Vec<u8>, ReportError> {
        crate::png::png(&self.progress_svg(), 2.0)
    }

    /// The summary and the table of kept edits as Markdown.
    pub fn summary(&self) -> String {
        markdown::summary(self)
    }

    /// The table of the published autoresearch logs: see [`results_tsv`](autoresearch_core::results_tsv). `metric` names
    /// the column of the objective. What was settled more than once has its last line.
    pub fn results_tsv(&self, metric: &str) -> String {
        tsv::results(&self.data, metric)
    }

    /// Everything that is shown as JSON, for other tools: [`Data`], and beside its fields `summary` ([`Summary`]), `checks`, and
    /// `certified` where it was given. It ends with a line end.
    ///
    /// # Errors
    /// None that is known of: every number in it is finite or left out.
    pub fn json(&self) -> Result<String, ReportError> {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            data: &'a Data,
            summary: Summary,
            #[serde(skip_serializing_if = "Option::is_none")]
            certified: Option<&'a Certified<Value>>,
            checks: &'a CheckReport,
        }
        let (certified, checks) = (self.certificate(), self.checks());
        let text =
            serde_json::to_string(&Whole { data: &self.data, summary: self.in_short(), certified, checks });
        text.map(|text| text + "\n").map_err(|error| ReportError::Json(error.to_string()))
    }

    /// Writes [`html`](Self::html) to a file. Whoever reads it meanwhile sees the old one or the new one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_html(&self, path: impl AsRef<Path>) -> Result<(), ReportError> {
        write(path.as_ref(), self.html().as_bytes())
    }

    /// Writes `report.html`, `report.json`, `progress.svg`, `progress.png` (feature `png`), `summary.md` and `results.tsv`
    /// into a folder, which is made if it is not there.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_all(&self, folder: impl AsRef<Path>) -> Result<(), ReportError> {
        let folder = folder.as_ref();
        let failed = |source| ReportError::Write { path: folder.into(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        self.write_html(folder.join("report.html"))?;
        write(&folder.join("report.json"), self.json()?.as_bytes())?;
        write(&folder.join("progress.svg"), self.progress_svg().as_bytes())?;
        #[cfg(feature = "png")]
        write(&folder.join("progress.png"), &self.progress_png()?)?;
        write(&folder.join("summary.md"), self.summary().as_bytes())?;
        write(&folder.join("results.tsv"), self.results_tsv("objective").as_bytes())
    }
}
