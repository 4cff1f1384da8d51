//! Lines of a file on shared storage, as they come.

use crate::launch::Watch;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// The longest line that is told in full.
const LINE: usize = 64 * 1024;
/// The most that is read at a time.
const PIECE: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    at: u64,
    line: Vec<u8>,
}

impl Tail {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, at: 0, line: Vec::new() }
    }

    /// Tells what is new. What cannot be read now is read later.
    pub(super) fn read(&mut self, watch: &Watch) -> bool {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.at))?;
            file.take(PIECE).read_to_end(&mut bytes)
        });
        if read.is_err() {
            return false;
        }
        self.at += bytes.len() as u64;
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                watch.tell(&String::from_utf8_lossy(&self.line));
                self.line.clear();
            }
        }
        !bytes.is_empty()
    }

    /// Tells the rest.
    pub(super) fn end(&mut self, watch: &Watch) {
        while self.read(watch) {}
        if !self.line.is_empty() {
            watch.tell(&String::from_utf8_lossy(&std::mem::take(&mut self.line)));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[test]
    fn lines_are_told_as_they_come() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stdout");
        let told = Arc::new(Mutex::new(Vec::new()));
        let watch = Watch::default().lines({
            let told = Arc::clone(&told);
            move |line| told.lock().unwrap().push(line.to_owned())
        });
        let mut tail = Tail::new(path.clone());
        assert!(!tail.read(&watch));
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert!(tail.read(&watch));
        assert_eq!(*told.lock().unwrap(), ["one"]);
        file.write_all(b"o\nthree").unwrap();
        tail.end(&watch);
        assert_eq!(*told.lock().unwrap(), ["one", "two", "three"]);
    }
}
