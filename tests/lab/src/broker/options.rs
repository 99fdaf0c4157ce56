//! What a test wants of a broker.

use super::Listener;
use crate::kafka::Release;

/// How a broker differs from the usual one.
#[derive(Clone, Debug, Default)]
pub struct BrokerOptions {
    /// For messages: `source`, `target`.
    pub name: String,
    /// Properties of the broker; they win over the lab's.
    pub properties: Vec<(String, String)>,
    /// Listeners beside the plain one.
    pub listeners: Vec<Listener>,
    /// The release under test, unless an old broker is wanted.
    pub release: Release,
}

// === impl BrokerOptions ===

impl BrokerOptions {
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.push((key.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    #[must_use]
    pub fn release(mut self, release: Release) -> Self {
        self.release = release;
        self
    }
}
