//! Runs of offset maps that rows no longer have: a compacted topic beside that of the rows, a record for each chunk.
//!
//! A row has the runs of late, so that it stays small, and a new owner needs nothing else. What is before them is only asked for when a group is far behind: a
//! chunk at a time is read for that, and of all others only where they are is kept in memory. Chunks are of what is acknowledged, so they never change.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use towpath_domain::{Buckets, Offset, Partition, TopicName, offset_map::Runs};

use super::{
    PositionKey, Positions, described,
    load::{self, Rows},
    stored, unfit, write,
};
use crate::{Error, KafkaError, batch::Record, rows::Row};

/// The chunks of a topic: where they are. About 100 bytes a source partition and 24 a chunk.
#[derive(Debug)]
pub struct Chunks<'a> {
    topic: &'a Positions,
    places: HashMap<PositionKey, BTreeMap<Offset, Offset>>,
    /// up to where each partition was read
    read: HashMap<Partition, Offset>,
}

/// The record's key, as JSON. Chunks of one source partition differ in where they begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Key {
    #[serde(flatten)]
    of: PositionKey,
    from: Offset,
}

/// The record's value, as JSON.
#[derive(Serialize, Deserialize)]
struct Value {
    v: u32,
    #[serde(with = "stored::runs")]
    runs: Runs,
}

const VERSION: u32 = 1;

// === impl Positions ===

impl Positions {
    /// Stores runs that rows are to leave out from here on; the last one of a chunk is the first that the row still has, so that it is known where the one before
    /// it ends. Returns, and fails, as [`Positions::write`] does. The topic is created by the first one.
    pub async fn seal(&self, chunks: Vec<(PositionKey, Runs)>) -> Result<(), Error> {
        let topic = self.chunk_topic().await?;
        let mut by_bucket: BTreeMap<Partition, Vec<Row>> = BTreeMap::new();
        for (of, runs) in chunks {
            let Some(first) = runs.first() else { continue };
            let bucket = Partition(of.bucket().0 as i32);
            let key = Key {
                of,
                from: first.source,
            };
            let key = serde_json::to_vec(&key).expect("a key has only strings and numbers");
            let value = serde_json::to_vec(&Value { v: VERSION, runs }).expect("a string and a number");
            by_bucket.entry(bucket).or_default().push((key, Some(value)));
        }
        let batches = write::batches(topic, by_bucket)?;
        topic.appender.lock().await.append_all(batches).await
    }

    /// Where all chunks are that were stored before the call.
    pub async fn chunks(&self) -> Result<Chunks<'_>, Error> {
        let mut chunks = Chunks {
            topic: self.chunk_topic().await?,
            places: HashMap::new(),
            read: HashMap::new(),
        };
        chunks.refresh().await?;
        Ok(chunks)
    }

    /// As [`Positions::chunks`]; nothing where no chunk was ever stored, and no topic is created for them.
    pub async fn sealed(&self) -> Result<Option<Chunks<'_>>, Error> {
        let found = described(&self.client, &self.chunk_topic_name()).await?;
        if found.error == Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION) {
            return Ok(None);
        }
        self.chunks().await.map(Some)
    }

    /// Takes away all chunks of these partitions: what they say of the target holds no more. Returns, and fails, as [`Positions::write`] does.
    pub async fn unseal(&self, chunks: &Chunks<'_>, of: &[PositionKey]) -> Result<(), Error> {
        let mut by_bucket: BTreeMap<Partition, Vec<Row>> = BTreeMap::new();
        for of in of {
            let bucket = Partition(of.bucket().0 as i32);
            for from in chunks.places.get(of).into_iter().flat_map(BTreeMap::keys) {
                let (of, from) = (of.clone(), *from);
                let key = serde_json::to_vec(&Key { of, from }).expect("a key has only strings and numbers");
                by_bucket.entry(bucket).or_default().push((key, None));
            }
        }
        if by_bucket.is_empty() {
            return Ok(());
        }
        let topic = self.chunk_topic().await?;
        let batches = write::batches(topic, by_bucket)?;
        topic.appender.lock().await.append_all(batches).await
    }

    fn chunk_topic_name(&self) -> TopicName {
        TopicName::from(format!("{}-runs", self.topic))
    }

    async fn chunk_topic(&self) -> Result<&Positions, Error> {
        let open = async {
            let topic = self.chunk_topic_name();
            let opened = Box::pin(Self::open(
                self.client.clone(),
                topic.as_str(),
                self.replication_factor,
            ))
            .await?;
            Ok(Box::new(opened))
        };
        self.chunk_topic.get_or_try_init(|| open).await.map(AsRef::as_ref)
    }
}

// === impl Chunks ===

impl Chunks<'_> {
    /// Takes over what was stored since.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let (client, topic) = (&self.topic.client, &self.topic.topic);
        let mut bounds = load::bounds(client, topic, Buckets::ALL).await?;
        for (partition, (from, _)) in &mut bounds {
            *from = (*from).max(self.read.get(partition).copied().unwrap_or(*from));
        }
        bounds.retain(|_, (from, end)| from < end);
        let ends: Vec<(Partition, Offset)> = bounds
            .iter()
            .map(|(partition, (_, end))| (*partition, *end))
            .collect();
        load::read(client, topic, bounds, &mut self.places).await?;
        self.read.extend(ends);
        Ok(())
    }

    /// The first source offset that a chunk is of; `None` when there are no chunks.
    pub fn oldest(&self, key: &PositionKey) -> Option<Offset> {
        let (from, _) = self.places.get(key)?.first_key_value()?;
        Some(*from)
    }

    /// The chunk that says where `source` is; `None` when the row does, or when it is before everything that was mirrored.
    pub async fn of(&self, key: &PositionKey, source: Offset) -> Result<Option<Runs>, Error> {
        let places = self.places.get(key);
        let Some((from, place)) = places.and_then(|places| places.range(..=source).next_back()) else {
            return Ok(None);
        };
        let mut one = One {
            key: Key {
                of: key.clone(),
                from: *from,
            },
            found: None,
        };
        let partition = Partition(key.bucket().0 as i32);
        let bounds = HashMap::from([(partition, (*place, Offset(place.0 + 1)))]);
        load::read(&self.topic.client, &self.topic.topic, bounds, &mut one).await?;
        match one.found {
            // The last run is the row's, or of the next chunk.
            Some(runs) if runs.last().is_some_and(|last| source >= last.source) => Ok(None),
            Some(runs) => Ok(Some(runs)),
            None => Err(unfit(
                &self.topic.topic,
                format!("partition {partition}: the chunk at offset {place} is gone"),
            )),
        }
    }
}

impl Rows for HashMap<PositionKey, BTreeMap<Offset, Offset>> {
    fn row(&mut self, _: Partition, record: &Record<'_>) -> Result<(), String> {
        if let Some(key) = record.key.and_then(decode_key) {
            let places = self.entry(key.of).or_default();
            match record.value {
                None => drop(places.remove(&key.from)),
                Some(_) => drop(places.insert(key.from, record.offset)),
            }
        }
        Ok(())
    }
}

/// One chunk that is looked for.
struct One {
    key: Key,
    found: Option<Runs>,
}

impl Rows for One {
    fn row(&mut self, _: Partition, record: &Record<'_>) -> Result<(), String> {
        let is_it = record.key.and_then(decode_key).as_ref() == Some(&self.key);
        if let Some(value) = record.value.filter(|_| is_it) {
            let value: Value = serde_json::from_slice(value).map_err(|cause| cause.to_string())?;
            stored::check_version(value.v, VERSION)?;
            self.found = Some(value.runs);
        }
        Ok(())
    }
}

/// `None`: not a key of ours.
fn decode_key(bytes: &[u8]) -> Option<Key> {
    serde_json::from_slice(bytes).ok()
}
