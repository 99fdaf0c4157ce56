//! Every file of `examples/` is taken by the parsers and plugins that users meet.

use std::{fs, path::Path};

use mask_field::MaskField;
use route_by_regex::RouteByRegex;
use tempfile::TempDir;
use towpath_mirror::config::{Class, Defaults, MirrorSource, Transform};
use towpath_plugin::testing::Harness;
use towpath_wire::Environment;

use super::{
    super::{file, properties::Properties},
    repository,
};
use crate::failure::Failure;

/// `plugin.path` of the example is relative to a repository where plugins were built: a folder that exists stands for it.
fn worker(path: &Path) -> Result<Properties, Failure> {
    let folder = TempDir::new().unwrap();
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some(("plugin.path", _)) => format!("plugin.path={}\n", folder.path().display()),
        _ => format!("{line}\n"),
    });
    let copy = folder.path().join("worker.properties");
    fs::write(&copy, lines.collect::<String>()).unwrap();
    Properties::read(&copy, &Environment::default())
}

fn connector(path: &Path) -> Class {
    let defaults = Defaults {
        bootstrap_servers: vec!["new-kafka-1:9092".to_owned()],
        ..Defaults::default()
    };
    // A folder of ours stands for the one that the examples keep secrets in.
    let folder = TempDir::new().unwrap();
    let secrets = "keystore=changeit\ntruststore=changeit\nscram=changeit\noauth=changeit\n";
    fs::write(folder.path().join("secrets.properties"), secrets).unwrap();
    let text = fs::read_to_string(path)
        .unwrap()
        .replace("/etc/kafka", &folder.path().display().to_string());
    let parsed = file::parse(text.as_bytes(), &defaults);
    parsed
        .unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()))
        .config
}

fn mirror_source(path: &Path) -> MirrorSource {
    match connector(path) {
        Class::MirrorSource(config) => *config,
        Class::MirrorCheckpoint(_) => panic!("{}: it is a MirrorSource", path.display()),
    }
}

/// The plugin's own keys, as it would get them.
fn keys(transform: &Transform) -> Vec<(&str, &str)> {
    transform
        .attached
        .config
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

#[test]
fn every_file_is_taken_by_the_parsers() {
    let mut seen = 0;
    let entries = |folder| fs::read_dir(repository(folder)).unwrap();
    for entry in entries("examples").chain(entries("examples/custom-validator")) {
        let path = entry.unwrap().path();
        // The new plugin's folders come and go.
        if path.is_dir() || path.ends_with(".gitignore") {
            continue;
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("properties") => {
                let worker = worker(&path)
                    .unwrap_or_else(|failure| panic!("{}: {}", path.display(), sentences(failure)));
                assert!(
                    !worker.defaults.bootstrap_servers.is_empty(),
                    "connectors name no target"
                );
            }
            Some("json") => drop(connector(&path)),
            Some("md") => continue,
            _ => panic!("{}: nothing checks this file", path.display()),
        }
        seen += 1;
    }
    assert_eq!(seen, 8);
}

#[test]
fn the_plugins_take_their_keys_and_map_as_the_example_says() {
    let config = mirror_source(&repository("examples/remap-and-mask.json"));
    let [remap, mask] = &config.plugins.transforms[..] else {
        panic!("{:?}", config.plugins)
    };
    assert_eq!(
        (
            remap.attached.plugin.name.as_str(),
            mask.attached.plugin.name.as_str()
        ),
        ("route-by-regex", "mask-field")
    );
    assert!(config.topics.contains("legacy.orders"));
    let mut router = Harness::<RouteByRegex>::new(&keys(remap)).unwrap();
    assert_eq!(router.map_topic("legacy.orders").unwrap().unwrap(), "orders");
    assert_eq!(router.unmap_topic("orders").unwrap().unwrap(), "legacy.orders");
    Harness::<MaskField>::new(&keys(mask)).unwrap();
}

#[test]
fn the_groups_of_the_example_are_those_it_names() {
    let Class::MirrorCheckpoint(config) = connector(&repository("examples/groups.json")) else {
        panic!("it is a MirrorCheckpoint");
    };
    assert!(config.groups.contains("payments-service") && config.groups.contains("audit-eu"));
    assert!(!config.groups.contains("console-consumer-1"));
    assert_eq!(config.target, ["new-kafka-1:9092"], "the worker's cluster");
}

fn sentences(failure: Failure) -> String {
    match failure {
        Failure::Input(sentences) => sentences.join("\n"),
        Failure::Failed(error) => format!("{error:#}"),
    }
}
