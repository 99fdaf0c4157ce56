//! Records that would go round: mirrored back to the cluster that they came from.
//!
//! Among the connectors of a worker the table of [claims](crate::claims) knows. Of other workers the clusters have evidence: positions are kept on the target, so whoever
//! mirrors to this connector's *source* keeps them there, with the id of the cluster that it reads and whether it has stopped in peace.

use std::collections::BTreeMap;

use towpath_domain::{TopicName, config::Problem};
use towpath_wire::{Client, positions};

use super::permissions::Routed;

pub(super) const REMEDY: &str = "leave the topic out by `topics.exclude`, or end one of both connectors";
const UNENDED: &str = "end that connector first, by stopping its worker (SIGTERM): its positions say then that it has ended. One that was killed is started once more and stopped; \
                       or its positions are taken away by `towpath worker offsets reset`";

pub(super) fn message(topic: &Routed, connector: &str) -> String {
    format!(
        "topic {} would be mirrored to topic {} of the target, and its records come back to the cluster that they are from, by connector {connector}: they would go round for ever",
        topic.source, topic.target
    )
}

/// Connectors of other workers, with positions in a topic of the same name, that have not ended and with which records would go round. What cannot be looked at is said in
/// the log: then the operator must know.
pub(super) async fn look(
    name: &str,
    (source, target): (&Client, &Client),
    routed: &[Routed],
    table: &TopicName,
) -> Vec<Problem> {
    let rows = match positions::table(source, table).await {
        Ok(Some(rows)) => rows,
        Ok(None) => return Vec::new(),
        Err(error) => {
            tracing::warn!(connector = name, topic = %table, %error, "whether somebody mirrors to the source from the target could not be looked up");
            return Vec::new();
        }
    };
    let from = target.cluster_id();
    let running: Vec<_> = rows
        .positions
        .iter()
        .filter(|(key, row)| key.source == from && row.open)
        .collect();
    let mut found = BTreeMap::new();
    for topic in routed {
        let around = running
            .iter()
            .find(|(_, row)| row.target.topic == topic.source || row.topic == topic.target);
        if let Some((key, _)) = around {
            found.insert(topic.source.as_str(), message(topic, &key.connector));
        }
    }
    found
        .into_iter()
        .map(|(topic, message)| Problem::new("topics", Some(topic), message, UNENDED))
        .collect()
}
