//! A topic is mirrored again from nothing: it is deleted on the target, and its rows are forgotten. The way out where offsets are preserved, which cannot be
//! repaired in place.
//!
//! First the topic goes, then its rows: whoever is killed in between leaves `target-recreated` to the next start, and the same command ends it. The other way round a start
//! would find records that no row knows of.

use std::time::Duration;

use towpath_domain::{GroupId, Offset, TopicId, TopicName, config::Problem};
use towpath_wire::{
    KafkaError, Topics,
    positions::{Positions, Table},
};

use super::{Decided, Error, Mode, Resolution, Subject, decide, look, open, refused, seen::Seen, store};
use crate::targets;

/// What is to be mirrored anew.
#[derive(Clone, Debug)]
pub struct Request {
    /// of the source
    pub topic: TopicName,
    /// the topic to be deleted on the target, by the name that was written by whoever wants it gone; without it nothing is changed
    pub delete: Option<TopicName>,
    pub mode: Mode,
}

/// How often, and how long, it is looked whether the target has let the topic go.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: usize = 300;

/// Deletes the target's topic and forgets what was mirrored. A worker that runs the connector exactly once is shut out.
pub(crate) async fn reseed(subject: &Subject, request: &Request) -> Result<Vec<Resolution>, Error> {
    let positions = open(subject).await?;
    let mut planned = plan(subject, &positions, request).await?;
    if request.mode == Mode::Write {
        store::claim(subject, &positions).await?;
        // A worker that ran until then may have written.
        planned = plan(subject, &positions, request).await?;
        if let Some((seen, ..)) = planned.first() {
            tracing::info!(connector = subject.connector, topic = %request.topic, "{} is deleted on the target", seen.place.topic);
            delete(subject, &seen.place.topic).await?;
        }
        store::write(&positions, &planned).await?;
    }
    let told = planned.into_iter().map(|(seen, _, told)| Resolution {
        partition: seen.source,
        told,
    });
    Ok(told.collect())
}

async fn plan(subject: &Subject, positions: &Positions, request: &Request) -> Result<Vec<Decided>, Error> {
    let table = positions.load().await?;
    let chunks = positions.sealed().await?;
    let seen = look::look(subject, &table, chunks.as_ref(), Some(&request.topic)).await?;
    let Some(first) = seen.first() else {
        let message = "the connector has mirrored nothing of it";
        let remedy = "name a topic that it mirrors; one that is not begun begins by itself";
        return Err(refused("--topic", Some(request.topic.as_str()), message, remedy));
    };
    let target = first.place.topic.clone();
    let mut problems = Vec::new();
    problems.extend(unnamed(request, &target));
    problems.extend(unknown(&seen));
    if let Some(found) = first.target {
        problems.extend(of_others(subject, &table, (&request.topic, &target, found.id)));
        problems.extend(read_by(subject, &target).await?);
    }
    if !problems.is_empty() {
        return Err(Error::Refused(problems));
    }
    Ok(seen.into_iter().map(forgotten).collect())
}

/// Whoever deletes a topic writes its name.
fn unnamed(request: &Request, target: &TopicName) -> Option<Problem> {
    let given = request.delete.as_ref();
    let is_wanted = match request.mode {
        Mode::Write => given == Some(target),
        Mode::DryRun => given.is_none_or(|given| given == target),
    };
    (!is_wanted).then(|| {
        let message = format!("records of {} are in topic {target} of the target", request.topic);
        let remedy = format!("write --delete-target-topic {target} if that topic is to be deleted there");
        Problem::new(
            "--delete-target-topic",
            given.map(TopicName::as_str),
            message,
            remedy,
        )
    })
}

/// Other connectors, and other topics of this one, that have written there.
fn of_others(
    subject: &Subject,
    table: &Table,
    (topic, target, id): (&TopicName, &TopicName, TopicId),
) -> Option<Problem> {
    let cluster = subject.source.cluster_id();
    let mut writers = table.positions.iter().filter(|(key, row)| {
        let is_other = key.connector != subject.connector || key.source != cluster || row.topic != *topic;
        let stored = row.target.topic_id;
        is_other && row.target.topic == *target && (id.is_zero() || stored.is_zero() || stored == id)
    });
    let (key, row) = writers.next()?;
    let message = format!(
        "connector {} has mirrored {} there, too",
        key.connector, row.topic
    );
    let remedy = "route them apart; or delete the topic by hand, and mirror both anew by `towpath worker resolve` with restart";
    Some(Problem::new("--topic", Some(target.as_str()), message, remedy))
}

/// A topic with records that is not the one that was mirrored to.
fn unknown(seen: &[Seen]) -> Option<Problem> {
    let target = seen.first()?.place.topic.clone();
    let has_records = |seen: &Seen| seen.target.is_some_and(|target| target.log.has_records());
    let is_it = |seen: &Seen| {
        let found = seen.target.map_or(TopicId::ZERO, |target| target.id);
        seen.rows().any(|row| {
            let stored = row.target.topic_id;
            row.target.topic == target && (stored.is_zero() || found.is_zero() || stored == found)
        })
    };
    if !seen.iter().any(has_records) || seen.iter().any(is_it) {
        return None;
    }
    let message = "it is not the topic that the connector has mirrored to, and has records";
    let remedy = "see what they are, and delete it by hand if they are not needed";
    Some(Problem::new("--topic", Some(target.as_str()), message, remedy))
}

/// Groups with members that have offsets there: they would go on elsewhere.
async fn read_by(subject: &Subject, target: &TopicName) -> Result<Option<Problem>, Error> {
    let client = &subject.target;
    let (mut groups, mut untold) = (Vec::<GroupId>::new(), Vec::<GroupId>::new());
    for group in client.list_groups().await? {
        match group.is_active() {
            Some(true) => groups.push(group.id),
            Some(false) => {}
            None => untold.push(group.id),
        }
    }
    // Brokers before Kafka 2.6 do not list states.
    for (group, described) in client.describe_groups(&untold).await {
        if !described?.members.is_empty() {
            groups.push(group);
        }
    }
    let mut readers = Vec::new();
    for (group, offsets) in client.group_offsets(&groups).await {
        match offsets {
            Ok(offsets) if offsets.keys().any(|place| place.topic == *target) => readers.push(group.0),
            Ok(_) => {}
            // Of a type that commits no offsets, or gone.
            Err(error) if error.kafka() == Some(KafkaError::GROUP_ID_NOT_FOUND) => {}
            Err(error) => return Err(error.into()),
        }
    }
    readers.sort();
    Ok((!readers.is_empty()).then(|| {
        let message = format!("it is read on the target by {}", readers.join(", "));
        let remedy = "stop the members of these groups; their offsets of the topic go with it";
        Problem::new("--topic", Some(target.as_str()), message, remedy)
    }))
}

/// Nothing is known of the partition any more; and what goes with it.
fn forgotten(seen: Seen) -> Decided {
    let mut change = decide::forget(&seen);
    let formers = seen.former.iter().flat_map(|former| &former.rows);
    for (key, _) in formers {
        change.rows.push((key.clone(), None));
        change.unseal.push(key.clone());
    }
    let (start, end) = (seen.log.start, seen.log.end);
    let mut told = match seen.target.map(|target| target.log) {
        Some(log) if log.has_records() => {
            let place = &seen.place;
            format!(
                "offsets {} to {} (excluded) of {place} on the target are deleted; ",
                log.start, log.end
            )
        }
        _ => "there is nothing of it on the target; ".to_owned(),
    };
    told.push_str(&format!(
        "it is mirrored anew: the source has offsets {start} to {end} (excluded)"
    ));
    if let Some(before) = gone(&seen) {
        told.push_str(&format!(
            ". What the target has of the source's offsets {before} to {start} (excluded) is lost: the source has it no more"
        ));
    }
    (seen, Some(change), told)
}

/// From where on the target has what the source has deleted, where offsets tell that.
fn gone(seen: &Seen) -> Option<Offset> {
    let row = seen.row.as_ref()?;
    let log = seen.target?.log;
    let first = match row.preserved {
        Some(preserved) => log.start.max(preserved.begins),
        None => row.runs.iter().map(|run| run.source).next()?,
    };
    (log.has_records() && first < seen.log.start).then_some(first)
}

/// Until the brokers do not know it any more.
async fn delete(subject: &Subject, topic: &TopicName) -> Result<(), Error> {
    targets::delete(&subject.target, topic).await?;
    let names = vec![topic.clone()];
    for _ in 0..LOOKS {
        let found = subject.target.metadata(Topics::Names(names.clone())).await?;
        if found.iter().all(|found| found.error.is_some()) {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Error::Unseen {
        what: format!("{topic}, which was deleted and is still there,"),
        error: KafkaError::REQUEST_TIMED_OUT,
    })
}
