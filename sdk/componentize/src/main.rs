//! `towpath-componentize CORE.wasm OUT.wasm`

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use towpath_componentize::Component;

/// Makes a plugin's component of a core module built for wasm32-unknown-unknown.
#[derive(Parser)]
#[command(name = "towpath-componentize", version)]
struct Arguments {
    /// What cargo built: target/wasm32-unknown-unknown/plugin/NAME.wasm
    core: PathBuf,
    /// Where the component goes, in a folder of `plugin.path` for example; its folder is made when missing.
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("towpath-componentize: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(Arguments { core, out }: &Arguments) -> anyhow::Result<()> {
    let module = fs::read(core).with_context(|| format!("cannot read {}", core.display()))?;
    let component = Component::new(&module).with_context(|| core.display().to_string())?;
    write(out, &component.bytes).with_context(|| format!("cannot write {}", out.display()))?;
    let imports = component
        .imports
        .iter()
        .filter(|import| !import.contains("/types@"));
    let imports: Vec<&str> = imports.map(String::as_str).collect();
    println!(
        "{}: {}, {} bytes, imports {}",
        out.display(),
        component.kind().unwrap_or("no plugin"),
        component.bytes.len(),
        if imports.is_empty() {
            "nothing".to_owned()
        } else {
            imports.join(", ")
        },
    );
    Ok(())
}

/// Whole or not at all: a worker may be reading the folder.
fn write(out: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = out.with_extension("wasm.new");
    fs::write(&unfinished, bytes)?;
    fs::rename(&unfinished, out)
}
