//! How much memory a run took, as far as the system tells.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs under way in this process, and how many ever began.
static UNDER_WAY: AtomicU64 = AtomicU64::new(0);
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// Watches the process's memory from a run's beginning to its end.
///
/// The system keeps one peak a process (`VmHWM`). A run that begins while no other one is under way sets it back, so
/// that it is this run's; if another one joins, nobody can say whose the peak is.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The number of this run, if it began alone and the peak could be set back.
    alone: Option<u64>,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Peak {
    /// In 10^9 bytes.
    pub(crate) gb: f64,
    /// Whether no other run was under way meanwhile.
    pub(crate) alone: bool,
}

impl Watch {
    pub(crate) fn start() -> Self {
        let first = UNDER_WAY.fetch_add(1, Ordering::SeqCst) == 0;
        let number = BEGUN.fetch_add(1, Ordering::SeqCst);
        Self { alone: (first && set_back()).then_some(number) }
    }

    /// The peak since the start, where the system tells (Linux).
    pub(crate) fn peak(&self) -> Option<Peak> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        let alone = self.alone.is_some_and(|number| BEGUN.load(Ordering::SeqCst) == number + 1);
        Some(Peak { gb: kibibytes * 1024.0 / 1e9, alone })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// See `clear_refs` in proc(5): 5 sets the peak to what is in use now. It touches no memory.
fn set_back() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}
