//! What must hold of records and batches that were let through.

use bytes::Bytes;
use towpath_domain::Offset;
use towpath_wire::batch::{
    Batch, Encoder, Error, Limits, Outgoing, ProducerIdentity, Record, Records, Transactional, decode,
};

/// Touches everything in decoded records: offsets ascend within the span, and headers are what they say.
pub(crate) fn records(records: &Records) {
    let span = records.source();
    let mut next = span.first;
    for record in records.iter() {
        assert!(
            record.offset >= next && record.offset < span.next,
            "{record:?} in {span:?}"
        );
        next = Offset(record.offset.0 + 1);
        let headers = record.headers;
        assert_eq!(headers.iter().count(), headers.len());
        assert_eq!(towpath_wire::batch::Headers::parse(headers.raw()), Ok(headers));
    }
}

/// A batch to be produced, as a broker gets it: it would take it.
pub(crate) fn produced(outgoing: &Outgoing) -> Batch {
    let mut outgoing = outgoing.clone();
    let producer = ProducerIdentity {
        id: 7,
        epoch: 1,
        transactional: Transactional::No,
    };
    outgoing.sign(producer, 42);
    let bytes = [outgoing.header().as_slice(), outgoing.body()].concat();
    let batch = Batch::new(Bytes::from(bytes)).expect("what is produced is a batch");
    batch.verify_crc().expect("it was signed");
    assert_eq!(batch.base_offset(), Offset(0));
    assert_eq!(
        (batch.producer_id(), batch.producer_epoch(), batch.base_sequence()),
        (7, 1, 42)
    );
    assert!(!batch.is_control() && !batch.is_transactional() && !batch.has_delete_horizon());
    assert!(batch.record_count() > 0);
    assert_eq!(batch.last_offset_delta() + 1, batch.record_count());
    assert_eq!(batch.size(), outgoing.size());
    batch
}

/// Writes records into batches of at most `max_bytes` and reads them again: the same, in order, and each source offset passed once.
pub(crate) fn written_anew(source: &Records, max_bytes: usize) {
    let encoded = Encoder::new(source.compression()).encode_split(source.iter(), source.source(), max_bytes);
    let batches = match encoded {
        Ok(batches) => batches,
        Err(Error::RecordTooLarge { limit, .. }) => {
            assert_eq!(limit, max_bytes);
            return;
        }
        Err(error) => panic!("sound records were not encoded: {error}"),
    };
    let mut expected = source.iter();
    let mut next = source.source().first;
    for outgoing in &batches {
        assert!(outgoing.size() <= max_bytes);
        assert_eq!(outgoing.source().first, next);
        next = outgoing.source().next;
        let batch = produced(outgoing);
        let written = decode(&batch, &Limits::DEFAULT).expect("what was encoded decodes");
        for record in written.iter() {
            let Some(original) = expected.next() else {
                panic!("there are more records than there were")
            };
            assert_eq!(content(&record), content(&original));
        }
    }
    assert!(
        expected.next().is_none(),
        "there are fewer records than there were"
    );
    assert!(batches.is_empty() || next == source.source().next);
}

type Content<'a> = (i64, Option<&'a [u8]>, Option<&'a [u8]>, &'a [u8]);

fn content<'a>(record: &Record<'a>) -> Content<'a> {
    (record.timestamp, record.key, record.value, record.headers.raw())
}
