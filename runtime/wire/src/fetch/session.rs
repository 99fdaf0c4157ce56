//! Fetch sessions (KIP-227): the broker keeps in mind what is wanted, so that requests and answers name only what is new.
//!
//! The first request names every partition and opens a session; those after it name what has changed since. A partition that an answer leaves
//! out is simply without news. What ends a session begins another one with a full request: an error about it, a lost answer, a broker that has
//! evicted it, another way to name topics. A broker whose table of sessions is full answers id 0: then every request is a full one, and each
//! asks for a session again, as Java's `FetchSessionHandler` does.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use indexmap::{IndexMap, map::Entry as MapEntry};
use towpath_domain::{Offset, Partition, TopicId, TopicName, TopicPartition};

use super::{BY_ID, FetchAnswer, FetchOptions, FetchPartition, Names, SessionPart, WITH_SESSIONS, encode};
use crate::{Connection, Error, KafkaError};

/// What one reader wants of one broker, from fetch to fetch. One request is out at a time: after [`FetchSession::fetch`] comes
/// [`FetchSession::take`] with its answer.
///
/// The cost of a fetch goes by the partitions that changed, not by those that are wanted.
#[derive(Debug, Default)]
pub struct FetchSession {
    next: Next,
    /// Whether topics go by ids in the session that the broker has.
    by_id: bool,
    partitions: IndexMap<TopicPartition, Entry>,
    /// Those whose `wanted` and `asked` may differ.
    changed: Vec<TopicPartition>,
    wanted: usize,
    /// How many of the wanted ones have no topic id.
    without_id: usize,
    names: Arc<Names>,
    /// Where the next full request begins: its order is that of the answer, and none must always be last.
    rotation: usize,
}

/// What the next request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Names everything, asks for a session, and ends the one of this id (0: there is none).
    Full { ends: i32 },
    /// Names what has changed. Epochs count the requests of a session.
    Incremental { id: i32, epoch: i32 },
}

#[derive(Debug, Default)]
struct Entry {
    /// What the broker has in mind, or is told by the request that is out.
    asked: Option<FetchPartition>,
    wanted: Option<FetchPartition>,
    is_changed: bool,
}

/// What a request names.
#[derive(Debug, Default)]
struct Named {
    partitions: Vec<FetchPartition>,
    forgotten: Vec<(TopicId, TopicPartition)>,
}

// === impl FetchSession ===

impl FetchSession {
    /// Wants a partition from now on, or wants it from elsewhere.
    pub fn want(&mut self, partition: FetchPartition) {
        let key = TopicPartition {
            topic: partition.topic.clone(),
            partition: partition.partition,
        };
        let entry = match self.partitions.entry(key) {
            MapEntry::Occupied(entry) => entry.into_mut(),
            MapEntry::Vacant(entry) => entry.insert(Entry::default()),
        };
        if entry.wanted.as_ref() == Some(&partition) {
            return;
        }
        let id = partition.topic_id;
        if id.is_zero() {
            self.without_id += 1;
        } else if !self.names.contains_key(&id.0) {
            // Shared with a request only while one is out.
            Arc::make_mut(&mut self.names).insert(id.0, partition.topic.clone());
        }
        entry.list(&partition.topic, partition.partition, &mut self.changed);
        match entry.wanted.replace(partition) {
            None => self.wanted += 1,
            Some(before) => self.without_id -= usize::from(before.topic_id.is_zero()),
        }
    }

    /// Wants the partition no longer. An answer that is already on its way may still have it.
    pub fn forget(&mut self, partition: &TopicPartition) {
        let Some(entry) = self.partitions.get_mut(partition) else {
            return;
        };
        if let Some(before) = entry.wanted.take() {
            self.wanted -= 1;
            self.without_id -= usize::from(before.topic_id.is_zero());
            entry.list(&partition.topic, partition.partition, &mut self.changed);
        }
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.wanted == 0
    }

    /// From where the last request asked for a partition, or left it to be read: by it a caller knows whether what came is what it still wants.
    pub fn asked(&self, partition: &TopicPartition) -> Option<Offset> {
        Some(self.partitions.get(partition)?.asked.as_ref()?.fetch_offset)
    }

    /// Begins another session with the next request, as on another connection.
    pub fn restart(&mut self) {
        self.next = self.next.ended();
    }

    /// Asks for what is wanted. The request is made now, and queued when the future is polled first.
    pub fn fetch(
        &mut self,
        connection: &Connection,
        options: FetchOptions,
    ) -> BoxFuture<'static, Result<FetchAnswer, Error>> {
        let version = match connection.fetch_version(self.without_id == 0) {
            Ok(version) => version,
            Err(error) => return futures::future::ready(Err(error)).boxed(),
        };
        let (session, named) = self.request(version);
        let request = encode(
            &options,
            version,
            session,
            named.partitions.iter(),
            &named.forgotten,
        );
        let (connection, names) = (connection.clone(), Arc::clone(&self.names));
        async move {
            connection
                .fetch_encoded(request, version, options.max_wait, names)
                .await
        }
        .boxed()
    }

    /// Takes note of the answer. `None`: the broker no longer has the session, and the next fetch begins another one; nothing else is wrong.
    pub fn take(&mut self, result: Result<FetchAnswer, Error>) -> Result<Option<FetchAnswer>, Error> {
        match result {
            Ok(answer) => {
                self.next = match (self.next, answer.session_id) {
                    (_, 0) => Next::Full { ends: 0 },
                    (Next::Full { .. }, id) => Next::Incremental { id, epoch: 1 },
                    (Next::Incremental { id, epoch }, same) if id == same => Next::Incremental {
                        id,
                        epoch: epoch.checked_add(1).unwrap_or(1),
                    },
                    (Next::Incremental { .. }, other) => Next::Full { ends: other },
                };
                Ok(Some(answer))
            }
            Err(error) => {
                let was_incremental = matches!(self.next, Next::Incremental { .. });
                self.next = match error.kafka() {
                    Some(KafkaError::FETCH_SESSION_ID_NOT_FOUND) => Next::Full { ends: 0 },
                    _ => self.next.ended(),
                };
                // A full request asks for no session that is there: an error about one is a broker's mistake, and tried again with a pause.
                if was_incremental && error.kafka().is_some_and(is_about_session) {
                    tracing::debug!(%error, "beginning another fetch session");
                    return Ok(None);
                }
                Err(error)
            }
        }
    }

    /// What the next request says.
    fn request(&mut self, version: i16) -> (SessionPart, Named) {
        let by_id = version >= BY_ID;
        if by_id != self.by_id || version < WITH_SESSIONS {
            self.next = self.next.ended();
            self.by_id = by_id;
        }
        match self.next {
            Next::Incremental { id, epoch } => (SessionPart { id, epoch }, self.what_changed()),
            Next::Full { .. } if version < WITH_SESSIONS => (SessionPart::NONE, self.everything()),
            Next::Full { ends } => (SessionPart { id: ends, epoch: 0 }, self.everything()),
        }
    }

    fn everything(&mut self) -> Named {
        self.changed.clear();
        self.partitions.retain(|_, entry| {
            entry.is_changed = false;
            entry.asked = entry.wanted.clone();
            entry.wanted.is_some()
        });
        self.rotation = self.rotation.wrapping_add(1);
        let count = self.partitions.len();
        let in_order = (0..count).map(|index| (index + self.rotation % count) % count);
        let partitions = in_order.filter_map(|index| self.partitions[index].asked.clone());
        Named {
            partitions: partitions.collect(),
            forgotten: Vec::new(),
        }
    }

    fn what_changed(&mut self) -> Named {
        let mut named = Named::default();
        for key in self.changed.drain(..) {
            let Some(entry) = self.partitions.get_mut(&key) else {
                continue;
            };
            entry.is_changed = false;
            let before = std::mem::replace(&mut entry.asked, entry.wanted.clone());
            match (&entry.asked, before) {
                (None, before) => {
                    self.partitions.swap_remove(&key);
                    named
                        .forgotten
                        .extend(before.map(|before| (before.topic_id, key)));
                }
                (Some(asked), before) if before.as_ref() != Some(asked) => {
                    // Another topic of the same name: the broker knows the partition by the old id.
                    let other = before.filter(|before| before.topic_id != asked.topic_id);
                    named.forgotten.extend(other.map(|before| (before.topic_id, key)));
                    named.partitions.push(asked.clone());
                }
                (Some(_), _) => {}
            }
        }
        // Partitions of one topic share its entry.
        named.partitions.sort_by(|a, b| a.topic.cmp(&b.topic));
        named.forgotten.sort_by(|(_, a), (_, b)| a.topic.cmp(&b.topic));
        named
    }
}

// === impl Next ===

impl Next {
    /// A full request, which ends what there is.
    fn ended(self) -> Self {
        match self {
            Self::Full { .. } => self,
            Self::Incremental { id, .. } => Self::Full { ends: id },
        }
    }
}

impl Default for Next {
    fn default() -> Self {
        Self::Full { ends: 0 }
    }
}

// === impl Entry ===

impl Entry {
    fn list(&mut self, topic: &TopicName, partition: Partition, changed: &mut Vec<TopicPartition>) {
        if !std::mem::replace(&mut self.is_changed, true) {
            changed.push(TopicPartition {
                topic: topic.clone(),
                partition,
            });
        }
    }
}

fn is_about_session(error: KafkaError) -> bool {
    matches!(
        error,
        KafkaError::FETCH_SESSION_ID_NOT_FOUND
            | KafkaError::INVALID_FETCH_SESSION_EPOCH
            | KafkaError::FETCH_SESSION_TOPIC_ID_ERROR
    )
}

#[cfg(test)]
mod tests;
