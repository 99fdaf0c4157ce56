//! Whether to try again after an error, and what to do before: decided here and nowhere else.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Backoff, Error, KafkaError, Options};

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The cluster looks different from what is cached: read metadata, then try again (after a backoff).
    AfterMetadata,
    /// The same request to the same broker may succeed in a moment.
    Backoff,
    /// It fails the same way until somebody has changed something: tell whoever asked. What runs for good asks again, after a pause.
    WhenMended,
    /// It fails the same way again: tell whoever asked.
    Never,
}

// === impl Retry ===

impl Retry {
    /// Whether it may succeed by itself in a moment: then an operation tries again before it fails.
    pub fn is_soon(self) -> bool {
        matches!(self, Self::AfterMetadata | Self::Backoff)
    }
}

/// The attempts of one operation: backs off between them and ends them at a deadline.
#[derive(Debug)]
pub(crate) struct Attempts {
    backoff: Backoff,
    /// a coordinator that is at the transaction before is done in a moment
    brief: Backoff,
    started: Instant,
    limit: Duration,
    failed: u32,
}

/// The first pause where markers are awaited; a broker writes them in some milliseconds.
const BRIEF: Duration = Duration::from_millis(2);
/// A topic that was just created is unknown to some brokers for a moment. One that is unknown after this many attempts, about 2 s, does
/// not exist.
pub(crate) const UNKNOWN_ATTEMPTS: u32 = 5;

/// Whether the error says that there is no such topic.
pub(crate) fn is_unknown(error: KafkaError) -> bool {
    matches!(
        error,
        KafkaError::UNKNOWN_TOPIC_OR_PARTITION | KafkaError::UNKNOWN_TOPIC_ID
    )
}

/// What a broker's error code asks for.
pub fn classify(error: KafkaError) -> Retry {
    type E = KafkaError;
    match error {
        // The partition is led by somebody else than the cache says, or by nobody at the moment.
        E::LEADER_NOT_AVAILABLE
        | E::NOT_LEADER_OR_FOLLOWER
        | E::REPLICA_NOT_AVAILABLE
        | E::FENCED_LEADER_EPOCH
        | E::LISTENER_NOT_FOUND
        | E::PREFERRED_LEADER_NOT_AVAILABLE
        | E::ELIGIBLE_LEADERS_NOT_AVAILABLE => Retry::AfterMetadata,
        // Just created, or deleted: see UNKNOWN_ATTEMPTS.
        E::UNKNOWN_TOPIC_OR_PARTITION | E::UNKNOWN_TOPIC_ID | E::INCONSISTENT_TOPIC_ID => {
            Retry::AfterMetadata
        }
        // The broker lost its disk: another one will lead soon.
        E::KAFKA_STORAGE_ERROR => Retry::AfterMetadata,
        // The controller moved.
        E::NOT_CONTROLLER => Retry::AfterMetadata,
        // The broker itself could not reach somebody: leadership may be moving.
        E::NETWORK_EXCEPTION => Retry::AfterMetadata,
        // The broker is behind what we know (a new leader's epoch or high watermark has not reached it): it catches up.
        E::UNKNOWN_LEADER_EPOCH | E::OFFSET_NOT_AVAILABLE => Retry::Backoff,
        // Too few replicas in sync, or they answered too late. After the two that come after an append, a retry without
        // a producer id appends a second time.
        E::NOT_ENOUGH_REPLICAS | E::NOT_ENOUGH_REPLICAS_AFTER_APPEND | E::REQUEST_TIMED_OUT => Retry::Backoff,
        // A coordinator that loads or moves.
        E::COORDINATOR_LOAD_IN_PROGRESS
        | E::COORDINATOR_NOT_AVAILABLE
        | E::NOT_COORDINATOR
        | E::CONCURRENT_TRANSACTIONS
        | E::UNSTABLE_OFFSET_COMMIT => Retry::Backoff,
        // Source batches are verified before they are sent, so the bytes were damaged on the way, or the topic is
        // compacted and a key is null: whoever produces gives up after some attempts.
        E::CORRUPT_MESSAGE => Retry::Backoff,
        // A quota: the answer's throttle time says how long, the connection waits for it.
        E::THROTTLING_QUOTA_EXCEEDED => Retry::Backoff,
        // A fetch session was evicted: the next fetch starts a new one.
        E::FETCH_SESSION_ID_NOT_FOUND | E::INVALID_FETCH_SESSION_EPOCH | E::FETCH_SESSION_TOPIC_ID_ERROR => {
            Retry::Backoff
        }
        // Permissions are granted, and credentials changed, while we wait.
        E::TOPIC_AUTHORIZATION_FAILED
        | E::GROUP_AUTHORIZATION_FAILED
        | E::CLUSTER_AUTHORIZATION_FAILED
        | E::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        | E::SASL_AUTHENTICATION_FAILED => Retry::WhenMended,
        // Everything else is about the request itself; codes newer than ours are not guessed.
        _ => Retry::Never,
    }
}

impl Error {
    /// What this error asks for.
    pub fn retry(&self) -> Retry {
        match self {
            // A broker that is gone may have handed its partitions over.
            Self::Connect { .. } | Self::Disconnected { .. } | Self::Timeout { .. } => Retry::AfterMetadata,
            // Certificates and stores are renewed while the client runs; another broker may be all right meanwhile.
            Self::Tls { .. } => Retry::AfterMetadata,
            Self::Bootstrap { .. } => Retry::Backoff,
            // The cache does not know the node or the leader yet.
            Self::UnknownNode { .. } | Self::NoLeader { .. } => Retry::AfterMetadata,
            Self::Kafka { error, .. } => classify(*error),
            Self::Sasl { .. } | Self::NotAllowed { .. } => Retry::WhenMended,
            // Without a code it is about what somebody has made of the topic.
            Self::Own { cause, .. } => match cause {
                // Kafka's own consumer fetches again after it, and a row may be written twice.
                Some(KafkaError::UNKNOWN_SERVER_ERROR) => Retry::Backoff,
                Some(error) => classify(*error),
                None => Retry::Never,
            },
            // Tried for the whole deadline: whether to go on is the caller's decision, and the cause says if it makes sense.
            Self::GaveUp { last, .. } => last.retry(),
            // The connection is closed with it. A path that mixes up or damages answers may be mended, and another broker may be sound; that
            // an address is no Kafka broker's shows when the client connects.
            Self::Protocol { .. } => Retry::AfterMetadata,
            // It will not change by asking again.
            Self::FrameTooLarge { .. } | Self::UnsupportedApi { .. } => Retry::Never,
            // The caller's mistakes.
            Self::Address { .. } | Self::OtherCluster { .. } | Self::Invalid { .. } | Self::Closed => {
                Retry::Never
            }
        }
    }

    /// Whether somebody else has taken over the identity that was written with.
    pub fn is_fenced(&self) -> bool {
        matches!(
            self.kafka(),
            Some(KafkaError::INVALID_PRODUCER_EPOCH | KafkaError::PRODUCER_FENCED)
        )
    }

    /// Whether it can succeed some time, as it is or when somebody has mended something.
    pub fn is_retriable(&self) -> bool {
        self.retry() != Retry::Never
    }
}

// === impl Attempts ===

impl Attempts {
    /// Attempts for at most `options.request_timeout`.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            backoff: Backoff::new(options),
            brief: Backoff::between(BRIEF, options.retry_backoff),
            started: Instant::now(),
            limit: options.request_timeout,
            failed: 0,
        }
    }

    /// How many attempts have failed.
    pub(crate) fn failed(&self) -> u32 {
        self.failed
    }

    /// Waits before the next attempt and says what to do before it. An error that cannot be retried, or that comes when
    /// the time is over, is given back.
    pub(crate) async fn wait(&mut self, error: Error) -> Result<Retry, Error> {
        self.failed += 1;
        let retry = error.retry();
        if !retry.is_soon() {
            return Err(error);
        }
        let pause = match error.kafka() {
            Some(KafkaError::CONCURRENT_TRANSACTIONS) => self.brief.next(),
            _ => self.backoff.next(),
        };
        let elapsed = self.started.elapsed();
        let unknown = error.kafka().is_some_and(is_unknown) && self.failed > UNKNOWN_ATTEMPTS;
        if unknown || elapsed + pause >= self.limit {
            return Err(Error::GaveUp {
                after: elapsed,
                attempts: self.failed,
                last: Box::new(error),
            });
        }
        tracing::debug!(%error, attempt = self.failed, ?pause, "trying again");
        tokio::time::sleep(pause).await;
        Ok(retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_leader_is_looked_up_and_a_bad_record_is_not_sent_again() {
        assert_eq!(classify(KafkaError::NOT_LEADER_OR_FOLLOWER), Retry::AfterMetadata);
        assert_eq!(classify(KafkaError::COORDINATOR_LOAD_IN_PROGRESS), Retry::Backoff);
        assert_eq!(classify(KafkaError::INVALID_RECORD), Retry::Never);
        assert_eq!(
            classify(KafkaError::TOPIC_AUTHORIZATION_FAILED),
            Retry::WhenMended
        );
        assert_eq!(
            classify(KafkaError::of(9999).expect("not 0")),
            Retry::Never,
            "a code newer than ours"
        );
    }
}
