use super::*;

fn binding(
    pattern: Pattern,
    name: &str,
    principal: &str,
    operation: Operation,
    permission: Permission,
) -> Binding {
    Binding {
        resource: Resource::Topic,
        pattern,
        name: name.to_owned(),
        principal: principal.to_owned(),
        host: "*".to_owned(),
        operation,
        permission,
    }
}

fn allow(pattern: Pattern, name: &str, operation: Operation) -> Binding {
    binding(pattern, name, "User:alice", operation, Permission::Allow)
}

fn acls<const N: usize>(bindings: [Binding; N]) -> Acls {
    Acls {
        bindings: BTreeSet::from(bindings),
    }
}

fn closed() -> Authorizer {
    Authorizer::Enabled {
        super_users: BTreeSet::from(["User:root".to_owned()]),
        without_acl: Permission::Deny,
    }
}

fn open() -> Authorizer {
    Authorizer::Enabled {
        super_users: BTreeSet::new(),
        without_acl: Permission::Allow,
    }
}

const ALICE: Subject<'_> = Subject {
    principal: "User:alice",
    host: "127.0.0.1",
};

fn may(
    acls: &Acls,
    authorizer: &Authorizer,
    subject: Subject<'_>,
    operation: Operation,
    topic: &str,
) -> bool {
    acls.allows(authorizer, subject, operation, Resource::Topic, topic)
}

#[test]
fn without_acls_the_configuration_decides() {
    let none = Acls::default();
    assert!(may(&none, &Authorizer::Disabled, ALICE, Operation::Write, "t"));
    assert!(!may(&none, &closed(), ALICE, Operation::Write, "t"));
    assert!(may(&none, &open(), ALICE, Operation::Write, "t"));
    let root = Subject {
        principal: "User:root",
        ..ALICE
    };
    assert!(may(&none, &closed(), root, Operation::Write, "t"));
    // The first ACL of a topic closes it for everybody else.
    let first = acls([binding(
        Pattern::Literal,
        "t",
        "User:bob",
        Operation::Read,
        Permission::Allow,
    )]);
    assert!(!may(&first, &open(), ALICE, Operation::Write, "t"));
    assert!(may(&first, &open(), ALICE, Operation::Write, "u"));
}

#[test]
fn a_denial_beats_every_allowance() {
    let both = acls([
        allow(Pattern::Literal, "*", Operation::All),
        binding(
            Pattern::Prefixed,
            "secret-",
            "User:*",
            Operation::Read,
            Permission::Deny,
        ),
    ]);
    assert!(may(&both, &closed(), ALICE, Operation::Read, "t"));
    assert!(!may(&both, &closed(), ALICE, Operation::Read, "secret-t"));
    // To deny reading is not to deny seeing.
    assert!(may(&both, &closed(), ALICE, Operation::Describe, "secret-t"));
}

#[test]
fn reading_and_writing_imply_seeing() {
    let read = acls([allow(Pattern::Prefixed, "a", Operation::Read)]);
    assert!(may(&read, &closed(), ALICE, Operation::Describe, "ab"));
    assert!(!may(&read, &closed(), ALICE, Operation::Write, "ab"));
    assert!(!may(&read, &closed(), ALICE, Operation::DescribeConfigs, "ab"));
    assert!(!may(&read, &closed(), ALICE, Operation::Read, "b"));
    let alter = acls([allow(Pattern::Literal, "t", Operation::AlterConfigs)]);
    assert!(may(&alter, &closed(), ALICE, Operation::DescribeConfigs, "t"));
}

#[test]
fn hosts_and_principals_are_matched() {
    let mut one = allow(Pattern::Literal, "t", Operation::Read);
    one.host = "10.0.0.1".to_owned();
    let one = acls([one]);
    assert!(!may(&one, &closed(), ALICE, Operation::Read, "t"));
    assert!(may(
        &one,
        &closed(),
        Subject {
            host: "10.0.0.1",
            ..ALICE
        },
        Operation::Read,
        "t"
    ));
    let bob = Subject {
        principal: "User:bob",
        host: "10.0.0.1",
    };
    assert!(!may(&one, &closed(), bob, Operation::Read, "t"));
}

#[test]
fn who_may_write_anywhere_may_be_idempotent() {
    let any = |acls: &Acls, authorizer: &Authorizer| {
        acls.allows_any(authorizer, ALICE, Operation::Write, Resource::Topic)
    };
    assert!(!any(&Acls::default(), &closed()));
    assert!(any(
        &acls([allow(Pattern::Literal, "t", Operation::Write)]),
        &closed()
    ));
    let hidden = acls([
        allow(Pattern::Literal, "t", Operation::Write),
        binding(
            Pattern::Prefixed,
            "t",
            "User:alice",
            Operation::Write,
            Permission::Deny,
        ),
    ]);
    assert!(!any(&hidden, &closed()));
    let denied = acls([binding(
        Pattern::Literal,
        "*",
        "User:alice",
        Operation::Write,
        Permission::Deny,
    )]);
    assert!(any(&Acls::default(), &open()) && !any(&denied, &open()));
}

#[test]
fn filters_find_what_they_say() {
    let all = acls([
        allow(Pattern::Literal, "orders", Operation::Read),
        allow(Pattern::Prefixed, "ord", Operation::Read),
        allow(Pattern::Literal, "*", Operation::Write),
    ]);
    let any = Filter {
        resource: None,
        pattern: PatternFilter::Any,
        name: None,
        principal: None,
        host: None,
        operation: None,
        permission: None,
    };
    let count = |filter: Filter| all.matching(&filter).len();
    assert_eq!(count(any.clone()), 3);
    let named = Filter {
        name: Some("orders".to_owned()),
        ..any.clone()
    };
    assert_eq!(count(named.clone()), 1);
    assert_eq!(
        count(Filter {
            pattern: PatternFilter::Match,
            ..named.clone()
        }),
        3
    );
    assert_eq!(
        count(Filter {
            pattern: PatternFilter::Exactly(Pattern::Prefixed),
            ..named
        }),
        0
    );
    assert_eq!(
        count(Filter {
            operation: Some(Operation::Write),
            ..any.clone()
        }),
        1
    );
    assert_eq!(
        count(Filter {
            principal: Some("User:bob".to_owned()),
            ..any.clone()
        }),
        0
    );

    let mut all = acls([
        allow(Pattern::Literal, "t", Operation::Read),
        allow(Pattern::Literal, "u", Operation::Read),
    ]);
    let one = Filter {
        name: Some("t".to_owned()),
        ..any.clone()
    };
    assert_eq!(all.remove(&one).len(), 1);
    assert_eq!(all.matching(&any).len(), 1);
}

#[test]
fn bindings_that_mean_nothing_are_refused() {
    let good = allow(Pattern::Literal, "t", Operation::Read);
    assert_eq!(good.check(), Ok(()));
    assert!(
        Binding {
            principal: "alice".to_owned(),
            ..good.clone()
        }
        .check()
        .is_err()
    );
    assert!(
        Binding {
            name: String::new(),
            ..good.clone()
        }
        .check()
        .is_err()
    );
    assert!(
        Binding {
            resource: Resource::Cluster,
            ..good
        }
        .check()
        .is_err()
    );
}
