//! Quotas of clients, and SCRAM credentials of users.

use anyhow::{Context, Result};
use bytes::Bytes;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterUserScramCredentialsRequest, DescribeClientQuotasRequest,
    DescribeUserScramCredentialsRequest,
    alter_client_quotas_request::{EntityData, EntryData, OpData},
    alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion},
    describe_client_quotas_request::ComponentData,
    describe_user_scram_credentials_request::UserName,
};
use towpath_lab::wait;

use crate::{
    Case,
    target::{Connection, Target, is, text},
};

pub const CASES: &[Case] = &[
    ("quotas are set, found and removed", quotas),
    ("quotas are checked", quota_checks),
    ("credentials are set, found and removed", credentials),
];

fn alter(at: &mut Connection, parts: &[(&str, Option<&str>)], key: &str, value: Option<f64>) -> Result<i16> {
    let part = |(kind, name): &(&str, Option<&str>)| {
        EntityData::default()
            .with_entity_type(text(kind))
            .with_entity_name(name.map(text))
    };
    let op = OpData::default()
        .with_key(text(key))
        .with_value(value.unwrap_or_default())
        .with_remove(value.is_none());
    let entry = EntryData::default()
        .with_entity(parts.iter().map(part).collect())
        .with_ops(vec![op]);
    let answer = at.call(1, &AlterClientQuotasRequest::default().with_entries(vec![entry]))?;
    Ok(answer.entries[0].error_code)
}

/// Error, and the values of what was found.
fn find(
    at: &mut Connection,
    components: &[(&str, i8, Option<&str>)],
    strict: bool,
) -> Result<(i16, Vec<f64>)> {
    let component = |(kind, matching, name): &(&str, i8, Option<&str>)| {
        ComponentData::default()
            .with_entity_type(text(kind))
            .with_match_type(*matching)
            .with_match(name.map(text))
    };
    let request = DescribeClientQuotasRequest::default()
        .with_components(components.iter().map(component).collect())
        .with_strict(strict);
    let answer = at.call(1, &request)?;
    let entries = answer.entries.unwrap_or_default();
    let mut values: Vec<_> = entries
        .iter()
        .flat_map(|entry| &entry.values)
        .map(|value| value.value)
        .collect();
    values.sort_by(f64::total_cmp);
    Ok((answer.error_code, values))
}

fn quotas(target: &Target) -> Result<()> {
    let mut at = target.connect()?;
    let rate = "producer_byte_rate";
    is(
        "a user",
        alter(&mut at, &[("user", Some("quota-a"))], rate, Some(1000.0))?,
        0,
    )?;
    is(
        "every user",
        alter(&mut at, &[("user", None)], rate, Some(2_000_000_000.0))?,
        0,
    )?;
    let both = [("user", Some("quota-a")), ("client-id", Some("c"))];
    is("a user's client", alter(&mut at, &both, rate, Some(3000.0))?, 0)?;
    // Brokers learn of it a moment later.
    wait::until("the quotas", std::time::Duration::from_secs(30), || {
        let all = find(&mut at, &[("user", 2, None)], false)?.1;
        Ok((all.len() == 3).then_some(()))
    })?;
    is(
        "by name",
        find(&mut at, &[("user", 0, Some("quota-a"))], false)?,
        (0, vec![1000.0, 3000.0]),
    )?;
    is(
        "by name alone",
        find(&mut at, &[("user", 0, Some("quota-a"))], true)?,
        (0, vec![1000.0]),
    )?;
    is(
        "the default",
        find(&mut at, &[("user", 1, None)], false)?,
        (0, vec![2_000_000_000.0]),
    )?;
    is(
        "clients",
        find(&mut at, &[("client-id", 2, None)], false)?,
        (0, vec![3000.0]),
    )?;
    for parts in [&[("user", Some("quota-a"))][..], &[("user", None)], &both] {
        is("removed", alter(&mut at, parts, rate, None)?, 0)?;
    }
    wait::until("nothing", std::time::Duration::from_secs(30), || {
        Ok(find(&mut at, &[("user", 2, None)], false)?
            .1
            .is_empty()
            .then_some(()))
    })
}

fn quota_checks(target: &Target) -> Result<()> {
    let mut at = target.connect()?;
    let user = [("user", Some("quota-b"))];
    is(
        "an unknown key",
        alter(&mut at, &user, "nonsense", Some(1.0))?,
        42,
    )?;
    is(
        "an unknown kind",
        alter(&mut at, &[("topic", Some("t"))], "producer_byte_rate", Some(1.0))?,
        42,
    )?;
    is(
        "nothing a second",
        alter(&mut at, &user, "producer_byte_rate", Some(0.0))?,
        42,
    )?;
    is(
        "half a byte",
        alter(&mut at, &user, "producer_byte_rate", Some(0.5))?,
        42,
    )?;
    is(
        "no entity",
        alter(&mut at, &[], "producer_byte_rate", Some(1.0))?,
        42,
    )?;
    is(
        "an empty name",
        alter(&mut at, &[("user", Some(""))], "producer_byte_rate", Some(1.0))?,
        42,
    )?;
    is(
        "an unknown kind",
        find(&mut at, &[("topic", 2, None)], false)?.0,
        35,
    )?;
    is(
        "a kind twice",
        find(&mut at, &[("user", 2, None), ("user", 1, None)], false)?.0,
        42,
    )?;
    is(
        "a match for nothing",
        find(&mut at, &[("user", 9, None)], false)?.0,
        42,
    )
}

fn credentials(target: &Target) -> Result<()> {
    let mut at = target.connect()?;
    let set = |user: &str, mechanism: i8, iterations: i32| {
        ScramCredentialUpsertion::default()
            .with_name(text(user))
            .with_mechanism(mechanism)
            .with_iterations(iterations)
            .with_salt(Bytes::from_static(b"salt"))
            .with_salted_password(Bytes::from_static(&[7; 32]))
    };
    let mut code = |upsertions: Vec<_>, deletions: Vec<_>| {
        let request = AlterUserScramCredentialsRequest::default()
            .with_upsertions(upsertions)
            .with_deletions(deletions);
        Ok::<_, anyhow::Error>(at.call(0, &request)?.results[0].error_code)
    };
    is("a credential", code(vec![set("scram-a", 1, 4096)], vec![])?, 0)?;
    is(
        "too few iterations",
        code(vec![set("scram-a", 1, 4095)], vec![])?,
        93,
    )?;
    is(
        "too many iterations",
        code(vec![set("scram-a", 1, 16_385)], vec![])?,
        93,
    )?;
    is("no name", code(vec![set("", 1, 4096)], vec![])?, 93)?;
    is("no mechanism", code(vec![set("scram-a", 7, 4096)], vec![])?, 33)?;
    is(
        "twice",
        code(vec![set("scram-b", 1, 4096), set("scram-b", 1, 8192)], vec![])?,
        92,
    )?;
    let delete = |user: &str| {
        ScramCredentialDeletion::default()
            .with_name(text(user))
            .with_mechanism(1)
    };
    is(
        "one that is not there",
        code(vec![], vec![delete("scram-c")])?,
        91,
    )?;

    let describe = |at: &mut Connection, user: &str| {
        let users = vec![UserName::default().with_name(text(user))];
        let request = DescribeUserScramCredentialsRequest::default().with_users(Some(users));
        let result = at
            .call(0, &request)?
            .results
            .pop()
            .context("no user in the answer")?;
        let infos = result
            .credential_infos
            .iter()
            .map(|one| (one.mechanism, one.iterations));
        Ok::<_, anyhow::Error>((result.error_code, infos.collect::<Vec<_>>()))
    };
    let mut asking = target.connect()?;
    wait::until("the credential", std::time::Duration::from_secs(30), || {
        Ok((describe(&mut asking, "scram-a")? == (0, vec![(1, 4096)])).then_some(()))
    })?;
    is(
        "one that is not there",
        describe(&mut asking, "scram-c")?,
        (91, vec![]),
    )?;
    is("removed", code(vec![], vec![delete("scram-a")])?, 0)?;
    wait::until("nothing", std::time::Duration::from_secs(30), || {
        Ok((describe(&mut asking, "scram-a")?.0 == 91).then_some(()))
    })
}
