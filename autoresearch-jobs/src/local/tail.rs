//! One stream of output: to its file, line by line to whoever listens, and the end of it kept.

use crate::exit::JobExit;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The longest line that is told in full.
const LINE: usize = 64 * 1024;

/// What a read gave.
pub(super) struct Told {
    pub(super) bytes: u64,
    /// Whether there may be more at once.
    pub(super) more: bool,
}

pub(super) struct Tail {
    pipe: Option<File>,
    file: Option<File>,
    lost: Option<String>,
    kept: VecDeque<u8>,
    line: Vec<u8>,
}

impl Tail {
    pub(super) fn new(pipe: Option<OwnedFd>, file: Option<File>) -> Self {
        let pipe = pipe.filter(|pipe| {
            fcntl_getfl(pipe).and_then(|flags| fcntl_setfl(pipe, flags | OFlags::NONBLOCK)).is_ok()
        });
        Self { pipe: pipe.map(File::from), file, lost: None, kept: VecDeque::new(), line: Vec::new() }
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there, at most one piece. Of what goes over `left` nothing is kept.
    pub(super) fn read(&mut self, left: Option<u64>, tell: impl FnMut(&str)) -> Told {
        let mut buffer = [0; 64 * 1024];
        let Some(pipe) = &mut self.pipe else { return Told { bytes: 0, more: false } };
        match read_now(pipe, &mut buffer) {
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => Told { bytes: 0, more: false },
            Ok(0) | Err(_) => {
                self.pipe = None;
                Told { bytes: 0, more: false }
            }
            Ok(n) => {
                let within = left.map_or(n, |left| n.min(usize::try_from(left).unwrap_or(n)));
                self.take(&buffer[..within], tell);
                // One byte more than is left is too much; exactly as much is not.
                let bytes = if within < n { u64::MAX } else { n as u64 };
                Told { bytes, more: true }
            }
        }
    }

    fn take(&mut self, bytes: &[u8], mut tell: impl FnMut(&str)) {
        if let Some(file) = &mut self.file
            && let Err(why) = file.write_all(bytes)
        {
            (self.file, self.lost) = (None, Some(why.to_string()));
        }
        let bytes_kept = &bytes[bytes.len().saturating_sub(JobExit::SHOWN)..];
        let over = (self.kept.len() + bytes_kept.len()).saturating_sub(JobExit::SHOWN);
        self.kept.drain(..over.min(self.kept.len()));
        self.kept.extend(bytes_kept);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                tell(&String::from_utf8_lossy(&self.line));
                self.line.clear();
            }
        }
    }

    /// The end of what was said, and why it could not be written to its file.
    pub(super) fn end(&mut self, mut tell: impl FnMut(&str)) -> (String, Option<String>) {
        self.pipe = None;
        if !self.line.is_empty() {
            tell(&String::from_utf8_lossy(&self.line));
        }
        let kept: Vec<u8> = std::mem::take(&mut self.kept).into();
        // A character that was cut in two at the front is left out.
        let broken = kept.iter().take(3).take_while(|&&byte| byte & 0xC0 == 0x80).count();
        let mut text = String::from_utf8_lossy(&kept[broken..]).into_owned();
        // What stands for bytes that are no text is longer than they were.
        let over = text.len().saturating_sub(JobExit::SHOWN);
        let at = (over..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.drain(..at);
        (text, self.lost.take())
    }
}

/// Reads what is there, without waiting.
fn read_now(pipe: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match pipe.read(buffer) {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_the_end_is_kept() {
        let mut tail = Tail::new(None, None);
        let mut lines = Vec::new();
        for piece in ["one\ntw", "o\n\nthr", "ee"] {
            tail.take(piece.as_bytes(), |line| lines.push(line.to_owned()));
        }
        tail.take("ä".repeat(JobExit::SHOWN).as_bytes(), |line| lines.push(line.to_owned()));
        assert_eq!(lines, ["one", "two", ""]);
        let (end, lost) = tail.end(|line| lines.push(line.chars().take(6).collect()));
        assert_eq!((end, lost), ("ä".repeat(JobExit::SHOWN / 2), None));
        assert_eq!(lines[3], "threeä");
    }

    #[test]
    fn exactly_the_limit_is_not_too_much() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let mut tail = Tail::new(Some(read), None);
        rustix::io::write(&write, b"12345").unwrap();
        assert_eq!(tail.read(Some(5), |_| {}).bytes, 5);
        rustix::io::write(&write, b"6").unwrap();
        assert_eq!(tail.read(Some(0), |_| {}).bytes, u64::MAX);
        assert_eq!(tail.end(|_| {}).0, "12345");
    }
}
