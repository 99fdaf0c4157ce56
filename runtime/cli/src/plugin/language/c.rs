//! Plugins in C: bindings are made here, clang compiles them with the SDK and the project's sources, and the module is wrapped.
//!
//! No C library is linked: the SDK brings the few functions that are needed, so there is nothing to import but what the contract has.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, anyhow};
use include_dir::{Dir, include_dir};
use towpath_componentize::Component;
use wit_bindgen_core::Files;

use super::Toolchain;
use crate::{
    failure::Failure,
    plugin::{contract, tool::Tool},
};

pub(super) struct C;

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk/c/template");
static INCLUDE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk/c/include");
static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk/c/src");

const CLANG: Tool = Tool {
    program: "clang",
    remedy: "it compiles plugins in C, on Debian: apt-get install clang lld",
};
const LINKER: Tool = Tool {
    program: "wasm-ld",
    remedy: "clang links plugins with it, on Debian: apt-get install lld",
};

/// A kind, its world, and the folders of the SDK's sources that it needs.
const KINDS: [(&str, &str, &[&str]); 6] = [
    (
        "transformation",
        "towpath:plugin/transformations",
        &["records", "registry", "transformation"],
    ),
    ("router", "towpath:plugin/routers", &["router"]),
    (
        "predicate",
        "towpath:plugin/predicates",
        &["records", "predicate"],
    ),
    (
        "validator",
        "towpath:plugin/validators",
        &["records", "registry", "validator"],
    ),
    (
        "schema-checker",
        "towpath:checks/schema-checkers",
        &["checks", "registry", "schema-checker"],
    ),
    (
        "acl-checker",
        "towpath:checks/acl-checkers",
        &["checks", "registry", "acl-checker"],
    ),
];

/// Of every file: no C library, memory by whole instructions, as much as 128-bit vectors.
const FLAGS: [&str; 8] = [
    "--target=wasm32-unknown-unknown",
    "-O2",
    "-std=c17",
    "-ffreestanding",
    "-nostdlibinc",
    "-mbulk-memory",
    "-msimd128",
    "-ffunction-sections",
];

/// The stack comes first in memory, so that using it up is a trap and no overwritten data.
const LINK_FLAGS: [&str; 5] = [
    "-nostdlib",
    "-Wl,--no-entry",
    "-Wl,--gc-sections",
    "-Wl,--stack-first",
    "-Wl,-z,stack-size=131072",
];

// === impl C ===

impl Toolchain for C {
    fn marks(&self) -> &'static [&'static str] {
        &["plugin.c"]
    }

    fn template(&self) -> &'static Dir<'static> {
        &TEMPLATE
    }

    fn build(&self, project: &Path, work: &Path) -> Result<Vec<u8>, Failure> {
        LINKER.run(LINKER.command().arg("--version").stdout(Stdio::null()))?;
        let project = absolute(project)?;
        let work = absolute(work)?;
        let (_, world, folders) = kind(&project.join("plugin.c"))?;
        let include = work.join("include");
        let sources = work.join("sdk");
        let bindings = work.join("bindings");
        let objects = work.join("objects");
        for folder in [&include, &sources, &bindings, &objects] {
            anew(folder)?;
        }
        INCLUDE.extract(&include).context("cannot write the SDK")?;
        SOURCES.extract(&sources).context("cannot write the SDK")?;
        generate(&work, world, &bindings)?;

        let common = |command: &mut Command| {
            command
                .args(FLAGS)
                .arg("-isystem")
                .arg(&include)
                .arg("-isystem")
                .arg(&bindings);
        };
        let mut compile = CLANG.command();
        common(&mut compile);
        compile
            .args(["-c", "-w"])
            .current_dir(&objects)
            .arg(bindings.join("wit.c"));
        let mut own = files(&sources, "c")?;
        for folder in folders {
            own.extend(files(&sources.join(folder), "c")?);
        }
        CLANG.run(compile.args(own))?;

        let module = work.join("module.wasm");
        let mut link = CLANG.command();
        common(&mut link);
        link.args(["-Wall", "-Wextra"])
            .args(LINK_FLAGS)
            .args(files(&project, "c")?)
            .args(files(&objects, "o")?)
            .arg(bindings.join("wit_component_type.o"))
            .arg("-o")
            .arg(&module);
        CLANG.run(&mut link)?;
        let bytes = fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
        let component = Component::new(&bytes).with_context(|| project.display().to_string())?;
        Ok(component.bytes)
    }
}

/// The kind is told by the one header of the SDK that the plugin includes.
fn kind(plugin: &Path) -> Result<(&'static str, &'static str, &'static [&'static str]), Failure> {
    let text = fs::read_to_string(plugin).with_context(|| format!("cannot read {}", plugin.display()))?;
    let included = |(kind, ..): &(&str, &str, &[&str])| {
        let header = format!("<towpath/{kind}.h>");
        text.lines().any(|line| {
            line.trim_start()
                .strip_prefix('#')
                .and_then(|line| line.trim_start().strip_prefix("include"))
                .is_some_and(|line| line.trim_start().starts_with(&header))
        })
    };
    let found: Vec<_> = KINDS.into_iter().filter(included).collect();
    match found[..] {
        [kind] => Ok(kind),
        _ => Err(anyhow!(
            "{}: includes the headers of {} kinds; a plugin has one, and says so by one of {}",
            plugin.display(),
            found.len(),
            KINDS
                .map(|(kind, ..)| format!("#include <towpath/{kind}.h>"))
                .join(", ")
        )
        .into()),
    }
}

/// `wit.h`, `wit.c` and an object that carries the world's description.
fn generate(work: &Path, world: &str, to: &Path) -> anyhow::Result<()> {
    let (mut resolve, package) = contract::resolve(work)?;
    let world = resolve.select_world(&package, Some(world))?;
    let options = wit_bindgen_c::Opts {
        rename_world: Some("wit".to_owned()),
        ..wit_bindgen_c::Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    for (name, contents) in files.iter() {
        let path = to.join(name);
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Nothing of an earlier build is linked again.
fn anew(folder: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(failed)?;
    }
    fs::create_dir_all(folder).with_context(failed)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Those of a folder with this extension, by name.
fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let failed = || format!("cannot read {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        if path.extension().is_some_and(|found| found == extension) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_told_by_the_header() {
        let folder = tempfile::tempdir().unwrap();
        let plugin = folder.path().join("plugin.c");
        let kind_of = |text: &str| {
            fs::write(&plugin, text).unwrap();
            kind(&plugin).map(|(kind, ..)| kind).map_err(|_| ())
        };
        assert_eq!(
            kind_of("#include <stdint.h>\n  # include <towpath/acl-checker.h>\n"),
            Ok("acl-checker")
        );
        assert_eq!(kind_of("// #include <towpath/router.h>\n"), Err(()));
        assert_eq!(
            kind_of("#include <towpath/router.h>\n#include <towpath/predicate.h>\n"),
            Err(())
        );
    }
}
