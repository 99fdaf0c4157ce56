//! What scanning `plugin.path` finds, and how it says what it does not.

use std::path::PathBuf;

use towpath_componentize::Component;
use towpath_domain::plugin::{Kind, Reference};
use towpath_plugin_host::{Host, InitError, Limits, Options, Presence};

use crate::guests::{self, Lab, config};

#[test]
fn every_kind_is_recognized_and_described() {
    let kinds = [
        ("mask_field", Kind::Transformation),
        ("route_by_regex", Kind::Router),
        ("examples/predicate", Kind::Predicate),
        ("examples/validator", Kind::Validator),
        ("examples/schema_checker", Kind::SchemaChecker),
        ("examples/acl_checker", Kind::AclChecker),
    ];
    let lab = Lab::with(&kinds.map(|(name, _)| name));
    let (host, errors) = lab.open();
    assert!(errors.is_empty(), "{errors:?}");
    let mut found: Vec<Kind> = host.plugins().map(|plugin| plugin.kind()).collect();
    found.sort();
    let mut expected = kinds.map(|(_, kind)| kind);
    expected.sort();
    assert_eq!(found, expected);

    let mask = host.resolve(&Reference::parse("mask-field@0.1")).unwrap();
    assert_eq!(
        (mask.reference().as_str(), mask.digest().len()),
        ("mask-field@0.1.0", 64)
    );
    let keys: Vec<&str> = mask
        .descriptor()
        .config
        .iter()
        .map(|key| key.name.as_str())
        .collect();
    assert_eq!(keys, ["fields", "replacement", "on.invalid.json"]);
    assert_eq!(
        mask.descriptor().config[1].presence,
        Presence::Default("***".into())
    );
}

#[test]
fn a_plugin_of_another_kind_is_told_by_both_kinds() {
    let (_lab, plugin) = Lab::plugin("examples/validator", Limits::default());
    let error = plugin.router(&[]).err().unwrap();
    assert!(matches!(
        error,
        InitError::Kind {
            expected: Kind::Router,
            found: Kind::Validator,
            ..
        }
    ));
    let sentence = "plugin example-same-value@0.1.0 is a validator, not a router: \
        name one of that kind, or use it where a validator belongs";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn what_is_no_component_is_told_with_its_remedy() {
    let component = guests::component("mask_field");
    let cases: [(&[u8], &str); 6] = [
        (
            &guests::module("mask_field"),
            "is a core module, not a component; run `towpath-componentize ",
        ),
        (&component[..component.len() / 2], "is truncated or damaged"),
        (&component[..6], "is truncated or damaged"),
        (b"", "is truncated or damaged (it is empty)"),
        (b"#!/bin/sh", "is not WebAssembly"),
        // the smallest component there is
        (b"\0asm\x0d\0\x01\0", "is a component but no plugin"),
    ];
    for (file, expected) in cases {
        let problem = Lab::problem(file);
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn another_version_and_foreign_imports_are_told_by_name() {
    let module = guests::module("route_by_regex");
    let component =
        |module: &[u8]| guests::replace(&Component::new(module).unwrap().bytes, b"@0.1.0", b"@0.9.0");
    let problem = Lab::problem(&component(&module));
    assert!(
        problem.contains("speaks version 0.9.0 of the plugin contract, this host speaks 0.1.0"),
        "{problem}"
    );

    let component = Component::new(&module).unwrap().bytes;
    let wasi = guests::replace(
        &component,
        b"towpath:plugin/host@0.1.0",
        b"wasi:http/out-types@0.2.0",
    );
    let problem = Lab::problem(&wasi);
    assert!(
        problem.contains("imports `wasi:http/out-types@0.2.0`, which no plugin is given"),
        "{problem}"
    );
}

#[test]
fn one_bad_file_does_not_hide_the_others_and_all_are_reported() {
    let lab = Lab::with(&["mask_field", "route_by_regex"]);
    lab.add("core.wasm", &guests::module("hostile"));
    lab.add("text.wasm", b"text");
    lab.add("README.md", b"not looked at");
    let missing = PathBuf::from("/no/such/folder");
    let options = Options {
        plugin_path: vec![
            lab.plugins(),
            missing.clone(),
            lab.plugins().join("mask_field.wasm"),
        ],
        ..Options::default()
    };
    let (host, errors) = Host::open(options).unwrap();
    assert_eq!(host.plugins().count(), 2, "the same file twice is one plugin");
    let files: Vec<&PathBuf> = errors.iter().map(|error| &error.path).collect();
    assert_eq!(
        files,
        [
            &lab.plugins().join("core.wasm"),
            &lab.plugins().join("text.wasm"),
            &missing
        ]
    );
    assert_eq!(
        errors[2].to_string(),
        "/no/such/folder does not exist; correct `plugin.path`"
    );
}

#[test]
fn a_large_file_is_not_compiled() {
    let lab = Lab::with(&["mask_field"]);
    let (host, errors) = lab.open_with(Limits {
        component_bytes: 1000,
        ..Limits::default()
    });
    assert_eq!(host.plugins().count(), 0);
    assert!(
        errors[0].to_string().contains("more than 1000 bytes"),
        "{errors:?}"
    );
}

#[test]
fn one_name_and_version_has_one_digest() {
    let lab = Lab::with(&["mask_field"]);
    let other = guests::replace(
        &guests::component("mask_field"),
        b"Tombstones pass",
        b"TOMBSTONES PASS",
    );
    lab.add("other.wasm", &other);
    let (host, errors) = lab.open();
    assert_eq!((host.plugins().count(), errors.len()), (1, 1));
    let sentence = errors[0].to_string();
    assert!(
        sentence.contains("is mask-field@0.1.0, but so is ") && sentence.contains("mask_field.wasm"),
        "{sentence}"
    );
}

#[test]
fn the_newest_version_is_taken_unless_one_is_named() {
    let lab = Lab::new();
    let component = guests::component("hostile");
    for version in ["0.1.0", "0.2.0", "0.9.0"] {
        let named = guests::replace(
            &component,
            b"hostile-version:0.1.0",
            format!("hostile-version:{version}").as_bytes(),
        );
        lab.add(&format!("{version}.wasm"), &named);
    }
    let (host, errors) = lab.open();
    assert!(errors.is_empty(), "{errors:?}");
    let resolve = |reference| {
        host.resolve(&Reference::parse(reference))
            .map(|plugin| plugin.version().to_string())
    };
    assert_eq!(resolve("hostile").unwrap(), "0.9.0");
    assert_eq!(resolve("hostile@0.2.0").unwrap(), "0.2.0");
    assert_eq!(resolve("hostile@0.1").unwrap(), "0.1.0");
    assert_eq!(
        resolve("hostile@1.0.0").unwrap_err().to_string(),
        "there is no version 1.0.0 of plugin hostile; `plugin.path` has 0.1.0, 0.2.0, 0.9.0"
    );
    assert_eq!(
        resolve("hostil").unwrap_err().to_string(),
        "there is no plugin hostil in `plugin.path`; did you mean hostile?"
    );
}

#[test]
fn mistakes_in_the_configuration_come_all_at_once() {
    let (_lab, plugin) = Lab::plugin("mask_field", Limits::default());
    let error = plugin
        .transformation(&config(&[("feilds", "a"), ("on.invalid.json", "drop")]))
        .err()
        .unwrap();
    let InitError::Config(errors) = error else {
        panic!("{error}")
    };
    let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["feilds", "fields", "on.invalid.json"]);

    let (_lab, plugin) = Lab::plugin("route_by_regex", Limits::default());
    let given = [
        ("regex", "a("),
        ("replacement", "$1"),
        ("reverse.regex", "(.*)"),
        ("reverse.replacement", "$2"),
    ];
    let error = plugin.router(&config(&given)).err().unwrap().to_string();
    assert!(
        error.contains("`regex` = \"a(\": is not a regular expression"),
        "{error}"
    );
    assert!(
        error.contains("`reverse.replacement` = \"$2\": names group $2, but the expression has 1"),
        "{error}"
    );
}
