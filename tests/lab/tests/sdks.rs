//! One plugin in every language: built by `towpath plugin build`, it does what the same golden cases say, byte for byte.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Result, ensure};
use towpath_lab::{environment, towpath};

/// A version of `plugins/insert-header`.
struct Version {
    language: &'static str,
    /// Its project, in the repository.
    project: &'static str,
    /// What its toolchain needs in the `PATH`, and how to install it.
    programs: &'static [&'static str],
    remedy: &'static str,
}

const VERSIONS: [Version; 2] = [
    Version {
        language: "Rust",
        project: "plugins/insert-header",
        programs: &["cargo"],
        remedy: "install Rust with https://rustup.rs",
    },
    Version {
        language: "C",
        project: "sdk/c/examples/insert-header",
        programs: &["clang", "wasm-ld"],
        remedy: "on Debian: apt-get install clang lld",
    },
];

fn tool(arguments: &[&Path]) -> Result<(Output, String)> {
    // Rust's dependencies are compiled once for all such tests.
    let target = environment::profile_dir()?.with_file_name("wasm-projects");
    let output = Command::new(towpath::binary()?)
        .arg("plugin")
        .args(arguments)
        .env("CARGO_TARGET_DIR", target)
        .output()?;
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((output, text))
}

/// The language's version, built where it lies in the repository.
fn built(version: &Version, out: &Path) -> Result<PathBuf> {
    let project = environment::workspace_dir().join(version.project);
    let component = out.join(format!("{}.wasm", version.language));
    let (output, text) = tool(&["build".as_ref(), &project, "--out".as_ref(), &component])?;
    ensure!(output.status.success(), "{}: {text}", version.language);
    for part in [
        "insert-header@",
        "transformation",
        "exports ",
        "imports ",
        "size ",
    ] {
        ensure!(
            text.contains(part),
            "{}: {part:?} is missing in {text}",
            version.language
        );
    }
    Ok(component)
}

/// False: it is not installed, which is told; in CI (TOWPATH_TOOLCHAINS=all) it is a failure.
fn is_installed(version: &Version) -> Result<bool> {
    let missing = |program: &&&str| environment::find_program(program).is_none();
    let Some(program) = version.programs.iter().find(missing) else {
        return Ok(true);
    };
    let Version { language, remedy, .. } = version;
    ensure!(
        environment::variable("TOWPATH_TOOLCHAINS").as_deref() != Some("all"),
        "{program} was not found, which plugins in {language} are built with: {remedy}"
    );
    eprintln!("SKIPPED: the plugin in {language}, because {program} was not found: {remedy}");
    Ok(false)
}

#[test]
fn the_same_cases_give_the_same_bytes_in_every_language() -> Result<()> {
    let cases = environment::workspace_dir().join("plugins/insert-header/cases");
    let count = fs::read_dir(&cases)?.count();
    let out = tempfile::tempdir()?;
    for version in &VERSIONS {
        if !is_installed(version)? {
            continue;
        }
        let component = built(version, out.path())?;
        let (output, text) = tool(&["test".as_ref(), &component, "--cases".as_ref(), &cases])?;
        ensure!(output.status.success(), "{}: {text}", version.language);
        ensure!(
            count > 1 && text.contains(&format!("\n{count} passed, 0 failed")),
            "{}: {text}",
            version.language
        );
    }
    Ok(())
}
