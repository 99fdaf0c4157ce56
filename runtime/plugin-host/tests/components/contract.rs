//! The contract over time: what was built against a recorded copy still runs, and nobody changes `wit/` in passing.
//!
//! `tests/recorded/wit` is a copy of the draft, made anew by `BLESS=1`; a component is built against it. A released version is a folder of `wit/deps`, such as
//! `wit/deps/plugin-0.1.0`, with the package's files and their digest in `SHA256`; nothing makes that anew.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use towpath_plugin_host::{Edit, Limits};

use crate::guests::{Lab, TestRecords, config};

const PACKAGES: [&str; 2] = ["plugin", "checks"];

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/wit")
}

/// The `*.wit` of a folder, by name.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<(String, String)> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "wit"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Hex sha256 over names and contents.
fn digest(files: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for part in files.iter().flat_map(|(name, content)| [name, content]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of `package towpath:plugin@0.1.0;`.
fn version(files: &[(String, String)]) -> String {
    let (_, content) = files.first().expect("a package has files");
    let line = content
        .lines()
        .find_map(|line| line.strip_prefix("package "))
        .expect("a package line");
    line.trim_end_matches(';')
        .split_once('@')
        .expect("a version")
        .1
        .to_owned()
}

/// What is wrong with released packages, and with current ones that have the version of a released one.
fn changed(wit: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let Ok(frozen) = fs::read_dir(wit.join("deps")) else {
        return problems;
    };
    for folder in frozen
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
    {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let package = PACKAGES
            .into_iter()
            .find(|package| name.starts_with(&format!("{package}-")));
        let Some(package) = package else {
            problems.push(format!(
                "wit/deps/{name}: is of no package; name it plugin-VERSION or checks-VERSION"
            ));
            continue;
        };
        let files_there = files(&folder);
        let digest = digest(&files_there);
        let noted = fs::read_to_string(folder.join("SHA256")).unwrap_or_default();
        if noted.trim() != digest {
            problems.push(format!(
                "wit/deps/{name}: was changed, and a released package never is: its digest is {digest}, SHA256 says {:?}",
                noted.trim()
            ));
        }
        let current = files(&wit.join(package));
        if version(&current) == version(&files_there) && current != files_there {
            problems.push(format!(
                "wit/{package}: was changed and is still version {}, which is released; give it the next version",
                version(&current)
            ));
        }
    }
    problems
}

#[test]
fn a_released_package_is_never_changed() {
    assert_eq!(changed(&wit()), Vec::<String>::new());

    let folder = TempDir::new().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let text = "package towpath:plugin@1.0.0;\ninterface host {}\n";
    put("plugin/a.wit", text);
    put("deps/plugin-1.0.0/a.wit", text);
    let released = digest(&files(&folder.path().join("deps/plugin-1.0.0")));
    put("deps/plugin-1.0.0/SHA256", &format!("{released}\n"));
    assert_eq!(changed(folder.path()), Vec::<String>::new());

    put("plugin/a.wit", &text.replace("{}", "{ more: func(); }"));
    let problems = changed(folder.path());
    assert!(
        problems[0].contains("still version 1.0.0, which is released") && problems.len() == 1,
        "{problems:?}"
    );
    put(
        "plugin/a.wit",
        "package towpath:plugin@1.1.0;\ninterface host { more: func(); }\n",
    );
    assert_eq!(
        changed(folder.path()),
        Vec::<String>::new(),
        "the next version may differ"
    );
    put("deps/plugin-1.0.0/b.wit", "interface more {}");
    let problems = changed(folder.path());
    assert!(
        problems[0].contains("a released package never is") && problems.len() == 1,
        "{problems:?}"
    );
}

#[test]
fn the_draft_is_what_was_recorded() {
    for package in PACKAGES {
        let (current, record) = (files(&wit().join(package)), recorded().join(package));
        if std::env::var_os("BLESS").is_some() {
            fs::remove_dir_all(&record).unwrap();
            fs::create_dir_all(&record).unwrap();
            for (name, content) in &current {
                fs::write(record.join(name), content).unwrap();
            }
        }
        let before = files(&record);
        if version(&current) == version(&before) {
            assert!(
                current == before,
                "wit/{package} was changed and is still version {}: components that were built before may not run. While it is a draft, say so in CHANGELOG.md and \
                 record it by BLESS=1 cargo test --test components -- contract; once it is released, give it the next version",
                version(&current)
            );
        }
    }
}

#[test]
fn what_was_built_against_the_recorded_package_still_runs() {
    let (_lab, plugin) = Lab::plugin("recorded", Limits::default());
    let mut double = plugin.transformation(&config(&[])).unwrap();
    let batch = TestRecords::values([Some(&b"ab"[..]), None, Some(b""), Some(b"c")]);
    let edits = double.transform(batch).unwrap();
    assert_eq!(edits.values.rows, [0, 3]);
    let values: Vec<&[u8]> = edits.values.values.iter().flatten().collect();
    assert_eq!(values, [&b"abab"[..], b"cc"]);
    assert_eq!(edits.edits, [(2, Edit::Reject("nothing in it".to_owned()))]);
    assert_eq!(plugin.counters(), [("batches".to_owned(), 1)]);
    let error = plugin.transformation(&config(&[("times", "3")])).err().unwrap();
    assert!(error.to_string().contains("must be 2"), "{error}");
}
