//! Who a plugin is, and which configuration it takes.

/// What [`Plugin::describe`](crate::Plugin::describe) answers.
#[derive(Clone, Debug)]
#[must_use]
pub struct Descriptor {
    /// 1-64 of `a-z 0-9 -`, starting with a letter.
    pub name: &'static str,
    /// As in semver.
    pub version: &'static str,
    /// What it does, for the person who chooses it; the first sentence is the summary.
    pub documentation: &'static str,
    pub config: Vec<ConfigKey>,
}

/// One configuration key, as in Kafka's `ConfigDef`. The host checks it before `init`.
#[derive(Clone, Debug)]
#[must_use]
pub struct ConfigKey {
    /// Without the user's prefix.
    pub name: &'static str,
    pub config_type: ConfigType,
    pub presence: Presence,
    pub importance: Importance,
    pub documentation: &'static str,
    /// What a console shows; empty: the name.
    pub display_name: &'static str,
    /// Keys of one group are shown together.
    pub group: &'static str,
    pub order: u32,
    /// Empty: any.
    pub valid_values: Vec<&'static str>,
    /// Proposed, not enforced.
    pub recommended: Vec<&'static str>,
}

/// What a value must parse as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    Boolean,
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
    Double,
    String,
    /// Separated by commas.
    List,
    Class,
    /// Never shown.
    Password,
}

/// How the documentation orders keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    Low,
    Medium,
    High,
}

/// Whether a key must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Required,
    Optional,
    Default(&'static str),
}

// === impl Descriptor ===

impl Descriptor {
    /// Usually `Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "...")`.
    pub fn new(name: &'static str, version: &'static str, documentation: &'static str) -> Self {
        Self {
            name,
            version,
            documentation,
            config: Vec::new(),
        }
    }

    /// Adds a key. The order of keys is the order in which `init` sees them.
    pub fn key(mut self, mut key: ConfigKey) -> Self {
        key.order = u32::try_from(self.config.len()).unwrap_or(u32::MAX);
        self.config.push(key);
        self
    }
}

// === impl ConfigKey ===

impl ConfigKey {
    /// Must be given.
    pub fn required(name: &'static str, config_type: ConfigType) -> Self {
        Self::new(name, config_type, Presence::Required, Importance::High)
    }

    /// May be given.
    pub fn optional(name: &'static str, config_type: ConfigType) -> Self {
        Self::new(name, config_type, Presence::Optional, Importance::Medium)
    }

    /// May be given; this is its value otherwise.
    pub fn default(name: &'static str, config_type: ConfigType, value: &'static str) -> Self {
        Self::new(name, config_type, Presence::Default(value), Importance::Medium)
    }

    /// What it does: unit, range, example.
    pub fn documentation(mut self, documentation: &'static str) -> Self {
        self.documentation = documentation;
        self
    }

    pub fn importance(mut self, importance: Importance) -> Self {
        self.importance = importance;
        self
    }

    pub fn display_name(mut self, name: &'static str) -> Self {
        self.display_name = name;
        self
    }

    pub fn group(mut self, group: &'static str) -> Self {
        self.group = group;
        self
    }

    /// The only values allowed; of a list: of its items.
    pub fn valid_values(mut self, values: &[&'static str]) -> Self {
        self.valid_values = values.to_vec();
        self
    }

    pub fn recommended(mut self, values: &[&'static str]) -> Self {
        self.recommended = values.to_vec();
        self
    }

    fn new(name: &'static str, config_type: ConfigType, presence: Presence, importance: Importance) -> Self {
        Self {
            name,
            config_type,
            presence,
            importance,
            documentation: "",
            display_name: "",
            group: "",
            order: 0,
            valid_values: Vec::new(),
            recommended: Vec::new(),
        }
    }
}
