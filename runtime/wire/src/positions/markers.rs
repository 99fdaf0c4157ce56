//! Offsets without a record: taken by the markers of empty transactions, one an offset, which no consumer sees.
//!
//! Each transaction leaves one marker in each partition that was added to it (KIP-98), whether it is committed or not. Which of them are in the logs already
//! is known only while none is on its way: a transaction is ended a second time, and when that is answered the markers of the first are written
//! (`TransactionCoordinator`: CONCURRENT_TRANSACTIONS until then).

use std::collections::HashMap;

use towpath_domain::{Bucket, Offset, TopicPartition};

use super::{Positions, transactional_id};
use crate::{Error, Isolation, KafkaError, OffsetSpec, ProducerId};

const PURPOSE: &str = "offsets without a record";
/// Transactions between two looks at the ends.
const ROUNDS: i64 = 100;

// === impl Positions ===

impl Positions {
    /// Takes the offsets of these partitions up to the given ones with markers of the bucket's producer, as it was claimed; what was taken by an
    /// earlier call that failed counts. Answers the producer. Several calls about one bucket wait for each other. PRODUCER_FENCED once somebody else has
    /// claimed the bucket. A log that ends behind what was asked for is left as it is: whoever asked looks at what is there.
    ///
    /// Needs Write on the transactional ids and on the topics.
    pub async fn mark(
        &self,
        connector: &str,
        bucket: Bucket,
        up_to: &[(TopicPartition, Offset)],
    ) -> Result<ProducerId, Error> {
        let own = |what: String| Error::Own {
            topic: self.topic.clone(),
            purpose: PURPOSE,
            what,
            cause: None,
        };
        let Some(claimed) = self.claimed.get(bucket.0 as usize) else {
            return Err(own(format!("there is no bucket {}", bucket.0)));
        };
        let claimed = claimed.lock().await;
        let producer = claimed.ok_or_else(|| own(format!("bucket {} was not claimed", bucket.0)))?;
        let id = transactional_id(self.topic.as_str(), connector, bucket);
        let partitions: Vec<TopicPartition> = up_to.iter().map(|(partition, _)| partition.clone()).collect();
        loop {
            self.settle(&id, producer).await?;
            let ends = self.ends(&partitions).await?;
            let mut left: Vec<(TopicPartition, i64)> = up_to
                .iter()
                .filter_map(|(partition, up_to)| {
                    let end = ends.get(partition)?;
                    Some((partition.clone(), up_to.0 - end.0))
                })
                .filter(|(_, left)| *left > 0)
                .collect();
            if left.is_empty() {
                return Ok(producer);
            }
            for round in 0..ROUNDS {
                left.retain(|(_, left)| *left > round);
                if left.is_empty() {
                    break;
                }
                let places: Vec<TopicPartition> =
                    left.iter().map(|(partition, _)| partition.clone()).collect();
                self.client.add_partitions(&id, producer, &places).await?;
                self.client.end_transaction(&id, producer, true).await?;
            }
        }
    }

    /// Waits until no marker is on its way: none of a call that failed, of which nobody knows how far it came, either.
    async fn settle(&self, id: &str, producer: ProducerId) -> Result<(), Error> {
        for _ in 0..2 {
            match self.client.end_transaction(id, producer, true).await {
                Ok(()) => {}
                Err(error) if error.kafka() == Some(KafkaError::INVALID_TXN_STATE) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn ends(&self, partitions: &[TopicPartition]) -> Result<HashMap<TopicPartition, Offset>, Error> {
        let listed = self
            .client
            .list_offsets(partitions, OffsetSpec::Latest, Isolation::ReadUncommitted)
            .await?;
        let ends = listed.into_iter().map(|(partition, listed)| match listed {
            Ok(listed) => Ok((partition, listed.offset)),
            Err(cause) => Err(Error::Own {
                topic: partition.topic.clone(),
                purpose: PURPOSE,
                what: format!("the end of partition {} cannot be found", partition.partition),
                cause: Some(cause),
            }),
        });
        ends.collect()
    }
}
