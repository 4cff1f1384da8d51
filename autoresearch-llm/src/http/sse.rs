//! Server-sent events, as they arrive.

/// One event: the data of its `data:` lines, joined by line ends. Names of events are left out: the APIs repeat them in
/// the data.
pub(crate) type Event = Vec<u8>;

/// Reads server-sent events from chunks that are cut anywhere (WHATWG HTML, section 9.2.6).
///
/// It works on bytes, so that a character that two chunks share does no harm; whether the data is UTF-8 is the reader's
/// question. What it holds is never longer than `limit`.
#[derive(Debug)]
pub(crate) struct Events {
    limit: usize,
    line: Vec<u8>,
    data: Vec<u8>,
    any: bool,
    after_cr: bool,
    first: bool,
}

/// One event or line is over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Events {
    pub(crate) fn new(limit: usize) -> Self {
        let (line, data) = (Vec::new(), Vec::new());
        Self { limit, line, data, any: false, after_cr: false, first: true }
    }

    /// Takes the next chunk and hands over the events that it completes. What is behind the last empty line waits; an
    /// event that the stream ends in the middle of is never handed over, as the standard wants it.
    pub(crate) fn feed(&mut self, mut chunk: &[u8], out: &mut Vec<Event>) -> Result<(), TooLong> {
        while !chunk.is_empty() {
            if self.after_cr {
                self.after_cr = false;
                if chunk[0] == b'\n' {
                    chunk = &chunk[1..];
                    continue;
                }
            }
            let end = chunk.iter().position(|&b| b == b'\n' || b == b'\r');
            let piece = &chunk[..end.unwrap_or(chunk.len())];
            if self.line.len() + self.data.len() + piece.len() > self.limit {
                return Err(TooLong);
            }
            self.line.extend_from_slice(piece);
            let Some(end) = end else { break };
            self.after_cr = chunk[end] == b'\r';
            chunk = &chunk[end + 1..];
            self.line(out);
        }
        Ok(())
    }

    fn line(&mut self, out: &mut Vec<Event>) {
        let mut line = self.line.as_slice();
        if std::mem::take(&mut self.first) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            if std::mem::take(&mut self.any) {
                out.push(std::mem::take(&mut self.data));
            }
        } else if let Some(value) = line.strip_prefix(b"data")
            && let Some(value) = if value.is_empty() { Some(value) } else { value.strip_prefix(b":") }
        {
            if std::mem::replace(&mut self.any, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        } else if let Some(error) = line.strip_prefix(b"error:") {
            // No part of the standard: llama.cpp had it so for a time.
            out.push([b"{\"error\":", error, b"}"].concat());
        } // comments, ids, names and whatever else are passed over
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(chunks: &[&[u8]]) -> Vec<String> {
        let (mut events, mut out) = (Events::new(1000), Vec::new());
        for chunk in chunks {
            events.feed(chunk, &mut out).unwrap();
        }
        out.into_iter().map(|e| String::from_utf8(e).unwrap()).collect()
    }

    #[test]
    fn lines_of_every_kind() {
        let text = "\u{feff}: hello\r\nevent: message\r\ndata: one\r\ndata:two\r\n\r\ndata\n\nid: 7\n\ndata:  x\r\rdata: cut";
        assert_eq!(all(&[text.as_bytes()]), ["one\ntwo", "", " x"]);
    }

    #[test]
    fn llama_cpps_own_lines_for_errors() {
        let text = "data: {}\n\nerror: {\"code\":500,\"message\":\"oops\",\"type\":\"server_error\"}\n\n";
        let error = r#"{"error": {"code":500,"message":"oops","type":"server_error"}}"#;
        assert_eq!(all(&[text.as_bytes()]), ["{}", error]);
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let mut events = Events::new(16);
        let mut out = Vec::new();
        assert_eq!(events.feed(b"data: 0123456789\n\n", &mut out), Ok(()));
        assert_eq!(out.len(), 1);
        assert_eq!(events.feed(b"data: 0123456789\ndata: 012345678", &mut out), Err(TooLong));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_chunks_are_cut(cuts in prop::collection::vec(0usize..64, 0..8)) {
            let text = "data: {\"ä\": \"日本\"}\r\n\r\n: ping\n\ndata: 🦀\rdata: b\n\n".as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c % text.len()).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect();
            prop_assert_eq!(all(&chunks), ["{\"ä\": \"日本\"}", "🦀\nb"]);
        }
    }
}
