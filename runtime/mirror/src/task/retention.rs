//! Where offsets are preserved, the target's log begins where the source's does, and never before the first record: filler is deleted.
//!
//! A broker notes a log's start once a minute (`log.flush.start.offset.checkpoint.interval.ms`): one that is killed before may show the filler again, so it is looked
//! for again and again, and the partition is not for consumers before that minute is over.
//!
//! Where nothing is to be written it is looked whether somebody else has: nothing else would show it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use towpath_domain::{Offset, TopicPartition};
use towpath_wire::{Client, Error, Isolation, ListedOffset, OffsetSpec};

use super::{Event, Task};

const INTERVAL: Duration = Duration::from_secs(5);
/// While a partition is not for consumers yet.
const FILLING_INTERVAL: Duration = Duration::from_secs(1);
/// After that a broker that is killed begins the log where it was told to.
pub(super) const NOTED: Duration = Duration::from_secs(60);

/// A partition whose start follows.
struct Followed {
    lane: usize,
    source: TopicPartition,
    target: TopicPartition,
    begins: Offset,
    end: Offset,
    /// nothing of it is on its way: its log ends there
    is_idle: bool,
}

/// What was found of the target's logs.
#[derive(Default)]
pub(super) struct Starts {
    /// where they begin now, by lane
    starts: Vec<(usize, Result<Offset, String>)>,
    /// lanes behind whose last record, at this offset, there is something
    longer: Vec<(usize, Offset)>,
}

// === impl Task ===

impl Task {
    pub(super) fn pump_retention(&mut self) {
        let now = Instant::now();
        if !self.preserves || self.following || self.draining || self.follow_at.is_some_and(|at| at > now) {
            return;
        }
        let followed: Vec<Followed> = (0..self.lanes.len())
            .filter_map(|lane| self.followed(lane))
            .collect();
        let is_filling = self.lanes.iter().any(|lane| lane.is_filling());
        self.follow_at = Some(now + if is_filling { FILLING_INTERVAL } else { INTERVAL });
        if followed.is_empty() {
            return;
        }
        self.following = true;
        let (source, target) = (self.options.source.clone(), self.options.target.clone());
        self.work.push(Box::pin(async move {
            let starts = follow(&source, &target, followed).await;
            Event::Followed(starts)
        }));
    }

    fn followed(&self, index: usize) -> Option<Followed> {
        let lane = &self.lanes[index];
        let preserved = lane.preserved().filter(|_| !lane.has_lost_its_target())?;
        let end = lane.located_from()?;
        (end >= preserved.begins).then(|| Followed {
            lane: index,
            source: lane.source.clone(),
            target: lane.target.clone(),
            begins: preserved.begins,
            end,
            is_idle: lane.is_idle(),
        })
    }

    pub(super) fn followed_to(&mut self, result: Result<Starts, Error>) {
        self.following = false;
        let starts = match result {
            Ok(starts) => starts,
            Err(error) => return self.note(format!("following the starts of logs: {error}")),
        };
        for (index, end) in starts.longer {
            let (lane, _) = self.lanes.at(index);
            if lane.is_idle() && lane.located_from() == Some(end) {
                self.locate(index);
            }
        }
        let now = Instant::now();
        for (index, start) in starts.starts {
            match start {
                Ok(start) => {
                    if let (lane, _) = self.lanes.at(index)
                        && lane.sees_start(start)
                    {
                        let lane = &mut self.lanes[index];
                        lane.begins_there(start, now);
                        match lane.is_filling() {
                            true => self.options.withheld.fills(&lane.target),
                            // Whoever has taken it over may be filling it.
                            false if lane.is_stopped() => {}
                            false => self.options.withheld.is_filled(&lane.target),
                        }
                    }
                }
                Err(what) => self.note(format!("following the starts of logs: {what}")),
            }
        }
    }
}

async fn follow(source: &Client, target: &Client, followed: Vec<Followed>) -> Result<Starts, Error> {
    let of = |side: fn(&Followed) -> &TopicPartition| -> Vec<TopicPartition> {
        followed.iter().map(side).cloned().collect()
    };
    let (sources, targets) = (of(|followed| &followed.source), of(|followed| &followed.target));
    let idle = followed.iter().filter(|followed| followed.is_idle);
    let idle: Vec<TopicPartition> = idle.map(|followed| followed.target.clone()).collect();
    let (at_source, at_target, ends) = futures::try_join!(
        source.list_offsets(&sources, OffsetSpec::Earliest, Isolation::ReadUncommitted),
        target.list_offsets(&targets, OffsetSpec::Earliest, Isolation::ReadUncommitted),
        target.list_offsets(&idle, OffsetSpec::Latest, Isolation::ReadUncommitted)
    )?;
    let listed = |answer: &HashMap<TopicPartition, Result<ListedOffset, towpath_wire::KafkaError>>,
                  partition: &TopicPartition| {
        match answer.get(partition) {
            Some(Ok(listed)) => Ok(listed.offset),
            Some(Err(error)) => Err(format!("the start of {partition} cannot be found: {error}")),
            None => Err(format!("the start of {partition} was not listed")),
        }
    };
    let Starts {
        mut starts,
        mut longer,
    } = Starts::default();
    let mut late = HashMap::new();
    for followed in followed {
        if let Some(Ok(found)) = ends.get(&followed.target)
            && found.offset > followed.end
        {
            longer.push((followed.lane, followed.end));
        }
        let found = listed(&at_source, &followed.source)
            .and_then(|source| Ok((source, listed(&at_target, &followed.target)?)));
        let (source, target) = match found {
            Ok(found) => found,
            Err(what) => {
                starts.push((followed.lane, Err(what)));
                continue;
            }
        };
        let wanted = source.max(followed.begins).min(followed.end);
        if target < wanted {
            late.insert(followed.target, (followed.lane, wanted));
        } else {
            starts.push((followed.lane, Ok(target)));
        }
    }
    let before: Vec<(TopicPartition, Offset)> = late
        .iter()
        .map(|(partition, (_, wanted))| (partition.clone(), *wanted))
        .collect();
    if before.is_empty() {
        return Ok(Starts { starts, longer });
    }
    for (partition, result) in target.delete_records(&before).await {
        if let Some((lane, _)) = late.get(&partition) {
            starts.push((*lane, result.map_err(|error| error.to_string())));
        }
    }
    Ok(Starts { starts, longer })
}
