//! What the ACLs of both clusters must allow, found out before the first record (KIP-430).

use std::collections::BTreeMap;

use towpath_domain::{TopicName, config::Problem};
use towpath_wire::{Allowed, Client, Error, NewTopic, Operation};

use crate::config::Offsets;

/// A topic that is mirrored, and where to.
pub(super) struct Routed {
    pub(super) source: TopicName,
    pub(super) partitions: i32,
    pub(super) target: TopicName,
}

/// What a mirror does with each topic of the source, and with each of the target.
const SOURCE: [Operation; 3] = [Operation::Read, Operation::Describe, Operation::DescribeConfigs];
const TARGET: [Operation; 3] = [Operation::Write, Operation::Describe, Operation::DescribeConfigs];
/// And more with each of the target's whose offsets are preserved.
const PRESERVED: [Operation; 3] = [Operation::Read, Operation::Delete, Operation::AlterConfigs];
const POSITIONS: [Operation; 4] = [
    Operation::Read,
    Operation::Write,
    Operation::Describe,
    Operation::DescribeConfigs,
];
/// Topics named in one sentence.
const NAMED: usize = 3;

/// What is missing on one cluster: topics by the operations they lack.
struct Missing<'a> {
    client: &'a Client,
    side: &'static str,
    topics: BTreeMap<Vec<Operation>, Vec<TopicName>>,
}

/// Adds a problem for each set of operations that is missing. Changes nothing on either cluster.
pub(super) async fn check(
    (source, target): (&Client, &Client),
    (routed, offsets): (&[Routed], Offsets),
    positions: &TopicName,
    problems: &mut Vec<Problem>,
) -> Result<(), Error> {
    let names: Vec<TopicName> = routed.iter().map(|topic| topic.source.clone()).collect();
    let mut missing = Missing::on(source, "source");
    for (topic, allowed) in source.allowed(&names).await? {
        missing.add(topic, allowed, &SOURCE);
    }
    missing.report("topics", problems);

    let mut names: Vec<TopicName> = routed.iter().map(|topic| topic.target.clone()).collect();
    names.push(positions.clone());
    let mut allowed = target.allowed(&names).await?;
    if let Some(allowed) = allowed.remove(positions) {
        let mut missing = Missing::on(target, "target");
        let mut wanted = POSITIONS.to_vec();
        if !may_create(target, positions, allowed).await? {
            wanted.push(Operation::Create);
        }
        missing.add(positions.clone(), allowed, &wanted);
        missing.report("offset.storage.topic", problems);
    }
    let mut missing = Missing::on(target, "target");
    // An ACL on the cluster is the same for all topics: it is asked for once.
    let mut creates_any = None;
    for topic in routed {
        let Some(allowed) = allowed.remove(&topic.target) else {
            continue;
        };
        let mut wanted = TARGET.to_vec();
        if offsets == Offsets::Preserve {
            wanted.extend(PRESERVED);
        }
        match allowed {
            Allowed::Operations { exists: false, .. } if !allowed.allows(Operation::Create) => {
                let creates = match creates_any {
                    Some(creates) => creates,
                    None => *creates_any.insert(may_create(target, &topic.target, allowed).await?),
                };
                if !creates {
                    wanted.push(Operation::Create);
                }
            }
            Allowed::Operations { exists: true, .. }
                if !allowed.allows(Operation::Alter)
                    && partitions(target, &topic.target).await? < topic.partitions =>
            {
                wanted.push(Operation::Alter);
            }
            _ => {}
        }
        missing.add(topic.target.clone(), allowed, &wanted);
    }
    missing.report("topics", problems);
    Ok(())
}

/// Whether an absent topic may be created. One that is there, or may be, need not be.
async fn may_create(client: &Client, topic: &TopicName, allowed: Allowed) -> Result<bool, Error> {
    match allowed {
        Allowed::Operations { exists: false, .. } if !allowed.allows(Operation::Create) => {
            let topic = NewTopic {
                name: topic.clone(),
                partitions: 1,
                replication_factor: -1,
                configs: Vec::new(),
            };
            client.may_create(&topic).await
        }
        _ => Ok(true),
    }
}

async fn partitions(client: &Client, topic: &TopicName) -> Result<i32, Error> {
    let topics = client
        .metadata(towpath_wire::Topics::Names(vec![topic.clone()]))
        .await?;
    Ok(topics.first().map_or(0, |topic| topic.partitions.len() as i32))
}

// === impl Missing ===

impl<'a> Missing<'a> {
    fn on(client: &'a Client, side: &'static str) -> Self {
        Self {
            client,
            side,
            topics: BTreeMap::new(),
        }
    }

    fn add(&mut self, topic: TopicName, allowed: Allowed, wanted: &[Operation]) {
        let lacks: Vec<Operation> = wanted
            .iter()
            .copied()
            // What was asked for beside the bits has its answer already.
            .filter(|operation| {
                matches!(operation, Operation::Create | Operation::Alter) || !allowed.allows(*operation)
            })
            .collect();
        if !lacks.is_empty() {
            self.topics.entry(lacks).or_default().push(topic);
        }
    }

    fn report(self, key: &str, problems: &mut Vec<Problem>) {
        let who = self.client.principal();
        let who = who.as_deref().unwrap_or("the client's principal");
        for (operations, mut topics) in self.topics {
            topics.sort();
            let named: Vec<&str> = topics.iter().take(NAMED).map(TopicName::as_str).collect();
            let mut value = named.join(", ");
            if topics.len() > NAMED {
                value.push_str(&format!(" and {} more", topics.len() - NAMED));
            }
            let list: Vec<String> = operations.iter().map(ToString::to_string).collect();
            let command = operations
                .iter()
                // These imply it.
                .filter(|operation| {
                    **operation != Operation::Describe
                        || !operations.iter().any(|other| {
                            matches!(other, Operation::Read | Operation::Write | Operation::Alter)
                        })
                })
                .map(|operation| format!(" --operation {operation}"))
                .chain(named.iter().map(|topic| format!(" --topic {topic}")))
                .collect::<String>();
            problems.push(Problem::new(
                key,
                Some(&value),
                format!("{who} may not {} on the {} cluster", list.join(", "), self.side),
                format!("grant it: kafka-acls --add --allow-principal {who}{command}"),
            ));
        }
    }
}
