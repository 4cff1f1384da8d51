//! The page as a browser shows it: wide and narrow, light and dark, printed. With `AUTORESEARCH_PAGES` the pages and their
//! pictures are left in that folder, for people to look at.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

#[cfg(feature = "live")]
use autoresearch_core::{Seq, SqliteStore, Store};
#[cfg(feature = "live")]
use autoresearch_report::Live;
use autoresearch_report::Report;
use std::path::{Path, PathBuf};
use std::time::Instant;
use support::browser::Browser;
use support::policies::{Policy, record};
use support::{HOSTILE, large, stored};

const CHECKS: &str = include_str!("support/page_checks.js");

/// Where pages and pictures go.
struct Folder(PathBuf, Option<tempfile::TempDir>);

impl Folder {
    fn new() -> Self {
        match std::env::var_os("AUTORESEARCH_PAGES") {
            Some(folder) => {
                let folder = PathBuf::from(folder);
                std::fs::create_dir_all(&folder).unwrap();
                Self(std::path::absolute(folder).unwrap(), None)
            }
            None => {
                let folder = tempfile::tempdir().unwrap();
                Self(folder.path().into(), Some(folder))
            }
        }
    }

    fn is_kept(&self) -> bool {
        self.1.is_none()
    }
}

/// Looks at a page at both widths in both schemes, and prints it.
fn look_at(browser: &mut Browser, name: &str, report: &Report, folder: &Folder) {
    let page = folder.0.join(format!("{name}.html"));
    report.write_html(&page).unwrap();
    let url = format!("file://{}", page.display());
    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        let which = format!("{name}, {width} wide, {}", if dark { "dark" } else { "light" });
        browser.look(width, dark);
        browser.open(&url);
        if folder.is_kept() {
            let scheme = if dark { "dark" } else { "light" };
            browser.picture(&folder.0.join(format!("{name}-{width}-{scheme}.png")));
        }
        let wrong = browser.ask(CHECKS);
        assert_eq!(wrong, serde_json::json!([]), "{which}");
        assert_eq!(browser.complaints(), [""; 0], "{which}");
        assert_eq!(browser.asked_for(), [url.as_str()], "{which}");
    }
    assert!(browser.print(&folder.0.join(format!("{name}.pdf"))) > 10_000);
}

fn wait_for<T>(future: impl Future<Output = T>, paused: bool) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(paused).build().unwrap();
    runtime.block_on(future)
}

fn night(policy: Policy, runs: u64, drift: f64, folder: &Path) -> Report {
    let path = folder.join(format!("{policy:?}.db").to_lowercase());
    let recorded = wait_for(record(policy, runs, drift, &path), true);
    let report = Report::open(&path).unwrap().titled(format!("A night of {policy:?}"));
    report.certified(&recorded.certified).checked(recorded.told.checks())
}

#[test]
fn pages_of_real_policies_are_in_order() {
    let Some(mut browser) = Browser::start() else { return };
    let (folder, stores) = (Folder::new(), tempfile::tempdir().unwrap());
    for (policy, runs, drift) in
        [(Policy::Guarded, 400, 0.0), (Policy::Factorial, 400, 0.0), (Policy::Scout, 300, 0.004)]
    {
        let report = night(policy, runs, drift, stores.path());
        look_at(&mut browser, &format!("{policy:?}").to_lowercase(), &report, &folder);
    }
}

#[test]
fn a_page_of_hostile_texts_is_in_order() {
    let Some(mut browser) = Browser::start() else { return };
    let long = "x".repeat(100_000);
    let title = move |i: u64| match HOSTILE.get(i as usize % (HOSTILE.len() + 1)) {
        Some(text) => (*text).to_string(),
        None => long.clone(),
    };
    let report =
        wait_for(async { Report::of(&stored(large(200, title)).await) }, false).unwrap().titled(HOSTILE[1]);
    look_at(&mut browser, "hostile", &report, &Folder::new());
    // Nothing was run, and the table says what was written.
    assert_eq!(
        browser.ask("document.querySelectorAll('img,iframe,object,embed,base,form[action]').length"),
        0
    );
    let find = "document.getElementById('find').value='onerror';document.getElementById('find').oninput({target:document.getElementById('find')});\
                document.querySelector('#all tbody td:nth-child(2)').firstChild.textContent";
    assert_eq!(browser.ask(find), HOSTILE[1]);
}

#[test]
fn ten_thousand_trials_can_be_looked_at() {
    let Some(mut browser) = Browser::start() else { return };
    let title =
        |i: u64| format!("proposal {i} with a title of the usual length: raise the learning rate by {i} %");
    let events = wait_for(stored(large(10_000, title)), false);
    let folder = Folder::new();
    let began = Instant::now();
    let report = Report::of(&events).unwrap();
    report.write_html(folder.0.join("ten-thousand.html")).unwrap();
    let rendered = began.elapsed();
    look_at(&mut browser, "ten-thousand", &report, &folder);
    // For whoever measures; how long things take is no matter of tests.
    let opened = browser.ask("performance.timing.loadEventEnd - performance.timing.navigationStart");
    println!("10,000 trials: read and rendered in {rendered:.2?}, opened in {opened} ms");
    // Found, sorted, and paged through.
    let first = "document.querySelector('#all tbody td').textContent";
    assert_eq!(browser.ask(first), "p10000");
    assert_eq!(browser.ask("document.querySelectorAll('#all tbody tr').length"), 50);
    browser.ask("document.querySelector('#all th[data-key=effect] button').click()");
    assert_eq!(browser.ask(first), "p10000", "of equal effects the last proposal comes first");
    browser.ask("document.querySelector('#all th[data-key=id] button').click(); document.querySelector('#all th[data-key=id] button').click()");
    assert_eq!(browser.ask(first), "p1");
    browser.ask("document.querySelector('#pages button:last-child').click()");
    assert_eq!(browser.ask(first), "p51");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[cfg(feature = "live")]
#[test]
fn a_page_of_a_running_study_is_kept_up_to_date() {
    use std::io::{Read, Write};
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.db");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let all = large(60, |i| format!("<i>step {i}</i>"));
    let store = SqliteStore::open(&path).unwrap();
    runtime.block_on(store.append(Seq(0), &all[..40])).unwrap();
    let live = runtime.block_on(Live::bind(&path, 0)).unwrap();
    let url = format!("http://{}/", live.address().unwrap());
    runtime.spawn(live.serve());
    // Before its first look at the file the server says that it waits; a page of then is loaded anew when there are parts.
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let begun = || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page.contains("id=\"proposals\"")
    };
    while !begun() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    browser.look(1280, false);
    let until = |browser: &mut Browser, what: &str| {
        let wait = format!(
            "new Promise(done => {{ const look = () => ({what}) ? done(true) : setTimeout(look, 50); look(); }})"
        );
        browser.ask(&wait);
    };
    browser.open(&url);
    until(&mut browser, "document.querySelector('#all tbody tr')");
    // What a reader has set stays as it is while news come.
    browser.ask("document.querySelector('#about details').open = true; document.getElementById('find').value = 'step 6';\
                 document.getElementById('find').oninput({target: document.getElementById('find')})");
    runtime.block_on(store.append(Seq(40), &all[40..])).unwrap();
    until(&mut browser, "document.querySelector('#all tbody td').textContent === 'p60'");
    until(&mut browser, "document.querySelector('.headline').textContent.includes('Of 60 proposals')");
    assert_eq!(browser.ask("document.querySelectorAll('#all tbody tr').length"), 2, "step 6 and step 60");
    assert_eq!(browser.ask("document.querySelector('#about details').open"), true);
    assert_eq!(browser.ask(CHECKS), serde_json::json!([]));
    assert_eq!(browser.complaints(), [""; 0]);
    assert!(browser.asked_for().iter().all(|asked| asked.starts_with(&url)), "{:?}", browser.asked_for());
    runtime.shutdown_background();
    until(&mut browser, "document.getElementById('live').textContent === 'the server does not answer'");
}
