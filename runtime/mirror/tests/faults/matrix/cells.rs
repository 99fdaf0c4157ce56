//! What is tried: which request, what happens to it, and what is to come of it.

use std::{fmt, time::Duration};

use towpath_embedded::{
    Action, ApiKey,
    ErrorCode::{self, *},
    Rule,
    faults::plausible_errors,
};

use super::super::{
    mirror::{POSITIONS, REQUEST_TIMEOUT},
    pair::TOPIC,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Source,
    Target,
}

/// When the fault is there from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the connector is checked.
    Starting,
    /// After it.
    Running,
}

/// Where the fault is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub side: Side,
    pub api: ApiKey,
    /// One topic's partitions only; what happens to them is an error.
    pub topic: Option<&'static str>,
    /// The first request that it happens to.
    pub from: u64,
    pub moment: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Without anybody's doing: everything arrives once, in order.
    Recovers,
    /// It says what it may not do, and goes on when it may.
    Waits(&'static str),
    /// The partition or the connector stops and says the error's name; after a restart everything arrives once, in order.
    Stops(ErrorCode),
}

#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub place: Place,
    pub action: Action,
    pub expected: Expected,
}

pub fn cells() -> Vec<Cell> {
    let running = [
        (Side::Source, ApiKey::ApiVersions),
        (Side::Source, ApiKey::Metadata),
        (Side::Source, ApiKey::DescribeConfigs),
        (Side::Source, ApiKey::ListOffsets),
        (Side::Source, ApiKey::Fetch),
        (Side::Target, ApiKey::ApiVersions),
        (Side::Target, ApiKey::SaslHandshake),
        (Side::Target, ApiKey::SaslAuthenticate),
        (Side::Target, ApiKey::Metadata),
        (Side::Target, ApiKey::CreateTopics),
        (Side::Target, ApiKey::CreatePartitions),
        (Side::Target, ApiKey::DescribeConfigs),
        (Side::Target, ApiKey::ListOffsets),
        (Side::Target, ApiKey::Fetch),
        (Side::Target, ApiKey::InitProducerId),
        (Side::Target, ApiKey::FindCoordinator),
        (Side::Target, ApiKey::AddPartitionsToTxn),
        (Side::Target, ApiKey::EndTxn),
        (Side::Target, ApiKey::Produce),
    ];
    // What a connector asks while it is checked.
    let starting = [
        (Side::Source, ApiKey::ApiVersions),
        (Side::Source, ApiKey::Metadata),
        (Side::Target, ApiKey::ApiVersions),
        (Side::Target, ApiKey::SaslHandshake),
        (Side::Target, ApiKey::SaslAuthenticate),
        (Side::Target, ApiKey::Metadata),
    ];
    let running = running.map(|place| (place, Moment::Running));
    let starting = starting.map(|place| (place, Moment::Starting));
    let mut cells = Vec::new();
    for ((side, api), moment) in running.into_iter().chain(starting) {
        cells.extend(actions(side, api).into_iter().map(|action| Cell {
            place: Place {
                side,
                api,
                topic: None,
                from: 1,
                moment,
            },
            action,
            expected: Expected::Recovers,
        }));
    }
    cells.extend(of_topics());
    cells
}

/// What passes by itself.
fn actions(side: Side, api: ApiKey) -> Vec<Action> {
    let mut actions = vec![
        Action::DropBefore,
        Action::DropAfter,
        Action::Delay(REQUEST_TIMEOUT * 2),
        Action::Throttle(Duration::from_millis(300)),
        Action::WrongCorrelation,
        Action::ShortFrame,
        Action::Garbage,
        Action::Hang,
    ];
    let errors = plausible_errors(api).iter();
    actions.extend(
        errors
            .clone()
            .chain(others(side, api))
            .map(|code| Action::Error(*code)),
    );
    // What was done although it was said to have failed.
    if !matches!(api, ApiKey::ApiVersions | ApiKey::Fetch) {
        actions.extend(errors.map(|code| Action::ErrorAfter(*code)));
    }
    actions
}

/// More errors that pass: of requests that other brokers than the embedded ones would refuse so, and those that an operator ends
/// while the mirror waits.
fn others(side: Side, api: ApiKey) -> &'static [ErrorCode] {
    match (side, api) {
        (Side::Source, ApiKey::Fetch) => &[
            CorruptMessage,
            NetworkException,
            OffsetOutOfRange,
            InconsistentTopicId,
            FetchSessionTopicIdError,
            TopicAuthorizationFailed,
        ],
        (Side::Source, ApiKey::Metadata | ApiKey::ListOffsets | ApiKey::DescribeConfigs) => {
            &[TopicAuthorizationFailed]
        }
        (Side::Target, ApiKey::Produce) => &[
            UnknownTopicId,
            InconsistentTopicId,
            LeaderNotAvailable,
            NetworkException,
            OutOfOrderSequenceNumber,
            UnknownProducerId,
            InvalidProducerEpoch,
            MessageTooLarge,
        ],
        (Side::Target, ApiKey::InitProducerId) => &[
            ClusterAuthorizationFailed,
            TransactionalIdAuthorizationFailed,
            UnknownServerError,
        ],
        (Side::Target, ApiKey::FindCoordinator | ApiKey::AddPartitionsToTxn | ApiKey::EndTxn) => {
            &[TransactionalIdAuthorizationFailed]
        }
        _ => &[],
    }
}

/// What does not pass by itself, by topic; and the topic of positions, alone.
fn of_topics() -> Vec<Cell> {
    let cell = |api, topic, from, code, expected| Cell {
        place: Place {
            side: Side::Target,
            api,
            topic,
            from,
            moment: Moment::Running,
        },
        action: Action::Error(code),
        expected,
    };
    let stops = |api, topic, from, code| cell(api, topic, from, code, Expected::Stops(code));
    let waits = |api, topic, from, permission| {
        let expected = Expected::Waits(permission);
        cell(api, topic, from, TopicAuthorizationFailed, expected)
    };
    let mut cells = vec![
        waits(ApiKey::Produce, Some(TOPIC), 1, "may not Write topic orders"),
        // After some records.
        waits(ApiKey::Produce, Some(TOPIC), 3, "may not Write topic orders"),
        waits(ApiKey::Fetch, None, 1, "may not Read topic towpath-offsets"),
    ];
    for code in [
        InvalidRecord,
        InvalidTimestamp,
        PolicyViolation,
        UnsupportedForMessageFormat,
        InvalidRequiredAcks,
    ] {
        cells.push(stops(ApiKey::Produce, Some(TOPIC), 1, code));
        cells.push(stops(ApiKey::Produce, Some(TOPIC), 3, code));
    }
    for code in [
        NotLeaderOrFollower,
        NotEnoughReplicas,
        TopicAuthorizationFailed,
        InvalidRecord,
        OutOfOrderSequenceNumber,
    ] {
        let expected = Expected::Recovers;
        cells.push(cell(ApiKey::Produce, Some(POSITIONS), 1, code, expected));
    }
    for code in [
        TopicAuthorizationFailed,
        PolicyViolation,
        InvalidReplicationFactor,
        InvalidConfig,
    ] {
        // The topic of positions, then the first one that is mirrored.
        cells.push(stops(ApiKey::CreateTopics, None, 1, code));
        cells.push(stops(ApiKey::CreateTopics, None, 2, code));
    }
    for api in [
        ApiKey::ListOffsets,
        ApiKey::DescribeConfigs,
        ApiKey::CreatePartitions,
    ] {
        cells.push(stops(api, None, 1, TopicAuthorizationFailed));
    }
    cells
}

// === impl Cell ===

impl Cell {
    pub fn rule(&self) -> Rule {
        let Place { api, topic, from, .. } = self.place;
        let times = match (self.action, self.expected) {
            // Longer than any retry lasts.
            (_, Expected::Stops(_) | Expected::Waits(_)) => 1000,
            // Each takes a request's whole deadline.
            (Action::Hang | Action::Delay(_), _) => 1,
            _ => 3,
        };
        let matching = Rule::on(api).from(from).times(times);
        match topic {
            Some(topic) => matching.topic(topic).then(self.action),
            None => matching.then(self.action),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place {
            side,
            api,
            topic,
            from,
            moment,
        } = self.place;
        write!(f, "{side:?} {api:?}")?;
        if moment == Moment::Starting {
            f.write_str(" while starting")?;
        }
        if let Some(topic) = topic {
            write!(f, " of {topic}")?;
        }
        if from > 1 {
            write!(f, " from the {from}.")?;
        }
        write!(f, " {:?}, {:?}", self.action, self.expected)
    }
}
