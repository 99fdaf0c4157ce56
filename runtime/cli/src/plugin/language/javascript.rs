//! Plugins in JavaScript: componentize-qjs puts them into a component together with QuickJS.
//!
//! Not `jco`, which calls the same and brings 340 MB with it: this is 40.

use std::{fs, path::Path};

use anyhow::Context;
use include_dir::{Dir, include_dir};
use towpath_componentize::return_borrows;

use super::{
    Toolchain,
    sdk::{self, File},
};
use crate::{failure::Failure, plugin::tool::Tool};

pub(super) struct JavaScript;

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk/javascript/template");

const FILES: [File; 4] = [
    (
        "towpath/plugin.js",
        include_str!("../../../../../sdk/javascript/towpath/plugin.js"),
    ),
    (
        "towpath/plugin.d.ts",
        include_str!("../../../../../sdk/javascript/towpath/plugin.d.ts"),
    ),
    (
        "towpath/registry.js",
        include_str!("../../../../../sdk/javascript/towpath/registry.js"),
    ),
    (
        "towpath/registry.d.ts",
        include_str!("../../../../../sdk/javascript/towpath/registry.d.ts"),
    ),
];

const REMEDY: &str = "install Node.js 18 or newer, with npm";
const NODE: Tool = Tool {
    program: "node",
    remedy: REMEDY,
};
const NPM: Tool = Tool {
    program: "npm",
    remedy: REMEDY,
};

const PACKAGE: &str = "package.json";
const LOCK: &str = "package-lock.json";

/// Where npm puts the program.
const COMPONENTIZE: &str = "node_modules/componentize-qjs/bin/componentize-qjs";

// === impl JavaScript ===

impl Toolchain for JavaScript {
    fn marks(&self) -> &'static [&'static str] {
        &[PACKAGE]
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
        // the toolchain runs in the project's folder, so that imports are looked for there
        let work = fs::canonicalize(work).with_context(|| format!("cannot read {}", work.display()))?;
        install(project, &work)?;
        let made = work.join("quickjs.wasm");
        let mut command = NODE.command();
        command
            .arg(COMPONENTIZE)
            // without it: asynchronous functions of the component model, which no plugin has
            .arg("--sync")
            .args(["--wit", sdk::WIT_FOLDER, "--world", &world])
            .args(["--js", "plugin.js", "--module-root", "."])
            .arg("--output")
            .arg(&made)
            .current_dir(project);
        NODE.run(&mut command)?;
        let component = fs::read(&made).with_context(|| format!("cannot read {}", made.display()))?;
        Ok(return_borrows(&component).context("the component of componentize-qjs cannot be used")?)
    }
}

/// What package.json names, in the versions of the lock file where there is one; again only where one of them changed.
fn install(project: &Path, work: &Path) -> Result<(), Failure> {
    let installed = work.join("installed.txt");
    if project.join(COMPONENTIZE).is_file() && fs::read(&installed).is_ok_and(|was| was == wanted(project)) {
        return Ok(());
    }
    let locked = project.join(LOCK).is_file();
    let command = if locked { "ci" } else { "install" };
    NPM.run(
        NPM.command()
            .args([command, "--no-audit", "--no-fund"])
            .current_dir(project),
    )?;
    if !project.join(COMPONENTIZE).is_file() {
        let sentence = format!(
            "{}: names no componentize-qjs; add \"componentize-qjs\": \"0.4.5\" to devDependencies",
            project.join(PACKAGE).display()
        );
        return Err(Failure::Input(vec![sentence]));
    }
    // the last thing: an installation that was cut off is made again
    let failed = || format!("cannot write {}", installed.display());
    Ok(fs::write(&installed, wanted(project)).with_context(failed)?)
}

fn wanted(project: &Path) -> Vec<u8> {
    let contents = |name| fs::read(project.join(name)).unwrap_or_default();
    [contents(PACKAGE), contents(LOCK)].concat()
}
