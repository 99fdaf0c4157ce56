use super::*;

fn entity(parts: &[(&str, Option<&str>)]) -> Entity {
    let own = |(kind, name): &(&str, Option<&str>)| ((*kind).to_owned(), name.map(str::to_owned));
    Entity::new(parts.iter().map(own).collect()).unwrap()
}

fn rate(value: f64) -> Vec<Change> {
    vec![Change::Set("producer_byte_rate".to_owned(), value)]
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn who_moves_too_much_is_silent_for_as_long_as_it_takes() {
    let mut quotas = Quotas::default();
    assert_eq!(
        quotas.record(at(0), Rate::Produce, "u", "c", 1 << 30),
        Duration::ZERO,
        "no quota"
    );
    quotas.alter(&entity(&[("client-id", Some("c"))]), &rate(1000.0));
    assert_eq!(
        quotas.record(at(0), Rate::Produce, "u", "c", 1000),
        Duration::ZERO
    );
    assert_eq!(quotas.record(at(0), Rate::Produce, "u", "c", 500), at(500));
    assert_eq!(quotas.record(at(500), Rate::Produce, "u", "c", 0), Duration::ZERO);
    assert_eq!(
        quotas.record(at(500), Rate::Fetch, "u", "c", 5000),
        Duration::ZERO,
        "another rate"
    );
    assert_eq!(
        quotas.record(at(500), Rate::Produce, "u", "d", 5000),
        Duration::ZERO,
        "another client"
    );
    assert_eq!(
        quotas.record(at(500), Rate::Produce, "u", "c", 9_000_000),
        LONGEST
    );
}

#[test]
fn the_most_specific_quota_counts() {
    let mut quotas = Quotas::default();
    quotas.alter(&entity(&[("user", None)]), &rate(10.0));
    quotas.alter(&entity(&[("user", Some("u"))]), &rate(1000.0));
    quotas.alter(&entity(&[("client-id", Some("c"))]), &rate(1.0));
    let limit = |quotas: &Quotas, user, id| quotas.limit(Rate::Produce, user, id).map(|(_, limit)| limit);
    assert_eq!(limit(&quotas, "u", "c"), Some(1000.0));
    assert_eq!(limit(&quotas, "v", "c"), Some(10.0));
    quotas.alter(
        &entity(&[("user", None)]),
        &[Change::Remove("producer_byte_rate".to_owned())],
    );
    assert_eq!(limit(&quotas, "v", "c"), Some(1.0));
    assert_eq!(limit(&quotas, "v", "d"), None);
    assert_eq!(quotas.iter().count(), 2);
}

#[test]
fn a_default_is_a_limit_for_each_by_itself() {
    let mut quotas = Quotas::default();
    quotas.alter(&entity(&[("client-id", None)]), &rate(1000.0));
    assert_eq!(quotas.record(at(0), Rate::Produce, "u", "c", 1500), at(500));
    assert_eq!(
        quotas.record(at(0), Rate::Produce, "u", "d", 1000),
        Duration::ZERO
    );
}

#[test]
fn entities_and_keys_are_checked() {
    let new = |kind: &str| Entity::new(vec![(kind.to_owned(), None)]);
    assert!(new("topic").is_err() && new("ip").is_ok() && Entity::new(vec![]).is_err());
    let user = entity(&[("user", None)]);
    assert!(check(&user, &rate(1.0)[0]).is_ok());
    assert!(check(&user, &rate(0.0)[0]).is_err());
    assert!(check(&user, &rate(0.5)[0]).is_err());
    assert!(check(&user, &Change::Remove("nonsense".to_owned())).is_err());
    assert!(check(&entity(&[("ip", None)]), &rate(1.0)[0]).is_err());
}

#[test]
fn filters_find_entities() {
    let both = entity(&[("user", Some("u")), ("client-id", None)]);
    let component = |kind: &str, wanted| Component {
        kind: kind.to_owned(),
        wanted,
    };
    let user = |wanted| vec![component("user", wanted)];
    assert!(both.matches(&user(Match::Exactly("u".to_owned())), false));
    assert!(!both.matches(&user(Match::Exactly("u".to_owned())), true));
    assert!(!both.matches(&user(Match::Default), false));
    assert!(both.matches(&user(Match::Any), false));
    assert!(both.matches(
        &[
            component("client-id", Match::Default),
            component("user", Match::Any)
        ],
        true
    ));
    assert!(!both.matches(&[component("ip", Match::Any)], false));
    assert!(both.matches(&[], false));
}
