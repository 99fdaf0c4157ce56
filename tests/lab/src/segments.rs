//! Record batches as they lie in a broker's segment files: the proof that a mirror passed them through.
//!
//! A parser of its own (Kafka's `DefaultRecordBatch`): offsets 0-7 base offset, 8-11 length of what follows, 16 magic, 17-20 CRC, 21-22 attributes, 23-26 last
//! offset delta, 27-42 timestamps, 43-50 producer id, 51-52 its epoch, 53-56 base sequence, 57-60 record count; then records.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

pub const HEADER_BYTES: usize = 61;

/// A record batch, byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct RawBatch {
    pub base_offset: i64,
    pub header: [u8; HEADER_BYTES],
    /// From byte 61 on: the records, compressed as they are.
    pub body: Vec<u8>,
}

/// The batches of a partition, in order, read one at a time. A batch that the broker is writing just now ends it.
pub struct Batches {
    segments: VecDeque<PathBuf>,
    current: Option<BufReader<File>>,
}

// === impl RawBatch ===

impl RawBatch {
    pub fn attributes(&self) -> i16 {
        i16::from_be_bytes(self.bytes(21))
    }

    /// A transaction's commit or abort marker.
    pub fn is_control(&self) -> bool {
        self.attributes() & 0x20 != 0
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes() & 0x10 != 0
    }

    pub fn is_log_append_time(&self) -> bool {
        self.attributes() & 0x08 != 0
    }

    pub fn codec(&self) -> &'static str {
        ["none", "gzip", "snappy", "lz4", "zstd", "?", "?", "?"]
            [usize::from(self.attributes().to_be_bytes()[1] & 7)]
    }

    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(i32::from_be_bytes(self.bytes(23)))
    }

    pub fn max_timestamp(&self) -> i64 {
        i64::from_be_bytes(self.bytes(35))
    }

    pub fn producer_id(&self) -> i64 {
        i64::from_be_bytes(self.bytes(43))
    }

    pub fn base_sequence(&self) -> i32 {
        i32::from_be_bytes(self.bytes(53))
    }

    /// Records still in it; after compaction fewer than its offsets.
    pub fn record_count(&self) -> i32 {
        i32::from_be_bytes(self.bytes(57))
    }

    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.header[at..at + N]
            .try_into()
            .expect("the fields lie within the header")
    }
}

impl std::fmt::Debug for RawBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, last, records) = (self.base_offset, self.last_offset(), self.record_count());
        write!(
            f,
            "batch {first}..={last} ({records} records, {}, {} bytes)",
            self.codec(),
            self.body.len()
        )
    }
}

// === impl Batches ===

impl Batches {
    pub(crate) fn open(partition: &Path) -> Result<Self> {
        let entries = fs::read_dir(partition)
            .with_context(|| format!("no such partition here: {}", partition.display()))?;
        let mut segments = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                segments.push(path);
            }
        }
        // The name of a segment is its first offset with leading zeros.
        segments.sort();
        Ok(Self {
            segments: segments.into(),
            current: None,
        })
    }

    fn read_next(&mut self) -> Result<Option<RawBatch>> {
        loop {
            if self.current.is_none() {
                let Some(path) = self.segments.pop_front() else {
                    return Ok(None);
                };
                match File::open(&path) {
                    Ok(file) => self.current = Some(BufReader::with_capacity(1 << 20, file)),
                    // Deleted by retention or replaced by the cleaner since it was listed.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error).with_context(|| path.display().to_string()),
                }
            }
            let Some(file) = &mut self.current else { continue };
            match read_batch(file)? {
                Some(batch) => return Ok(Some(batch)),
                None => self.current = None,
            }
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RawBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_next().transpose()
    }
}

fn read_batch(file: &mut impl Read) -> Result<Option<RawBatch>> {
    let mut header = [0; HEADER_BYTES];
    if !read_fully(file, &mut header)? {
        return Ok(None);
    }
    let field = |at: usize| -> [u8; 4] { header[at..at + 4].try_into().expect("four bytes of the header") };
    let length = usize::try_from(i32::from_be_bytes(field(8))).unwrap_or(0) + 12;
    if length == 12 && header[..12] == [0; 12] {
        // A preallocated tail.
        return Ok(None);
    }
    ensure!(
        header[16] == 2,
        "a batch of magic {}: the lab reads format 2 only",
        header[16]
    );
    if length < HEADER_BYTES {
        bail!("a batch of {length} bytes is shorter than its header");
    }
    let mut body = vec![0; length - HEADER_BYTES];
    if !read_fully(file, &mut body)? {
        return Ok(None);
    }
    let base_offset = i64::from_be_bytes(header[..8].try_into().expect("eight bytes of the header"));
    Ok(Some(RawBatch {
        base_offset,
        header,
        body,
    }))
}

/// False when the file ends before the buffer is full.
fn read_fully(file: &mut impl Read, buffer: &mut [u8]) -> Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}
