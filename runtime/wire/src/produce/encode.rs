//! A request as a frame: what is written, with the batches' bodies between.
//!
//! Versions below 9 have lengths of fixed size, those from 9 on are flexible (KIP-482): lengths are variable-length integers, one more than what
//! follows, and each structure ends with its tagged fields, of which there are none.

use bytes::{BufMut, BytesMut};

use super::{ProducePartition, ProduceRequest, millis};
use crate::{
    Error,
    api::{PRODUCE, PRODUCE_BY_ID},
    batch::HEADER_SIZE,
    connection::Frame,
};

/// How topics are named and lengths are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    ByName,
    /// Flexible.
    ById,
}

/// The most that is written between two bodies, but for names: ids, indexes, lengths, tagged fields.
const MOST_OF_TOPIC: usize = 32;
const MOST_OF_PARTITION: usize = 16;
const MOST_OF_REQUEST: usize = 16;

/// `head` is the header of the request.
pub(super) fn encode(head: BytesMut, request: &ProduceRequest, version: i16) -> Result<Frame, Error> {
    if !matches!(request.acks, -1 | 1) {
        return Err(invalid(format!("acks must be -1 or 1, not {}", request.acks)));
    }
    let layout = match version {
        version if version >= PRODUCE_BY_ID.min => Layout::ById,
        _ => Layout::ByName,
    };
    let partitions = layout.in_order(request)?;
    let topics: Vec<_> = partitions.chunk_by(|a, b| layout.is_one_topic(a, b)).collect();

    // No less than is written below, so that the segments are parts of one allocation.
    let names: usize = topics
        .iter()
        .map(|topic| topic[0].partition.topic.as_str().len() + MOST_OF_TOPIC)
        .sum();
    let mut written = head;
    let id = request.transactional_id.as_ref().map_or(0, String::len);
    written.reserve(MOST_OF_REQUEST + id + names + partitions.len() * (MOST_OF_PARTITION + HEADER_SIZE));
    let mut head = None;
    let mut rest = Vec::with_capacity(2 * partitions.len());
    layout.put_transactional_id(&mut written, request.transactional_id.as_deref())?;
    written.put_i16(request.acks);
    written.put_i32(millis(request.timeout));
    layout.put_length(&mut written, topics.len())?;
    for topic in topics {
        match layout {
            Layout::ByName => put_text(&mut written, "topic", topic[0].partition.topic.as_str())?,
            Layout::ById => written.put_slice(topic[0].topic_id.0.as_bytes()),
        }
        layout.put_length(&mut written, topic.len())?;
        for ProducePartition { partition, batch, .. } in topic {
            written.put_i32(partition.partition.0);
            layout.put_length(&mut written, batch.size())?;
            written.put_slice(batch.header());
            match head {
                None => head = Some(written.split()),
                Some(_) => rest.push(written.split().freeze()),
            }
            rest.push(batch.body().clone());
            layout.put_end(&mut written);
        }
        layout.put_end(&mut written);
    }
    layout.put_end(&mut written);
    match head {
        None => head = Some(written),
        Some(_) if written.is_empty() => {}
        Some(_) => rest.push(written.freeze()),
    }
    Frame::new(PRODUCE, head.unwrap_or_default(), rest)
}

// === impl Layout ===

impl Layout {
    /// By topic, then by partition; none of them twice.
    fn in_order(self, request: &ProduceRequest) -> Result<Vec<&ProducePartition>, Error> {
        let mut partitions: Vec<&ProducePartition> = request.partitions.iter().collect();
        partitions.sort_by(|a, b| a.partition.cmp(&b.partition));
        let mut pairs = partitions.windows(2);
        if let Some(twice) = pairs.find(|pair| pair[0].partition == pair[1].partition) {
            return Err(invalid(format!("{} is in the request twice", twice[0].partition)));
        }
        if self == Self::ById {
            partitions.sort_by_key(|part| part.topic_id);
        }
        Ok(partitions)
    }

    fn is_one_topic(self, a: &ProducePartition, b: &ProducePartition) -> bool {
        match self {
            Self::ByName => a.partition.topic == b.partition.topic,
            Self::ById => a.topic_id == b.topic_id,
        }
    }

    fn put_transactional_id(self, out: &mut BytesMut, id: Option<&str>) -> Result<(), Error> {
        match (self, id) {
            (Self::ByName, Some(id)) => put_text(out, "the transactional id", id)?,
            (Self::ByName, None) => out.put_i16(-1),
            (Self::ById, Some(_)) => return Err(invalid("a transaction goes by names".to_owned())),
            (Self::ById, None) => out.put_u8(0),
        }
        Ok(())
    }

    /// Of an array, or of bytes.
    fn put_length(self, out: &mut BytesMut, length: usize) -> Result<(), Error> {
        let length =
            i32::try_from(length).map_err(|_| invalid(format!("{length} is more than fits a request")))?;
        match self {
            Self::ByName => out.put_i32(length),
            Self::ById => put_varint(out, length.unsigned_abs() + 1),
        }
        Ok(())
    }

    /// The end of a structure.
    fn put_end(self, out: &mut BytesMut) {
        if self == Self::ById {
            out.put_u8(0);
        }
    }
}

fn put_text(out: &mut BytesMut, what: &str, text: &str) -> Result<(), Error> {
    let length =
        i16::try_from(text.len()).map_err(|_| invalid(format!("{what} {text} has too long a name")))?;
    out.put_i16(length);
    out.put_slice(text.as_bytes());
    Ok(())
}

/// Seven bits a byte, the lowest first.
fn put_varint(out: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn invalid(what: String) -> Error {
    Error::Invalid {
        api: PRODUCE.name,
        what,
    }
}

#[cfg(test)]
mod tests;
