//! `errors.*`: what becomes of records that a plugin rejects, fails on or breaks on. Connect's keys, which it has for sinks (KIP-298).

use std::time::Duration;

use towpath_domain::{
    TopicName,
    config::{Problem, Values},
};

use super::{
    keys::DEAD_LETTERS,
    plugins::{OnReject, Plugins, Validator},
};

/// What becomes of records that cannot pass.
#[derive(Clone, Debug)]
pub struct Errors {
    pub tolerance: Tolerance,
    /// none: without end
    pub retry_timeout: Option<Duration>,
    pub retry_delay_max: Duration,
    pub log: bool,
    pub dead_letters: Option<DeadLetters>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    None,
    All,
}

/// The dead letter queue.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    pub topic: TopicName,
    /// -1: the target's default
    pub replication_factor: i16,
    pub context_headers: bool,
}

// === impl Errors ===

impl Errors {
    pub(super) fn parse(values: &Values, plugins: &Plugins, problems: &mut Vec<Problem>) -> Self {
        let tolerance = match values.text("errors.tolerance") {
            "all" => Tolerance::All,
            _ => Tolerance::None,
        };
        let millis = |key| Duration::from_millis(values.int(key).unsigned_abs());
        Self {
            tolerance,
            retry_timeout: (values.int("errors.retry.timeout") >= 0).then(|| millis("errors.retry.timeout")),
            retry_delay_max: millis("errors.retry.delay.max.ms"),
            log: values.text("errors.log.enable") == "true",
            dead_letters: DeadLetters::parse(values, tolerance, plugins, problems),
        }
    }
}

// === impl DeadLetters ===

impl DeadLetters {
    fn parse(
        values: &Values,
        tolerance: Tolerance,
        plugins: &Plugins,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let wants = |validator: &&Validator| validator.on_reject == OnReject::DeadLetter;
        let wanted = plugins.validators.iter().find(wants);
        let Some(topic) = values.get(DEAD_LETTERS) else {
            if let Some(validator) = wanted {
                let key = validator.attached.key("on.reject");
                let remedy = format!("set {DEAD_LETTERS}");
                problems.push(Problem::new(
                    key,
                    Some("dead-letter"),
                    "there is no dead letter queue",
                    remedy,
                ));
            }
            return None;
        };
        if !TopicName::is_legal(topic) {
            let remedy = "1 to 249 of a-z A-Z 0-9 . _ -";
            problems.push(Problem::new(
                DEAD_LETTERS,
                Some(topic),
                "is no topic name",
                remedy,
            ));
        } else if tolerance == Tolerance::None && wanted.is_none() {
            problems.push(Problem::new(
                DEAD_LETTERS,
                Some(topic),
                "has no effect: nothing is sent there",
                "set errors.tolerance=all, or on.reject=dead-letter for a validator, or remove the key",
            ));
        }
        Some(Self {
            topic: TopicName::new(topic),
            replication_factor: values.int("errors.deadletterqueue.topic.replication.factor") as i16,
            context_headers: values.text("errors.deadletterqueue.context.headers.enable") == "true",
        })
    }
}
