//! Offsets without a record: taken by the markers of empty transactions, one an offset, which no consumer sees.
//!
//! Each transaction leaves one marker in each partition that was added to it (KIP-98), whether it is committed or not. Which of them are in the logs already
//! is known only while none is on its way: a transaction is ended a second time, and when that is answered the markers of the first are written
//! (`TransactionCoordinator`: CONCURRENT_TRANSACTIONS until then).

use std::time::Duration;

use towpath_domain::{Bucket, Offset, TopicPartition};

use super::{Positions, transactional_id};
use crate::{Error, Isolation, KafkaError, OffsetSpec, ProducerId, append::Connections};

const PURPOSE: &str = "offsets without a record";
pub(super) const OPEN: Duration = Duration::from_secs(60);
/// Transactions between two looks at the ends.
const ROUNDS: i64 = 100;

/// Offsets to be taken.
#[derive(Clone, Debug)]
pub struct Hole {
    pub partition: TopicPartition,
    /// Where the log ends without its markers. One that ends before has lost something, and gets none.
    pub from: Offset,
    pub to: Offset,
    /// No marker can be there yet: a call that failed may have left some.
    pub is_untouched: bool,
}

/// A bucket's producer.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) producer: ProducerId,
    pub(super) markers: Markers,
    /// for records in its transactions
    pub(super) connections: Connections,
}

/// What is known of a bucket's markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Markers {
    /// none is on its way
    Settled,
    /// some may be
    Open,
    /// none can be but of late requests, whose epoch is being taken away, or was
    Renewing,
}

// === impl Hole ===

impl Hole {
    /// How many markers are missing when the log ends there.
    fn lacks(&self, end: Offset) -> (TopicPartition, i64) {
        let missing = if end < self.from { 0 } else { self.to.0 - end.0 };
        (self.partition.clone(), missing)
    }
}

// === impl Claimed ===

impl Claimed {
    pub(super) fn new(producer: ProducerId) -> Self {
        Self {
            producer,
            markers: Markers::Settled,
            connections: Connections::default(),
        }
    }
}

// === impl Positions ===

impl Positions {
    /// Takes these offsets with markers of the bucket's producer, as it was claimed; what was taken by an earlier call that failed counts. Answers the producer.
    /// Several calls about one bucket wait for each other. PRODUCER_FENCED once somebody else has claimed the bucket. A log that ends behind what was asked
    /// for is left as it is: whoever asked looks at what is there.
    ///
    /// Needs Write on the transactional ids and on the topics.
    pub async fn mark(&self, connector: &str, bucket: Bucket, holes: &[Hole]) -> Result<ProducerId, Error> {
        let claimed = &mut *self.claimed(bucket, PURPOSE).await?;
        let id = transactional_id(self.topic.as_str(), connector, bucket);
        let mut left = holes
            .iter()
            .map(|hole| {
                (hole.is_untouched && claimed.markers == Markers::Settled).then(|| hole.lacks(hole.from))
            })
            .collect::<Option<Vec<(TopicPartition, i64)>>>();
        if claimed.markers == Markers::Settled {
            // Until it has succeeded nobody knows how far it came.
            claimed.markers = Markers::Open;
        }
        loop {
            let mut open = match left.take() {
                Some(left) => left,
                None => {
                    self.renew(&id, claimed, true).await?;
                    self.left(holes).await?
                }
            };
            let producer = claimed.producer;
            open.retain(|(_, left)| *left > 0);
            let is_last = open.iter().all(|(_, left)| *left <= ROUNDS);
            let is_ended = !open.is_empty();
            for round in 0..ROUNDS {
                open.retain(|(_, left)| *left > round);
                if open.is_empty() {
                    break;
                }
                let places: Vec<TopicPartition> =
                    open.iter().map(|(partition, _)| partition.clone()).collect();
                self.client.add_partitions(&id, producer, &places).await?;
                self.client.end_transaction(&id, producer, true).await?;
            }
            if is_last {
                match is_ended {
                    // Said once: when it is said again, the markers are there.
                    true => self.client.end_transaction(&id, producer, true).await?,
                    false => self.settle(&id, producer, true).await?,
                }
                claimed.markers = Markers::Settled;
                return Ok(producer);
            }
        }
    }

    /// After that a coordinator ends a transaction by itself, and shuts its owner out: longer than it takes to begin one and to fail to end it. Of an owner
    /// that died amid one, and that nobody has taken over, readers of committed records wait for so long.
    pub(super) fn transaction_timeout(&self) -> Duration {
        OPEN + 2 * self.client.options().request_timeout
    }

    /// Ends what is open, and takes the epoch away: what was given up may still come, and would begin or end transactions of what follows. Whether that was done may not
    /// be known either: then it is asked for again as it was.
    pub(super) async fn renew(&self, id: &str, claimed: &mut Claimed, commit: bool) -> Result<(), Error> {
        if claimed.markers == Markers::Open {
            self.settle(id, claimed.producer, commit).await?;
        }
        claimed.markers = Markers::Renewing;
        let timeout = self.transaction_timeout();
        let renewed = self.client.renew_transactional(id, claimed.producer, timeout);
        claimed.producer = renewed.await?;
        claimed.markers = Markers::Open;
        Ok(())
    }

    /// Ends what is open, and waits until no marker is on its way: none of a call that failed, of which nobody knows how far it came, either. A transaction that ends the
    /// other way already is left to end.
    pub(super) async fn settle(&self, id: &str, producer: ProducerId, commit: bool) -> Result<(), Error> {
        // The first one may be what ends it.
        for _ in 0..2 {
            match self.client.end_transaction(id, producer, commit).await {
                Ok(()) => {}
                Err(error) if error.kafka() == Some(KafkaError::INVALID_TXN_STATE) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How many offsets each partition still lacks.
    async fn left(&self, holes: &[Hole]) -> Result<Vec<(TopicPartition, i64)>, Error> {
        let partitions: Vec<TopicPartition> = holes.iter().map(|hole| hole.partition.clone()).collect();
        let listed = self
            .client
            .list_offsets(&partitions, OffsetSpec::Latest, Isolation::ReadUncommitted)
            .await?;
        let mut left = Vec::new();
        for hole in holes {
            let partition = &hole.partition;
            let unlisted = |cause| Error::Own {
                topic: partition.topic.clone(),
                purpose: PURPOSE,
                what: format!("the end of partition {} cannot be found", partition.partition),
                cause,
            };
            match listed.get(partition) {
                Some(Ok(end)) => left.push(hole.lacks(end.offset)),
                Some(Err(cause)) => return Err(unlisted(Some(*cause))),
                None => return Err(unlisted(None)),
            }
        }
        Ok(left)
    }
}
