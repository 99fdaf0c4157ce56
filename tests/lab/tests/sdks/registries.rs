//! The wrappers of `schema-registry` in the SDKs of other languages than Rust: one plugin in each, which asks everything and does the same.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use anyhow::{Context, Result, ensure};
use towpath_domain::{Offset, Partition};
use towpath_lab::environment;
use towpath_plugin_host as host;
use towpath_plugin_host::{Answer, Ask, Side};

use super::{REGISTRIES, VERSIONS, Version, is_installed, tool};

/// Where the plugins are that take the place of a new project's, and their cases.
const FOLDER: &str = "tests/lab/tests/sdks";

/// A language, its plugin's file, and what a build says while towpath.json does not name the registries; C has no such file.
const PLUGINS: [(&str, &str, Option<&str>); 3] = [
    ("C", "plugin.c", None),
    ("JavaScript", "plugin.js", Some(REGISTRIES)),
    (
        "Python",
        "app.py",
        Some("towpath_registry needs \"registries\": true in towpath.json"),
    ),
];

#[test]
fn a_plugin_that_asks_the_registries_does_the_same_in_every_language() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sources = environment::workspace_dir().join(FOLDER);
    let cases = sources.join("cases");
    let count = fs::read_dir(&cases)?.count();
    for (language, file, refusal) in PLUGINS {
        let mut versions = VERSIONS.iter();
        let version = versions
            .find(|version| version.language == language)
            .context(language)?;
        if !is_installed(version)? {
            continue;
        }
        let component = built(
            version,
            folder.path(),
            &sources.join("plugins").join(file),
            refusal,
        )?;
        let (output, text) = tool(&["test".as_ref(), &component, "--cases".as_ref(), &cases])?;
        ensure!(output.status.success(), "{language}: {text}");
        ensure!(
            count > 2 && text.contains(&format!("{count} passed, 0 failed")),
            "{language}: {text}"
        );
        asks_what_it_is_told_to(language, &component)?;
    }
    Ok(())
}

/// A new transformation, whose plugin is this one in the end.
fn built(version: &Version, folder: &Path, plugin: &Path, refusal: Option<&str>) -> Result<PathBuf> {
    let language = version.language.to_lowercase();
    let project = folder.join(&language);
    let new = ["new", "remap", "--lang", &language, "--kind", "transformation"].map(Path::new);
    let (output, text) = tool(&[&new[..], &["--path".as_ref(), &project]].concat())?;
    ensure!(output.status.success(), "{language}: {text}");
    let file = plugin.file_name().context("the plugin is a file")?;
    fs::copy(plugin, project.join(file))?;
    if let Some(refusal) = refusal {
        let (output, text) = tool(&["build".as_ref(), &project])?;
        ensure!(
            !output.status.success() && text.contains(refusal),
            "{language}: {text}"
        );
        let manifest = r#"{"kind": "transformation", "registries": true}"#;
        fs::write(project.join("towpath.json"), manifest)?;
    }
    let (output, text) = tool(&["build".as_ref(), &project])?;
    ensure!(
        output.status.success() && text.contains(REGISTRIES),
        "{language}: {text}"
    );
    Ok(project.join("remap.wasm"))
}

/// Cases cannot tell: they have one answer to an id, whatever the subject.
fn asks_what_it_is_told_to(language: &str, component: &Path) -> Result<()> {
    let options = host::Options {
        plugin_path: vec![component.to_owned()],
        ..host::Options::default()
    };
    let (host, errors) = host::Host::open(options)?;
    ensure!(errors.is_empty(), "{language}: {errors:?}");
    let plugin = host.plugins().next().context(component.display().to_string())?;
    ensure!(
        plugin.wants_registries(),
        "{language}: it asks for the registries"
    );
    let id = 7;
    let translated = |subject: Option<&str>| Ask::TranslateId {
        id,
        subject: subject.map(str::to_owned),
    };
    let schema = |side| Ask::Schema { side, id };
    for (config, expected) in [
        (None, vec![translated(None)]),
        (Some(("subject", "")), vec![translated(Some(""))]),
        (Some(("subject", "a-välue")), vec![translated(Some("a-välue"))]),
        (
            Some(("schemas", "true")),
            vec![schema(Side::Source), schema(Side::Target)],
        ),
    ] {
        let asked = Arc::new(Asked::default());
        let config = config.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let config: Vec<_> = config.into_iter().collect();
        let plugin = Arc::new(plugin.granted(Arc::clone(&asked) as Arc<_>));
        let mut transformation = plugin.transformation(&config)?;
        transformation.transform(Arc::new(One(b"\0\0\0\0\x07data")))?;
        let asked = asked.list().clone();
        ensure!(asked == expected, "{language} {config:?}: asked {asked:?}");
    }
    Ok(())
}

/// Registries that have nothing, and keep what they were asked.
#[derive(Default)]
struct Asked(Mutex<Vec<Ask>>);

/// A batch of one value.
struct One(&'static [u8]);

// === impl Asked ===

impl Asked {
    fn list(&self) -> MutexGuard<'_, Vec<Ask>> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

impl host::Registries for Asked {
    fn known(&self, _: &Ask) -> Option<Answer> {
        None
    }

    fn fetch(&self, ask: &Ask) -> Result<Answer, String> {
        self.list().push(ask.clone());
        Ok(match ask {
            Ask::Schema { .. } => Answer::Schema(None),
            Ask::TranslateId { .. } => Answer::Id(None),
        })
    }
}

// === impl One ===

impl host::Records for One {
    fn len(&self) -> usize {
        1
    }

    fn topic(&self) -> &str {
        "payments"
    }

    fn partition(&self) -> Partition {
        Partition(0)
    }

    fn offset(&self, _: usize) -> Offset {
        Offset(0)
    }

    fn timestamp(&self, _: usize) -> i64 {
        0
    }

    fn timestamp_type(&self) -> host::TimestampType {
        host::TimestampType::CreateTime
    }

    fn key(&self, _: usize) -> Option<&[u8]> {
        None
    }

    fn value(&self, _: usize) -> Option<&[u8]> {
        Some(self.0)
    }

    fn headers(&self, _: usize, _: &mut dyn FnMut(&[u8], Option<&[u8]>)) {}
}
