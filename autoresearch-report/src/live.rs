//! The page of a study that runs, on 127.0.0.1, with news as they come.
//!
//! The server reads the study's file as any second process would: it takes no lock that a writer waits for. Events are
//! read once; what changed of the page is what is sent.

use crate::data::{Fold, Trial};
use crate::error::ReportError;
use crate::page;
use crate::report::{Report, now};
use crate::source::{Source, StudyFile};
use crate::summary::pace::is_silent;
use crate::text;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures_util::Stream;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How often the store is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// What is said before there is a study.
const WAITING: &str = "waiting for the study";

/// The page as it was at one look.
#[derive(Debug, Clone)]
struct Look {
    /// The number of the last event that is in it.
    number: u64,
    html: String,
    /// Parts of the page by their anchors.
    parts: Vec<(&'static str, Arc<str>)>,
    /// Rows of the table by their numbers.
    rows: Vec<Arc<str>>,
    state: String,
    /// When the last event was stored.
    as_of: Option<String>,
}

/// A server of one study's page, bound and ready.
#[derive(Debug)]
pub struct Live {
    listener: TcpListener,
    path: PathBuf,
}

impl Live {
    /// Binds 127.0.0.1; port 0 takes any that is free. The page is not to be had from other machines.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn bind(study: impl AsRef<Path>, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(Self { listener, path: study.as_ref().into() })
    }

    /// Where it is.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the future is dropped. A study that is not there yet is waited for.
    ///
    /// # Errors
    /// The network fails.
    ///
    /// # Cancel safety
    /// Dropping the future ends the server and closes the file, within a second.
    pub async fn serve(self) -> std::io::Result<()> {
        let (news, look) = watch::channel(Arc::new(Look::waiting()));
        let port = self.address()?.port();
        let path = self.path;
        // It ends when nobody listens any more.
        tokio::task::spawn_blocking(move || watch_file(&path, &news));
        let app = Router::new().route("/", get(front)).route("/events", get(events)).with_state((look, port));
        axum::serve(self.listener, app).await
    }
}

impl Look {
    fn waiting() -> Self {
        Self::of(&Report::new(Fold::new().data()), WAITING.into())
    }

    fn of(report: &Report, state: String) -> Self {
        let (number, many) = (report.data().state.last, page::many(report.data()));
        let members = report.data().stack().map_or(&[][..], |stack| stack.members.as_slice());
        let row = |trial: &Trial| {
            let stacked = members.binary_search(&trial.id).is_ok();
            Arc::from(page::safe(&page::row(trial, many, stacked).to_string()))
        };
        let rows: Vec<Arc<str>> = report.data().proposals.iter().map(row).collect();
        let sections = page::sections(report);
        let html = page::assembled(report, &sections, &format!("[{}]", rows.join(",")), Some(number));
        let parts = sections.into_iter().map(|s| (s.id, Arc::from(s.body.into_string()))).collect();
        let as_of = report.data().state.ended.map(text::date);
        Self { number, html, parts, rows, state, as_of }
    }
}

impl Fold {
    /// How a study is that was just read, in a few words.
    fn pulse(&self, now: Option<i64>) -> String {
        let state = self.state();
        let (Some(now), Some(began), Some(ended), false) = (now, state.began, state.ended, state.stopped)
        else {
            return if state.stopped { "stopped" } else { "live" }.into();
        };
        let seconds = |from: i64, to: i64| to.saturating_sub(from) as f64 / 1000.0;
        let age = seconds(ended, now);
        if is_silent(age, seconds(began, ended) / state.events.saturating_sub(1).max(1) as f64) {
            // To the minute, so that it is told once a minute.
            format!("no event for {}", text::duration((age / 60.0).floor() * 60.0))
        } else {
            "live".into()
        }
    }
}

/// Looks at the file again and again, and tells what is new.
fn watch_file(path: &Path, news: &watch::Sender<Arc<Look>>) {
    let (mut file, mut fold): (Option<StudyFile>, Fold) = (None, Fold::new());
    while !news.is_closed() {
        let (before, began) = (fold.last(), Instant::now());
        let read = (|| -> Result<(), ReportError> {
            let open = match file.take() {
                Some(open) => open,
                None => StudyFile::open(path)?,
            };
            open.events(fold.last(), &mut |entry| fold.take(entry))?;
            file = Some(open);
            Ok(())
        })();
        let state = match &read {
            Ok(()) => fold.pulse(now()),
            Err(_) if fold.last() == 0 && !path.exists() => WAITING.into(),
            Err(error) => format!("not read: {}", text::line(&error.to_string(), 200)),
        };
        let last = Arc::clone(&news.borrow());
        if fold.last() > before || (before == 0 && read.is_ok() && last.state != state) {
            let report = Report::new(fold.data());
            let report = match now() {
                Some(now) => report.read_at(now),
                None => report,
            };
            news.send_replace(Arc::new(Look::of(&report, state)));
        } else if last.state != state {
            news.send_replace(Arc::new(Look { state, ..(*last).clone() }));
        }
        // A large page takes its time: never more than a tenth of a processor.
        std::thread::sleep(PERIOD.max(began.elapsed() * 9));
    }
}

type Shared = (watch::Receiver<Arc<Look>>, u16);

/// Only who asks for this machine by its own name gets an answer: another site's page, whose name was made to lead here,
/// does not (DNS rebinding).
fn is_local(headers: &HeaderMap, port: u16) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| host == format!("127.0.0.1:{port}") || host == format!("localhost:{port}"))
}

fn refused() -> Response {
    (StatusCode::FORBIDDEN, "this page is for this machine alone").into_response()
}

async fn front(State((look, port)): State<Shared>, headers: HeaderMap) -> Response {
    if !is_local(&headers, port) {
        return refused();
    }
    let html = look.borrow().html.clone();
    ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response()
}

async fn events(
    State((look, port)): State<Shared>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if !is_local(&headers, port) {
        return refused();
    }
    let seen = query.as_deref().and_then(|query| query.strip_prefix("look=")).and_then(|n| n.parse().ok());
    Sse::new(news(look, seen)).keep_alive(KeepAlive::default()).into_response()
}

/// What one browser knows already.
struct Client {
    look: watch::Receiver<Arc<Look>>,
    parts: HashMap<&'static str, Arc<str>>,
    rows: Vec<Arc<str>>,
    /// What it is told next; no more is made ready before it has taken this, so that a slow one holds nothing up.
    queue: VecDeque<Event>,
}

impl Client {
    fn knows(&mut self, look: &Look) {
        self.parts = look.parts.iter().cloned().collect();
        self.rows.clone_from(&look.rows);
    }

    /// What is new in a look: parts of the page, and rows of the table.
    fn hear(&mut self, now: &Look) {
        let changed = now.rows.iter().enumerate().filter(|(i, row)| self.rows.get(*i) != Some(*row));
        let rows: Vec<&str> = changed.map(|(_, row)| &**row).collect();
        if !rows.is_empty() {
            self.queue.push_back(Event::default().event("rows").data(format!("[{}]", rows.join(","))));
        }
        // The table of all proposals is made from rows.
        let parts =
            now.parts.iter().filter(|(id, html)| *id != "proposals" && self.parts.get(id) != Some(html));
        for (id, html) in parts {
            let data = serde_json::json!({ "id": id, "html": &**html }).to_string();
            self.queue.push_back(Event::default().event("part").data(data));
        }
        if let Some(as_of) = &now.as_of {
            self.queue.push_back(Event::default().event("as-of").data(as_of));
        }
        self.queue.push_back(Event::default().event("state").data(&now.state));
        self.knows(now);
    }
}

/// The news for one browser, which has `seen` the look of that number. One whose page is of another look, or of a server
/// before this one, hears the whole of it once.
fn news(
    mut look: watch::Receiver<Arc<Look>>,
    seen: Option<u64>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let now = Arc::clone(&look.borrow_and_update());
    let mut client = Client { look, parts: HashMap::new(), rows: Vec::new(), queue: VecDeque::new() };
    if seen == Some(now.number) {
        client.knows(&now);
    }
    client.hear(&now);
    futures_util::stream::unfold(client, |mut client| async move {
        loop {
            if let Some(event) = client.queue.pop_front() {
                return Some((Ok(event), client));
            }
            client.look.changed().await.ok()?;
            let now = Arc::clone(&client.look.borrow_and_update());
            client.hear(&now);
        }
    })
}
