use arbitrary::{Arbitrary, Unstructured};
use towpath_domain::Offset;
use towpath_wire::batch::{Compression, Encoder, HeadersBuilder, Limits, Record, SourceSpan, decode};

use crate::sound;

/// Timestamp, key, value, headers.
pub(crate) type Row<'a> = (
    i64,
    Option<&'a [u8]>,
    Option<&'a [u8]>,
    Vec<(&'a [u8], Option<&'a [u8]>)>,
);

/// Records of any content, with every codec: encoded, decoded, split and encoded again, they are the same.
pub fn records(data: &[u8]) {
    let Ok((codec, max_bytes, rows)) =
        <(u8, u16, Vec<Row<'_>>)>::arbitrary_take_rest(Unstructured::new(data))
    else {
        return;
    };
    let codec = Compression::ALL[usize::from(codec) % Compression::ALL.len()];
    let Some(records) = encoded(codec, &rows) else {
        return;
    };
    assert_eq!(records.len(), rows.len());
    for (record, (timestamp, key, value, headers)) in records.iter().zip(&rows) {
        assert_eq!(
            (record.timestamp, record.key, record.value),
            (*timestamp, *key, *value)
        );
        assert!(record.headers.iter().eq(headers.iter().copied()));
    }
    sound::records(&records);
    sound::written_anew(&records, usize::from(max_bytes));
    sound::written_anew(&records, usize::MAX);
}

/// The rows as a batch that was fetched. None: no rows.
pub(crate) fn encoded(codec: Compression, rows: &[Row<'_>]) -> Option<towpath_wire::batch::Records> {
    let mut encoder = Encoder::new(codec);
    let mut headers = HeadersBuilder::new();
    for (timestamp, key, value, pairs) in rows {
        headers.clear();
        for (key, value) in pairs {
            headers.push(key, *value);
        }
        let record = Record {
            offset: Offset(0),
            timestamp: *timestamp,
            key: *key,
            value: *value,
            headers: headers.headers(),
        };
        encoder.push(&record).expect("it is less than 2 GiB");
    }
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(rows.len() as i64),
    };
    let outgoing = match encoder.finish(span) {
        Ok(outgoing) => outgoing,
        Err(error) => {
            assert!(rows.is_empty(), "{error}");
            return None;
        }
    };
    Some(decode(&sound::produced(&outgoing), &Limits::DEFAULT).expect("what was encoded decodes"))
}
