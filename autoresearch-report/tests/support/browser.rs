//! A headless Chromium, spoken to over its debugging protocol: a WebSocket with JSON in it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A browser with one page. It ends when this is dropped.
pub(crate) struct Browser {
    child: Child,
    _profile: tempfile::TempDir,
    socket: BufReader<TcpStream>,
    calls: u64,
    session: Option<String>,
    events: VecDeque<Value>,
    complaints: Vec<String>,
    asked_for: Vec<String>,
}

/// The one named by `AUTORESEARCH_BROWSER`, or one of the usual names.
fn program() -> Option<String> {
    let named = std::env::var("AUTORESEARCH_BROWSER").ok();
    let usual = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(str::to_owned);
    named.into_iter().chain(usual).find(|name| {
        Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    })
}

impl Browser {
    /// Starts one; where there is none, says that the test is skipped.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!(
                "SKIPPED: no Chromium here; `cargo xtask setup --browser` installs one, or name it by AUTORESEARCH_BROWSER"
            );
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            // As root, and in many containers, its sandbox cannot be set up; it is given nothing but this crate's own pages.
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(
                said.read_line(&mut line).unwrap() > 0,
                "the browser ended before it said where it listens"
            );
            if let Some((_, address)) = line.split_once("DevTools listening on ws://") {
                break address.trim().to_string();
            }
        };
        // Whoever does not listen holds it up.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let (host, path) = address.split_once('/').unwrap();
        let socket = TcpStream::connect(host).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let mut this = Self {
            child,
            _profile: profile,
            socket: BufReader::new(socket),
            calls: 0,
            session: None,
            events: VecDeque::new(),
            complaints: Vec::new(),
            asked_for: Vec::new(),
        };
        this.shake_hands(host, path);
        let target = this.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let session = this.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        this.session = Some(session["sessionId"].as_str().unwrap().into());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            this.call(&format!("{domain}.enable"), json!({}));
        }
        Some(this)
    }

    /// RFC 6455. The key is that of its example: nobody is in between who could be fooled.
    fn shake_hands(&mut self, host: &str, path: &str) {
        let ask = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        self.socket.get_mut().write_all(ask.as_bytes()).unwrap();
        let mut line = String::new();
        self.socket.read_line(&mut line).unwrap();
        assert!(line.contains("101"), "{line}");
        while line != "\r\n" {
            line.clear();
            self.socket.read_line(&mut line).unwrap();
        }
    }

    fn send(&mut self, kind: u8, data: &[u8]) {
        let mut frame = vec![0x80 | kind];
        match data.len() {
            n @ 0..126 => frame.push(0x80 | n as u8),
            n @ 126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((n as u16).to_be_bytes());
            }
            n => {
                frame.push(0x80 | 127);
                frame.extend((n as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]); // a mask that changes nothing
        frame.extend(data);
        self.socket.get_mut().write_all(&frame).unwrap();
    }

    /// The next whole message.
    fn receive(&mut self) -> Value {
        let mut message = Vec::new();
        loop {
            let mut head = [0; 2];
            self.socket.read_exact(&mut head).unwrap();
            let length = match head[1] & 0x7f {
                126 => {
                    let mut n = [0; 2];
                    self.socket.read_exact(&mut n).unwrap();
                    u64::from(u16::from_be_bytes(n))
                }
                127 => {
                    let mut n = [0; 8];
                    self.socket.read_exact(&mut n).unwrap();
                    u64::from_be_bytes(n)
                }
                n => n.into(),
            };
            let mut data = vec![0; length as usize];
            self.socket.read_exact(&mut data).unwrap();
            match head[0] & 0x0f {
                9 => self.send(10, &data),
                8 => panic!("the browser hung up"),
                _ => message.extend(data),
            }
            if head[0] & 0x80 != 0 && head[0] & 0x0f < 3 {
                return serde_json::from_slice(&message).unwrap();
            }
        }
    }

    /// Notes what a page complains of, and what it asks the network for; all else waits to be asked for.
    fn hear(&mut self, event: Value) {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => {
                self.complaints.push(params.to_string().chars().take(600).collect());
            }
            "Network.requestWillBeSent" => {
                self.asked_for.push(params["request"]["url"].as_str().unwrap_or_default().into());
            }
            "Page.loadEventFired" => self.events.push_back(event),
            _ => {}
        }
    }

    /// Calls a method of the protocol.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.send(1, message.to_string().as_bytes());
        loop {
            let mut heard = self.receive();
            if heard["id"] == self.calls {
                assert!(heard.get("error").is_none(), "{method}: {heard}");
                return heard["result"].take();
            }
            self.hear(heard);
        }
    }

    /// How wide the window is, and whether its user likes it dark.
    pub(crate) fn look(&mut self, width: u32, dark: bool) {
        let (phone, scheme) = (width < 500, if dark { "dark" } else { "light" });
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone}),
        );
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", scheme);
    }

    /// Opens a page and waits until it is loaded. What the one before complained of is forgotten.
    pub(crate) fn open(&mut self, url: &str) {
        self.events.clear();
        self.call("Page.navigate", json!({"url": "about:blank"}));
        self.loaded();
        (self.complaints, self.asked_for) = (Vec::new(), Vec::new());
        self.call("Page.navigate", json!({"url": url}));
        self.loaded();
    }

    fn loaded(&mut self) {
        while self.events.pop_front().is_none() {
            let heard = self.receive();
            self.hear(heard);
        }
    }

    /// What an expression comes to; promises are waited for.
    pub(crate) fn ask(&mut self, script: &str) -> Value {
        let mut came = self.call(
            "Runtime.evaluate",
            json!({"expression": script, "returnByValue": true, "awaitPromise": true}),
        );
        assert!(came.get("exceptionDetails").is_none(), "{}", came["exceptionDetails"]);
        came["result"]["value"].take()
    }

    /// Exceptions, and lines on the console.
    pub(crate) fn complaints(&mut self) -> &[String] {
        self.ask("new Promise(done => setTimeout(done, 50))"); // they come with a delay
        &self.complaints
    }

    /// All that was asked of the network, the page itself included.
    pub(crate) fn asked_for(&self) -> &[String] {
        &self.asked_for
    }

    /// Writes a picture of the whole page.
    pub(crate) fn picture(&mut self, path: &Path) {
        let shot = json!({"format": "png", "captureBeyondViewport": true});
        let size = self.ask("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]");
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let mut shot = shot;
        shot["clip"] = clip;
        let picture = self.call("Page.captureScreenshot", shot);
        std::fs::write(path, STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    /// Prints the page to a PDF; says how many bytes.
    pub(crate) fn print(&mut self, path: &Path) -> usize {
        let printed = self.call(
            "Page.printToPDF",
            json!({"printBackground": false, "paperWidth": 8.27, "paperHeight": 11.7}),
        );
        let bytes = STANDARD.decode(printed["data"].as_str().unwrap()).unwrap();
        std::fs::write(path, &bytes).unwrap();
        bytes.len()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It has children of its own: the group is ended as a whole.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}
