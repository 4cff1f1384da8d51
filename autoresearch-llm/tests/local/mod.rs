//! The small local model behind llama.cpp's server, where `cargo xtask setup --llm` has put one.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub(crate) struct Server {
    pub(crate) url: String,
    _child: Child,
}

/// Starts the server; `None`, said on the error output, where there is none to start.
pub(crate) async fn start() -> Option<Server> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../.llm/bin/python");
    if !python.exists() {
        eprintln!("skipped: there is no .llm; `cargo xtask setup --llm` makes it");
        return None;
    }
    let mut child = Command::new(python)
        .arg(here.join("tests/support/llm_server.py"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(Duration::from_secs(120), async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the server ended");
            if let Some(url) = line.strip_prefix("LISTENING ") {
                break url.trim().to_owned();
            }
        }
    });
    let url = line.await.expect("the server does not start");
    Some(Server { url, _child: child })
}
