//! The contract's WIT packages, as this program was built with them: toolchains make bindings of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use include_dir::{Dir, include_dir};
use wit_bindgen_core::wit_parser::{PackageId, Resolve};

static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../wit");

/// Writes the packages below a folder, anew, and answers where the one is that has or sees every world: `towpath:plugin` is below its `deps`.
pub(super) fn write(folder: &Path) -> anyhow::Result<PathBuf> {
    let wit = folder.join("wit");
    let failed = || format!("cannot write {}", wit.display());
    if wit.exists() {
        fs::remove_dir_all(&wit).with_context(failed)?;
    }
    for (package, to) in [
        ("checks", wit.clone()),
        ("plugin", wit.join("deps").join("plugin")),
    ] {
        fs::create_dir_all(&to).with_context(failed)?;
        let files = WIT.get_dir(package).map(Dir::files).into_iter().flatten();
        for file in files {
            let name = file.path().file_name().unwrap_or_default();
            fs::write(to.join(name), file.contents()).with_context(failed)?;
        }
    }
    Ok(wit)
}

/// Every world of the contract, by way of files below a folder.
pub(super) fn resolve(folder: &Path) -> anyhow::Result<(Resolve, Vec<PackageId>)> {
    let wit = write(folder)?;
    let mut resolve = Resolve::default();
    resolve.push_path(&wit)?;
    let packages = resolve.packages.iter().map(|(id, _)| id).collect();
    Ok((resolve, packages))
}
