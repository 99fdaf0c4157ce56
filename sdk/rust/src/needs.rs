//! What a configured plugin declares to touch.

/// Declared after `init`. The host holds the plugin to it: what was not declared is refused, and means that the plugin is broken.
///
/// ```
/// # use towpath_plugin::Needs;
/// let needs = Needs::none().reads_value().changes_value();
/// assert!(needs.reads.value && needs.effects.value);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Needs {
    pub reads: Reads,
    pub effects: Effects,
}

/// The columns it looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    pub key: bool,
    pub value: bool,
    pub header: bool,
    pub timestamp: bool,
    pub offset: bool,
}

/// What its edits may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    pub key: bool,
    pub value: bool,
    pub headers: bool,
    pub drop: bool,
    pub split: bool,
    pub topic: bool,
}

macro_rules! builders {
    ($($(#[$doc:meta])* $name:ident => $group:ident.$flag:ident;)*) => {
        impl Needs {
            $($(#[$doc])*
            pub const fn $name(mut self) -> Self {
                self.$group.$flag = true;
                self
            })*
        }
    };
}

builders! {
    /// Looks at keys.
    reads_key => reads.key;
    /// Looks at values.
    reads_value => reads.value;
    /// Looks at headers.
    reads_headers => reads.header;
    /// Looks at timestamps and their type.
    reads_timestamp => reads.timestamp;
    /// Looks at offsets.
    reads_offset => reads.offset;
    /// Gives records new keys.
    changes_key => effects.key;
    /// Gives records new values.
    changes_value => effects.value;
    /// Sets, adds or removes headers.
    changes_headers => effects.headers;
    /// Drops records.
    drops => effects.drop;
    /// Makes several records of one.
    splits => effects.split;
    /// Sends records to other topics.
    changes_topic => effects.topic;
}

impl Needs {
    /// Records need not be decoded for this plugin.
    pub const fn none() -> Self {
        Self {
            reads: Reads {
                key: false,
                value: false,
                header: false,
                timestamp: false,
                offset: false,
            },
            effects: Effects {
                key: false,
                value: false,
                headers: false,
                drop: false,
                split: false,
                topic: false,
            },
        }
    }
}
