//! Dead letters: in the queue before anything behind them counts as mirrored.

use std::time::Duration;

use tokio::sync::OnceCell;
use towpath_domain::{ClusterId, TopicPartition, state::PartitionState};
use towpath_wire::{
    Client, Error,
    batch::{Headers, HeadersBuilder},
    dead_letters::{DeadLetter, DeadLetters},
};

use super::{Converted, Event, Task};
use crate::{config, stages::Letter};

/// The queue of a connector, opened when the first letter comes.
pub(crate) struct Queue {
    client: Client,
    config: config::DeadLetters,
    connector: String,
    source: ClusterId,
    opened: OnceCell<DeadLetters>,
}

/// Connect's headers (`DeadLetterQueueReporter`).
const CONNECT: &str = "__connect.errors.";
/// What Connect has no header for.
const OURS: &str = "__towpath.errors.";

// === impl Queue ===

impl Queue {
    pub(crate) fn new(
        client: Client,
        config: config::DeadLetters,
        connector: String,
        source: ClusterId,
    ) -> Self {
        Self {
            client,
            config,
            connector,
            source,
            opened: OnceCell::new(),
        }
    }

    async fn write(&self, task: usize, partition: &TopicPartition, letters: &[Letter]) -> Result<(), Error> {
        let open = || {
            DeadLetters::open(
                self.client.clone(),
                self.config.topic.clone(),
                self.config.replication_factor,
            )
        };
        let queue = self.opened.get_or_try_init(open).await?;
        let letters: Vec<DeadLetter> = letters
            .iter()
            .map(|letter| self.letter(task, partition, letter))
            .collect();
        queue.write(&letters).await
    }

    /// Keyed by where the record is, so that a letter that is written again after a crash is known as the same one.
    fn letter(&self, task: usize, place: &TopicPartition, letter: &Letter) -> DeadLetter {
        let TopicPartition { topic, partition } = place;
        let mut headers = HeadersBuilder::new();
        for (key, value) in Headers::parse(&letter.headers).unwrap_or(Headers::EMPTY).iter() {
            headers.push(key, value);
        }
        if let Some(key) = &letter.key {
            headers.push(format!("{OURS}key").as_bytes(), Some(key));
        }
        headers.push(
            format!("{OURS}timestamp").as_bytes(),
            Some(letter.timestamp.to_string().as_bytes()),
        );
        if self.config.context_headers {
            let mut say = |prefix: &str, name: &str, value: &str| {
                headers.push(format!("{prefix}{name}").as_bytes(), Some(value.as_bytes()));
            };
            say(CONNECT, "topic", topic.as_str());
            say(CONNECT, "partition", &partition.0.to_string());
            say(CONNECT, "offset", &letter.offset.0.to_string());
            say(CONNECT, "connector.name", &self.connector);
            say(CONNECT, "task.id", &task.to_string());
            let is_validation = letter.stage.starts_with("validators.");
            say(
                CONNECT,
                "stage",
                if is_validation {
                    "VALIDATION"
                } else {
                    "TRANSFORMATION"
                },
            );
            say(CONNECT, "class.name", &letter.plugin);
            say(CONNECT, "exception.class.name", letter.kind);
            say(CONNECT, "exception.message", &letter.reason);
            say(OURS, "cluster", &self.source.0);
            say(OURS, "stage", &letter.stage);
            say(OURS, "digest", &letter.digest);
        }
        let key = format!("{}/{topic}/{}/{}", self.source.0, partition.0, letter.offset.0);
        DeadLetter {
            source: *partition,
            key: Some(key.into_bytes()),
            value: letter.value.clone(),
            headers: headers.headers().raw().to_vec(),
        }
    }
}

// === impl Task ===

impl Task {
    /// Sends the letters of what was converted; the lane waits for them.
    pub(super) fn write_letters(&mut self, index: usize, converted: Converted, pause: Option<Duration>) {
        let Some(queue) = self.options.dead_letters.clone() else {
            return self.converted(index, converted);
        };
        let (task, partition) = (self.options.id, self.lanes[index].source.clone());
        self.lanes[index].converting = true;
        self.work.push(Box::pin(async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            let result = queue.write(task, &partition, &converted.letters).await;
            Event::Lettered(index, converted, result)
        }));
    }

    pub(super) fn lettered(&mut self, index: usize, mut converted: Converted, result: Result<(), Error>) {
        self.lanes[index].converting = false;
        match result {
            Ok(()) => {
                self.mirrored.dead_lettered += converted.letters.len() as u64;
                converted.letters.clear();
                self.converted(index, converted);
            }
            Err(_) if self.lanes[index].is_closing() || self.lanes[index].is_stopped() => {}
            Err(error) if error.is_retriable() => {
                self.note(format!("writing dead letters: {error}"));
                self.write_letters(index, converted, Some(super::REST));
            }
            Err(error) => {
                let lane = &mut self.lanes[index];
                tracing::error!(connector = self.options.connector, partition = %lane.source, %error, "dead letters cannot be written");
                if let Some(first) = converted.letters.first() {
                    lane.stop(PartitionState::PluginFailed {
                        offset: first.offset,
                        error: format!("{}: {}; and {error}", first.stage, first.reason),
                    });
                }
            }
        }
    }
}
