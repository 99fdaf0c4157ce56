//! Client quotas: what a broker slows its clients down to.

use anyhow::{Result, ensure};
use kafka_protocol::{
    messages::{
        AlterClientQuotasRequest, AlterClientQuotasResponse, ApiKey,
        alter_client_quotas_request::{EntityData, EntryData, OpData},
    },
    protocol::StrBytes,
};

use super::{Admin, raw};

/// Bytes per second that each broker lets a client have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    Produce,
    Fetch,
}

// === impl Admin ===

impl Admin<'_> {
    /// Sets a quota of a client id, or takes it away.
    pub fn set_quota(&self, client_id: &str, quota: Quota, bytes_per_second: Option<u32>) -> Result<()> {
        let key = match quota {
            Quota::Produce => "producer_byte_rate",
            Quota::Fetch => "consumer_byte_rate",
        };
        let entity = EntityData::default()
            .with_entity_type(StrBytes::from_static_str("client-id"))
            .with_entity_name(Some(StrBytes::from_string(client_id.to_owned())));
        let change = OpData::default()
            .with_key(StrBytes::from_static_str(key))
            .with_value(bytes_per_second.map_or(0.0, f64::from))
            .with_remove(bytes_per_second.is_none());
        let request = AlterClientQuotasRequest::default().with_entries(vec![
            EntryData::default()
                .with_entity(vec![entity])
                .with_ops(vec![change]),
        ]);
        let answer: AlterClientQuotasResponse =
            raw::call(&self.bootstrap, ApiKey::AlterClientQuotas, &request, 1)?;
        ensure!(
            answer.entries.iter().all(|entry| entry.error_code == 0),
            "{answer:?}"
        );
        Ok(())
    }
}
