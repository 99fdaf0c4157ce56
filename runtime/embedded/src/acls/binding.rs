//! One ACL: who may do or not do what on which resources. Numbers are those of the protocol.

use super::{CLUSTER, Subject};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Binding {
    pub(crate) resource: Resource,
    pub(crate) pattern: Pattern,
    pub(crate) name: String,
    /// `User:name`, or `User:*` for everybody.
    pub(crate) principal: String,
    /// An address, or `*`.
    pub(crate) host: String,
    pub(crate) operation: Operation,
    pub(crate) permission: Permission,
}

/// A number that is no kind of a thing, or not one that an ACL can be for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Invalid(pub(crate) String);

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident, $($variant:ident = $number:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name {
            $($variant = $number),+
        }

        impl $name {
            pub(crate) fn of(number: i8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }

            pub(crate) fn number(self) -> i8 {
                self as i8
            }
        }
    };
}

numbered!(
    /// `ResourceType`
    Resource, Topic = 2, Group = 3, Cluster = 4, TransactionalId = 5, DelegationToken = 6, User = 7,
);
numbered!(
    /// `PatternType`
    Pattern, Literal = 3, Prefixed = 4,
);
numbered!(
    /// `AclOperation`
    Operation, All = 2, Read = 3, Write = 4, Create = 5, Delete = 6, Alter = 7, Describe = 8, ClusterAction = 9,
    DescribeConfigs = 10, AlterConfigs = 11, IdempotentWrite = 12, CreateTokens = 13, DescribeTokens = 14,
    TwoPhaseCommit = 15,
);
numbered!(
    /// `AclPermissionType`
    Permission, Deny = 2, Allow = 3,
);

// === impl Binding ===

impl Binding {
    /// The checks of CreateAcls.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        let invalid = |text: String| Err(Invalid(text));
        if self.name.is_empty() {
            return invalid("Resource name should not be empty".to_owned());
        }
        if self.resource == Resource::Cluster && self.name != CLUSTER {
            return invalid(format!(
                "The only valid name for the CLUSTER resource is {CLUSTER}"
            ));
        }
        if !self
            .principal
            .split_once(':')
            .is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty())
        {
            return invalid(format!(
                "Could not parse principal from `{}` (no colon is present separating the principal type from the principal name)",
                self.principal
            ));
        }
        Ok(())
    }

    pub(super) fn is_wildcard(&self) -> bool {
        self.pattern == Pattern::Literal && self.name == "*"
    }

    pub(super) fn is_for(&self, resource: Resource, name: &str) -> bool {
        self.resource == resource && self.is_for_name(name)
    }

    pub(super) fn is_for_name(&self, name: &str) -> bool {
        match self.pattern {
            Pattern::Literal => self.name == name || self.name == "*",
            Pattern::Prefixed => name.starts_with(&self.name),
        }
    }

    /// Whether every resource of the other one is also one of this.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self.pattern, other.pattern) {
            (Pattern::Literal, _) => {
                self.is_wildcard() || (self.pattern, &self.name) == (other.pattern, &other.name)
            }
            (Pattern::Prefixed, _) => !other.is_wildcard() && other.name.starts_with(&self.name),
        }
    }

    pub(super) fn names(&self, subject: Subject<'_>) -> bool {
        let kind = |principal: &str| principal.split_once(':').map(|(kind, _)| kind.to_owned());
        let everybody = self.principal.ends_with(":*") && kind(&self.principal) == kind(subject.principal);
        (everybody || self.principal == subject.principal) && (self.host == "*" || self.host == subject.host)
    }
}

// === impl Operation ===

impl Operation {
    /// Some allowances imply that the thing may be seen.
    pub(super) fn allows(self, wanted: Self) -> bool {
        let implied = match wanted {
            Self::Describe => matches!(self, Self::Read | Self::Write | Self::Delete | Self::Alter),
            Self::DescribeConfigs => self == Self::AlterConfigs,
            _ => false,
        };
        self == Self::All || self == wanted || implied
    }

    pub(super) fn denies(self, wanted: Self) -> bool {
        self == Self::All || self == wanted
    }
}
