//! CreateAcls, DescribeAcls, DeleteAcls.

use std::time::Duration;

use anyhow::Result;
use kafka_protocol::messages::{
    CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, create_acls_request::AclCreation,
    delete_acls_request::DeleteAclsFilter,
};
use towpath_lab::wait;

use crate::{
    Case,
    target::{Connection, Target, is, text},
};

pub const CASES: &[Case] = &[
    ("ACLs are created, found and deleted", lifecycle),
    ("ACLs are checked", checks),
];

const TOPIC: i8 = 2;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const READ: i8 = 3;
const ALLOW: i8 = 3;

fn acl(name: &str, pattern: i8) -> AclCreation {
    AclCreation::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(name))
        .with_resource_pattern_type(pattern)
        .with_principal(text("User:alice"))
        .with_host(text("*"))
        .with_operation(READ)
        .with_permission_type(ALLOW)
}

fn create(at: &mut Connection, acl: AclCreation) -> Result<i16> {
    let request = CreateAclsRequest::default().with_creations(vec![acl]);
    Ok(at.call(3, &request)?.results[0].error_code)
}

/// Names and patterns of the resources found.
fn find(at: &mut Connection, name: Option<&str>, pattern: i8) -> Result<Vec<(String, i8, usize)>> {
    let request = DescribeAclsRequest::default()
        .with_resource_type_filter(TOPIC)
        .with_resource_name_filter(name.map(text))
        .with_pattern_type_filter(pattern)
        .with_principal_filter(Some(text("User:alice")))
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1);
    let answer = at.call(3, &request)?;
    is("the error", answer.error_code, 0)?;
    let mut found: Vec<_> = answer
        .resources
        .iter()
        .map(|one| (one.resource_name.to_string(), one.pattern_type, one.acls.len()))
        .collect();
    found.sort();
    Ok(found)
}

/// The controller answers before brokers have learned of it.
fn finds(
    at: &mut Connection,
    what: &str,
    (name, pattern): (Option<&str>, i8),
    wanted: &[(String, i8, usize)],
) -> Result<()> {
    wait::until(what, Duration::from_secs(30), || {
        is(what, find(at, name, pattern)?, wanted.to_vec()).map(Some)
    })
}

fn lifecycle(target: &Target) -> Result<()> {
    let mut at = target.connect()?;
    is("a literal", create(&mut at, acl("acl-orders", LITERAL))?, 0)?;
    is("the same again", create(&mut at, acl("acl-orders", LITERAL))?, 0)?;
    is("a prefix", create(&mut at, acl("acl-", PREFIXED))?, 0)?;
    is(
        "everything",
        create(&mut at, acl("*", LITERAL).with_operation(4))?,
        0,
    )?;
    let orders = || ("acl-orders".to_owned(), LITERAL, 1);
    let prefix = || ("acl-".to_owned(), PREFIXED, 1);
    let wildcard = || ("*".to_owned(), LITERAL, 1);
    finds(&mut at, "by name", (Some("acl-orders"), LITERAL), &[orders()])?;
    finds(&mut at, "by prefix", (None, PREFIXED), &[prefix()])?;
    let all = [wildcard(), prefix(), orders()];
    finds(&mut at, "all", (None, 1), &all)?;
    finds(&mut at, "what applies", (Some("acl-orders"), 2), &all)?;
    finds(
        &mut at,
        "what applies to another",
        (Some("bcl"), 2),
        &[wildcard()],
    )?;

    let filter = |name: Option<&str>, pattern: i8| {
        DeleteAclsFilter::default()
            .with_resource_type_filter(TOPIC)
            .with_resource_name_filter(name.map(text))
            .with_pattern_type_filter(pattern)
            .with_principal_filter(Some(text("User:alice")))
            .with_host_filter(None)
            .with_operation(1)
            .with_permission_type(1)
    };
    let filters = vec![filter(Some("acl-orders"), LITERAL), filter(Some("none"), LITERAL)];
    let answer = at.call(3, &DeleteAclsRequest::default().with_filters(filters))?;
    let removed: Vec<_> = answer
        .filter_results
        .iter()
        .map(|one| (one.error_code, one.matching_acls.len()))
        .collect();
    is("deleted", removed, vec![(0, 1), (0, 0)])?;
    let acl = &answer.filter_results[0].matching_acls[0];
    is(
        "which",
        (&*acl.resource_name, &*acl.principal, acl.operation),
        ("acl-orders", "User:alice", READ),
    )?;
    let answer = at.call(
        3,
        &DeleteAclsRequest::default().with_filters(vec![filter(None, 1)]),
    )?;
    is("the rest", answer.filter_results[0].matching_acls.len(), 2)?;
    finds(&mut at, "nothing is left", (None, 1), &[])
}

fn checks(target: &Target) -> Result<()> {
    let mut at = target.connect()?;
    is("no name", create(&mut at, acl("", LITERAL))?, 42)?;
    is(
        "a principal without a type",
        create(&mut at, acl("t", LITERAL).with_principal(text("alice")))?,
        42,
    )?;
    is(
        "any type",
        create(&mut at, acl("t", LITERAL).with_resource_type(1))?,
        -1,
    )?;
    is(
        "another cluster",
        create(&mut at, acl("t", LITERAL).with_resource_type(4))?,
        42,
    )
}
