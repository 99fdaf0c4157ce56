//! What both clusters are asked in an interval.

use std::collections::{BTreeSet, HashMap};

use towpath_domain::{GroupId, TopicId, TopicPartition};
use towpath_wire::{Client, CommittedOffset, Error, Isolation, KafkaError, OffsetSpec};

use super::{candidates::Candidate, decide::Activity, locate::Log, sync::Round};

/// By group, what it has committed.
pub(super) type Offsets = HashMap<GroupId, HashMap<TopicPartition, CommittedOffset>>;

/// What the groups have committed; without those of which that cannot be known.
pub(super) async fn offsets(client: &Client, groups: &[GroupId], of: &str, round: &mut Round) -> Offsets {
    let mut offsets = Offsets::new();
    for (group, answer) in client.group_offsets(groups).await {
        match answer {
            Ok(of_group) => drop(offsets.insert(group, of_group)),
            Err(error) => {
                let what = format!("reading offsets of group {group} on the {of}: {error}");
                round.troubles.push(what);
                round.unknown.insert(group);
            }
        }
    }
    offsets
}

/// What the target's logs hold.
pub(super) async fn logs(
    target: &Client,
    candidates: &[Candidate],
    round: &mut Round,
) -> Result<HashMap<TopicPartition, Log>, Error> {
    let places: BTreeSet<TopicPartition> = candidates.iter().map(|found| found.to.clone()).collect();
    let places: Vec<TopicPartition> = places.into_iter().collect();
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let list = |spec, isolation| target.list_offsets(&places, spec, isolation);
    let (starts, stable, ends) = futures::future::try_join3(
        list(OffsetSpec::Earliest, Isolation::ReadUncommitted),
        list(OffsetSpec::Latest, Isolation::ReadCommitted),
        list(OffsetSpec::Latest, Isolation::ReadUncommitted),
    )
    .await?;
    let mut logs = HashMap::new();
    for place in places {
        let listed = [&starts, &stable, &ends].map(|listed| listed.get(&place));
        match listed {
            [Some(Ok(start)), Some(Ok(stable)), Some(Ok(end))] => {
                let log = Log {
                    start: start.offset,
                    stable: stable.offset,
                    end: end.offset,
                    topic_id: target.topic_id(&place.topic).unwrap_or(TopicId::ZERO),
                };
                logs.insert(place, log);
            }
            other => {
                let error = other.into_iter().flatten().find_map(|listed| listed.err());
                let error = error.map_or("no answer".to_owned(), |error| error.to_string());
                round
                    .troubles
                    .push(format!("looking for the end of {place} on the target: {error}"));
            }
        }
    }
    Ok(logs)
}

/// Whether the groups have members on the target; without those of which that cannot be known.
pub(super) async fn activities(
    target: &Client,
    groups: &[GroupId],
    round: &mut Round,
) -> Result<HashMap<GroupId, Activity>, Error> {
    let mut activities = HashMap::new();
    let mut unknown = BTreeSet::new();
    for (group, described) in target.describe_groups(groups).await {
        match described {
            Ok(described) if described.members.is_empty() => {
                activities.insert(group, Activity::Empty);
            }
            Ok(_) => drop(activities.insert(group, Activity::Active)),
            Err(error) if error.kafka() == Some(KafkaError::GROUP_ID_NOT_FOUND) => {
                unknown.insert(group);
            }
            Err(error) => round
                .troubles
                .push(format!("describing group {group} on the target: {error}")),
        }
    }
    if unknown.is_empty() {
        return Ok(activities);
    }
    // Not there, or of a type that is only listed.
    for listed in target.list_groups().await? {
        if unknown.remove(&listed.id) {
            let activity = match listed.is_active() {
                Some(true) => Activity::Active,
                Some(false) | None => Activity::Empty,
            };
            activities.insert(listed.id, activity);
        }
    }
    activities.extend(unknown.into_iter().map(|group| (group, Activity::Empty)));
    Ok(activities)
}
