//! When everything is well again: has the mirror caught up, and is everything where it must be?

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use towpath_domain::Offset;

use super::{
    crew::{self, Place},
    dice::Dice,
    groups,
    log::{self, Deviation, Entry, Offsets},
    performance::{Names, Performance},
    schedule::Side,
    stage::Stage,
    traffic::{Kind, Topic},
    watch,
};
use crate::{offset_map, read::Isolation, wait};

/// Looks at both clusters and at the workers.
pub(super) struct Judge<'a> {
    stage: &'a Stage,
    performance: &'a mut Performance,
    logs: Vec<Logs>,
}

/// What was found right, for the report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judged {
    /// committed records of the source, compared twice
    pub records: u64,
    /// offsets whose place in the stored maps was compared
    pub offsets: u64,
    /// offsets of groups that were compared
    pub group_offsets: u64,
}

/// A topic as both sides have it.
struct Logs {
    topic: Topic,
    offsets: Offsets,
    source: Vec<Vec<Entry>>,
    /// as readers of committed records see it, and others too where that is promised
    target: Vec<Vec<Entry>>,
    /// (first, end) of each partition
    source_bounds: Vec<(i64, i64)>,
    target_bounds: Vec<(i64, i64)>,
    /// of partitions in which something is wrong already
    wrong: Vec<bool>,
}

const CAUGHT_UP: Duration = Duration::from_secs(240);
const BOUNDS: Duration = Duration::from_secs(90);
const GROUPS: Duration = Duration::from_secs(90);
/// Fenced everywhere for so long, a partition is nobody's.
const NOBODY: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(500);
const SHOWN: Duration = Duration::from_secs(5);
/// Groups that are committed to when everything is still, each somewhere in each partition.
const STILL: usize = 12;
const BOTH: [Offsets; 2] = [Offsets::Preserved, Offsets::Translated];

// === impl Judge ===

impl<'a> Judge<'a> {
    pub(super) fn new(stage: &'a Stage, performance: &'a mut Performance) -> Self {
        Self {
            stage,
            performance,
            logs: Vec::new(),
        }
    }

    pub(super) fn judge(&mut self) -> Result<Judged> {
        let mut judged = Judged::default();
        self.catch_up()?;
        self.wait_for_bounds()?;
        self.read()?;
        judged.records = self.compare();
        judged.group_offsets = self.groups()?;
        let owner = self.performance.crew.owner();
        if let Err(error) = self.performance.crew.stop(owner) {
            self.deviate(Deviation::new(format!(
                "worker {owner} did not stop in peace: {error:#}"
            )));
        }
        judged.offsets = self.maps()?;
        Ok(judged)
    }

    /// Waits until each partition of each connector is where the source ends.
    fn catch_up(&mut self) -> Result<()> {
        let mut ends = BTreeMap::new();
        for topic in &self.performance.topics {
            for (partition, (_, end)) in (0..).zip(self.stage.admin(Side::Source)?.offsets(&topic.name)?) {
                for offsets in BOTH {
                    let place = (
                        self.performance.names.connector(offsets),
                        topic.name.clone(),
                        partition,
                    );
                    ends.insert(place, end);
                }
            }
        }
        let (began, mut shown) = (Instant::now(), Instant::now());
        let mut nobodys_since: Option<Instant> = None;
        loop {
            self.performance.look()?;
            let statuses = self.performance.crew.statuses();
            let places = crew::places(&statuses);
            let (mut left, mut behind, mut is_nobodys) = (Vec::new(), 0, false);
            for (place, end) in &ends {
                let states = places.get(place).map_or(&[][..], Vec::as_slice);
                let position = states
                    .iter()
                    .find(|(_, state, _)| watch::is_well(state))
                    .map(|found| found.2);
                match position {
                    Some(position) if position.unwrap_or(0) >= *end => {}
                    Some(position) => {
                        behind += end - position.unwrap_or(0);
                        left.push((place, states.to_vec()));
                    }
                    None => {
                        is_nobodys |=
                            states.iter().all(|(_, state, _)| *state == watch::FENCED) && !states.is_empty();
                        left.push((place, states.to_vec()));
                    }
                }
            }
            if left.is_empty() {
                self.performance.note("the mirror has caught up".to_owned());
                return Ok(());
            }
            if began.elapsed() > CAUGHT_UP {
                for (place, states) in left {
                    let what = format!(
                        "not caught up after {} s: {states:?}, the source ends at {}",
                        CAUGHT_UP.as_secs(),
                        ends[place]
                    );
                    let deviation = Deviation::new(what).on(&told(place));
                    self.performance.watch.deviations.push(deviation);
                }
                return Ok(());
            }
            let stopped = |(_, states): &(&Place, crew::States<'_>)| {
                states
                    .iter()
                    .any(|(_, state, _)| !watch::is_well(state) && *state != watch::FENCED)
            };
            // What has stopped is told already.
            if left.iter().all(stopped) {
                return Ok(());
            }
            if shown.elapsed() > SHOWN {
                shown = Instant::now();
                println!(
                    "           {} of {} partitions have caught up, {behind} offsets to go",
                    ends.len() - left.len(),
                    ends.len()
                );
            }
            if !is_nobodys {
                nobodys_since = None;
            } else if nobodys_since.get_or_insert_with(Instant::now).elapsed() > NOBODY {
                nobodys_since = None;
                self.performance
                    .note("fenced, and nobody else goes on: starting the last worker anew".to_owned());
                self.performance.crew.restart()?;
            }
            wait::pause(PAUSE);
        }
    }

    /// Where offsets are preserved both logs begin and end at the same ones, but for what the cleaner takes from the front.
    fn wait_for_bounds(&mut self) -> Result<()> {
        for topic in self.performance.topics.clone() {
            let bounds = |side| -> Result<Vec<(i64, i64)>> {
                let bounds = self.stage.admin(side)?.offsets(&topic.name)?;
                let compared = bounds
                    .into_iter()
                    .map(|(first, end)| (if topic.is_compacted() { 0 } else { first }, end));
                Ok(compared.collect())
            };
            let same = wait::until("the same bounds", BOUNDS, || {
                Ok((bounds(Side::Source)? == bounds(Side::Target)?).then_some(()))
            });
            if same.is_err() {
                let what = format!(
                    "{}: the logs' bounds are {:?} on the source and {:?} on the target",
                    topic.name,
                    bounds(Side::Source),
                    bounds(Side::Target)
                );
                self.deviate(Deviation::new(what));
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<()> {
        let (source, target) = (
            self.stage.bootstrap(Side::Source),
            self.stage.bootstrap(Side::Target),
        );
        for topic in self.performance.topics.clone() {
            let committed = log::read(&source, &topic.name, Isolation::ReadCommitted)?;
            let source_bounds = self.stage.admin(Side::Source)?.offsets(&topic.name)?;
            for offsets in BOTH {
                let name = Names::on_target(&topic.name, offsets);
                let seen = log::read(&target, &name, Isolation::ReadCommitted)?;
                // Translated, they go in transactions: of one that is aborted the copies are for readers of uncommitted records alone.
                let is_for_all = topic.kind != Kind::Old || offsets == Offsets::Preserved;
                if is_for_all && log::read(&target, &name, Isolation::ReadUncommitted)? != seen {
                    let what =
                        format!("{name}: readers of committed and of uncommitted records see different ones");
                    self.deviate(Deviation::new(what));
                }
                self.logs.push(Logs {
                    topic: topic.clone(),
                    offsets,
                    wrong: vec![false; committed.len()],
                    source: committed.clone(),
                    target: seen,
                    source_bounds: source_bounds.clone(),
                    target_bounds: self.stage.admin(Side::Target)?.offsets(&name)?,
                });
            }
        }
        Ok(())
    }

    /// Returns the records that were compared.
    fn compare(&mut self) -> u64 {
        let (mut records, mut found) = (0, Vec::new());
        for logs in &mut self.logs {
            for (partition, source) in logs.source.iter().enumerate() {
                records += source.len() as u64;
                let target = logs.target.get(partition).map_or(&[][..], Vec::as_slice);
                let deviations = log::compare(logs.topic.kind, logs.offsets, source, target);
                logs.wrong[partition] = !deviations.is_empty();
                let name = Names::on_target(&logs.topic.name, logs.offsets);
                found.extend(
                    deviations
                        .into_iter()
                        .map(|each| each.on(&format!("{name}-{partition}"))),
                );
            }
        }
        found.into_iter().for_each(|each| self.deviate(each));
        records / BOTH.len() as u64
    }

    /// Each group reads the same record next on both sides. Returns the offsets that were compared.
    fn groups(&mut self) -> Result<u64> {
        let (source, target) = (
            self.stage.bootstrap(Side::Source),
            self.stage.bootstrap(Side::Target),
        );
        let mut groups = self.performance.names.reading().to_vec();
        let mut dice = Dice::new(self.performance.setting.seed, "still groups");
        for number in 0..STILL {
            let group = self.performance.names.group(&format!("still-{number}"));
            let mut offsets = Vec::new();
            for logs in self.logs.iter().filter(|logs| logs.offsets == Offsets::Preserved) {
                for (partition, (first, end)) in (0..).zip(&logs.source_bounds) {
                    let offset = dice.number(u64::try_from(*first)?..u64::try_from(*end)? + 1);
                    offsets.push(((logs.topic.name.clone(), partition), i64::try_from(offset)?));
                }
            }
            groups::commit(&source, &group, &offsets)?;
            groups.push(group);
        }
        let topics = self.performance.topics.clone();
        let (began, mut compared) = (Instant::now(), 0);
        loop {
            self.performance.look()?;
            let (mut wrong, mut right) = (Vec::new(), 0);
            for group in &groups {
                let on_source = groups::committed(&source, group, &topics, str::to_owned)?;
                for offsets in BOTH {
                    let on_target =
                        groups::committed(&target, group, &topics, |name| Names::on_target(name, offsets))?;
                    for ((place, from), (_, to)) in on_source.iter().zip(on_target) {
                        let Some(from) = from else { continue };
                        match self.is_right(offsets, place, *from, to) {
                            Some(Ok(())) => right += 1,
                            Some(Err(what)) => wrong.push(format!("group {group}: {what}")),
                            // The records themselves are not right.
                            None => {}
                        }
                    }
                }
            }
            compared = compared.max(right);
            if wrong.is_empty() {
                return Ok(compared);
            }
            if began.elapsed() > GROUPS {
                let reasons = self.reasons();
                for what in wrong {
                    let reason = reasons.iter().find(|(place, _)| what.contains(place.as_str()));
                    let reason = reason.map(|(_, reason)| format!("; the status says {reason}"));
                    self.deviate(Deviation::new(what + &reason.unwrap_or_default()));
                }
                return Ok(compared);
            }
            println!("           waiting for {} offsets of groups", wrong.len());
            wait::pause(2 * PAUSE);
        }
    }

    fn is_right(
        &self,
        offsets: Offsets,
        place: &(String, i32),
        from: i64,
        to: Option<i64>,
    ) -> Option<Result<(), String>> {
        let is_of = |logs: &&Logs| logs.offsets == offsets && logs.topic.name == place.0;
        let logs = self.logs.iter().find(is_of)?;
        let partition = usize::try_from(place.1).ok()?;
        if logs.wrong[partition] {
            return None;
        }
        let end = logs.target_bounds[partition].1;
        let expected = log::place(
            logs.topic.kind,
            &logs.source[partition],
            &logs.target[partition],
            from,
            end,
        );
        let is_right = to.is_some_and(|to| expected.contains(&to));
        Some(if is_right {
            Ok(())
        } else {
            Err(format!(
                "{}-{}: offset {from} of the source is {to:?} on the target ({offsets:?}), and must be one of {expected:?}",
                place.0, place.1
            ))
        })
    }

    /// What the status says of each group's partition.
    fn reasons(&self) -> Vec<(String, String)> {
        let statuses = self.performance.crew.statuses();
        let connectors = statuses.iter().flat_map(|(_, status)| &status.connectors);
        let groups = connectors.flat_map(|connector| &connector.groups);
        groups
            .filter(|group| group.state != "synced")
            .map(|group| {
                let place = format!("group {}: {}-{}:", group.group, group.topic, group.partition);
                (
                    place,
                    format!("{}: {}", group.state, group.reason.clone().unwrap_or_default()),
                )
            })
            .collect()
    }

    /// Each offset of the source has the place in the stored map that both logs show. Returns the offsets that were compared.
    fn maps(&mut self) -> Result<u64> {
        let target = self.stage.bootstrap(Side::Target);
        let (mut compared, mut found) = (0, Vec::new());
        for logs in &self.logs {
            let connector = self.performance.names.connector(logs.offsets);
            let stored = offset_map::stored(
                &target,
                &self.performance.names.positions,
                &connector,
                &logs.topic.name,
            )
            .with_context(|| format!("the map of {} of {connector}", logs.topic.name))?;
            if stored.len() != logs.source.len() {
                found.push(Deviation::new(format!(
                    "{connector}: {} rows of {}",
                    stored.len(),
                    logs.topic.name
                )));
                continue;
            }
            for (partition, stored) in stored.into_iter().enumerate() {
                if logs.wrong[partition] {
                    continue;
                }
                let runs = stored.runs();
                let (first, source_end) = logs.source_bounds[partition];
                let end = logs.target_bounds[partition].1;
                for offset in first..source_end {
                    let expected = log::place(
                        logs.topic.kind,
                        &logs.source[partition],
                        &logs.target[partition],
                        offset,
                        end,
                    );
                    let place = runs.target_of(Offset(offset), Offset(end)).map(|place| place.0);
                    if !place.is_some_and(|place| expected.contains(&place)) {
                        let what = format!(
                            "{connector}: {}-{partition}: source offset {offset} is {place:?} in the stored map, and must be one of {expected:?}",
                            logs.topic.name
                        );
                        found.push(Deviation::new(what));
                        break;
                    }
                    compared += 1;
                }
            }
        }
        found.into_iter().for_each(|each| self.deviate(each));
        Ok(compared)
    }

    fn deviate(&mut self, deviation: Deviation) {
        println!("DEVIATION  {}", deviation.what);
        self.performance.watch.deviations.push(deviation);
    }
}

fn told((connector, topic, partition): &Place) -> String {
    format!("{connector}: {topic}-{partition}")
}
