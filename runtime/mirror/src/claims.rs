//! Which connector writes which target topic, and from where: two writers of one topic would mix their records, and neither position would mean anything; and what came
//! from a cluster must not go back to it, over however many clusters and under whatever names, or it would go round for ever.
//!
//! This holds among the connectors of one worker. Clusters are known by their ids.

use std::{
    collections::{HashMap, HashSet},
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
    /// what it mirrors to the place
    from: Place,
}

/// The topics of one connector, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claimed {
    claims: Claims,
    connector: String,
    source: ClusterId,
    target: ClusterId,
    id: u64,
}

/// Why a topic cannot be mirrored to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// This connector writes to it.
    By(String),
    /// This connector has mirrored the records from the target's cluster, or mirrors them on to where they come from.
    Loop(String),
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

    pub(crate) fn open(&self, connector: &str, (source, target): (ClusterId, ClusterId)) -> Claimed {
        Claimed {
            claims: self.clone(),
            connector: connector.to_owned(),
            source,
            target,
            id: self.table.last.fetch_add(1, Ordering::Relaxed),
        }
    }
}

// === impl Claimed ===

impl Claimed {
    /// Takes the topic of the target for this one of the source, or says which connector it is in the way of.
    pub(crate) fn take(&self, source: &TopicName, target: &TopicName) -> Result<(), Taken> {
        let table = &self.claims.table;
        let mut owners = table.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let from = (self.source.clone(), source.clone());
        let place = (self.target.clone(), target.clone());
        let mut others = owners.get(&place).into_iter().flatten();
        if let Some(other) = others.find(|owner| self.is_other(owner)) {
            return Err(Taken::By(other.connector.clone()));
        }
        if let Some(other) = self.around(&owners, &from, &place) {
            return Err(Taken::Loop(other));
        }
        let owners = owners.entry(place).or_default();
        if owners.iter().all(|owner| owner.id != self.id) {
            owners.push(Owner {
                connector: self.connector.clone(),
                id: self.id,
                from,
            });
        }
        Ok(())
    }

    fn is_other(&self, owner: &Owner) -> bool {
        // One of that name that came later is another connector.
        let is_replaced = self.claims.replaced.as_ref() == Some(&owner.connector) && owner.id < self.id;
        owner.connector != self.connector && !is_replaced
    }

    /// Another connector that brings the topic's records from the target's cluster, or takes them from there on to the source's.
    fn around(&self, owners: &HashMap<Place, Vec<Owner>>, from: &Place, place: &Place) -> Option<String> {
        let flows: Vec<(&Place, &Place, &str)> = owners
            .iter()
            .flat_map(|(to, owners)| owners.iter().map(move |owner| (to, owner)))
            .filter(|(_, owner)| self.is_other(owner))
            .map(|(to, owner)| (&owner.from, to, owner.connector.as_str()))
            .collect();
        let before = walk(from, &self.target, |here| {
            let ending = flows.iter().filter(move |(_, to, _)| *to == here);
            ending.map(|(of, _, connector)| (*of, *connector)).collect()
        });
        let after = || {
            walk(place, &self.source, |here| {
                let beginning = flows.iter().filter(move |(of, ..)| *of == here);
                beginning.map(|(_, to, connector)| (*to, *connector)).collect()
            })
        };
        before.or_else(after)
    }
}

/// The connector by which a way from here, step by step, comes to the cluster.
fn walk<'a>(
    from: &'a Place,
    cluster: &ClusterId,
    steps: impl Fn(&'a Place) -> Vec<(&'a Place, &'a str)>,
) -> Option<String> {
    let mut seen = HashSet::from([from]);
    let mut open = vec![from];
    while let Some(here) = open.pop() {
        for (next, connector) in steps(here) {
            if next.0 == *cluster {
                return Some(connector.to_owned());
            }
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    None
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

    fn open(claims: &Claims, connector: &str, source: &str, target: &str) -> Claimed {
        let cluster = |id: &str| ClusterId(id.to_owned());
        claims.open(connector, (cluster(source), cluster(target)))
    }

    fn take(claimed: &Claimed, source: &str, target: &str) -> Result<(), Taken> {
        claimed.take(&TopicName::new(source), &TopicName::new(target))
    }

    fn orders(claimed: &Claimed) -> Result<(), Taken> {
        take(claimed, "orders", "orders")
    }

    fn by(connector: &str) -> Result<(), Taken> {
        Err(Taken::By(connector.to_owned()))
    }

    fn around(connector: &str) -> Result<(), Taken> {
        Err(Taken::Loop(connector.to_owned()))
    }

    #[test]
    fn a_topic_has_one_writer_until_that_is_gone() {
        let claims = Claims::default();
        let first = open(&claims, "first", "a", "b");
        assert_eq!(orders(&first), Ok(()));
        assert_eq!(orders(&first), Ok(()));
        let second = open(&claims, "second", "z", "b");
        assert_eq!(orders(&second), by("first"));
        assert_eq!(orders(&open(&claims, "second", "z", "c")), Ok(()));
        drop(first);
        assert_eq!(orders(&second), Ok(()));
    }

    #[test]
    fn who_takes_the_name_of_the_replaced_later_is_another_one() {
        let claims = Claims::default();
        let before = open(&claims, "before", "a", "b");
        let after = open(&claims.replacing("before"), "after", "a", "b");
        drop(before);
        let namesake = open(&claims, "before", "a", "b");
        orders(&namesake).unwrap();
        assert_eq!(orders(&after), by("before"));
    }

    #[test]
    fn a_successor_may_have_it_and_its_end_takes_nothing_from_its_predecessor() {
        let claims = Claims::default();
        let before = open(&claims, "before", "a", "b");
        orders(&before).unwrap();
        for after in [
            open(&claims.replacing("before"), "after", "a", "b"),
            open(&claims, "before", "a", "b"),
        ] {
            assert_eq!(orders(&after), Ok(()));
            drop(after);
            assert_eq!(orders(&open(&claims, "other", "a", "b")), by("before"));
        }
    }

    #[test]
    fn nothing_goes_back_to_the_cluster_that_it_came_from_under_whatever_name() {
        let claims = Claims::default();
        let there = open(&claims, "there", "a", "b");
        take(&there, "orders", "a.orders").unwrap();
        let back = open(&claims, "back", "b", "a");
        assert_eq!(take(&back, "a.orders", "b.a.orders"), around("there"));
        assert_eq!(take(&back, "a.orders", "orders"), around("there"));
        // Both ways under names that tell where records are from.
        assert_eq!(take(&back, "orders", "b.orders"), Ok(()));
        assert_eq!(take(&there, "b.orders", "a.b.orders"), around("back"));
        assert_eq!(take(&there, "payments", "a.payments"), Ok(()));
        drop(there);
        assert_eq!(take(&back, "a.orders", "b.a.orders"), Ok(()), "it has ended");
    }

    #[test]
    fn whoever_comes_second_would_close_the_circle() {
        let claims = Claims::default();
        let back = open(&claims, "back", "b", "a");
        take(&back, "a.orders", "b.a.orders").unwrap();
        let there = open(&claims, "there", "a", "b");
        assert_eq!(take(&there, "orders", "a.orders"), around("back"));
        assert_eq!(take(&there, "orders", "other"), Ok(()));
        // In the place of the other one there is nothing to go round.
        let instead = open(&claims.replacing("back"), "instead", "a", "b");
        assert_eq!(take(&instead, "payments", "a.orders"), Ok(()));
    }

    #[test]
    fn a_circle_may_have_several_clusters() {
        let claims = Claims::default();
        let one = open(&claims, "one", "a", "b");
        let two = open(&claims, "two", "b", "c");
        let three = open(&claims, "three", "c", "a");
        assert_eq!([orders(&one), orders(&two)], [Ok(()), Ok(())]);
        assert_eq!(orders(&three), around("one"));
        let on = open(&claims, "on", "c", "d");
        assert_eq!(orders(&on), Ok(()), "a chain is none");
    }
}
