//! What a configured plugin declares to touch.

use serde::Serialize;

use crate::bindings::plugin as wit;

/// Known after configuration. With none of it, batches are never decoded for this plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    pub reads: Reads,
    pub effects: Effects,
}

/// The columns a plugin looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reads {
    pub key: bool,
    pub value: bool,
    pub header: bool,
    pub timestamp: bool,
    pub offset: bool,
}

/// What a plugin's edits may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effects {
    pub key: bool,
    pub value: bool,
    pub headers: bool,
    pub drop: bool,
    pub split: bool,
    pub topic: bool,
}

// === impl Needs ===

impl Needs {
    /// Neither reads nor effects: records need not be decoded.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn from_wit(needs: wit::Needs) -> Self {
        let (reads, effects) = (needs.reads, needs.effects);
        Self {
            reads: Reads {
                key: reads.contains(wit::Reads::KEY),
                value: reads.contains(wit::Reads::VALUE),
                header: reads.contains(wit::Reads::HEADER),
                timestamp: reads.contains(wit::Reads::TIMESTAMP),
                offset: reads.contains(wit::Reads::OFFSET),
            },
            effects: Effects {
                key: effects.contains(wit::Effects::KEY),
                value: effects.contains(wit::Effects::VALUE),
                headers: effects.contains(wit::Effects::HEADERS),
                drop: effects.contains(wit::Effects::DROP),
                split: effects.contains(wit::Effects::SPLIT),
                topic: effects.contains(wit::Effects::TOPIC),
            },
        }
    }
}
