//! The assignors of a consumer group: `uniform` and `range` (`group.consumer.assignors`).

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Assignment, Member, Topics};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assignor {
    /// As even as possible, moving as little as possible.
    Uniform,
    /// Neighbouring partitions of each topic, alike for topics of the same size.
    Range,
}

/// Topic name to id and number of partitions.
type Seen = BTreeMap<String, (Uuid, i32)>;

// === impl Assignor ===

impl Assignor {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "uniform" => Some(Self::Uniform),
            "range" => Some(Self::Range),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    pub(super) fn assign(
        self,
        members: &BTreeMap<String, Member>,
        before: &BTreeMap<String, Assignment>,
        seen: &Seen,
        topics: &dyn Topics,
    ) -> BTreeMap<String, Assignment> {
        let names = |member: &Member| -> BTreeSet<String> { member.subscribed(topics) };
        let subscribed = members
            .values()
            .map(|member| (member.id.clone(), names(member)))
            .collect();
        match self {
            Self::Uniform => uniform(&subscribed, before, seen),
            Self::Range => range(&subscribed, seen),
        }
    }
}

type Subscribed = BTreeMap<String, BTreeSet<String>>;

fn range(subscribed: &Subscribed, seen: &Seen) -> BTreeMap<String, Assignment> {
    let mut targets: BTreeMap<_, _> = subscribed
        .keys()
        .map(|id| (id.clone(), Assignment::new()))
        .collect();
    for (name, (id, partitions)) in seen {
        let takers: Vec<_> = subscribed
            .iter()
            .filter(|(_, names)| names.contains(name))
            .collect();
        let count = i32::try_from(takers.len()).unwrap_or(i32::MAX).max(1);
        let (each, extra) = (partitions / count, partitions % count);
        let mut next = 0;
        for (place, (member, _)) in (0..).zip(takers) {
            let end = next + each + i32::from(place < extra);
            if let Some(target) = targets.get_mut(member)
                && end > next
            {
                target.insert(*id, (next..end).collect());
            }
            next = end;
        }
    }
    targets
}

/// Keeps what is still right, gives what is free to whoever has least, and then moves single partitions from the fullest to the
/// emptiest that may have them until that gains nothing.
fn uniform(
    subscribed: &Subscribed,
    before: &BTreeMap<String, Assignment>,
    seen: &Seen,
) -> BTreeMap<String, Assignment> {
    let mut owners = BTreeMap::<(&str, i32), &str>::new();
    let mut load: BTreeMap<&str, usize> = subscribed.keys().map(|id| (id.as_str(), 0)).collect();
    for (name, (id, partitions)) in seen {
        for partition in 0..*partitions {
            let had = |member: &&String| {
                let topic = before.get(*member).and_then(|target| target.get(id));
                topic.is_some_and(|all| all.contains(&partition)) && subscribed[*member].contains(name)
            };
            if let Some(owner) = subscribed.keys().find(had) {
                owners.insert((name, partition), owner);
                *load.entry(owner).or_default() += 1;
            }
        }
    }
    let least = |load: &BTreeMap<&str, usize>, name: &str| -> Option<String> {
        let takers = subscribed.iter().filter(|(_, names)| names.contains(name));
        takers
            .min_by_key(|(id, _)| load.get(id.as_str()))
            .map(|(id, _)| id.clone())
    };
    let key_of = |id: &str| subscribed.get_key_value(id).map(|(id, _)| id.as_str());
    for (name, (_, partitions)) in seen {
        for partition in 0..*partitions {
            let taker = least(&load, name).filter(|_| !owners.contains_key(&(name.as_str(), partition)));
            if let Some(taker) = taker.as_deref().and_then(key_of) {
                owners.insert((name, partition), taker);
                *load.entry(taker).or_default() += 1;
            }
        }
    }
    loop {
        let mut gain = None;
        for ((name, partition), owner) in &owners {
            let taker = least(&load, name).filter(|taker| load[taker.as_str()] + 1 < load[owner]);
            if let Some(taker) = taker.as_deref().and_then(key_of) {
                gain = Some((*name, *partition, *owner, taker));
                break;
            }
        }
        let Some((name, partition, owner, taker)) = gain else {
            break;
        };
        owners.insert((name, partition), taker);
        *load.entry(owner).or_default() -= 1;
        *load.entry(taker).or_default() += 1;
    }
    let mut targets: BTreeMap<_, _> = subscribed
        .keys()
        .map(|id| (id.clone(), Assignment::new()))
        .collect();
    for ((name, partition), owner) in owners {
        if let (Some(target), Some((id, _))) = (targets.get_mut(owner), seen.get(name)) {
            target.entry(*id).or_default().insert(partition);
        }
    }
    targets
}
