//! One session of a study in a process of its own, and its end.

use crate::plan::{Plan, run};
use autoresearch_core::SqliteStore;
use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const STUDY: &str = "AUTORESEARCH_TORTURE_STUDY";
const PLAN: &str = "AUTORESEARCH_TORTURE_PLAN";

/// What was killed.
#[derive(Debug, Default)]
pub(crate) struct Kills {
    pub(crate) all: usize,
    /// While an append was under way, as far as the parent knows.
    pub(crate) appending: usize,
    /// Before anything was stored in this session: while opening and replaying.
    pub(crate) opening: usize,
    sessions: u64,
}

/// How far a session came.
pub(crate) struct Acknowledged {
    pub(crate) events: u64,
    pub(crate) ended: bool,
}

/// Says something to the parent, if there is one.
pub(crate) fn tell(what: &str, number: u64) {
    thread_local!(static IS_CHILD: Cell<Option<bool>> = const { Cell::new(None) });
    let is_child = IS_CHILD.get().unwrap_or_else(|| std::env::var_os(STUDY).is_some());
    IS_CHILD.set(Some(is_child));
    if is_child {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{what} {number}").and_then(|()| out.flush()).expect("a parent that listens");
    }
}

pub(crate) async fn child() {
    let (Some(path), Ok(plan)) = (std::env::var_os(STUDY), std::env::var(PLAN)) else { return };
    run(Plan::read(&plan), SqliteStore::open(path).expect("a store")).await;
    tell("ended", 0);
}

/// Scattered, and the same in each run of the test (SplitMix64).
fn random(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Lets a process play on the store, and kills it somewhere.
pub(crate) fn session(path: &Path, plan: Plan, kills: &mut Kills) -> Acknowledged {
    let dice = random(
        kills.sessions ^ plan.seed << 32 ^ u64::from(plan.ordered) << 48 ^ u64::from(plan.in_turn) << 49,
    );
    kills.sessions += 1;
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(STUDY, path)
        .env(PLAN, plan.code())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    // Every eighth is killed while it opens the store; the others after some appends, runs and answers.
    let after = if dice.is_multiple_of(8) { 0 } else { 1 + dice / 8 % 40 };
    let pause = Duration::from_micros(dice / 1024 % if after == 0 { 20_000 } else { 1500 });
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let (mut told, mut last, mut killed) = (0, String::new(), false);
    let mut reached = Acknowledged { events: 0, ended: false };
    if after == 0 {
        std::thread::sleep(pause);
        killed = child.kill().is_ok();
    }
    // Whatever was written before the kill is still in the pipe.
    for line in lines.map_while(Result::ok) {
        let Some((what, number)) = line.split_once(' ') else { continue };
        match (what, number.parse()) {
            ("stored", Ok(number)) => reached.events = reached.events.max(number),
            ("ended", _) => reached.ended = true,
            ("appending" | "running", Ok(_)) => {}
            _ => continue,
        }
        (told, last) = (told + 1, what.to_string());
        if told == after && !reached.ended {
            std::thread::sleep(pause);
            killed = child.kill().is_ok();
        }
    }
    let status = child.wait().expect("its end");
    if killed && status.signal() == Some(9) && !reached.ended {
        kills.all += 1;
        kills.appending += usize::from(last == "appending");
        kills.opening += usize::from(last.is_empty());
    } else {
        assert!(reached.ended, "it ended by itself, with {status}");
    }
    reached
}
