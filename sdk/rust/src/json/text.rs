//! The words of JSON: strings, numbers, whitespace, fast over what is of no interest.

use super::{
    Error, Problem,
    window::{Glance, SIZE, Window},
};

/// A place in the text.
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// What was looked at last; strings begin in it or behind it.
    window: Window,
    /// what is wrong, once a [`Stop`] says that something is
    pub(super) wrong: Error,
}

/// The text is not JSON, and [`Text::wrong`] says why: nothing to carry around in answers, of which there are many a record.
pub(super) struct Stop;

// === impl Text ===

impl<'a> Text<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            window: Window::at(bytes, 0),
            wrong: Error {
                position: 0,
                problem: Problem::End,
            },
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn error<T>(&mut self, problem: Problem) -> Result<T, Stop> {
        let problem = if self.at >= self.bytes.len() {
            Problem::End
        } else {
            problem
        };
        self.wrong = Error {
            position: self.at.min(self.bytes.len()),
            problem,
        };
        Err(Stop)
    }

    /// The byte here; 0, which fits nowhere, after the end.
    pub(super) fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    pub(super) fn eat(&mut self, byte: u8, what: &'static str) -> Result<(), Stop> {
        if self.peek() != byte {
            return self.error(Problem::Expected(what));
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn whitespace(&mut self) {
        // Records are mostly written without any.
        if self.peek() <= b' ' {
            self.some_whitespace();
        }
    }

    #[inline(never)]
    fn some_whitespace(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// A string from its opening quote on. Says whether it has escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, Stop> {
        self.eat(b'"', "a string")?;
        // Most are short and plain.
        let run = self.window.run(self.at);
        let end = self.at + run.length;
        if run.ascii && self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(false);
        }
        self.rest_of_string()
    }

    /// A string from behind its opening quote on.
    #[inline(never)]
    fn rest_of_string(&mut self) -> Result<bool, Stop> {
        let start = self.at;
        let (mut escaped, mut ascii) = (false, true);
        loop {
            ascii &= self.pass_plain();
            match self.peek() {
                b'"' => {
                    if !ascii {
                        self.utf8(start)?;
                    }
                    self.at += 1;
                    return Ok(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.error(Problem::Control),
            }
        }
    }

    /// On to the next quote, backslash or control character, or to the end. Says whether what was passed is ASCII.
    fn pass_plain(&mut self) -> bool {
        let mut ascii = true;
        loop {
            let run = self.window.run(self.at);
            ascii &= run.ascii;
            self.at += run.length;
            if run.ended || self.at >= self.bytes.len() {
                return ascii;
            }
            // A long one: most of it is passed without asking where something is.
            while let Some(Glance {
                special: false,
                ascii: plain,
            }) = Glance::at(self.bytes, self.at)
            {
                ascii &= plain;
                self.at += SIZE;
            }
            self.window = Window::at(self.bytes, self.at);
        }
    }

    /// From there to here. Outside of strings the grammar allows nothing but ASCII, so that this is the whole check.
    #[cold]
    fn utf8(&mut self, start: usize) -> Result<(), Stop> {
        std::str::from_utf8(&self.bytes[start..self.at])
            .map(|_| ())
            .map_err(|error| {
                self.wrong = Error {
                    position: start + error.valid_up_to(),
                    problem: Problem::Utf8,
                };
                Stop
            })
    }

    /// `"key" :` and the whitespace after it. Says where the key is, without its quotes, and whether it has escapes.
    pub(super) fn key(&mut self) -> Result<(&'a [u8], bool), Stop> {
        let start = self.at + 1;
        let escaped = self.string()?;
        let key = &self.bytes[start..self.at - 1];
        self.whitespace();
        self.eat(b':', "`:`")?;
        self.whitespace();
        Ok((key, escaped))
    }

    pub(super) fn scalar(&mut self) -> Result<(), Stop> {
        let byte = self.peek();
        if byte == b'"' {
            return self.string().map(|_| ());
        }
        match byte {
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.error(Problem::Expected("a value")),
        }
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<(), Stop> {
        for byte in literal {
            self.eat(*byte, "true, false or null")?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Stop> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
            if self.peek().is_ascii_digit() {
                return self.error(Problem::Number);
            }
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Stop> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start {
            self.error(Problem::Number)
        } else {
            Ok(())
        }
    }

    fn escape(&mut self) -> Result<(), Stop> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_ascii_hexdigit() {
                        return self.error(Problem::Escape);
                    }
                    self.at += 1;
                }
            }
            _ => return self.error(Problem::Escape),
        }
        Ok(())
    }
}

/// What the text between two quotes means. Lone surrogates become U+FFFD: no path names them.
pub(super) fn unescape(key: &[u8], plain: &mut Vec<u8>) {
    plain.clear();
    let mut rest = key;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let ([escape, after @ ..], b'\\') = (tail, *first) else {
            plain.push(*first);
            continue;
        };
        rest = after;
        match escape {
            b'b' => plain.push(8),
            b'f' => plain.push(12),
            b'n' => plain.push(b'\n'),
            b'r' => plain.push(b'\r'),
            b't' => plain.push(b'\t'),
            b'u' => {
                let (c, used) = code_point(after);
                plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after.get(used..).unwrap_or_default();
            }
            other => plain.push(*other),
        }
    }
}

/// The character after `\u`, and how many bytes say so: 4, or 10 for a pair of surrogates.
fn code_point(text: &[u8]) -> (char, usize) {
    let unit = |text: Option<&[u8]>| {
        let text = std::str::from_utf8(text?).ok()?;
        u32::from_str_radix(text, 16).ok()
    };
    let Some(first) = unit(text.get(..4)) else {
        return (char::REPLACEMENT_CHARACTER, 4);
    };
    if (0xD800..0xDC00).contains(&first)
        && text.get(4..6) == Some(b"\\u")
        && let Some(second) = unit(text.get(6..10))
        && (0xDC00..0xE000).contains(&second)
    {
        let c = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER), 10);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 4)
}
