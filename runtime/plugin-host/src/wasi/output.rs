//! What a guest writes to stdout or stderr, cut into lines for the log.

/// One of the two streams of an instance: the line that has begun, and no more of it than is logged.
#[derive(Default)]
pub(crate) struct Output {
    begun: Vec<u8>,
}

/// Lines for the log, and how many more there were.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) lines: Vec<String>,
    pub(crate) left_out: u64,
}

// === impl Output ===

impl Output {
    /// The lines that these bytes end, without empty ones; at most so many, each of so many bytes and a few. The others are counted, without
    /// looking at what they hold: one write may have millions, and no deadline is watched meanwhile.
    pub(crate) fn write(&mut self, bytes: &[u8], most: usize, line_bytes: usize) -> Lines {
        let mut found = Lines::default();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            self.keep(line, line_bytes);
            found.lines.extend(self.end());
            if found.lines.len() >= most {
                let newlines = rest.iter().filter(|byte| **byte == b'\n').count();
                found.left_out = u64::try_from(newlines).unwrap_or(u64::MAX);
                rest = match rest.iter().rposition(|byte| *byte == b'\n') {
                    Some(last) => &rest[last + 1..],
                    None => rest,
                };
                break;
            }
        }
        self.keep(rest, line_bytes);
        found
    }

    /// The line that has begun, as if it had ended.
    pub(crate) fn end(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\r');
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn keep(&mut self, bytes: &[u8], line_bytes: usize) {
        // a little more than is logged, so that the voice sees that there was more
        let room = (line_bytes + 4).saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_whatever_pieces_they_are_written_in() {
        let mut output = Output::default();
        assert_eq!(output.write(b"one", 9, 100), Lines::default());
        let lines = output.write(b" line\r\n\n\xffbad\nrest", 9, 100).lines;
        assert_eq!(lines, ["one line", "\u{fffd}bad"]);
        assert_eq!(output.end().as_deref(), Some("rest"));
        assert_eq!(output.end(), None);
    }

    #[test]
    fn what_is_too_much_is_counted_and_not_kept() {
        let mut output = Output::default();
        let found = output.write("x\n".repeat(1000).as_bytes(), 10, 100);
        assert_eq!((found.lines.len(), found.left_out), (10, 990));
        for _ in 0..1000 {
            output.write(&[b'y'; 1000], 10, 100);
        }
        assert!(output.begun.capacity() < 1000);
        assert_eq!(output.end().map(|line| line.len()), Some(104));
        let found = output.write(b"a\nb\nbegun", 1, 100);
        assert_eq!((found.lines.len(), found.left_out), (1, 1));
        assert_eq!(output.end().as_deref(), Some("begun"));
    }
}
