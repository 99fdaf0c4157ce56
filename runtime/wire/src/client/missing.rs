//! What an old broker cannot do, by the versions it has of each request.

use std::fmt;

use kafka_protocol::messages::{CreateTopicsRequest, FetchRequest, MetadataRequest};

use crate::{
    Connection,
    api::{Api, Call, PRODUCE, PRODUCE_BY_ID},
};

/// What a cluster is to a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Source,
    Target,
}

/// Something that a broker is too old for, and what follows; its text is a sentence for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    pub used_as: Use,
    /// The first release of Kafka that has it.
    pub since: &'static str,
    /// What is worse without it.
    pub what: &'static str,
}

/// What begins with a version of a request that we make.
struct Feature {
    api: Api,
    version: i16,
    missing: Missing,
}

#[rustfmt::skip]
const FEATURES: &[Feature] = &[
    source(MetadataRequest::API, 10, "2.8", "topics have no ids, and positions are kept by them: such a cluster cannot be mirrored from"),
    source(FetchRequest::API, 12, "2.7", "fetches do not tell that a log was truncated by an unclean leader election: compare with `topic verify` after one"),
    source(FetchRequest::API, 13, "3.1", "fetches go by topic name: a topic that is deleted and created again under its name is noticed when metadata is read \
        the next time, and not by the first fetch"),
    target(PRODUCE, 7, "2.1", "batches that are compressed with zstd are refused"),
    target(CreateTopicsRequest::API, 4, "2.4", "topics cannot be created with the broker's default replication factor: set replication.factor and \
        offset.storage.replication.factor"),
    target(PRODUCE, 8, "2.4", "what the broker refuses is told by its error code alone"),
    target(PRODUCE_BY_ID, 13, "4.1", "records are written by topic name: a target topic that is deleted and created again under its name is noticed when metadata \
        is read the next time, and may have got records until then"),
];

// === impl Missing ===

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the brokers are older than Kafka {}: {}",
            self.since, self.what
        )
    }
}

const fn source(api: Api, version: i16, since: &'static str, what: &'static str) -> Feature {
    feature(Use::Source, api, version, since, what)
}

const fn target(api: Api, version: i16, since: &'static str, what: &'static str) -> Feature {
    feature(Use::Target, api, version, since, what)
}

const fn feature(used_as: Use, api: Api, version: i16, since: &'static str, what: &'static str) -> Feature {
    let missing = Missing { used_as, since, what };
    Feature {
        api,
        version,
        missing,
    }
}

pub(super) fn of(connection: &Connection) -> Vec<Missing> {
    let lacks = |feature: &&Feature| {
        let highest = connection.highest(feature.api.key);
        // One that lacks the whole request is told so by whoever makes it.
        highest.is_some_and(|highest| highest < feature.version)
    };
    FEATURES
        .iter()
        .filter(lacks)
        .map(|feature| feature.missing)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::connect, *};
    use crate::scripted::Broker;

    #[tokio::test]
    async fn an_old_broker_is_told_by_its_versions_and_a_current_one_lacks_nothing() {
        let broker = Broker::start().await;
        let client = connect(&broker, broker.options()).await;
        let since = |used_as| -> Vec<_> { client.missing(used_as).map(|missing| missing.since).collect() };
        assert_eq!(since(Use::Source), ["2.8", "2.7", "3.1"]);
        // Versions of CreateTopics are not among the scripted broker's.
        assert_eq!(since(Use::Target), ["2.1", "2.4", "4.1"]);
        let first = client.missing(Use::Source).next().map(ToString::to_string);
        assert!(first.is_some_and(|text| {
            text.starts_with("the brokers are older than Kafka 2.8: topics have no ids")
        }));
        // Whatever is asked for is within the versions that we have ourselves.
        assert!(FEATURES.iter().all(|feature| feature.version <= feature.api.max));
    }
}
