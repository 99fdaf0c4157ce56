//! Which ACLs a DescribeAcls or DeleteAcls is about; what is `None` is any.

use super::{Binding, Invalid, Operation, Pattern, Permission, Resource};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) resource: Option<Resource>,
    pub(crate) pattern: PatternFilter,
    pub(crate) name: Option<String>,
    pub(crate) principal: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) operation: Option<Operation>,
    pub(crate) permission: Option<Permission>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatternFilter {
    Any,
    /// Everything that applies to a resource of this name: literals, wildcards and prefixes.
    Match,
    Exactly(Pattern),
}

const ANY: i8 = 1;
const MATCH: i8 = 2;

// === impl PatternFilter ===

impl PatternFilter {
    pub(crate) fn of(number: i8) -> Result<Self, Invalid> {
        match number {
            ANY => Ok(Self::Any),
            MATCH => Ok(Self::Match),
            other => match Pattern::of(other) {
                Some(pattern) => Ok(Self::Exactly(pattern)),
                None => Err(Invalid(format!("Unknown pattern type {other}"))),
            },
        }
    }
}

// === impl Filter ===

impl Filter {
    /// A number of a filter: 1 is any.
    pub(crate) fn number<T>(number: i8, of: fn(i8) -> Option<T>, what: &str) -> Result<Option<T>, Invalid> {
        match of(number) {
            None if number == ANY => Ok(None),
            None => Err(Invalid(format!("Unknown {what} {number}"))),
            known => Ok(known),
        }
    }

    pub(super) fn matches(&self, binding: &Binding) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, value: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == value)
        }
        let name = match (self.pattern, &self.name) {
            (PatternFilter::Exactly(pattern), _) if pattern != binding.pattern => false,
            (PatternFilter::Match, Some(name)) => binding.is_for_name(name),
            (_, name) => is(name.as_ref(), &binding.name),
        };
        name && is(self.resource.as_ref(), &binding.resource)
            && is(self.principal.as_ref(), &binding.principal)
            && is(self.host.as_ref(), &binding.host)
            && is(self.operation.as_ref(), &binding.operation)
            && is(self.permission.as_ref(), &binding.permission)
    }
}
