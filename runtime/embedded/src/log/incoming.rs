//! What a broker demands of a produced batch before it gives it offsets (Kafka's `ProduceRequest.validateRecords`,
//! `UnifiedLog.analyzeAndValidateRecords` and `LogValidator`).

use bytes::Bytes;
use towpath_domain::Offset;
use towpath_wire::batch::{
    self, Batch, Compression, Encoder, Error, Limits, Piece, ProducerIdentity, Records, SourceSpan,
    TimestampType, Transactional, batches, decode,
};

use super::stored::{at, bits, rewritten};
use crate::{ErrorCode, config::Settings};

/// A batch that may be appended.
#[derive(Debug)]
pub(crate) struct Incoming {
    batch: Batch,
    append_time: i64,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<String>,
    /// Index and reason of each record that is at fault, from Produce 8 on.
    pub(crate) records: Vec<(i32, String)>,
    pub(crate) by: Refuser,
}

/// Who refused a batch: it shows in the answer's log start offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refuser {
    /// The log start is not told.
    Broker,
    /// The log start is told.
    Log,
}

// === impl Incoming ===

impl Incoming {
    /// Checks the records of one partition of a Produce request. Decodes them only where a rule is about records: compressed batches,
    /// compacted topics, a bound on old timestamps, another codec.
    pub(crate) fn check(
        records: Option<Bytes>,
        version: i16,
        settings: &Settings,
        now_ms: i64,
    ) -> Result<Self, Refused> {
        let batch = only_batch(records.unwrap_or_default(), version)?;
        Self::check_batch(batch, settings, now_ms).map_err(Refused::by_log)
    }

    fn check_batch(batch: Batch, settings: &Settings, now_ms: i64) -> Result<Self, Refused> {
        if batch.base_offset().0 != 0 {
            let message = format!(
                "The baseOffset of the record batch in the append should be 0, but it is {}",
                batch.base_offset()
            );
            return Err(Refused::new(ErrorCode::InvalidRecord, message));
        }
        if batch.size() > settings.max_message_bytes {
            return Err(too_large(batch.size(), settings.max_message_bytes));
        }
        batch
            .verify_crc()
            .map_err(|error| Refused::new(ErrorCode::CorruptMessage, error.to_string()))?;
        check_header(&batch)?;
        check_timestamps(&batch, settings, now_ms)?;

        let codec = settings.compression.unwrap_or(batch.compression());
        let compressed = batch.compression() != Compression::None;
        let decoded = if compressed
            || codec != batch.compression()
            || settings.compacts
            || settings.timestamp_before_max_ms.is_some()
        {
            decoded(&batch, settings, now_ms)?
        } else {
            None
        };
        let batch = match decoded {
            Some(records) if codec != batch.compression() => recompress(&batch, &records, codec)?,
            _ => batch,
        };
        if batch.size() > settings.max_message_bytes {
            return Err(too_large(batch.size(), settings.max_message_bytes));
        }
        Ok(match settings.timestamp_type {
            TimestampType::CreateTime => Self {
                batch,
                append_time: -1,
            },
            TimestampType::LogAppendTime => Self {
                batch: rewritten(
                    batch.bytes(),
                    batch.attributes() | bits::LOG_APPEND_TIME,
                    &[(at::MAX_TIMESTAMP, &now_ms.to_be_bytes())],
                ),
                append_time: now_ms,
            },
        })
    }

    pub(crate) fn batch(&self) -> &Batch {
        &self.batch
    }

    pub(super) fn into_batch(self) -> Batch {
        self.batch
    }

    /// -1 with create time.
    pub(super) fn append_time(&self) -> i64 {
        self.append_time
    }
}

// === impl Refused ===

impl Refused {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: Some(message.into()),
            records: Vec::new(),
            by: Refuser::Broker,
        }
    }

    /// For what the log itself does not take; it tells where it begins, but for these two.
    pub(super) fn by_log(self) -> Self {
        let by = match self.code {
            ErrorCode::MessageTooLarge | ErrorCode::CorruptMessage => Refuser::Broker,
            _ => Refuser::Log,
        };
        Self { by, ..self }
    }

    /// A batch without the bit in the middle of its producer's transaction.
    pub(super) fn not_transactional(batch: &Batch) -> Self {
        let message = format!(
            "Expected transactional write from producer {}",
            batch.producer_id()
        );
        Self::new(ErrorCode::InvalidTxnState, message)
    }
}

fn invalid(message: impl Into<String>) -> Refused {
    Refused::new(ErrorCode::InvalidRecord, message)
}

fn too_large(size: usize, limit: usize) -> Refused {
    let message = format!(
        "The record batch size is {size} bytes which exceeds the maximum configured value of {limit}"
    );
    Refused::new(ErrorCode::MessageTooLarge, message)
}

/// The one batch that a request may have for a partition; a partial one behind it is left out in silence.
fn only_batch(records: Bytes, version: i16) -> Result<Batch, Refused> {
    let exactly_one = || {
        invalid(format!(
            "Produce requests with version {version} must have exactly one record batch per partition"
        ))
    };
    let mut pieces = batches(records);
    let batch = match pieces.next() {
        None => return Err(exactly_one()),
        Some(Ok(Piece::Legacy(_))) => {
            return Err(invalid(format!(
                "Produce requests with version {version} are only allowed to contain record batches with magic version 2"
            )));
        }
        Some(Err(error)) => return Err(unreadable(&error)),
        Some(Ok(Piece::Batch(batch))) => batch,
    };
    match pieces.next() {
        None => {}
        Some(Err(Error::Magic { .. } | Error::Length { .. })) => {
            return Err(Refused::new(
                ErrorCode::CorruptMessage,
                "a batch behind the first one is damaged",
            ));
        }
        Some(_) => return Err(exactly_one()),
    }
    if batch.compression() == Compression::Zstd && version < 7 {
        return Err(Refused::new(
            ErrorCode::UnsupportedCompressionType,
            format!("Produce requests with version {version} are not allowed to use ZStandard compression"),
        ));
    }
    Ok(batch)
}

fn unreadable(error: &Error) -> Refused {
    let code = match error {
        Error::Header { .. } => ErrorCode::InvalidRecord,
        // Kafka's own reader throws what has no code.
        Error::Codec { .. } => ErrorCode::UnknownServerError,
        _ => ErrorCode::CorruptMessage,
    };
    let refused = Refused::new(code, error.to_string());
    match error {
        // What a header says of its records is the log's business.
        Error::Header { .. } => refused.by_log(),
        _ => refused,
    }
}

fn check_header(batch: &Batch) -> Result<(), Refused> {
    let count = batch.record_count();
    if count <= 0 || batch.last_offset_delta() + 1 != count {
        return Err(invalid(format!(
            "Inconsistent batch offset range [0, {}] and count of records {count}",
            batch.last_offset_delta()
        )));
    }
    if batch.is_control() {
        return Err(invalid("Clients are not allowed to write control records"));
    }
    if batch.producer_id() >= 0 && batch.base_sequence() < 0 {
        return Err(invalid(format!(
            "Invalid sequence number {} in record batch with producerId {}",
            batch.base_sequence(),
            batch.producer_id()
        )));
    }
    Ok(())
}

/// What the header alone says about times: the largest is not too far ahead, and it is not an append time.
fn check_timestamps(batch: &Batch, settings: &Settings, now_ms: i64) -> Result<(), Refused> {
    let all = |reason: String| Refused {
        code: ErrorCode::InvalidTimestamp,
        message: Some("One or more records have been rejected due to invalid timestamp".to_owned()),
        records: (0..batch.record_count())
            .map(|index| (index, reason.clone()))
            .collect(),
        by: Refuser::Broker,
    };
    match settings.timestamp_type {
        TimestampType::CreateTime => {
            let ahead = batch.max_timestamp().saturating_sub(now_ms);
            if batch.max_timestamp() >= 0 && ahead > settings.timestamp_after_max_ms {
                return Err(all(format!(
                    "Timestamp {} of message with offset 0 is out of range",
                    batch.max_timestamp()
                )));
            }
        }
        TimestampType::LogAppendTime if batch.timestamp_type() == TimestampType::LogAppendTime => {
            return Err(all(
                "Invalid timestamp type in message. Producer should not set timestamp type to LogAppendTime."
                    .to_owned(),
            ));
        }
        TimestampType::LogAppendTime => {}
    }
    Ok(())
}

/// The records, checked one by one. `None` where a broker would not notice that they are malformed: it does not look closely at what is
/// not compressed.
fn decoded(batch: &Batch, settings: &Settings, now_ms: i64) -> Result<Option<Records>, Refused> {
    let records = match decode(batch, &Limits::DEFAULT) {
        Ok(records) => records,
        Err(_) if batch.compression() == Compression::None => return Ok(None),
        Err(error) => return Err(Refused::new(ErrorCode::UnknownServerError, error.to_string())),
    };
    let reject = |code, reason: &str, wrong: Vec<i32>| Refused {
        code,
        message: Some(format!("One or more records have been rejected: {reason}")),
        records: wrong
            .into_iter()
            .map(|index| (index, reason.to_owned()))
            .collect(),
        by: Refuser::Broker,
    };
    if settings.compacts {
        let wrong: Vec<i32> = (0..)
            .zip(records.iter())
            .filter(|(_, record)| record.key.is_none())
            .map(|(index, _)| index)
            .collect();
        if !wrong.is_empty() {
            let reason = "Compacted topic cannot accept message without key in topic partition.";
            return Err(reject(ErrorCode::InvalidRecord, reason, wrong));
        }
    }
    if let (Some(before), TimestampType::CreateTime) =
        (settings.timestamp_before_max_ms, settings.timestamp_type)
    {
        let wrong: Vec<i32> = (0..)
            .zip(records.iter())
            .filter(|(_, record)| record.timestamp >= 0 && now_ms.saturating_sub(record.timestamp) > before)
            .map(|(index, _)| index)
            .collect();
        if !wrong.is_empty() {
            return Err(reject(
                ErrorCode::InvalidTimestamp,
                "Timestamp is out of range",
                wrong,
            ));
        }
    }
    Ok(Some(records))
}

/// The same records in the topic's own codec (`compression.type`), under the producer's identity and sequence.
fn recompress(batch: &Batch, records: &Records, codec: Compression) -> Result<Batch, Refused> {
    let failed = |error: batch::Error| Refused::new(ErrorCode::UnknownServerError, error.to_string());
    let mut encoder = Encoder::new(codec);
    for record in records.iter() {
        encoder.push(&record).map_err(failed)?;
    }
    let span = SourceSpan {
        first: Offset(0),
        next: batch.next_offset(),
    };
    let mut outgoing = encoder.finish(span).map_err(failed)?;
    let transactional = if batch.is_transactional() {
        Transactional::Yes
    } else {
        Transactional::No
    };
    let producer = ProducerIdentity {
        id: batch.producer_id(),
        epoch: batch.producer_epoch(),
        transactional,
    };
    outgoing.sign(producer, batch.base_sequence());
    Batch::new([outgoing.header().as_slice(), outgoing.body()].concat().into()).map_err(failed)
}
