//! Who coordinates a group or a transactional id, and asking that broker.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kafka_protocol::{messages::FindCoordinatorRequest, protocol::StrBytes};

use super::{Client, NodeId};
use crate::{
    Connection, Error, KafkaError,
    api::Call,
    retry::{Attempts, Retry},
};

/// What has a coordinator, with its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Coordinated {
    Transaction(String),
}

/// The coordinators that are known.
#[derive(Debug, Default)]
pub(super) struct Coordinators(Mutex<HashMap<Coordinated, NodeId>>);

/// From this version on many keys are asked for at once (KIP-699).
const WITH_KEYS: i16 = 4;

// === impl Client ===

impl Client {
    /// Asks the coordinator, until it has an answer that stays, for at most `request_timeout`. One that moved or is gone is looked up again.
    /// `request` gets the version, `read` says whether the answer is an error.
    pub(super) async fn at_coordinator<Q: Call + Send + Sync, A>(
        &self,
        of: &Coordinated,
        request: impl Fn(i16) -> Q,
        read: impl Fn(&Connection, Q::Answer) -> Result<A, Error>,
    ) -> Result<A, Error> {
        let mut attempts = Attempts::new(&self.0.options);
        loop {
            let error = match self.at_coordinator_once(of, &request, &read).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if may_have_moved(&error) {
                self.0.coordinators.known().remove(of);
            }
            if attempts.wait(error).await? == Retry::AfterMetadata {
                self.refresh([]).await;
            }
        }
    }

    async fn at_coordinator_once<Q: Call + Send + Sync, A>(
        &self,
        of: &Coordinated,
        request: impl Fn(i16) -> Q,
        read: impl Fn(&Connection, Q::Answer) -> Result<A, Error>,
    ) -> Result<A, Error> {
        let known = self.0.coordinators.known().get(of).copied();
        let node = match known {
            Some(node) => node,
            None => self.find_coordinator(of).await?,
        };
        let connection = self.shared(node).await?;
        let version = connection.version(Q::API, i16::MAX)?;
        let answer = connection.call(&request(version), version).await?;
        read(&connection, answer)
    }

    /// Asks any broker who it is, and remembers it.
    async fn find_coordinator(&self, of: &Coordinated) -> Result<NodeId, Error> {
        let api = FindCoordinatorRequest::API;
        let connection = self.any().await?;
        let version = connection.version(api, i16::MAX)?;
        let key = StrBytes::from_string(of.id().to_owned());
        let request = FindCoordinatorRequest::default().with_key_type(of.key_type());
        let request = match version {
            WITH_KEYS.. => request.with_coordinator_keys(vec![key]),
            _ => request.with_key(key),
        };
        let answer = connection.call(&request, version).await?;
        let (node, code, message) = match version {
            WITH_KEYS.. => {
                let found = answer.coordinators.into_iter().next();
                let found = found.ok_or_else(|| Error::Protocol {
                    peer: connection.peer().clone(),
                    api: api.name,
                    what: format!("it says nothing of {of}"),
                })?;
                (found.node_id, found.error_code, found.error_message)
            }
            _ => (answer.node_id, answer.error_code, answer.error_message),
        };
        if let Some(error) = KafkaError::of(code) {
            let message = message.map(|message| message.to_string());
            let message = message.filter(|message| !message.is_empty());
            return Err(connection.refusal(api, Some(of.to_string()), error, message));
        }
        let node = NodeId(node.0);
        tracing::debug!(%of, %node, "found the coordinator");
        self.0.coordinators.known().insert(of.clone(), node);
        Ok(node)
    }
}

// === impl Coordinated ===

impl Coordinated {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Transaction(id) => id,
        }
    }

    /// `FindCoordinatorRequest.CoordinatorType`
    fn key_type(&self) -> i8 {
        match self {
            Self::Transaction(_) => 1,
        }
    }
}

impl fmt::Display for Coordinated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
