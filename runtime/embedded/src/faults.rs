//! Faults on demand: rules that make brokers misbehave, request by request.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use towpath_embedded::{Action, ApiKey, Cluster, ErrorCode, Options, Random, Rule};
//! # async fn example(cluster: Cluster) {
//! let faults = cluster.faults();
//! // The third Produce is stored, and its answer lost.
//! let lost = faults.inject(Rule::on(ApiKey::Produce).nth(3).then(Action::DropAfter));
//! // Two fetches of one partition from broker 1 are told to look for another leader.
//! let rule = Rule::on(ApiKey::Fetch).broker(1).partition("orders", 0).times(2);
//! faults.inject(rule.then(Action::Error(ErrorCode::NotLeaderOrFollower)));
//! // One request in a hundred is delayed, and so on: the same requests with the same seed.
//! faults.randomize(Random::gentle(42));
//! // ...
//! assert_eq!(lost.hits(), 1);
//! faults.calm();
//! # }
//! ```
//!
//! A rule counts the requests that it matches, and acts on those that its `nth`, `times`, `every` say: on all of them when nothing is
//! said. The first rule that acts on a request is the only one; rules are asked in the order in which they were injected, random faults
//! last.
//!
//! A rule for a topic matches the requests that name it. With [`Action::Error`] it is about single partitions instead: it counts those,
//! refuses those, and leaves the others of the request alone. Produce, Fetch, ListOffsets, Metadata (topics), OffsetForLeaderEpoch and
//! DeleteRecords know such errors; to other APIs a rule with a topic and an error does nothing.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kafka_protocol::{messages::ApiKey, protocol::StrBytes};

use crate::ErrorCode;

mod plausible;
mod random;

pub use plausible::plausible_errors;
pub use random::Random;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The request is not handled and answered with this error, wherever the API's answer can say one.
    Error(ErrorCode),
    /// The request is handled (a batch is stored, a topic created) and then answered with this error.
    ErrorAfter(ErrorCode),
    /// The connection is closed, the request not handled.
    DropBefore,
    /// The request is handled, and the connection closed instead of an answer.
    DropAfter,
    /// The request is handled after so long. Requests behind it on the same connection wait, others do not.
    Delay(Duration),
    /// The request is handled, and its answer asks the client to be silent for so long; the broker ignores it meanwhile.
    Throttle(Duration),
    /// The request is handled, and answered under a correlation id that nobody has asked with.
    WrongCorrelation,
    /// The request is handled; the answer's length says more than is sent, then the connection is closed.
    ShortFrame,
    /// The request is handled, and the answer's bytes behind the correlation id are noise.
    Garbage,
    /// Nothing is ever answered, and the connection stays open.
    Hang,
}

/// Which requests, and what happens to them.
#[derive(Clone, Debug)]
pub struct Rule {
    api: Option<ApiKey>,
    broker: Option<i32>,
    topic: Option<String>,
    partition: Option<i32>,
    first: u64,
    times: u64,
    every: u64,
    action: Action,
}

/// A rule that is not told yet what to do.
#[derive(Clone, Debug)]
pub struct Matching(Rule);

/// A rule at work. It goes on when this is dropped.
#[derive(Clone, Debug)]
pub struct Injected {
    rule: Arc<Active>,
    faults: Weak<Mutex<Inner>>,
}

/// All faults of a cluster. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    rules: Vec<Arc<Active>>,
    random: Option<random::State>,
}

#[derive(Debug)]
struct Active {
    rule: Rule,
    seen: AtomicU64,
    hits: AtomicU64,
}

// === impl Rule ===

impl Rule {
    /// For requests of this API.
    pub fn on(api: ApiKey) -> Matching {
        let mut matching = Self::any();
        matching.0.api = Some(api);
        matching
    }

    /// For every request but ApiVersions: without it no client would come as far as to see another fault.
    pub fn any() -> Matching {
        Matching(Self {
            api: None,
            broker: None,
            topic: None,
            partition: None,
            first: 1,
            times: u64::MAX,
            every: 1,
            action: Action::DropBefore,
        })
    }

    fn is_of(&self, api: ApiKey, broker: i32) -> bool {
        self.api.map_or(api != ApiKey::ApiVersions, |own| own == api)
            && self.broker.is_none_or(|own| own == broker)
    }

    fn is_of_partition(&self, topic: &str, partition: i32) -> bool {
        self.is_for_partitions()
            && self.topic.as_deref() == Some(topic)
            && self.partition.is_none_or(|own| own == partition)
    }

    fn is_for_partitions(&self) -> bool {
        self.topic.is_some() && matches!(self.action, Action::Error(_))
    }
}

// === impl Matching ===

impl Matching {
    /// Of this broker alone.
    #[must_use]
    pub fn broker(mut self, broker: i32) -> Self {
        self.0.broker = Some(broker);
        self
    }

    /// Of this topic alone.
    #[must_use]
    pub fn topic(mut self, topic: &str) -> Self {
        self.0.topic = Some(topic.to_owned());
        self
    }

    /// Of this partition alone; with another action than [`Action::Error`], of its topic.
    #[must_use]
    pub fn partition(mut self, topic: &str, partition: i32) -> Self {
        self.0.partition = Some(partition);
        self.topic(topic)
    }

    /// Only the nth that matches, counted from 1.
    #[must_use]
    pub fn nth(self, nth: u64) -> Self {
        self.from(nth).times(1)
    }

    /// Not before the nth that matches.
    #[must_use]
    pub fn from(mut self, nth: u64) -> Self {
        self.0.first = nth.max(1);
        self
    }

    /// So often, then never again.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.0.times = times;
        self
    }

    /// The first that matches, and then every so many.
    #[must_use]
    pub fn every(mut self, every: u64) -> Self {
        self.0.every = every.max(1);
        self
    }

    pub fn then(mut self, action: Action) -> Rule {
        self.0.action = action;
        self.0
    }
}

// === impl Faults ===

impl Faults {
    /// From now on.
    pub fn inject(&self, rule: Rule) -> Injected {
        let rule = Arc::new(Active {
            rule,
            seen: AtomicU64::new(0),
            hits: AtomicU64::new(0),
        });
        self.lock().rules.push(Arc::clone(&rule));
        Injected {
            rule,
            faults: Arc::downgrade(&self.inner),
        }
    }

    /// Random faults instead of those before, beside the rules.
    pub fn randomize(&self, random: Random) {
        self.lock().random = Some(random::State::new(random));
    }

    /// No faults any more. Requests that hang go on hanging.
    pub fn calm(&self) {
        *self.lock() = Inner::default();
    }

    /// Faults that have happened by chance since [`Faults::randomize`].
    pub fn random_hits(&self) -> u64 {
        self.lock().random.as_ref().map_or(0, random::State::hits)
    }

    /// What happens to a request. Asked once for each; `topics` only where a rule is for a topic.
    pub(crate) fn judge(
        &self,
        api: ApiKey,
        broker: i32,
        topics: impl FnOnce() -> Vec<StrBytes>,
    ) -> Option<Action> {
        let is_about =
            |active: &&Arc<Active>| active.rule.is_of(api, broker) && !active.rule.is_for_partitions();
        let by_topic = {
            let inner = self.lock();
            inner
                .rules
                .iter()
                .filter(is_about)
                .any(|active| active.rule.topic.is_some())
        };
        // Not under the lock: it takes the cluster's, which others hold when they ask for this one.
        let topics = if by_topic { topics() } else { Vec::new() };
        let names = |topic: &str| topics.iter().any(|name| **name == *topic);
        let mut inner = self.lock();
        let by_rule = inner
            .rules
            .iter()
            .filter(is_about)
            .filter(|active| active.rule.topic.as_deref().is_none_or(names))
            .find_map(|active| active.act());
        by_rule.or_else(|| inner.random.as_mut()?.judge(api))
    }

    /// The error of one partition. Asked once for each partition of a request.
    pub(crate) fn refused(&self, api: ApiKey, broker: i32, topic: &str, partition: i32) -> Option<ErrorCode> {
        let inner = self.lock();
        let matching = |active: &&Arc<Active>| {
            active.rule.is_of(api, broker) && active.rule.is_of_partition(topic, partition)
        };
        inner
            .rules
            .iter()
            .filter(matching)
            .find_map(|active| match active.act()? {
                Action::Error(code) => Some(code),
                _ => None,
            })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Active ===

impl Active {
    /// Counts a request that matches.
    fn act(&self) -> Option<Action> {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        let behind = seen.checked_sub(self.rule.first)?;
        if behind % self.rule.every != 0 || self.hits.load(Ordering::Relaxed) >= self.rule.times {
            return None;
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(self.rule.action)
    }
}

// === impl Injected ===

impl Injected {
    /// How often the rule has acted.
    pub fn hits(&self) -> u64 {
        self.rule.hits.load(Ordering::Relaxed)
    }

    /// How many requests it has matched, those it let pass included.
    pub fn seen(&self) -> u64 {
        self.rule.seen.load(Ordering::Relaxed)
    }

    /// The rule acts no more.
    pub fn remove(&self) {
        if let Some(faults) = self.faults.upgrade() {
            let mut inner = faults.lock().unwrap_or_else(PoisonError::into_inner);
            inner.rules.retain(|rule| !Arc::ptr_eq(rule, &self.rule));
        }
    }
}
