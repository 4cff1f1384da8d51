//! A file's text as editors see it: lines, whatever ends them.

use std::ops::Range;

/// A text with `\n` at the end of its lines, and the way back to how it is stored.
pub(super) struct Text<'a> {
    stored: &'a str,
    /// With `\n` for `\r\n`.
    pub(super) plain: String,
    /// Places of the `\n` in `plain` before which a `\r` was.
    carriage: Vec<usize>,
    /// Where lines begin in `plain`; the end of the text as well.
    starts: Vec<usize>,
    /// What ends its lines, mostly.
    crlf: bool,
}

impl<'a> Text<'a> {
    pub(super) fn new(stored: &'a str) -> Self {
        let (mut plain, mut carriage) = (String::with_capacity(stored.len()), Vec::new());
        for (i, part) in stored.split("\r\n").enumerate() {
            if i > 0 {
                carriage.push(plain.len());
                plain.push('\n');
            }
            plain.push_str(part);
        }
        let ends = plain.match_indices('\n').map(|(i, _)| i + 1);
        let mut starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
        if starts.last() != Some(&plain.len()) {
            starts.push(plain.len());
        }
        let breaks = starts.len() - 1;
        let crlf = !carriage.is_empty()
            && carriage.len() * 2 > breaks.saturating_sub(usize::from(!plain.ends_with('\n')));
        Self { stored, plain, carriage, starts, crlf }
    }

    /// How many lines there are; none in an empty text.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where a line begins; of the line after the last, the end of the text.
    pub(super) fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.plain.len())
    }

    /// A line without what ends it.
    pub(super) fn line(&self, line: usize) -> &str {
        let text = self.plain.get(self.start(line)..self.start(line + 1)).unwrap_or_default();
        text.strip_suffix('\n').unwrap_or(text)
    }

    /// The line, from 0, in which a place is.
    pub(super) fn line_of(&self, place: usize) -> usize {
        self.starts.partition_point(|start| *start <= place).saturating_sub(1)
    }

    /// The same place in the text as it is stored.
    fn stored_place(&self, place: usize) -> usize {
        place + self.carriage.partition_point(|at| *at < place)
    }

    /// The stored text with the passages replaced; they are in order and do not overlap.
    pub(super) fn spliced<'b>(
        &self,
        splices: impl IntoIterator<Item = (&'b Range<usize>, &'b str)>,
    ) -> String {
        let (mut out, mut done) = (String::with_capacity(self.stored.len()), 0);
        for (range, text) in splices {
            let (start, end) = (self.stored_place(range.start), self.stored_place(range.end));
            out.push_str(self.stored.get(done..start).unwrap_or_default());
            out.push_str(&self.ended(text));
            done = end;
        }
        out.push_str(self.stored.get(done..).unwrap_or_default());
        out
    }

    /// A text with the ends of lines that this one has.
    pub(super) fn ended(&self, text: &str) -> String {
        if self.crlf { text.replace('\n', "\r\n") } else { text.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lead_back_through_mixed_ends_of_lines() {
        let text = Text::new("a\r\nb\nc\r\nd");
        assert_eq!((text.len(), text.line(0), text.line(3), text.crlf), (4, "a", "d", true));
        let splices = [(2..3, "B1\nB2"), (6..7, "D")];
        assert_eq!(text.spliced(splices.iter().map(|(r, t)| (r, *t))), "a\r\nB1\r\nB2\nc\r\nD");
        assert_eq!((Text::new("").len(), Text::new("\n").len(), Text::new("x\n").len()), (0, 1, 1));
        assert!(!Text::new("a\nb\nc\r\n").crlf);
        assert_eq!((text.line_of(0), text.line_of(2), text.line_of(7)), (0, 1, 4));
    }
}
