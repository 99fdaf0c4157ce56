//! One interval after the other: what the groups have committed is read, looked up, and committed on the target.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use futures::future::join_all;
use towpath_domain::{GroupId, Offset, TopicId, TopicName, TopicPartition};
use towpath_wire::{
    Client, CommittedOffset, Error, GroupType, KafkaError, Topics,
    positions::{Checkpoint, CheckpointKey, Chunks, Followed, PositionKey, Positions},
};

use super::{
    candidates::{Candidate, candidates},
    decide::{Age, Case, Verdict, decide},
    locate::{Located, Log, clamp, locate},
    read::{self, Offsets},
};
use crate::{
    config::Selection,
    status::{GroupState, GroupStatus},
};

/// What a connector syncs, and what it knows from one interval to the next.
pub(super) struct Sync {
    connector: String,
    source: Client,
    target: Client,
    selection: Selection,
    refresh_interval: Duration,
    followed: Followed,
    groups: Vec<GroupId>,
    listed_at: Option<Instant>,
    /// of the source's topics, as they were when an offset last changed
    topic_ids: HashMap<TopicName, TopicId>,
    offsets: Offsets,
    /// what the target has taken, and when
    committed: HashMap<CheckpointKey, (Offset, Instant)>,
    /// places that were looked up in chunks, by the source offset
    far: HashMap<(GroupId, PositionKey), (Offset, Offset)>,
}

/// What is to be committed, with what is shown of it.
struct Commit {
    key: CheckpointKey,
    row: Checkpoint,
    to: TopicPartition,
    metadata: String,
    shown: GroupStatus,
}

/// What an interval came to.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub groups: Vec<GroupStatus>,
    /// of which not everything could be looked at
    pub unknown: BTreeSet<GroupId>,
    /// what is tried again at the next one
    pub troubles: Vec<String>,
}

/// Kafka's default for `offsets.retention.minutes` is 7 days, and before 2.0 it was one.
const COMMIT_AGAIN: Duration = Duration::from_secs(12 * 3600);
/// Groups that are committed to at the same time.
const AT_ONCE: usize = 16;

// === impl Sync ===

impl Sync {
    pub(super) fn new(
        connector: String,
        (source, target): (Client, Client),
        (selection, refresh_interval): (Selection, Duration),
    ) -> Self {
        Self {
            connector,
            source,
            target,
            selection,
            refresh_interval,
            followed: Followed::default(),
            groups: Vec::new(),
            listed_at: None,
            topic_ids: HashMap::new(),
            offsets: Offsets::new(),
            committed: HashMap::new(),
            far: HashMap::new(),
        }
    }

    /// Reads, looks up, commits. The order is part of it: the source's offsets, then where the target's logs end, then the rows, so that whatever is before an
    /// end is in a row.
    pub(super) async fn round<'p>(
        &mut self,
        positions: &'p Positions,
        chunks: &mut Option<Chunks<'p>>,
    ) -> Result<Round, Error> {
        let mut round = Round::default();
        self.list_groups().await?;
        if self.followed.table.positions.is_empty() {
            self.followed.refresh(positions).await?;
        }
        self.read_source(&mut round).await?;
        let mut candidates = candidates(
            &self.followed.table.positions,
            &self.source.cluster_id(),
            &self.topic_ids,
            &self.offsets,
        );
        let logs = read::logs(&self.target, &candidates, &mut round).await?;
        let groups: BTreeSet<GroupId> = candidates.iter().map(|found| found.group.clone()).collect();
        let groups: Vec<GroupId> = groups.into_iter().collect();
        let activities = read::activities(&self.target, &groups, &mut round).await?;
        let mut there = read::offsets(&self.target, &groups, "target", &mut round).await;
        self.followed.refresh(positions).await?;
        // Whose state cannot be known now is left as it is.
        candidates.retain(|found| {
            let is_known = activities.contains_key(&found.group)
                && there.contains_key(&found.group)
                && logs.contains_key(&found.to);
            if !is_known {
                round.unknown.insert(found.group.clone());
            }
            is_known
        });
        let mut is_looked_up = false;
        let mut commits = Vec::new();
        for found in &candidates {
            let Some(source) = self.offset(found) else {
                continue;
            };
            let source = source.clone();
            let at = match self.locate(found, source.offset, &logs[&found.to]) {
                Located::At(at) => Ok(clamp(at, logs[&found.to])),
                Located::Nowhere(reason) => Err(reason),
                Located::BeforeRow => {
                    let at = self
                        .look_up(found, source.offset, (positions, &mut *chunks, &mut is_looked_up))
                        .await?;
                    Ok(clamp(at, logs[&found.to]))
                }
            };
            let there = there
                .get_mut(&found.group)
                .and_then(|there| there.remove(&found.to));
            let key = CheckpointKey {
                connector: self.connector.clone(),
                group: found.group.clone(),
                topic: found.to.topic.clone(),
                partition: found.to.partition,
            };
            let written = self.written(&key);
            let verdict = decide(Case {
                source: &source,
                at,
                target: there.as_ref(),
                written,
                activity: activities[&found.group],
                age: self.age(&key),
            });
            let mut shown = GroupStatus {
                group: found.group.clone(),
                topic: found.from.topic.clone(),
                partition: found.from.partition.0,
                source_offset: source.offset.0,
                target_offset: there.map(|there| there.offset.0),
                state: GroupState::Synced,
                reason: None,
            };
            match verdict {
                Verdict::Leave { state, reason } => {
                    shown.state = state;
                    shown.reason = reason;
                    round.groups.push(shown);
                }
                Verdict::Commit { row, .. } => commits.push(Commit {
                    key,
                    row,
                    to: found.to.clone(),
                    metadata: source.metadata.clone(),
                    shown,
                }),
            }
        }
        self.commit(positions, commits, &mut round).await?;
        Ok(round)
    }

    /// Looks for new groups, when it is time.
    async fn list_groups(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self
            .listed_at
            .is_some_and(|at| now.duration_since(at) < self.refresh_interval)
        {
            return Ok(());
        }
        let listed = self.source.list_groups().await?;
        // Share groups have no offsets of this kind.
        let wanted = listed.into_iter().filter(|group| {
            group.group_type != Some(GroupType::Share) && self.selection.contains(&group.id.0)
        });
        self.groups = wanted.map(|group| group.id).collect();
        self.listed_at = Some(now);
        Ok(())
    }

    /// Reads what the groups have committed on the source. When that is not what it was, the ids of the topics, too: a topic that was created again has another map.
    async fn read_source(&mut self, round: &mut Round) -> Result<(), Error> {
        let offsets = read::offsets(&self.source, &self.groups, "source", round).await;
        let topics: BTreeSet<TopicName> = offsets
            .values()
            .flat_map(HashMap::keys)
            .map(|place| place.topic.clone())
            .collect();
        let is_known = |topic| self.topic_ids.contains_key(topic);
        if offsets != self.offsets || !topics.iter().all(is_known) {
            let found = self
                .source
                .metadata(Topics::Names(topics.into_iter().collect()))
                .await?;
            let ids = found
                .into_iter()
                .filter(|topic| topic.error.is_none())
                .map(|topic| (topic.name, topic.id));
            self.topic_ids = ids.collect();
            self.offsets = offsets;
        }
        Ok(())
    }

    fn offset(&self, found: &Candidate) -> Option<&CommittedOffset> {
        self.offsets.get(&found.group)?.get(&found.from)
    }

    fn locate(&self, found: &Candidate, source: Offset, log: &Log) -> Located {
        match self.followed.table.positions.get(&found.key) {
            Some(row) => locate(source, row, *log),
            None => Located::Nowhere("the partition's position is gone".to_owned()),
        }
    }

    /// Where an offset is that the row does not go back to.
    async fn look_up<'p>(
        &mut self,
        found: &Candidate,
        source: Offset,
        (positions, chunks, is_fresh): (&'p Positions, &mut Option<Chunks<'p>>, &mut bool),
    ) -> Result<Offset, Error> {
        let place = (found.group.clone(), found.key.clone());
        if let Some((of, at)) = self.far.get(&place)
            && *of == source
        {
            return Ok(*at);
        }
        let chunks = match chunks {
            Some(chunks) => {
                // Runs are in a chunk before the row leaves them out.
                if !*is_fresh {
                    chunks.refresh().await?;
                }
                chunks
            }
            None => chunks.insert(positions.chunks().await?),
        };
        *is_fresh = true;
        let mut runs = chunks.of(&found.key, source).await?;
        if let (None, Some(oldest)) = (&runs, chunks.oldest(&found.key)) {
            runs = chunks.of(&found.key, oldest).await?;
        }
        let row = self.followed.table.positions.get(&found.key);
        let runs = runs.or_else(|| Some(row?.runs.clone())).unwrap_or_default();
        // Before the first of all runs it is the first record that was mirrored.
        let end = runs.last().map_or(Offset(0), |last| last.target);
        let at = runs.target_of(source, end).unwrap_or(end);
        self.far.insert(place, (source, at));
        Ok(at)
    }

    /// What was committed last. When it is known to have come through, what was before it is nobody's any more.
    fn written(&self, key: &CheckpointKey) -> Option<Checkpoint> {
        let mut written = *self.followed.table.checkpoints.get(key)?;
        if self
            .committed
            .get(key)
            .is_some_and(|(target, _)| *target == written.target)
        {
            written.before = None;
        }
        Some(written)
    }

    fn age(&self, key: &CheckpointKey) -> Age {
        match self.committed.get(key) {
            Some((_, at)) if at.elapsed() < COMMIT_AGAIN => Age::Fresh,
            _ => Age::Due,
        }
    }

    /// Stores what is about to be committed, then commits: a worker that dies in between knows both of what may be there as its own.
    async fn commit(
        &mut self,
        positions: &Positions,
        commits: Vec<Commit>,
        round: &mut Round,
    ) -> Result<(), Error> {
        let rows: Vec<(CheckpointKey, Checkpoint)> = commits
            .iter()
            .filter(|commit| self.written(&commit.key) != Some(commit.row))
            .map(|commit| (commit.key.clone(), commit.row))
            .collect();
        if !rows.is_empty() {
            positions.checkpoint(&rows).await?;
        }
        let mut by_group: BTreeMap<GroupId, Vec<Commit>> = BTreeMap::new();
        for commit in commits {
            by_group.entry(commit.key.group.clone()).or_default().push(commit);
        }
        let by_group: Vec<(GroupId, Vec<Commit>)> = by_group.into_iter().collect();
        let mut results = Vec::with_capacity(by_group.len());
        let target = &self.target;
        for some in by_group.chunks(AT_ONCE) {
            let work = some.iter().map(|(group, commits)| {
                let offsets: Vec<_> = commits
                    .iter()
                    .map(|commit| (commit.to.clone(), commit.row.target, commit.metadata.clone()))
                    .collect();
                async move { target.commit_group_offsets(group, &offsets).await }
            });
            results.extend(join_all(work).await);
        }
        for ((_, commits), mut results) in by_group.into_iter().zip(results) {
            for commit in commits {
                let result = results.remove(&commit.to);
                self.settle(commit, result, round);
            }
        }
        Ok(())
    }

    fn settle(&mut self, commit: Commit, result: Option<Result<(), Error>>, round: &mut Round) {
        let mut shown = commit.shown;
        match result {
            Some(Ok(())) => {
                shown.target_offset = Some(commit.row.target.0);
                self.committed
                    .insert(commit.key, (commit.row.target, Instant::now()));
            }
            Some(Err(error)) if error.kafka() == Some(KafkaError::UNKNOWN_MEMBER_ID) => {
                shown.state = GroupState::ActiveOnTarget;
                shown.reason = Some("the group has members on the target".to_owned());
            }
            Some(Err(error)) => {
                shown.state = GroupState::NotSynced;
                shown.reason = Some(error.to_string());
                round.troubles.push(format!(
                    "committing {} of group {}: {error}",
                    commit.to, commit.key.group
                ));
            }
            None => shown.state = GroupState::NotSynced,
        }
        round.groups.push(shown);
    }
}
