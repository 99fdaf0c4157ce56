//! A record on its way to the dead letter queue.

use towpath_domain::Offset;
use towpath_wire::batch::Record;

use super::refused::Refusal;

/// The record as it was read from the source, and why it was not written. Where it was read is known to whoever converts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub offset: Offset,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// encoded
    pub headers: Vec<u8>,
    /// such as `validators.contract`
    pub stage: String,
    /// `name@version`
    pub plugin: String,
    pub digest: String,
    /// `rejected`, `failed` or `broken`
    pub kind: &'static str,
    pub reason: String,
}

// === impl Letter ===

impl Letter {
    pub(super) fn of(record: &Record<'_>, refusal: &Refusal) -> Self {
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.raw().to_vec(),
            stage: refusal.name.stage.clone(),
            plugin: refusal.name.plugin.clone(),
            digest: refusal.name.digest.clone(),
            kind: refusal.kind.as_str(),
            reason: refusal.message.clone(),
        }
    }
}
