//! FindCoordinator, of any broker.

use std::collections::{HashMap, HashSet};

use kafka_protocol::{
    messages::{FindCoordinatorRequest, FindCoordinatorResponse, find_coordinator_response::Coordinator},
    protocol::StrBytes,
};

use super::{super::NodeId, Answered, Asked, Client, Coordinated, MANY, of_each};
use crate::{Connection, Error, KafkaError, api::Call};

/// From this version on a request can have several ids (KIP-699).
const WITH_SEVERAL: i16 = 4;

// === impl Client ===

impl Client {
    /// Who is to be asked about what; those that have no coordinator have an error.
    pub(super) async fn coordinators<A>(
        &self,
        of: &HashSet<Coordinated>,
    ) -> (HashMap<NodeId, Vec<Coordinated>>, Vec<Answered<A>>) {
        let mut by_node: HashMap<NodeId, Vec<Coordinated>> = HashMap::new();
        let mut unknown = Vec::new();
        for of in of {
            match self.0.coordinators.known().get(of) {
                Some(node) => by_node.entry(*node).or_default().push(of.clone()),
                None => unknown.push(of.clone()),
            }
        }
        let mut errors = Vec::new();
        for (of, found) in self.find_coordinators(&unknown).await {
            match found {
                Ok(node) => {
                    tracing::debug!(%of, %node, "found the coordinator");
                    self.0.coordinators.known().insert(of.clone(), node);
                    by_node.entry(node).or_default().push(of);
                }
                Err(error) => errors.push((of, Err(error))),
            }
        }
        (by_node, errors)
    }

    async fn find_coordinators(&self, of: &[Coordinated]) -> Vec<Answered<NodeId>> {
        if of.is_empty() {
            return Vec::new();
        }
        let connection = match self.any().await {
            Ok(connection) => connection,
            Err(error) => return of_each(of, &error),
        };
        let version = match connection.version(FindCoordinatorRequest::API, i16::MAX) {
            Ok(version) => version,
            Err(error) => return of_each(of, &error),
        };
        let mut found = Vec::with_capacity(of.len());
        for of in of.chunks(if version >= WITH_SEVERAL { MANY } else { 1 }) {
            let asked = Asked { version, of };
            match connection.call(&request(asked), version).await {
                Ok(answer) => found.extend(read(&connection, asked, answer)),
                Err(error) => found.extend(of_each(of, &error)),
            }
        }
        found
    }
}

fn request(asked: Asked<'_>) -> FindCoordinatorRequest {
    let key_type = asked.of.first().map_or(0, Coordinated::key_type);
    let request = FindCoordinatorRequest::default().with_key_type(key_type);
    match asked {
        Asked {
            version: ..WITH_SEVERAL,
            of: [of],
        } => request.with_key(key(of)),
        Asked { of, .. } => request.with_coordinator_keys(of.iter().map(key).collect()),
    }
}

fn read(connection: &Connection, asked: Asked<'_>, answer: FindCoordinatorResponse) -> Vec<Answered<NodeId>> {
    let found = match asked {
        Asked {
            version: ..WITH_SEVERAL,
            of: [of],
        } => vec![
            Coordinator::default()
                .with_key(key(of))
                .with_node_id(answer.node_id)
                .with_error_code(answer.error_code)
                .with_error_message(answer.error_message),
        ],
        _ => answer.coordinators,
    };
    let of = |found: &Coordinator| asked.of.iter().find(|of| of.id() == found.key.as_str()).cloned();
    let found = found.into_iter().filter_map(|found| {
        let of = of(&found)?;
        let node = node(connection, &of, found);
        Some((of, node))
    });
    found.collect()
}

fn key(of: &Coordinated) -> StrBytes {
    StrBytes::from_string(of.id().to_owned())
}

fn node(connection: &Connection, of: &Coordinated, found: Coordinator) -> Result<NodeId, Error> {
    match KafkaError::of(found.error_code) {
        None => Ok(NodeId(found.node_id.0)),
        Some(error) => {
            let message = found.error_message.map(|message| message.to_string());
            let message = message.filter(|message| !message.is_empty());
            Err(connection.refusal(FindCoordinatorRequest::API, Some(of.to_string()), error, message))
        }
    }
}

// === impl Coordinated ===

impl Coordinated {
    /// `FindCoordinatorRequest.CoordinatorType`
    fn key_type(&self) -> i8 {
        match self {
            Self::Group(_) => 0,
            Self::Transaction(_) => 1,
        }
    }
}
