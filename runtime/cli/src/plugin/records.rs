//! Records of a case, as the host shows them to a plugin.

use towpath_domain::{Offset, Partition};
use towpath_plugin_cases as golden;
use towpath_plugin_host as host;

pub(super) struct Records {
    pub batch: golden::Records,
    /// false for records that are about to be written
    pub has_offsets: bool,
}

impl host::Records for Records {
    fn len(&self) -> usize {
        self.batch.records.len()
    }

    fn topic(&self) -> &str {
        &self.batch.topic
    }

    fn partition(&self) -> Partition {
        Partition(i32::try_from(self.batch.partition).unwrap_or(i32::MAX))
    }

    fn offset(&self, index: usize) -> Offset {
        Offset(self.batch.records[index].offset)
    }

    fn has_offsets(&self) -> bool {
        self.has_offsets
    }

    fn timestamp(&self, index: usize) -> i64 {
        self.batch.records[index].timestamp
    }

    fn timestamp_type(&self) -> host::TimestampType {
        match self.batch.timestamp_type {
            golden::TimestampType::CreateTime => host::TimestampType::CreateTime,
            golden::TimestampType::LogAppendTime => host::TimestampType::LogAppendTime,
        }
    }

    fn key(&self, index: usize) -> Option<&[u8]> {
        self.batch.records[index].key.as_deref()
    }

    fn value(&self, index: usize) -> Option<&[u8]> {
        self.batch.records[index].value.as_deref()
    }

    fn headers(&self, index: usize, each: &mut dyn FnMut(&[u8], Option<&[u8]>)) {
        for header in &self.batch.records[index].headers {
            each(header.key.as_bytes(), header.value.as_deref());
        }
    }
}
