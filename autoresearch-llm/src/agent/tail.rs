//! The end of a long output, in little memory.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bytes that are kept. More than are shown, so that a secret which is cut off at the front is not shown in part.
const KEPT: usize = 32 * 1024;

/// Reads a stream to its end in a thread of its own, and keeps the last of it.
pub(super) struct Tail {
    last: Arc<Mutex<VecDeque<u8>>>,
    ended: Receiver<()>,
}

impl Tail {
    pub(super) fn of(mut stream: impl Read + Send + 'static) -> Self {
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let (end, ended) = channel();
        let into = Arc::clone(&last);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            // An error is an end, too: what was read until then is all there is.
            while let Ok(n @ 1..) = stream.read(&mut buffer) {
                let mut last = into.lock().unwrap_or_else(PoisonError::into_inner);
                last.extend(&buffer[..n]);
                let over = last.len().saturating_sub(KEPT);
                last.drain(..over);
            }
            let _ = end.send(());
        });
        Self { last, ended }
    }

    /// What was read last, once the stream has ended, or after a while: whoever still holds its other end is not waited for.
    pub(super) fn take(self, wait: Duration) -> String {
        let _ = self.ended.recv_timeout(wait);
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&last.iter().copied().collect::<Vec<u8>>()).into_owned()
    }
}

/// At most so many bytes of a text's end.
pub(super) fn end_of(text: &str, most: usize) -> &str {
    let mut from = text.len().saturating_sub(most);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// At most so many bytes of a text's beginning.
pub(super) fn start_of(text: &str, most: usize) -> &str {
    let mut to = text.len().min(most);
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    &text[..to]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_in_bounded_memory() {
        let long = [vec![b'a'; 10 << 20], b"the end".to_vec()].concat();
        let text = Tail::of(std::io::Cursor::new(long)).take(Duration::from_secs(60));
        assert_eq!(text.len(), KEPT);
        assert!(text.ends_with("aaathe end"));
    }

    #[test]
    fn cuts_are_between_characters() {
        assert_eq!(end_of("aäb", 2), "b");
        assert_eq!(end_of("aäb", 9), "aäb");
        assert_eq!(start_of("aäb", 2), "a");
        assert_eq!(start_of("aäb", 3), "aä");
    }
}
