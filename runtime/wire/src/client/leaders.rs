//! Asking the leaders of partitions, all at once, until each partition has a result.

use std::collections::{BTreeMap, HashMap};

use futures::future::join_all;
use towpath_domain::{Partition, TopicName, TopicPartition};

use super::{Client, NodeId};
use crate::{
    Connection, Error,
    api::Call,
    retry::{Attempts, UNKNOWN_ATTEMPTS, is_unknown},
};

/// What came of one partition.
pub(super) type Answered<A> = (TopicPartition, Result<A, Error>);

// === impl Client ===

impl Client {
    /// What moves or comes back within `request_timeout` is asked again; then a partition's result is the error it had last. `request` gets what is
    /// asked of one leader, `read` what that one answers.
    pub(super) async fn at_leaders<T: Copy, Q: Call + Send + Sync, A>(
        &self,
        partitions: impl IntoIterator<Item = (TopicPartition, T)>,
        request: impl Fn(Vec<(TopicPartition, T)>) -> Q,
        read: impl Fn(&Connection, Q::Answer) -> Vec<Answered<A>>,
    ) -> HashMap<TopicPartition, Result<A, Error>> {
        let mut attempts = Attempts::new(&self.0.options);
        let mut open: HashMap<TopicPartition, T> = partitions.into_iter().collect();
        let mut results = HashMap::with_capacity(open.len());
        if open.keys().any(|partition| self.leader(partition).is_none()) {
            self.refresh(topics(&open)).await;
        }
        loop {
            let mut reasons = HashMap::new();
            let by_leader = self.placed(&open, &mut reasons).into_iter();
            let asked = by_leader.map(|(node, asked)| self.at_leader(node, asked, &request, &read));
            for (partition, result) in join_all(asked).await.into_iter().flatten() {
                match result {
                    Err(error) if stays_open(&error, &attempts) => {
                        reasons.insert(partition, error);
                    }
                    result => {
                        if open.remove(&partition).is_some() {
                            results.insert(partition, result);
                        }
                    }
                }
            }
            if open.is_empty() {
                return results;
            }
            let error = open
                .keys()
                .find_map(|partition| reasons.get(partition).cloned())
                .unwrap_or_else(|| Error::Invalid {
                    api: Q::API.name,
                    what: "the answers were not for the partitions that were asked for".to_owned(),
                });
            match attempts.wait(error).await {
                Ok(_) => self.refresh(topics(&open)).await,
                Err(error) => {
                    results.extend(open.into_keys().map(|partition| {
                        let error = in_place_of(&error, reasons.remove(&partition));
                        (partition, Err(error))
                    }));
                    return results;
                }
            }
        }
    }

    /// What to ask whom. `reasons` gets those that nobody leads. Of a partition that is not known any broker (`None`) may say so itself.
    fn placed<T: Copy>(
        &self,
        open: &HashMap<TopicPartition, T>,
        reasons: &mut HashMap<TopicPartition, Error>,
    ) -> HashMap<Option<NodeId>, Vec<(TopicPartition, T)>> {
        let mut by_leader: HashMap<_, Vec<_>> = HashMap::new();
        for (partition, asked) in open {
            let node = self.leader(partition).map(|leader| leader.node);
            if node.is_none() && self.cluster().has(partition) {
                let partition = partition.clone();
                reasons.insert(partition.clone(), Error::NoLeader { partition });
            } else {
                let of_node = by_leader.entry(node).or_default();
                of_node.push((partition.clone(), *asked));
            }
        }
        by_leader
    }

    /// An error that is of the whole request is that of each partition.
    async fn at_leader<T: Copy, Q: Call + Send + Sync, A>(
        &self,
        node: Option<NodeId>,
        asked: Vec<(TopicPartition, T)>,
        request: impl Fn(Vec<(TopicPartition, T)>) -> Q,
        read: impl Fn(&Connection, Q::Answer) -> Vec<Answered<A>>,
    ) -> Vec<Answered<A>> {
        let once = async {
            let connection = match node {
                Some(node) => self.shared(node).await?,
                None => self.any().await?,
            };
            let version = connection.version(Q::API, i16::MAX)?;
            let answer = connection.call(&request(asked.clone()), version).await?;
            Ok(read(&connection, answer))
        };
        match once.await {
            Ok(answers) => answers,
            Err(error) => {
                let failed = |(partition, _)| (partition, Err(Error::clone(&error)));
                asked.into_iter().map(failed).collect()
            }
        }
    }
}

/// As requests have them.
pub(super) fn by_topic<T>(
    partitions: impl IntoIterator<Item = (TopicPartition, T)>,
) -> BTreeMap<TopicName, Vec<(Partition, T)>> {
    let mut topics: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (partition, asked) in partitions {
        let of_topic = topics.entry(partition.topic).or_default();
        of_topic.push((partition.partition, asked));
    }
    topics
}

fn topics<T>(open: &HashMap<TopicPartition, T>) -> impl Iterator<Item = TopicName> {
    open.keys().map(|partition| partition.topic.clone())
}

/// Whether the partition is asked about again. One that is unknown for so long does not exist.
fn stays_open(error: &Error, attempts: &Attempts) -> bool {
    let unknown = error.kafka().is_some_and(is_unknown);
    error.retry().is_soon() && !(unknown && attempts.failed() >= UNKNOWN_ATTEMPTS)
}

/// One's own reason, where all are given up because of one.
pub(super) fn in_place_of(error: &Error, reason: Option<Error>) -> Error {
    match (error, reason) {
        (Error::GaveUp { after, attempts, .. }, Some(reason)) => Error::GaveUp {
            after: *after,
            attempts: *attempts,
            last: Box::new(reason),
        },
        (error, _) => error.clone(),
    }
}

#[cfg(test)]
mod tests;
