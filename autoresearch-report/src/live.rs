//! The page of a study that runs, on 127.0.0.1, with news as they come.
//!
//! The server reads the study's file as any second process would: it takes no lock that a writer waits for. Events are
//! read once; what changed of the page is what is sent.

use crate::data::Fold;
use crate::error::ReportError;
use crate::page;
use crate::report::Report;
use crate::source::{Source, StudyFile};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures_util::Stream;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How often the store is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// The page as it was at one look.
#[derive(Debug)]
struct Look {
    html: String,
    /// Parts of the page by their anchors.
    parts: Vec<(&'static str, String)>,
    /// Rows of the table by their numbers.
    rows: Vec<String>,
    state: &'static str,
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
        Self::of(&Report::new(Fold::new().data()), "waiting for the study")
    }

    fn of(report: &Report, state: &'static str) -> Self {
        let many = page::many(report.data());
        let parts = page::sections(report).into_iter().map(|s| (s.id, s.body.into_string())).collect();
        let rows = report.data().proposals.iter().map(|trial| page::row(trial, many).to_string()).collect();
        Self { html: page::page(report, true), parts, rows, state }
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
        if fold.last() > before || (before == 0 && read.is_ok() && news.borrow().state != "live") {
            let report = Report::new(fold.data());
            let state = if report.data().state.stopped { "stopped" } else { "live" };
            news.send_replace(Arc::new(Look::of(&report, state)));
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

async fn events(State((look, port)): State<Shared>, headers: HeaderMap) -> Response {
    if !is_local(&headers, port) {
        return refused();
    }
    Sse::new(news(look)).keep_alive(KeepAlive::default()).into_response()
}

/// What changed from one look to the next: parts of the page, and rows of the table. Who connects hears the whole of it
/// once, as the page may be older than that.
fn news(look: watch::Receiver<Arc<Look>>) -> impl Stream<Item = Result<Event, Infallible>> {
    struct Client {
        look: watch::Receiver<Arc<Look>>,
        told: HashMap<&'static str, String>,
        rows: Vec<String>,
        queue: std::collections::VecDeque<Event>,
        first: bool,
    }
    let client =
        Client { look, told: HashMap::new(), rows: Vec::new(), queue: Default::default(), first: true };
    futures_util::stream::unfold(client, |mut client| async move {
        loop {
            if let Some(event) = client.queue.pop_front() {
                return Some((Ok(event), client));
            }
            if !std::mem::take(&mut client.first) {
                client.look.changed().await.ok()?;
            }
            let now = Arc::clone(&client.look.borrow_and_update());
            let changed = now.rows.iter().enumerate().filter(|(i, row)| client.rows.get(*i) != Some(*row));
            let rows: Vec<&str> = changed.map(|(_, row)| row.as_str()).collect();
            if !rows.is_empty() {
                client.queue.push_back(
                    Event::default().event("rows").data(page::safe(&format!("[{}]", rows.join(",")))),
                );
            }
            client.rows.clone_from(&now.rows);
            // The table of all proposals is made from rows.
            for (id, html) in now.parts.iter().filter(|(id, _)| *id != "proposals") {
                if client.told.get(id) != Some(html) {
                    client.told.insert(id, html.clone());
                    let data = serde_json::json!({ "id": id, "html": html }).to_string();
                    client.queue.push_back(Event::default().event("part").data(page::safe(&data)));
                }
            }
            client.queue.push_back(Event::default().event("state").data(now.state));
        }
    })
}
