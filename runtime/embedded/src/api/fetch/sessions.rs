//! Fetch sessions (KIP-227): a client says once what it wants, then only what changes, and is answered only what changes.

use std::collections::HashMap;

use kafka_protocol::{
    messages::{FetchRequest, fetch_request::FetchTopic, fetch_response::PartitionData},
    protocol::StrBytes,
};
use rand::RngExt;
use uuid::Uuid;

use crate::{ErrorCode, context::Context, state::State};

/// The sessions of one broker.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_id: HashMap<i32, Cached>,
    /// Counts uses, to find the session that was not used for longest.
    uses: u64,
}

#[derive(Debug)]
struct Cached {
    epoch: i32,
    by_topic_id: bool,
    partitions: Vec<Asked>,
    used: u64,
}

/// One partition that a client wants, and what it was told last.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) topic: StrBytes,
    pub(crate) id: Uuid,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) max_bytes: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) last_epoch: i32,
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    high_watermark: i64,
    log_start: i64,
}

/// A request in its session, or without one.
pub(super) struct Session {
    /// 0: none.
    id: i32,
    kind: Kind,
    asked: Vec<Asked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Everything is answered.
    Full,
    /// What has not changed is left out.
    Incremental,
}

const FINAL_EPOCH: i32 = -1;
const INITIAL_EPOCH: i32 = 0;

// === impl Session ===

impl Session {
    /// Finds or makes the session, and what is asked for in it.
    pub(super) fn begin(ctx: &Context, request: &FetchRequest, version: i16) -> Result<Self, ErrorCode> {
        let mut state = ctx.state();
        let (id, epoch) = if version < 7 {
            (0, FINAL_EPOCH)
        } else {
            (request.session_id, request.session_epoch)
        };
        if epoch == FINAL_EPOCH || epoch == INITIAL_EPOCH {
            let asked = wanted(&state, request);
            let granted =
                (epoch == INITIAL_EPOCH && !asked.is_empty()).then(|| state.rng.random_range(1..i32::MAX));
            let sessions = sessions(&mut state, ctx.broker)?;
            sessions.by_id.remove(&id);
            let id = granted
                .filter(|_| sessions.has_room(ctx.shared.options.fetch_sessions))
                .unwrap_or(0);
            if id != 0 {
                sessions.insert(id, version >= 13, asked.clone());
            }
            return Ok(Self {
                id,
                kind: Kind::Full,
                asked,
            });
        }
        let changed = wanted(&state, request);
        let forgotten = forgotten(&state, request);
        let sessions = sessions(&mut state, ctx.broker)?;
        sessions.uses += 1;
        let used = sessions.uses;
        let cached = sessions
            .by_id
            .get_mut(&id)
            .ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if cached.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if cached.by_topic_id != (version >= 13) {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        cached.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        cached.used = used;
        cached.update(changed, &forgotten);
        if cached.partitions.is_empty() {
            sessions.by_id.remove(&id);
            return Ok(Self {
                id: 0,
                kind: Kind::Full,
                asked: Vec::new(),
            });
        }
        Ok(Self {
            id,
            kind: Kind::Incremental,
            asked: cached.partitions.clone(),
        })
    }

    pub(super) fn id(&self) -> i32 {
        self.id
    }

    pub(super) fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// Which partitions are answered. What was told is remembered, and who got records goes to the end of the line.
    pub(super) fn finish(&mut self, ctx: &Context, state: &mut State, read: &[PartitionData]) -> Vec<bool> {
        let kind = self.kind;
        let news: Vec<bool> = self
            .asked
            .iter()
            .zip(read)
            .map(|(asked, read)| kind == Kind::Full || asked.is_news(read))
            .collect();
        let Ok(sessions) = sessions(state, ctx.broker) else {
            return news;
        };
        if let Some(cached) = sessions.by_id.get_mut(&self.id) {
            for (asked, read) in cached.partitions.iter_mut().zip(read) {
                asked.told = (read.error_code == 0).then_some(Told::of(read));
            }
            if kind == Kind::Incremental {
                let fed = read
                    .iter()
                    .map(|read| read.records.as_ref().is_some_and(|bytes| !bytes.is_empty()));
                cached.rotate(fed.collect());
            }
        }
        news
    }
}

// === impl Sessions ===

impl Sessions {
    /// Room for one more; the session that was not used for longest goes when there is none.
    fn has_room(&mut self, limit: usize) -> bool {
        if limit == 0 {
            return false;
        }
        while self.by_id.len() >= limit {
            let oldest = self
                .by_id
                .iter()
                .min_by_key(|(_, cached)| cached.used)
                .map(|(id, _)| *id);
            match oldest {
                Some(id) => self.by_id.remove(&id),
                None => break,
            };
        }
        true
    }

    fn insert(&mut self, id: i32, by_topic_id: bool, partitions: Vec<Asked>) {
        self.uses += 1;
        let cached = Cached {
            epoch: 1,
            by_topic_id,
            partitions,
            used: self.uses,
        };
        self.by_id.insert(id, cached);
    }
}

// === impl Cached ===

impl Cached {
    fn update(&mut self, changed: Vec<Asked>, forgotten: &[(StrBytes, Uuid, i32)]) {
        self.partitions.retain(|known| {
            !forgotten
                .iter()
                .any(|(topic, id, partition)| known.is_of(topic, *id, *partition))
        });
        let mut places: HashMap<(StrBytes, Uuid, i32), usize> = HashMap::new();
        if !changed.is_empty() {
            for (index, known) in self.partitions.iter().enumerate() {
                places.insert((known.topic.clone(), known.id, known.partition), index);
            }
        }
        for asked in changed {
            match places.get(&(asked.topic.clone(), asked.id, asked.partition)) {
                Some(index) => {
                    let told = self.partitions[*index].told;
                    self.partitions[*index] = Asked { told, ..asked };
                }
                None => self.partitions.push(asked),
            }
        }
    }

    fn rotate(&mut self, fed: Vec<bool>) {
        let all = std::mem::take(&mut self.partitions).into_iter().zip(fed);
        let (behind, before): (Vec<_>, Vec<_>) = all.partition(|(_, fed)| *fed);
        self.partitions = before.into_iter().chain(behind).map(|(asked, _)| asked).collect();
    }
}

// === impl Asked, Told ===

impl Asked {
    fn is_of(&self, topic: &StrBytes, id: Uuid, partition: i32) -> bool {
        self.partition == partition && self.id == id && self.topic == *topic
    }

    fn is_news(&self, read: &PartitionData) -> bool {
        read.error_code != 0
            || read.records.as_ref().is_some_and(|records| !records.is_empty())
            || read.preferred_read_replica.0 >= 0
            || read.diverging_epoch.end_offset >= 0
            || self.told != Some(Told::of(read))
    }
}

impl Told {
    fn of(read: &PartitionData) -> Self {
        Self {
            high_watermark: read.high_watermark,
            log_start: read.log_start_offset,
        }
    }
}

fn sessions(state: &mut State, broker: i32) -> Result<&mut Sessions, ErrorCode> {
    let broker = state
        .brokers
        .get_mut(&broker)
        .ok_or(ErrorCode::BrokerNotAvailable)?;
    Ok(&mut broker.sessions)
}

/// The topics of a request, and those of its session.
pub(super) fn topics(ctx: &Context, request: &FetchRequest) -> Vec<StrBytes> {
    let mut state = ctx.state();
    let asked = wanted(&state, request);
    let session = sessions(&mut state, ctx.broker).ok();
    let cached = session.and_then(|sessions| sessions.by_id.get(&request.session_id));
    let known = cached.into_iter().flat_map(|cached| &cached.partitions);
    known.chain(&asked).map(|asked| asked.topic.clone()).collect()
}

/// From version 13 on topics go by id; an id that nobody knows has no name.
fn name_of(state: &State, name: &StrBytes, id: Uuid) -> StrBytes {
    if id.is_nil() {
        return name.clone();
    }
    state.topics.name_of(id).cloned().unwrap_or_default()
}

fn wanted(state: &State, request: &FetchRequest) -> Vec<Asked> {
    let of = |topic: &FetchTopic| {
        let name = name_of(state, &topic.topic.0, topic.topic_id);
        let id = topic.topic_id;
        let partitions = topic.partitions.iter().map(move |partition| Asked {
            topic: name.clone(),
            id,
            partition: partition.partition,
            offset: partition.fetch_offset,
            max_bytes: partition.partition_max_bytes,
            leader_epoch: partition.current_leader_epoch,
            last_epoch: partition.last_fetched_epoch,
            told: None,
        });
        partitions.collect::<Vec<_>>()
    };
    request.topics.iter().flat_map(of).collect()
}

fn forgotten(state: &State, request: &FetchRequest) -> Vec<(StrBytes, Uuid, i32)> {
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        let name = name_of(state, &topic.topic.0, topic.topic_id);
        for partition in &topic.partitions {
            forgotten.push((name.clone(), topic.topic_id, *partition));
        }
    }
    forgotten
}
