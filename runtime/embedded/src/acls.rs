//! Who may do what: the rules of Kafka's `StandardAuthorizer`.
//!
//! A denial beats every allowance; a super user may do everything; and a resource without any ACL is closed to all others, or open to
//! them with `allow.everyone.if.no.acl.found`.

use std::collections::BTreeSet;

mod binding;
mod filter;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    binding::{Binding, Invalid, Operation, Pattern, Permission, Resource},
    filter::{Filter, PatternFilter},
};

/// The one resource of type cluster.
pub(crate) const CLUSTER: &str = "kafka-cluster";

#[derive(Debug, Default)]
pub(crate) struct Acls {
    bindings: BTreeSet<Binding>,
}

/// What the broker's configuration says about authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authorizer {
    /// `authorizer.class.name` is empty: everybody may do everything.
    Disabled,
    Enabled {
        /// `super.users`
        super_users: BTreeSet<String>,
        /// `allow.everyone.if.no.acl.found`
        without_acl: Permission,
    },
}

/// Who asks, and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// `User:name`
    pub(crate) principal: &'a str,
    pub(crate) host: &'a str,
}

// === impl Authorizer ===

impl Authorizer {
    /// `value` gives a broker's configuration by its key.
    pub(crate) fn of(value: impl Fn(&str) -> String) -> Self {
        if value("authorizer.class.name").is_empty() {
            return Self::Disabled;
        }
        let users = value("super.users");
        let users = users.split(';').map(str::trim).filter(|user| !user.is_empty());
        let open = value("allow.everyone.if.no.acl.found").eq_ignore_ascii_case("true");
        Self::Enabled {
            super_users: users.map(str::to_owned).collect(),
            without_acl: if open { Permission::Allow } else { Permission::Deny },
        }
    }
}

// === impl Acls ===

impl Acls {
    pub(crate) fn add(&mut self, binding: Binding) {
        self.bindings.insert(binding);
    }

    pub(crate) fn matching(&self, filter: &Filter) -> Vec<Binding> {
        self.bindings
            .iter()
            .filter(|binding| filter.matches(binding))
            .cloned()
            .collect()
    }

    pub(crate) fn remove(&mut self, filter: &Filter) -> Vec<Binding> {
        let removed = self.matching(filter);
        for binding in &removed {
            self.bindings.remove(binding);
        }
        removed
    }

    pub(crate) fn allows(
        &self,
        authorizer: &Authorizer,
        subject: Subject<'_>,
        operation: Operation,
        resource: Resource,
        name: &str,
    ) -> bool {
        let (super_users, without_acl) = match authorizer {
            Authorizer::Disabled => return true,
            Authorizer::Enabled {
                super_users,
                without_acl,
            } => (super_users, without_acl),
        };
        if super_users.contains(subject.principal) {
            return true;
        }
        let of_resource: Vec<_> = self
            .bindings
            .iter()
            .filter(|binding| binding.is_for(resource, name))
            .collect();
        if of_resource.is_empty() {
            return *without_acl == Permission::Allow;
        }
        let mut allowed = false;
        for binding in of_resource.into_iter().filter(|binding| binding.names(subject)) {
            match binding.permission {
                Permission::Deny if binding.operation.denies(operation) => return false,
                Permission::Allow if binding.operation.allows(operation) => allowed = true,
                Permission::Deny | Permission::Allow => {}
            }
        }
        allowed
    }

    /// Whether the operation is allowed on any resource of a type at all: who may write to some topic may be an idempotent producer
    /// (KIP-679).
    pub(crate) fn allows_any(
        &self,
        authorizer: &Authorizer,
        subject: Subject<'_>,
        operation: Operation,
        resource: Resource,
    ) -> bool {
        let Authorizer::Enabled {
            super_users,
            without_acl,
        } = authorizer
        else {
            return true;
        };
        if super_users.contains(subject.principal) {
            return true;
        }
        let allowing = self.bindings.iter().filter(|binding| {
            binding.resource == resource
                && binding.permission == Permission::Allow
                && binding.operation.allows(operation)
                && binding.names(subject)
        });
        // A denial hides an allowance when it covers all of it.
        let hidden = |allowing: &Binding| {
            self.bindings.iter().any(|binding| {
                binding.resource == resource
                    && binding.permission == Permission::Deny
                    && binding.operation.denies(operation)
                    && binding.names(subject)
                    && binding.covers(allowing)
            })
        };
        let denied_all = || {
            self.bindings.iter().any(|binding| {
                binding.permission == Permission::Deny
                    && binding.resource == resource
                    && binding.is_wildcard()
                    && binding.operation.denies(operation)
                    && binding.names(subject)
            })
        };
        allowing.into_iter().any(|binding| !hidden(binding))
            || (*without_acl == Permission::Allow && !denied_all())
    }
}
