use super::{Batch, TimestampType};

/// What can be done with a source batch, by the rules a broker has for produced batches (Apache Kafka's `LogValidator`; each was tried on 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// Nothing in it is for the target: go on behind it.
    Skip(Skip),
    /// [`Outgoing::pass_through`](super::Outgoing::pass_through).
    Copy,
    /// [`decode`](super::decode), then [`Encoder::encode_split`](super::Encoder::encode_split).
    Decode(Reason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skip {
    /// Transaction markers and the like are made by brokers; a produced one is error 87, INVALID_RECORD.
    Control,
    /// Compaction has removed every record and kept the header for the producer's sequence; a produced one is error 87.
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Compaction has removed records: a batch whose last offset delta is not its count - 1 is error 87, and forging the header would
    /// store the wrong offsets without an error.
    OffsetGaps,
    /// The batch tells when the source appended it. Only each record's own timestamp can carry that to a target with create time; the
    /// target would take a copy, with the producers' old timestamps.
    LogAppendTime,
    /// Larger than the target's `max.message.bytes`: error 10, MESSAGE_TOO_LARGE. Its records may fit one by one.
    TooLarge,
}

/// What the target topic's configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// `message.timestamp.type`
    pub timestamp_type: TimestampType,
    /// `max.message.bytes`
    pub max_message_bytes: usize,
}

// === impl Way ===

impl Way {
    pub fn of(batch: &Batch, target: &Target) -> Self {
        let keeps_append_time = target.timestamp_type == TimestampType::CreateTime;
        if batch.is_control() {
            Self::Skip(Skip::Control)
        } else if batch.record_count() == 0 {
            Self::Skip(Skip::Empty)
        } else if i64::from(batch.last_offset_delta()) + 1 != i64::from(batch.record_count()) {
            Self::Decode(Reason::OffsetGaps)
        } else if batch.timestamp_type() == TimestampType::LogAppendTime && keeps_append_time {
            Self::Decode(Reason::LogAppendTime)
        } else if batch.size() > target.max_message_bytes {
            Self::Decode(Reason::TooLarge)
        } else {
            Self::Copy
        }
    }
}
