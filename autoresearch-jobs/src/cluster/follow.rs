//! What a job has said so far, read from a file that somebody else writes.

use crate::exit::JobExit;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The longest line that is told in full.
const LINE: usize = 64 * 1024;
/// The most that is read at once.
const PIECE: u64 = 4 << 20;

/// Tells the lines of a file as it grows.
#[derive(Debug, Default)]
pub(crate) struct Follow {
    read: u64,
    line: Vec<u8>,
}

impl Follow {
    /// Tells what has come since; `last` also tells a line that has no end yet.
    pub(crate) fn look(&mut self, path: &Path, last: bool, mut tell: impl FnMut(&str)) -> io::Result<()> {
        let mut file = File::open(path)?;
        loop {
            file.seek(SeekFrom::Start(self.read))?;
            let mut piece = Vec::new();
            let n = file.by_ref().take(PIECE).read_to_end(&mut piece)? as u64;
            self.read += n;
            for &byte in &piece {
                match byte {
                    b'\n' => tell(&String::from_utf8_lossy(&std::mem::take(&mut self.line))),
                    _ if self.line.len() < LINE => self.line.push(byte),
                    _ => {}
                }
            }
            if n < PIECE {
                break;
            }
        }
        if last && !self.line.is_empty() {
            tell(&String::from_utf8_lossy(&std::mem::take(&mut self.line)));
        }
        Ok(())
    }
}

/// The end of a file, at most [`JobExit::SHOWN`] bytes of it and nothing beyond the first `most`; and how many bytes it has.
pub(super) fn end_of(path: &Path, most: u64) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let until = size.min(most);
    let from = until.saturating_sub(JobExit::SHOWN as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut kept = Vec::new();
    file.take(until - from).read_to_end(&mut kept)?;
    // A character that was cut in two at the front is left out.
    let broken =
        if from > 0 { kept.iter().take(3).take_while(|&&byte| byte & 0xC0 == 0x80).count() } else { 0 };
    Ok((String::from_utf8_lossy(&kept[broken..]).into_owned(), size))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut follow, mut lines) = (folder.path().join("out"), Follow::default(), Vec::new());
        let mut said = String::new();
        for piece in ["one\ntw", "o\n\nthr", "", "ee"] {
            said += piece;
            std::fs::write(&path, &said).unwrap();
            follow.look(&path, false, |line| lines.push(line.to_owned())).unwrap();
        }
        assert_eq!(lines, ["one", "two", ""]);
        follow.look(&path, true, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines[3], "three");
        std::fs::write(&path, "ä".repeat(JobExit::SHOWN)).unwrap();
        assert_eq!(
            end_of(&path, u64::MAX).unwrap(),
            ("ä".repeat(JobExit::SHOWN / 2), 2 * JobExit::SHOWN as u64)
        );
        assert_eq!(end_of(&path, 4).unwrap().0, "ää");
    }
}
