//! Who coordinates groups and transactional ids, and asking those brokers.

mod finding;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::future::join_all;
use towpath_domain::GroupId;

use super::{Client, NodeId, leaders::in_place_of};
use crate::{
    Connection, Error, KafkaError,
    api::Call,
    retry::{Attempts, Retry},
};

/// What has a coordinator, by its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Coordinated {
    Group(GroupId),
    Transaction(String),
}

/// The coordinators that are known.
#[derive(Debug, Default)]
pub(super) struct Coordinators(Mutex<HashMap<Coordinated, NodeId>>);

/// What a request is about.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) version: i16,
    pub(super) of: &'a [Coordinated],
}

/// What came of one group or transactional id.
pub(super) type Answered<A> = (Coordinated, Result<A, Error>);

/// So many ids go in one request, where it can have several: an answer about more could be larger than a connection takes.
const MANY: usize = 100;

// === impl Client ===

impl Client {
    /// Asks the coordinator of one, as [`Client::at_coordinators`] does. `request` gets the version, `read` says whether the answer is an error.
    pub(super) async fn at_coordinator<Q: Call + Send + Sync, A>(
        &self,
        of: &Coordinated,
        request: impl Fn(i16) -> Q,
        read: impl Fn(&Connection, Q::Answer) -> Result<A, Error>,
    ) -> Result<A, Error> {
        let request = |asked: Asked<'_>| request(asked.version);
        let read =
            |connection: &Connection, _: Asked<'_>, answer| vec![(of.clone(), read(connection, answer))];
        let results = self.at_coordinators([of.clone()], i16::MAX, request, read).await;
        let mut results = results.into_values();
        results.next().expect("whatever is asked about has a result")
    }

    /// Asks coordinators until each one asked about has an answer that stays, for at most `request_timeout`; those that moved or are gone are looked
    /// up again. All are groups, or all are transactional ids. A request can be about several from version `several_from` on.
    pub(super) async fn at_coordinators<Q: Call + Send + Sync, A>(
        &self,
        of: impl IntoIterator<Item = Coordinated>,
        several_from: i16,
        request: impl Fn(Asked<'_>) -> Q,
        read: impl Fn(&Connection, Asked<'_>, Q::Answer) -> Vec<Answered<A>>,
    ) -> HashMap<Coordinated, Result<A, Error>> {
        let mut attempts = Attempts::new(&self.0.options);
        let mut open: HashSet<Coordinated> = of.into_iter().collect();
        let mut results = HashMap::with_capacity(open.len());
        loop {
            let mut reasons = HashMap::new();
            let (by_node, mut answers) = self.coordinators(&open).await;
            let asked = by_node
                .into_iter()
                .map(|(node, of)| self.ask_coordinator(node, of, several_from, &request, &read));
            answers.extend(join_all(asked).await.into_iter().flatten());
            for (of, result) in answers {
                match result {
                    Err(error) if error.retry().is_soon() => {
                        if may_have_moved(&error) {
                            self.0.coordinators.known().remove(&of);
                        }
                        reasons.insert(of, error);
                    }
                    result => {
                        if open.remove(&of) {
                            results.insert(of, result);
                        }
                    }
                }
            }
            if open.is_empty() {
                return results;
            }
            let is_stale = |error: &Error| error.retry() == Retry::AfterMetadata;
            let is_stale = reasons.values().any(is_stale);
            let error = open
                .iter()
                .find_map(|of| reasons.get(of).cloned())
                .unwrap_or_else(|| Error::Invalid {
                    api: Q::API.name,
                    what: "the answers were not about what was asked for".to_owned(),
                });
            match attempts.wait(error).await {
                Ok(_) if is_stale => self.refresh([]).await,
                Ok(_) => {}
                Err(error) => {
                    results.extend(open.into_iter().map(|of| {
                        let error = in_place_of(&error, reasons.remove(&of));
                        (of, Err(error))
                    }));
                    return results;
                }
            }
        }
    }

    async fn ask_coordinator<Q: Call + Send + Sync, A>(
        &self,
        node: NodeId,
        of: Vec<Coordinated>,
        several_from: i16,
        request: impl Fn(Asked<'_>) -> Q,
        read: impl Fn(&Connection, Asked<'_>, Q::Answer) -> Vec<Answered<A>>,
    ) -> Vec<Answered<A>> {
        let connection = match self.shared(node).await {
            Ok(connection) => connection,
            Err(error) => return of_each(&of, &error),
        };
        let version = match connection.version(Q::API, i16::MAX) {
            Ok(version) => version,
            Err(error) => return of_each(&of, &error),
        };
        let mut answers = Vec::new();
        for of in of.chunks(if version >= several_from { MANY } else { 1 }) {
            let asked = Asked { version, of };
            match connection.call(&request(asked), version).await {
                Ok(answer) => answers.extend(read(&connection, asked, answer)),
                Err(error) => answers.extend(of_each(of, &error)),
            }
        }
        answers
    }
}

// === impl Coordinated ===

impl Coordinated {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Group(GroupId(id)) | Self::Transaction(id) => id,
        }
    }
}

impl fmt::Display for Coordinated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id) => write!(f, "group {id}"),
            Self::Transaction(id) => write!(f, "transactional id {id}"),
        }
    }
}

// === impl Coordinators ===

impl Coordinators {
    fn known(&self) -> MutexGuard<'_, HashMap<Coordinated, NodeId>> {
        // A panic cannot leave it half written: entries come and go whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether another broker may be the coordinator now: that one says so, or it is gone.
fn may_have_moved(error: &Error) -> bool {
    match error.kafka() {
        Some(error) => matches!(
            error,
            KafkaError::NOT_COORDINATOR | KafkaError::COORDINATOR_NOT_AVAILABLE
        ),
        None => error.retry() == Retry::AfterMetadata,
    }
}

fn of_each<A>(of: &[Coordinated], error: &Error) -> Vec<Answered<A>> {
    of.iter().map(|of| (of.clone(), Err(error.clone()))).collect()
}
