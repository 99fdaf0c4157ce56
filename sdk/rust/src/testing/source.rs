//! A batch over records in memory, as strict as the host's.

use super::{TestBatch, TestRecord};
use crate::{Column, Header, Reads, Source, TimestampType};

/// A batch lent to a plugin that declared these reads.
pub(super) struct Lent<'a> {
    pub(super) batch: &'a TestBatch,
    pub(super) reads: Reads,
}

// === impl Lent ===

impl Lent<'_> {
    fn record(&self, index: u32) -> &TestRecord {
        let records = &self.batch.records;
        records
            .get(index as usize)
            .unwrap_or_else(|| panic!("record {index} of a batch of {}", records.len()))
    }
}

impl Source for Lent<'_> {
    fn count(&self) -> u32 {
        u32::try_from(self.batch.records.len()).expect("a test's records fit into memory")
    }

    fn topic(&self) -> String {
        self.batch.topic.clone()
    }

    fn partition(&self) -> u32 {
        self.batch.partition
    }

    fn offsets(&self) -> Vec<i64> {
        assert!(
            self.reads.offset,
            "the plugin did not declare that it reads offsets"
        );
        let offsets = self.batch.records.iter().map(|record| record.offset);
        if self.batch.has_offsets {
            offsets.collect()
        } else {
            Vec::new()
        }
    }

    fn timestamps(&self) -> Vec<i64> {
        assert!(
            self.reads.timestamp,
            "the plugin did not declare that it reads timestamps"
        );
        self.batch.records.iter().map(|record| record.timestamp).collect()
    }

    fn timestamp_type(&self) -> TimestampType {
        assert!(
            self.reads.timestamp,
            "the plugin did not declare that it reads timestamps"
        );
        self.batch.timestamp_type
    }

    fn keys(&self) -> Column {
        assert!(self.reads.key, "the plugin did not declare that it reads keys");
        self.batch
            .records
            .iter()
            .map(|record| record.key.as_deref())
            .collect()
    }

    fn values(&self) -> Column {
        assert!(
            self.reads.value,
            "the plugin did not declare that it reads values"
        );
        self.batch
            .records
            .iter()
            .map(|record| record.value.as_deref())
            .collect()
    }

    fn key(&self, index: u32) -> Option<Vec<u8>> {
        assert!(self.reads.key, "the plugin did not declare that it reads keys");
        self.record(index).key.clone()
    }

    fn value(&self, index: u32) -> Option<Vec<u8>> {
        assert!(
            self.reads.value,
            "the plugin did not declare that it reads values"
        );
        self.record(index).value.clone()
    }

    fn headers(&self, index: u32) -> Vec<Header> {
        assert!(
            self.reads.header,
            "the plugin did not declare that it reads headers"
        );
        self.record(index).headers.clone()
    }

    fn header_column(&self, key: &str) -> Column {
        assert!(
            self.reads.header,
            "the plugin did not declare that it reads headers"
        );
        let records = self.batch.records.iter();
        let last = records.map(|record| record.headers.iter().rfind(|header| header.key == key));
        last.map(|header| header?.value.as_deref()).collect()
    }
}
