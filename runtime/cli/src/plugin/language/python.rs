//! Plugins in Python: componentize-py puts them into a component together with CPython.
//!
//! Its WASI is not stubbed (`--stub-wasi`): the host has stand-ins that do no more, and with them `print` and tracebacks reach the log.

use std::{fs, path::Path, process::Stdio};

use anyhow::Context;
use include_dir::{Dir, include_dir};

use super::{
    Toolchain,
    sdk::{self, File},
};
use crate::{failure::Failure, plugin::tool::Tool};

pub(super) struct Python;

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk/python/template");

const FILES: [File; 2] = [
    (
        "towpath/towpath_plugin.py",
        include_str!("../../../../../sdk/python/towpath/towpath_plugin.py"),
    ),
    (
        "towpath/towpath_registry.py",
        include_str!("../../../../../sdk/python/towpath/towpath_registry.py"),
    ),
];

const REQUIREMENTS: &str = "requirements.txt";

const PYTHON: Tool = Tool {
    program: "python3",
    remedy: "install Python 3.10 or newer, with venv and pip (Debian: python3-venv)",
};

// === impl Python ===

impl Toolchain for Python {
    fn marks(&self) -> &'static [&'static str] {
        &[REQUIREMENTS]
    }

    fn template(&self) -> &'static Dir<'static> {
        &TEMPLATE
    }

    fn sdk(&self) -> Vec<File> {
        [&FILES[..], &sdk::WIT].concat()
    }

    fn build(&self, project: &Path, work: &Path) -> Result<Vec<u8>, Failure> {
        let world = sdk::world(project)?;
        sdk::write(project, &self.sdk())?;
        // the toolchain runs in the project's folder, so that modules are looked for there
        let work = fs::canonicalize(work).with_context(|| format!("cannot read {}", work.display()))?;
        let environment = work.join("venv");
        install(project, &environment)?;
        let made = work.join("python.wasm");
        let componentize = environment.join("bin/componentize-py");
        let program = Tool {
            program: "componentize-py",
            remedy: "name it in requirements.txt: componentize-py==0.25.1",
        };
        let mut command = program.command_at(&componentize);
        command
            .args([
                "--wit-path",
                sdk::WIT_FOLDER,
                "--world",
                &format!("towpath:sdk/{world}"),
            ])
            .args(["componentize", "--python-path", ".", "--python-path", "towpath"])
            .args(["app", "--output"])
            .arg(&made)
            // its way to the packages of requirements.txt
            .env("VIRTUAL_ENV", &environment)
            .current_dir(project);
        program.run(&mut command)?;
        Ok(fs::read(&made).with_context(|| format!("cannot read {}", made.display()))?)
    }
}

/// What requirements.txt names, in an environment of the project's own; again only where that file changed.
fn install(project: &Path, environment: &Path) -> Result<(), Failure> {
    let path = project.join(REQUIREMENTS);
    let wanted = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let installed = environment.join("installed.txt");
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    PYTHON.run(PYTHON.command().args(["-m", "venv"]).arg(environment))?;
    let pip = Tool {
        program: "pip",
        remedy: PYTHON.remedy,
    };
    let mut command = pip.command_at(&environment.join("bin/python3"));
    command
        .args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(REQUIREMENTS)
        .stdout(Stdio::from(std::io::stderr()))
        .current_dir(project);
    pip.run(&mut command)?;
    // the last thing: an installation that was cut off is made again
    Ok(fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))?)
}
