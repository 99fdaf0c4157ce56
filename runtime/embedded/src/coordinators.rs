//! Groups and transactions where a cluster keeps them: which broker coordinates which id, when something is due, and what the end of a
//! transaction writes.
//!
//! Left out of Kafka's behaviour: share and streams groups; the change of a running group from one protocol to the other; assignments that
//! are made later than the heartbeat that asks for them (KIP-1263); racks in assignors; offsets that expire; the coordinators' own topics
//! (`__consumer_offsets`, `__transaction_state`); OffsetCommit and OffsetFetch by topic ids (version 10), two-phase commit (InitProducerId 6);
//! delegation tokens, and SaslHandshake 0; quotas of requests, controller mutations and connections, which are kept and not enforced.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kafka_protocol::protocol::StrBytes;
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use crate::{
    ErrorCode,
    acls::{Acls, Authorizer, CLUSTER, Operation, Resource, Subject},
    context::{Client, Context, Shared},
    groups::{self, Groups, consumer},
    log,
    quotas::{Quotas, Rate},
    state::{State, Topics},
    transactions::{self, Transactions},
    users::Users,
};

/// What a cluster keeps beside its topics.
pub(crate) struct Coordinators {
    started: Instant,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    pub(crate) authorizer: Authorizer,
    pub(crate) acls: Acls,
    pub(crate) quotas: Quotas,
    pub(crate) users: Users,
    /// Those that do not stay where their id's hash puts them.
    moved: BTreeMap<(Kind, String), i32>,
    timer: Timer,
}

/// What an id is of, as FindCoordinator numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Group,
    Transaction,
}

/// Wakes [`run`] when something will be due earlier than it knew.
#[derive(Debug, Default)]
struct Timer {
    set_for: Option<Duration>,
    changed: Arc<Notify>,
}

/// As many as there are partitions of the coordinators' topics, so that ids go to brokers as in Kafka.
const SLOTS: u32 = 50;

/// Does what is due for the cluster's groups and transactions until the cluster ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    let changed = Arc::clone(&shared.state().coordinators.timer.changed);
    loop {
        let next = shared.state().tick(shared.clock.now_ms());
        let due = async {
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.token.cancelled() => return,
            () = changed.notified() => {}
            () = due => {}
        }
    }
}

// === impl Coordinators ===

impl Coordinators {
    /// `config` gives a broker's configuration by its key.
    pub(crate) fn new(config: impl Fn(&str) -> String, users: Users) -> Self {
        Self {
            started: Instant::now(),
            groups: Groups::default(),
            transactions: Transactions::default(),
            authorizer: Authorizer::of(config),
            acls: Acls::default(),
            quotas: Quotas::default(),
            users,
            moved: BTreeMap::new(),
            timer: Timer::default(),
        }
    }

    /// The time that groups, transactions and quotas go by.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn move_to(&mut self, kind: Kind, id: &str, broker: i32) {
        self.moved.insert((kind, id.to_owned()), broker);
    }

    fn next_deadline(&self) -> Option<Duration> {
        let both = [self.groups.next_deadline(), self.transactions.next_deadline()];
        both.into_iter().flatten().min()
    }
}

// === impl State ===

impl State {
    /// The broker that coordinates an id; `None` when none runs.
    pub(crate) fn coordinator(&self, kind: Kind, id: &str) -> Option<i32> {
        let moved = self.coordinators.moved.get(&(kind, id.to_owned())).copied();
        if let Some(broker) = moved.filter(|broker| self.is_running(*broker)) {
            return Some(broker);
        }
        let running: Vec<i32> = self.running().map(|(id, _)| id).collect();
        let slot = (java_hash(id) & 0x7fff_ffff) % SLOTS;
        let place = (slot as usize).checked_rem(running.len())?;
        running.get(place).copied()
    }

    pub(crate) fn check_coordinator(&self, broker: i32, kind: Kind, id: &str) -> Result<(), ErrorCode> {
        if self.coordinator(kind, id) == Some(broker) {
            Ok(())
        } else {
            Err(ErrorCode::NotCoordinator)
        }
    }

    pub(crate) fn group_options(&self) -> groups::Options {
        let ms = |key: &str| Duration::from_millis(u64::try_from(self.configs.number(key)).unwrap_or(0));
        groups::Options {
            initial_rebalance_delay: ms("group.initial.rebalance.delay.ms"),
            min_session_timeout: ms("group.min.session.timeout.ms"),
            max_session_timeout: ms("group.max.session.timeout.ms"),
            consumer: consumer::Times {
                session: ms("group.consumer.session.timeout.ms"),
                heartbeat: ms("group.consumer.heartbeat.interval.ms"),
            },
        }
    }

    pub(crate) fn transaction_options(&self) -> transactions::Options {
        let max = self.configs.number("transaction.max.timeout.ms");
        transactions::Options {
            max_timeout: Duration::from_millis(u64::try_from(max).unwrap_or(0)),
            ..transactions::Options::default()
        }
    }

    /// Whether a client may do something; everybody may without an authorizer.
    pub(crate) fn may(&self, client: &Client, operation: Operation, resource: Resource, name: &str) -> bool {
        let Coordinators { acls, authorizer, .. } = &self.coordinators;
        acls.allows(authorizer, subject(client), operation, resource, name)
    }

    /// Why a client may not do something to a topic.
    pub(crate) fn check_topic_access(
        &self,
        client: &Client,
        operation: Operation,
        topic: &str,
    ) -> Result<(), ErrorCode> {
        if self.may(client, operation, Resource::Topic, topic) {
            Ok(())
        } else {
            Err(ErrorCode::TopicAuthorizationFailed)
        }
    }

    /// Why a client may not do something to the cluster.
    pub(crate) fn check_cluster_access(
        &self,
        client: &Client,
        operation: Operation,
    ) -> Result<(), ErrorCode> {
        if self.may(client, operation, Resource::Cluster, CLUSTER) {
            Ok(())
        } else {
            Err(ErrorCode::ClusterAuthorizationFailed)
        }
    }

    /// Whether a client may do something to any resource of a type.
    pub(crate) fn may_any(&self, client: &Client, operation: Operation, resource: Resource) -> bool {
        let Coordinators { acls, authorizer, .. } = &self.coordinators;
        acls.allows_any(authorizer, subject(client), operation, resource)
    }

    /// Ends a transaction where it has written.
    pub(crate) fn end_transaction(&mut self, marker: &transactions::Marker, now_ms: i64) {
        let written = log::Marker {
            producer_id: marker.identity.producer_id,
            producer_epoch: marker.identity.epoch,
            coordinator_epoch: 0,
            outcome: marker.outcome,
        };
        for (topic, partition) in &marker.partitions {
            // A topic that was deleted meanwhile needs no marker.
            if let Some(found) = self.topics.partition_mut(topic, *partition) {
                let epoch = found.leader_epoch;
                found.log.append_marker(&written, epoch, now_ms);
            }
        }
        for group in &marker.groups {
            let producer_id = marker.identity.producer_id;
            self.coordinators
                .groups
                .end_transaction(group, producer_id, marker.outcome);
        }
    }

    /// Does what is due and says when to come again.
    fn tick(&mut self, now_ms: i64) -> Option<Instant> {
        let now = self.coordinators.now();
        self.coordinators.groups.tick(now, &self.topics);
        for marker in self.coordinators.transactions.tick(now) {
            self.end_transaction(&marker, now_ms);
        }
        let next = self.coordinators.next_deadline();
        self.coordinators.timer.set_for = next;
        next.map(|next| self.coordinators.started + next)
    }

    /// To be called when something was changed that has a deadline.
    pub(crate) fn reschedule(&self) {
        let timer = &self.coordinators.timer;
        let next = self.coordinators.next_deadline();
        if next.is_some_and(|next| timer.set_for.is_none_or(|set_for| next < set_for)) {
            timer.changed.notify_one();
        }
    }
}

// === impl Context ===

impl Context {
    /// Counts bytes against the client's quotas: one that has moved too many is told to be silent.
    pub(crate) fn count(&self, rate: Rate, bytes: usize) {
        let mut state = self.state();
        let now = state.coordinators.now();
        let Client { id, principal, .. } = &self.client;
        let user = principal.strip_prefix("User:").unwrap_or(principal);
        let silent = state.coordinators.quotas.record(now, rate, user, id, bytes);
        drop(state);
        self.throttle(i32::try_from(silent.as_millis()).unwrap_or(i32::MAX));
    }

    /// Changes groups or transactions at the present time.
    pub(crate) fn coordinate<T>(&self, change: impl FnOnce(&mut State, Duration) -> T) -> T {
        let mut state = self.state();
        let now = state.coordinators.now();
        let changed = change(&mut state, now);
        state.reschedule();
        changed
    }
}

// === impl Topics ===

impl consumer::Topics for Topics {
    fn names(&self) -> Vec<String> {
        self.iter().map(|topic| topic.name.to_string()).collect()
    }

    fn topic(&self, name: &str) -> Option<(Uuid, i32)> {
        let topic = self.get(name)?;
        Some((topic.id, i32::try_from(topic.partitions.len()).ok()?))
    }
}

fn subject(client: &Client) -> Subject<'_> {
    Subject {
        principal: &client.principal,
        host: &client.host,
    }
}

/// `String.hashCode`, of UTF-16 units.
fn java_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| {
        hash.wrapping_mul(31).wrapping_add(u32::from(unit))
    })
}

/// A text for an answer.
pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_where_java_would_put_them() {
        assert_eq!(java_hash("hello"), 99_162_322);
        assert_eq!(java_hash(""), 0);
    }
}
