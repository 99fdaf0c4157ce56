//! Predicates: which records a transformation applies to.

use std::{collections::HashMap, sync::Arc};

use towpath_domain::{Offset, Partition, TopicName};
use towpath_plugin_host as host;

use super::{
    Flow, Name, Place,
    ask::{Trouble, ask},
    refused::Refusal,
    rows::{Part, Rows, Side},
};
use crate::config::Errors;

/// The predicates of a pipeline; transformations name them by index.
#[derive(Default)]
pub(crate) struct Conditions(pub Vec<Condition>);

/// A predicate, and what it has said of topics.
pub(crate) struct Condition {
    pub name: Arc<Name>,
    pub predicate: host::Predicate,
    /// of one that looks at no record
    pub by_topic: HashMap<TopicName, bool>,
}

/// Two records without content: a predicate that looks at no record cannot tell one from the other.
struct AnyTwo {
    topic: TopicName,
    partition: Partition,
}

// === impl Conditions ===

impl Conditions {
    /// What a predicate that looks at no record says of a topic, or why it says nothing. None: it looks at records.
    pub(super) fn by_topic(
        &mut self,
        errors: &Errors,
        predicate: usize,
        topic: &TopicName,
        partition: Partition,
    ) -> Option<Result<bool, Trouble>> {
        let Condition {
            name,
            predicate,
            by_topic,
        } = self.0.get_mut(predicate)?;
        if !predicate.is_of_topics() {
            return None;
        }
        if let Some(matches) = by_topic.get(topic) {
            return Some(Ok(*matches));
        }
        let two = Arc::new(AnyTwo {
            topic: topic.clone(),
            partition,
        });
        let (_, answer) = ask(errors, &[0], |_| {
            let answer = predicate.matching(Arc::clone(&two) as Arc<dyn host::Records>);
            let place = Place {
                topic,
                partition: None,
                offset: None,
                records: 0,
            };
            name.watch.told(&name.stage, place, answer)
        })
        .into_iter()
        .next()?;
        Some(answer.map(|host::Matching { matches, .. }| {
            let matches = !matches.is_empty();
            by_topic.insert(topic.clone(), matches);
            matches
        }))
    }

    /// The rows that a transformation applies to, ascending, and those of which its predicate cannot say.
    pub(super) fn rows(
        &mut self,
        errors: &Errors,
        condition: Option<(usize, bool)>,
        rows: &Arc<Rows>,
    ) -> (Vec<u32>, Vec<Refusal>) {
        let all: Vec<u32> = (0..rows.len() as u32).collect();
        let Some((index, negate)) = condition else {
            return (all, Vec::new());
        };
        let (topic, partition) = rows.place();
        let of_topic = self.by_topic(errors, index, topic, partition);
        let Some(Condition { name, predicate, .. }) = self.0.get_mut(index) else {
            return (all, Vec::new());
        };
        match of_topic {
            Some(Ok(matches)) if matches == negate => return (Vec::new(), Vec::new()),
            Some(Ok(_)) => return (all, Vec::new()),
            Some(Err(trouble)) => return (Vec::new(), Refusal::all(name, &all, &trouble).collect()),
            None => {}
        }
        let pieces = ask(errors, &all, |indexes| {
            let answer = predicate.matching(Arc::new(Part {
                rows: Arc::clone(rows),
                indexes: indexes.to_vec(),
                side: Side::Source,
            }));
            name.watch.told(&name.stage, rows.place_of(indexes), answer)
        });
        let mut flow = Flow {
            asked: all.len() as u64,
            ..Flow::default()
        };
        let (mut applies, mut refusals) = (Vec::new(), Vec::new());
        for (indexes, result) in pieces {
            match result {
                Ok(host::Matching { matches, unreadable }) => {
                    let mut matches = matches.into_iter().peekable();
                    let mut unreadable = unreadable.into_iter().peekable();
                    for (at, row) in (0..).zip(indexes) {
                        let is_match = matches.next_if_eq(&at).is_some();
                        if unreadable.next_if_eq(&at).is_some() {
                            let reason = host::UNREADABLE_HEADER;
                            refusals.push(Refusal::rejected(name, *row as usize, reason));
                            flow.rejected += 1;
                            continue;
                        }
                        flow.out += u64::from(is_match);
                        if is_match != negate {
                            applies.push(*row);
                        }
                    }
                }
                Err(trouble) => {
                    flow.unanswered += indexes.len() as u64;
                    refusals.extend(Refusal::all(name, indexes, &trouble));
                }
            }
        }
        name.watch.count(flow);
        (applies, refusals)
    }
}

// === impl AnyTwo ===

impl host::Records for AnyTwo {
    fn len(&self) -> usize {
        2
    }

    fn topic(&self) -> &str {
        self.topic.as_str()
    }

    fn partition(&self) -> Partition {
        self.partition
    }

    fn offset(&self, _: usize) -> Offset {
        Offset(0)
    }

    fn timestamp(&self, _: usize) -> i64 {
        -1
    }

    fn timestamp_type(&self) -> host::TimestampType {
        host::TimestampType::CreateTime
    }

    fn key(&self, _: usize) -> Option<&[u8]> {
        None
    }

    fn value(&self, _: usize) -> Option<&[u8]> {
        None
    }

    fn headers(&self, _: usize, _: &mut dyn FnMut(&[u8], Option<&[u8]>)) {}
}
