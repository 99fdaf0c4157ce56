//! Which worker process runs the connectors. Today each worker that starts takes them all over, and whoever had them before is fenced by that.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::towpath::{Connector, Status, Worker};

/// The worker processes of a run.
pub(super) struct Crew {
    members: Vec<Member>,
    /// the one that was started last
    owner: usize,
    started: usize,
}

struct Member {
    worker: Worker,
    condition: Condition,
    /// the how manieth start of all this was; 0 before
    start: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Away,
    Running,
    Frozen,
    /// By itself; whoever has started it (systemd, Kubernetes) starts it again after a while.
    Ended(Instant),
}

const AGAIN: Duration = Duration::from_secs(2);

/// The states of a partition at the workers that run.
pub(super) type States<'a> = Vec<(usize, &'a str, Option<i64>)>;

/// A partition of a connector.
pub(super) type Place = (String, String, i32);

// === impl Crew ===

impl Crew {
    /// Workers with the same connectors; nothing runs yet.
    pub(super) fn new(count: usize, properties: &[(&str, &str)], connectors: &[Connector]) -> Result<Self> {
        let member = |_| {
            let mut worker = Worker::new(properties)?;
            for connector in connectors {
                worker.connector(connector)?;
            }
            Ok(Member {
                worker,
                condition: Condition::Away,
                start: 0,
            })
        };
        Ok(Self {
            members: (0..count).map(member).collect::<Result<_>>()?,
            owner: 0,
            started: 0,
        })
    }

    /// Makes it the one that runs the connectors.
    pub(super) fn take_over(&mut self, worker: usize) -> Result<()> {
        match self.member(worker)?.condition {
            Condition::Running => self.stop(worker)?,
            // Of one worker nobody else can take over.
            Condition::Frozen => self.kill(worker)?,
            Condition::Away | Condition::Ended(_) => {}
        }
        self.started += 1;
        let start = self.started;
        let member = self.member(worker)?;
        member.worker.start()?;
        member.condition = Condition::Running;
        member.start = start;
        self.owner = worker;
        Ok(())
    }

    /// As [`Crew::stop`], [`Crew::freeze`] and [`Crew::thaw`]: nothing happens to one that has ended by itself, but that it is not started again.
    pub(super) fn kill(&mut self, worker: usize) -> Result<()> {
        let member = self.member(worker)?;
        if matches!(member.condition, Condition::Running | Condition::Frozen) {
            member.worker.kill()?;
        }
        member.condition = Condition::Away;
        Ok(())
    }

    pub(super) fn stop(&mut self, worker: usize) -> Result<()> {
        let member = self.member(worker)?;
        let before = std::mem::replace(&mut member.condition, Condition::Away);
        if before == Condition::Running {
            let stopped = member.worker.stop();
            // One that does not end in peace ends all the same.
            if member.worker.process().is_ok() {
                member.worker.kill()?;
            }
            return stopped;
        }
        Ok(())
    }

    pub(super) fn freeze(&mut self, worker: usize) -> Result<()> {
        let member = self.member(worker)?;
        if member.condition == Condition::Running {
            member.worker.process()?.signal("STOP")?;
            member.condition = Condition::Frozen;
        }
        Ok(())
    }

    pub(super) fn thaw(&mut self, worker: usize) -> Result<()> {
        let member = self.member(worker)?;
        if member.condition == Condition::Frozen {
            member.worker.process()?.signal("CONT")?;
            member.condition = Condition::Running;
        }
        Ok(())
    }

    /// Lets the one that was started last go on, and ends all others.
    pub(super) fn settle(&mut self) -> Result<()> {
        for worker in 0..self.members.len() {
            if worker != self.owner && self.member(worker)?.condition != Condition::Away {
                self.kill(worker)?;
            }
        }
        match self.member(self.owner)?.condition {
            Condition::Running => Ok(()),
            Condition::Frozen => self.thaw(self.owner),
            Condition::Away | Condition::Ended(_) => self.take_over(self.owner),
        }
    }

    /// Starts the one that runs the connectors anew.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.take_over(self.owner)
    }

    /// Its last start, among all of them.
    pub(super) fn start(&self, worker: usize) -> usize {
        self.members.get(worker).map_or(0, |member| member.start)
    }

    /// Whether another worker may have taken over from it since it was started: one that started later, or that had not come to it before this one did.
    pub(super) fn was_followed(&self, worker: usize) -> bool {
        let others = self
            .members
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != worker);
        others.map(|(_, member)| member.start).max() >= Some(self.start(worker).saturating_sub(1).max(1))
    }

    pub(super) fn owner(&self) -> usize {
        self.owner
    }

    /// What the workers say of themselves that can say something now.
    pub(super) fn statuses(&self) -> Vec<(usize, Status)> {
        let speak = self.members.iter().enumerate();
        speak
            .filter(|(_, member)| member.condition == Condition::Running)
            // A status file is replaced as a whole; what is not there yet says nothing.
            .filter_map(|(index, member)| Some((index, member.worker.status().ok()??)))
            .collect()
    }

    /// Workers that have ended though nobody has ended them, each told once, with the end of its log; they are started again a moment later.
    pub(super) fn tend(&mut self) -> Result<Vec<(usize, String)>> {
        let mut ended = Vec::new();
        for worker in 0..self.members.len() {
            let member = &mut self.members[worker];
            match member.condition {
                Condition::Running => {
                    if let Some(status) = member.worker.process()?.ended()? {
                        let tail = member.worker.process()?.log_tail(6);
                        ended.push((worker, format!("{status}\n{tail}")));
                        member.worker.kill()?;
                        member.condition = Condition::Ended(Instant::now());
                    }
                }
                Condition::Ended(at) if at.elapsed() > AGAIN => self.take_over(worker)?,
                _ => {}
            }
        }
        Ok(ended)
    }

    pub(super) fn logs(&self) -> Vec<String> {
        self.members
            .iter()
            .map(|member| member.worker.log_text())
            .collect()
    }

    pub(super) fn keep(&mut self) -> Vec<&Path> {
        self.members
            .iter_mut()
            .map(|member| member.worker.keep())
            .collect()
    }

    fn member(&mut self, worker: usize) -> Result<&mut Member> {
        self.members.get_mut(worker).context("there is such a worker")
    }
}

/// The state and the position of each partition at each worker.
pub(super) fn places(statuses: &[(usize, Status)]) -> BTreeMap<Place, States<'_>> {
    let mut places: BTreeMap<Place, States<'_>> = BTreeMap::new();
    for (worker, status) in statuses {
        for connector in &status.connectors {
            for partition in connector.tasks.iter().flat_map(|task| &task.partitions) {
                let place = (
                    connector.name.clone(),
                    partition.topic.clone(),
                    partition.partition,
                );
                places
                    .entry(place)
                    .or_default()
                    .push((*worker, &partition.state, partition.position));
            }
        }
    }
    places
}
