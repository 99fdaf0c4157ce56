//! Which connector writes which target topic: two writers of one topic would mix their records, and neither position would mean anything.
//!
//! This holds among the connectors of one worker.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use towpath_domain::{ClusterId, TopicName};

type Place = (ClusterId, TopicName);

/// What the connectors of a worker write to.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    table: Arc<Table>,
    /// the connector that ends before the one that asks begins
    replaced: Option<String>,
}

#[derive(Debug, Default)]
struct Table {
    /// A connector and its successor may both be there for a while.
    owners: Mutex<HashMap<Place, Vec<Owner>>>,
    last: AtomicU64,
}

#[derive(Debug)]
struct Owner {
    connector: String,
    /// of the [`Claimed`]
    id: u64,
}

/// The topics of one connector, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claimed {
    claims: Claims,
    connector: String,
    cluster: ClusterId,
    id: u64,
}

// === impl Claims ===

impl Claims {
    /// For a connector that takes the place of another one.
    #[must_use]
    pub fn replacing(&self, connector: &str) -> Self {
        Self {
            table: Arc::clone(&self.table),
            replaced: Some(connector.to_owned()),
        }
    }

    pub(crate) fn open(&self, connector: &str, cluster: ClusterId) -> Claimed {
        Claimed {
            claims: self.clone(),
            connector: connector.to_owned(),
            cluster,
            id: self.table.last.fetch_add(1, Ordering::Relaxed),
        }
    }
}

// === impl Claimed ===

impl Claimed {
    /// Takes the topic, or says which connector has it.
    pub(crate) fn take(&self, topic: &TopicName) -> Result<(), String> {
        let table = &self.claims.table;
        let mut owners = table.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (self.cluster.clone(), topic.clone());
        let owners = owners.entry(place).or_default();
        let is_other = |owner: &&Owner| {
            // One of that name that came later is another connector.
            let is_replaced = self.claims.replaced.as_ref() == Some(&owner.connector) && owner.id < self.id;
            owner.connector != self.connector && !is_replaced
        };
        if let Some(other) = owners.iter().find(is_other) {
            return Err(other.connector.clone());
        }
        if owners.iter().all(|owner| owner.id != self.id) {
            owners.push(Owner {
                connector: self.connector.clone(),
                id: self.id,
            });
        }
        Ok(())
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let table = &self.claims.table;
        let mut owners = table.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.retain(|_, owners| {
            owners.retain(|owner| owner.id != self.id);
            !owners.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn b() -> ClusterId {
        ClusterId("b".to_owned())
    }

    #[test]
    fn a_topic_has_one_writer_until_that_is_gone() {
        let claims = Claims::default();
        let orders = TopicName::new("orders");
        let first = claims.open("first", b());
        assert_eq!(first.take(&orders), Ok(()));
        assert_eq!(first.take(&orders), Ok(()));
        let second = claims.open("second", b());
        assert_eq!(second.take(&orders), Err("first".to_owned()));
        assert_eq!(
            claims.open("second", ClusterId("c".to_owned())).take(&orders),
            Ok(())
        );
        drop(first);
        assert_eq!(second.take(&orders), Ok(()));
    }

    #[test]
    fn who_takes_the_name_of_the_replaced_later_is_another_one() {
        let claims = Claims::default();
        let before = claims.open("before", b());
        let after = claims.replacing("before").open("after", b());
        drop(before);
        let namesake = claims.open("before", b());
        let orders = TopicName::new("orders");
        namesake.take(&orders).unwrap();
        assert_eq!(after.take(&orders), Err("before".to_owned()));
    }

    #[test]
    fn a_successor_may_have_it_and_its_end_takes_nothing_from_its_predecessor() {
        let claims = Claims::default();
        let orders = TopicName::new("orders");
        let before = claims.open("before", b());
        before.take(&orders).unwrap();
        for after in [
            claims.replacing("before").open("after", b()),
            claims.open("before", b()),
        ] {
            assert_eq!(after.take(&orders), Ok(()));
            drop(after);
            assert_eq!(claims.open("other", b()).take(&orders), Err("before".to_owned()));
        }
    }
}
