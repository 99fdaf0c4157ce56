//! Plugins in Rust: cargo makes a core module for wasm32-unknown-unknown, which is wrapped here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, anyhow};
use include_dir::{Dir, include_dir};
use serde_json::Value;
use towpath_componentize::Component;

use super::Toolchain;
use crate::{
    failure::Failure,
    plugin::{new::Project, tool::Tool},
};

pub(super) struct Rust;

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk/rust/template");

const TARGET: &str = "wasm32-unknown-unknown";
/// Cargo cannot tell a package from one of the same name and version among its dependencies.
const OURS: [&str; 2] = ["towpath-plugin", "towpath-plugin-cases"];

const CARGO: Tool = Tool {
    program: "cargo",
    remedy: "install Rust with https://rustup.rs",
};
const RUSTC: Tool = Tool {
    program: "rustc",
    remedy: CARGO.remedy,
};

// === impl Rust ===

impl Toolchain for Rust {
    fn marks(&self) -> &'static [&'static str] {
        &["Cargo.toml"]
    }

    fn template(&self) -> &'static Dir<'static> {
        &TEMPLATE
    }

    fn placeholders(&self, project: &Project) -> Result<Vec<(&'static str, String)>, Failure> {
        if OURS.contains(&project.name.as_str()) {
            let sentence = format!("{}: is a package of the SDK's; take another name", project.name);
            return Err(Failure::Input(vec![sentence]));
        }
        let sdk = match &project.sdk {
            Some(sdk) if is_sdk(sdk) => sdk.clone(),
            Some(sdk) => {
                let sentence = format!(
                    "--sdk {}: there is no Cargo.toml of towpath-plugin in it; name the folder sdk/rust of Towpath's sources",
                    sdk.display()
                );
                return Err(Failure::Input(vec![sentence]));
            }
            None => found_above(&project.current).ok_or_else(|| {
                Failure::Input(vec![format!(
                    "the SDK was not found above {}: give --sdk, the folder sdk/rust of Towpath's sources",
                    project.current.display()
                )])
            })?,
        };
        let sdk = fs::canonicalize(&sdk).with_context(|| format!("cannot read {}", sdk.display()))?;
        let sdk = sdk.to_str().ok_or_else(|| {
            Failure::Input(vec![format!(
                "--sdk {}: is not UTF-8, which Cargo.toml must be; move it",
                sdk.display()
            )])
        })?;
        // A TOML string has JSON's escapes.
        Ok(vec![("sdk", Value::from(sdk).to_string())])
    }

    fn build(&self, project: &Path, _work: &Path) -> Result<Vec<u8>, Failure> {
        has_target(project)?;
        let mut command = CARGO.command();
        command
            .args([
                "build",
                "--release",
                "--lib",
                "--target",
                TARGET,
                "--message-format=json-render-diagnostics",
            ])
            .current_dir(project)
            .stdout(Stdio::piped());
        let output = CARGO.run(&mut command)?;
        let module = module(&output.stdout).ok_or_else(|| {
            anyhow!(
                "cargo made no module of {}: a plugin is a library with crate-type = [\"cdylib\"] in Cargo.toml",
                project.display()
            )
        })?;
        let bytes = fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
        let component = Component::new(&bytes).with_context(|| module.display().to_string())?;
        Ok(component.bytes)
    }
}

/// Without the target, cargo's own words are about a missing crate `core`.
fn has_target(project: &Path) -> Result<(), Failure> {
    let mut command = RUSTC.command();
    command
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(project)
        .stdout(Stdio::piped());
    let output = RUSTC.run(&mut command)?;
    if Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir() {
        return Ok(());
    }
    Err(anyhow!("this Rust toolchain cannot build for {TARGET}: run rustup target add {TARGET}").into())
}

/// Where the project's own module is: cargo tells of its packages in the order it builds them, and so of this one last.
fn module(messages: &[u8]) -> Option<PathBuf> {
    let made = messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut modules = made.filter_map(|message| {
        let kinds = message["target"]["kind"].as_array()?;
        let files = message["filenames"].as_array()?;
        let mut files = files.iter().filter_map(Value::as_str);
        kinds
            .iter()
            .any(|kind| kind == "cdylib")
            .then(|| files.find(|file| file.ends_with(".wasm")).map(PathBuf::from))?
    });
    modules.next_back()
}

fn found_above(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .map(|above| above.join("sdk/rust"))
        .find(|sdk| is_sdk(sdk))
}

fn is_sdk(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|manifest| {
        manifest
            .lines()
            .any(|line| line.trim() == "name = \"towpath-plugin\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_that_of_the_last_library_made() {
        let messages = br#"{"reason":"compiler-artifact","target":{"kind":["lib"]},"filenames":["/t/libsdk.rlib"]}
{"reason":"compiler-artifact","target":{"kind":["cdylib","rlib"]},"filenames":["/t/plugin.wasm","/t/libplugin.rlib"]}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(module(messages), Some(PathBuf::from("/t/plugin.wasm")));
        assert_eq!(
            module(b"{\"reason\":\"build-finished\",\"success\":true}\n"),
            None
        );
    }
}
