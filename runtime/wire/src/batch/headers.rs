use super::{
    Error,
    varint::{self, Reader},
};

/// A record's headers as they are encoded: a count, then keys and values, in order, duplicates kept.
/// Copying [`Headers::raw`] carries them over untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    /// Checked: everything in it can be read to its end.
    raw: &'a [u8],
}

/// Makes headers, for records that get new ones. Reusable: [`HeadersBuilder::clear`].
#[derive(Clone, Debug)]
pub struct HeadersBuilder {
    /// The pairs, after room for the largest count: the count is known last and stands first.
    buffer: Vec<u8>,
    count: i32,
}

// === impl Headers ===

impl<'a> Headers<'a> {
    /// No headers.
    pub const EMPTY: Headers<'static> = Headers { raw: &[0] };

    /// Checks encoded headers that come from elsewhere than a decoded record.
    pub fn parse(raw: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(raw);
        skip(&mut reader).map_err(|what| Error::Headers { what })?;
        if !reader.is_at_end() {
            return Err(Error::Headers {
                what: "bytes after the last header",
            });
        }
        Ok(Self { raw })
    }

    /// `raw` was checked with [`skip`].
    pub(super) fn checked(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// The encoded bytes, count included.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    pub fn len(&self) -> usize {
        Reader::new(self.raw).varint().map_or(0, |count| count as usize)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Key and value of each header, in order. Kafka's keys are UTF-8 by convention only; a value may be null.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut reader = Reader::new(self.raw);
        let count = reader.varint().unwrap_or(0);
        (0..count).map_while(move |_| Some((reader.nullable()??, reader.nullable()?)))
    }
}

// === impl HeadersBuilder ===

impl HeadersBuilder {
    pub fn new() -> Self {
        Self {
            buffer: vec![0; varint::MAX_VARINT],
            count: 0,
        }
    }

    pub fn clear(&mut self) {
        self.buffer.truncate(varint::MAX_VARINT);
        self.count = 0;
    }

    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        for field in [Some(key), value] {
            match field {
                Some(bytes) => {
                    varint::write_varint(&mut self.buffer, bytes.len() as i32);
                    self.buffer.extend_from_slice(bytes);
                }
                None => varint::write_varint(&mut self.buffer, -1),
            }
        }
        self.count += 1;
    }

    pub fn headers(&mut self) -> Headers<'_> {
        let mut count = Vec::with_capacity(varint::MAX_VARINT);
        varint::write_varint(&mut count, self.count);
        let from = varint::MAX_VARINT - count.len();
        self.buffer[from..varint::MAX_VARINT].copy_from_slice(&count);
        Headers {
            raw: &self.buffer[from..],
        }
    }
}

impl Default for HeadersBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Walks over headers, or says what is wrong with them.
pub(super) fn skip(reader: &mut Reader<'_>) -> Result<(), &'static str> {
    let count = reader.varint().ok_or("no header count")?;
    if count < 0 {
        return Err("negative header count");
    }
    for _ in 0..count {
        let key = reader.nullable().ok_or("a header key does not fit")?;
        key.ok_or("a header key is null")?;
        reader.nullable().ok_or("a header value does not fit")?;
    }
    Ok(())
}
