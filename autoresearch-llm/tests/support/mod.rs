//! A server that sends exactly what it is told to, byte for byte, and remembers what it was asked.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is done with one connection after its request has been read; then it is closed.
#[derive(Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    /// Says nothing more and stays.
    Hang,
    /// Reads the next request on the same connection.
    Next,
}

pub(crate) fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().to_vec())
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: serde_json::Value,
    /// The connection that it came over, from 0.
    pub(crate) connection: usize,
}

pub(crate) struct RawServer {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl RawServer {
    /// One script a connection, in order; connections after the last one get the last one again.
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let task = tokio::spawn(async move {
            for at in 0.. {
                let (socket, _) = listener.accept().await.unwrap();
                let script = scripts[at.min(scripts.len() - 1)].clone();
                tokio::spawn(serve(socket, at, script, log.clone()));
            }
        });
        Self { url, asked, task }
    }

    /// A server that answers every connection with these bytes.
    pub(crate) async fn saying(text: impl AsRef<[u8]>) -> Self {
        Self::start(vec![vec![send(text)]]).await
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads one request; `None`: the connection ended.
async fn read(socket: &mut TcpStream, connection: usize) -> Option<Asked> {
    let mut got = Vec::new();
    let head = loop {
        if let Some(at) = got.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(&mut got).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&got[..head]).to_lowercase();
    let length =
        text.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
    while got.len() < head + length {
        if socket.read_buf(&mut got).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(&got[head..]).unwrap_or_default();
    Some(Asked { head: text, body, connection })
}

async fn serve(mut socket: TcpStream, at: usize, script: Vec<Step>, log: Arc<Mutex<Vec<Asked>>>) {
    let Some(asked) = read(&mut socket, at).await else { return };
    log.lock().unwrap().push(asked);
    for step in script {
        match step {
            Step::Send(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return;
                }
                let _ = socket.flush().await;
            }
            Step::Pause(time) => tokio::time::sleep(time).await,
            Step::Hang => std::future::pending().await,
            Step::Next => {
                let Some(asked) = read(&mut socket, at).await else { return };
                log.lock().unwrap().push(asked);
            }
        }
    }
    let _ = socket.shutdown().await;
    // Closing with unread input would reset the connection under what was just sent.
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.read(&mut [0; 64])).await;
}

/// Head and body of a stream of events that ends with the connection.
pub(crate) fn events(data: &[&str]) -> Vec<u8> {
    let mut text =
        String::from("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
    for data in data {
        text += &format!("data: {data}\n\n");
    }
    text.into_bytes()
}

/// A whole answer.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// A good answer with this text, streamed.
pub(crate) fn good(text: &str) -> Vec<u8> {
    let text = serde_json::to_string(text).unwrap();
    events(&[
        r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}]}"#,
        &format!(r#"{{"choices":[{{"finish_reason":null,"index":0,"delta":{{"content":{text}}}}}]}}"#),
        r#"{"choices":[{"finish_reason":"stop","index":0,"delta":{}}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#,
        "[DONE]",
    ])
}

/// The same over a connection that can be used again.
pub(crate) fn good_chunked(text: &str) -> Vec<u8> {
    let whole = good(text);
    let at = whole.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let body = String::from_utf8(whole[at..].to_vec()).unwrap();
    let mut out = String::from(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for event in body.split_inclusive("\n\n") {
        out += &format!("{:x}\r\n{event}\r\n", event.len());
    }
    (out + "0\r\n\r\n").into_bytes()
}
