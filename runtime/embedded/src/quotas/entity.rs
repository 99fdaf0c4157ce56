//! Whom a quota is for: a user, a client id, both, or an address; by name, or the default of its kind.

use std::collections::BTreeMap;

/// Kind (`user`, `client-id`, `ip`) to name; no name is the default.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entity(BTreeMap<String, Option<String>>);

/// What DescribeClientQuotas asks of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) kind: String,
    pub(crate) wanted: Match,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Exactly(String),
    Default,
    Any,
}

const USER: &str = "user";
const CLIENT_ID: &str = "client-id";
const IP: &str = "ip";

// === impl Entity ===

impl Entity {
    /// Kinds that are known, none twice, an address alone.
    pub(crate) fn new(parts: Vec<(String, Option<String>)>) -> Result<Self, String> {
        let mut entity = BTreeMap::new();
        for (kind, name) in parts {
            if ![USER, CLIENT_ID, IP].contains(&kind.as_str()) {
                return Err(format!("Unhandled client quota entity type: {kind}"));
            }
            if name.as_deref() == Some("") {
                return Err(format!("Empty {kind} not supported"));
            }
            if entity.insert(kind.clone(), name).is_some() {
                return Err(format!("Duplicate entity type {kind}"));
            }
        }
        if entity.is_empty() {
            return Err("Invalid empty client quota entity".to_owned());
        }
        if entity.contains_key(IP) && entity.len() > 1 {
            return Err("Invalid quota entity combination, ip cannot be combined with others".to_owned());
        }
        Ok(Self(entity))
    }

    pub(crate) fn client_id(name: &str) -> Self {
        Self(BTreeMap::from([(CLIENT_ID.to_owned(), Some(name.to_owned()))]))
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(kind, name)| (kind.as_str(), name.as_deref()))
    }

    pub(super) fn is_ip(&self) -> bool {
        self.0.contains_key(IP)
    }

    /// From the most specific to the least (`ClientQuotaManager`).
    pub(super) fn candidates(user: &str, client_id: &str) -> impl Iterator<Item = Self> {
        let (user, id) = (Some(user.to_owned()), Some(client_id.to_owned()));
        let both = |user, id| {
            Self(BTreeMap::from([
                (USER.to_owned(), user),
                (CLIENT_ID.to_owned(), id),
            ]))
        };
        let one = |kind: &str, name| Self(BTreeMap::from([(kind.to_owned(), name)]));
        [
            both(user.clone(), id.clone()),
            both(user.clone(), None),
            one(USER, user.clone()),
            both(None, id.clone()),
            both(None, None),
            one(USER, None),
            one(CLIENT_ID, id),
            one(CLIENT_ID, None),
        ]
        .into_iter()
    }

    /// A default counts for each user or client id by itself.
    pub(super) fn shared_by(mut self, user: &str, client_id: &str) -> Self {
        for (kind, name) in &mut self.0 {
            *name = Some(if kind == USER { user } else { client_id }.to_owned());
        }
        self
    }

    /// Strict: no kinds but those asked for.
    pub(crate) fn matches(&self, components: &[Component], strict: bool) -> bool {
        let fits = |component: &Component| match (self.0.get(&component.kind), &component.wanted) {
            (None, _) => false,
            (Some(_), Match::Any) | (Some(None), Match::Default) => true,
            (Some(Some(name)), Match::Exactly(wanted)) => name == wanted,
            (Some(_), Match::Default | Match::Exactly(_)) => false,
        };
        components.iter().all(fits) && (!strict || self.0.len() == components.len())
    }
}
