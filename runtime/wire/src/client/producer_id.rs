//! InitProducerId: an identity by which brokers recognise repeated batches.

use kafka_protocol::messages::InitProducerIdRequest;

use super::Client;
use crate::{Error, KafkaError, api::Call, retry::Attempts};

/// An idempotent producer's identity (KIP-98). Sequences start at 0 for each partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerId {
    pub id: i64,
    pub epoch: i16,
}

// === impl Client ===

impl Client {
    /// A new identity without a transactional id: any broker gives one out.
    pub async fn init_producer_id(&self) -> Result<ProducerId, Error> {
        let mut attempts = Attempts::new(&self.0.options);
        loop {
            match self.init_producer_id_once().await {
                Ok(answer) => return Ok(answer),
                Err(error) => attempts.wait(error).await?,
            };
        }
    }

    async fn init_producer_id_once(&self) -> Result<ProducerId, Error> {
        let api = InitProducerIdRequest::API;
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            // Means nothing without a transactional id; Java sends the same.
            .with_transaction_timeout_ms(i32::MAX)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        let connection = self.any().await?;
        let answer = connection
            .call(&request, connection.version(api, i16::MAX)?)
            .await?;
        match KafkaError::of(answer.error_code) {
            None => Ok(ProducerId {
                id: answer.producer_id.0,
                epoch: answer.producer_epoch,
            }),
            Some(error) => Err(connection.refusal(api, None, error, None)),
        }
    }
}
