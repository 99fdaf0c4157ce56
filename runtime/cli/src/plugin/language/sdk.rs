//! What projects in languages with a runtime are built with: the contract's WIT, and the worlds that such a component has.

use std::{fs, path::Path};

use anyhow::Context;
use serde_json::Value;

use crate::failure::Failure;

/// A file of the SDK, by its path in the project. They belong to this program: `new` and `build` write them.
pub(in crate::plugin) type File = (&'static str, &'static str);

/// The folder of the project that `WIT` goes to.
pub(super) const WIT_FOLDER: &str = "towpath/wit";

pub(super) const WIT: [File; 5] = [
    (
        "towpath/wit/worlds.wit",
        include_str!("../../../../../sdk/wit/worlds.wit"),
    ),
    (
        "towpath/wit/deps/plugin/types.wit",
        include_str!("../../../../../wit/plugin/types.wit"),
    ),
    (
        "towpath/wit/deps/plugin/interfaces.wit",
        include_str!("../../../../../wit/plugin/interfaces.wit"),
    ),
    (
        "towpath/wit/deps/plugin/worlds.wit",
        include_str!("../../../../../wit/plugin/worlds.wit"),
    ),
    (
        "towpath/wit/deps/checks/checks.wit",
        include_str!("../../../../../wit/checks/checks.wit"),
    ),
];

/// What the project says of itself: there is no reading it from the code before there is a component.
const MANIFEST: &str = "towpath.json";

const KINDS: [&str; 6] = [
    "transformation",
    "router",
    "predicate",
    "validator",
    "schema-checker",
    "acl-checker",
];

/// Writes the SDK's files, where they are not what they are to be.
pub(super) fn write(project: &Path, files: &[File]) -> anyhow::Result<()> {
    for (path, contents) in files {
        let path = project.join(path);
        if fs::read(&path).is_ok_and(|there| there == contents.as_bytes()) {
            continue;
        }
        let failed = || format!("cannot write {}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(failed)?;
        }
        fs::write(&path, contents).with_context(failed)?;
    }
    Ok(())
}

/// The world of the project's component: `validator`, or `validator-with-registries`.
pub(super) fn world(project: &Path) -> Result<String, Failure> {
    let path = project.join(MANIFEST);
    let wrong = |what: String| Failure::Input(vec![format!("{}: {what}", path.display())]);
    let text = fs::read(&path).map_err(|error| {
        wrong(format!(
            "cannot be read ({error}); it says what the plugin is: {{\"kind\": \"transformation\"}}"
        ))
    })?;
    let manifest: Value = serde_json::from_slice(&text).map_err(|error| {
        wrong(format!(
            "is not JSON ({error}); such as {{\"kind\": \"transformation\"}}"
        ))
    })?;
    let kind = manifest["kind"].as_str().unwrap_or_default();
    if !KINDS.contains(&kind) {
        return Err(wrong(format!(
            "kind = {}: must be one of {}",
            manifest["kind"],
            KINDS.join(", ")
        )));
    }
    match &manifest["registries"] {
        Value::Null | Value::Bool(false) => Ok(kind.to_owned()),
        Value::Bool(true) if ["router", "predicate"].contains(&kind) => Err(wrong(format!(
            "registries = true: a {kind} is never granted them; leave it out"
        ))),
        Value::Bool(true) => Ok(format!("{kind}-with-registries")),
        other => Err(wrong(format!("registries = {other}: must be true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_says_its_kind_and_each_mistake_is_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let world_of = |text: &str| {
            fs::write(folder.path().join(MANIFEST), text).unwrap();
            match world(folder.path()) {
                Ok(world) => world,
                Err(Failure::Input(sentences)) => sentences.join("; "),
                Err(Failure::Failed(error)) => panic!("{error}"),
            }
        };
        assert_eq!(world_of(r#"{"kind": "router", "registries": false}"#), "router");
        let with = world_of(r#"{"kind": "validator", "registries": true}"#);
        assert_eq!(with, "validator-with-registries");
        for world in KINDS
            .iter()
            .map(|kind| world_of(&format!(r#"{{"kind": "{kind}"}}"#)))
        {
            assert!(WIT[0].1.contains(&format!("\nworld {world} {{")), "{world}");
        }
        for (text, expected) in [
            (
                r#"{"kind": "rooter"}"#,
                "kind = \"rooter\": must be one of transformation,",
            ),
            (
                r#"{"kind": "router", "registries": true}"#,
                "a router is never granted them",
            ),
            (
                r#"{"kind": "validator", "registries": 1}"#,
                "must be true or false",
            ),
            ("kind", "is not JSON"),
        ] {
            let sentence = world_of(text);
            assert!(sentence.contains(expected), "{sentence}");
        }
    }

    #[test]
    fn files_of_another_version_are_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let files = [("towpath/a", "new")];
        write(folder.path(), &files).unwrap();
        fs::write(folder.path().join("towpath/a"), "old").unwrap();
        write(folder.path(), &files).unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("towpath/a")).unwrap(),
            "new"
        );
    }
}
