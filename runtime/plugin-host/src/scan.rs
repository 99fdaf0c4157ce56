//! From a file of `plugin.path` to a plugin.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
};

use semver::Version;
use sha2::{Digest, Sha256};
use towpath_domain::plugin::Kind;
use tracing::info;
use wasmtime::{
    Engine,
    component::{Component, HasSelf, Linker},
};

use crate::{
    Cause, Code, Descriptor, Limits, Plugin,
    bindings::Any,
    cache::Cache,
    engine::Ticker,
    instance::{Instance, Nameless},
    state::State,
    voice::Voice,
    wasi,
};

mod interfaces;

use interfaces::Interfaces;

/// A file or folder of `plugin.path` that gives no plugin. The others are not affected.
#[derive(Debug)]
pub struct ScanError {
    pub path: PathBuf,
    pub problem: Problem,
}

/// What is wrong with it, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("does not exist; correct `plugin.path`")]
    Missing,
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error(
        "has more than {limit} bytes, the most that is compiled; strip it, or leave out what it does not need"
    )]
    TooLarge { limit: usize },
    #[error("is not WebAssembly; `plugin.path` is for components, build one (see sdk/)")]
    NotWasm,
    #[error(
        "is a core module, not a component; run `towpath-componentize {0} OUT.wasm`, and put the result in its place"
    )]
    CoreModule(String),
    #[error("is truncated or damaged ({0}); copy or build it again")]
    Damaged(String),
    #[error(
        "was still being compiled after {0:?}; raise `plugin.compile.timeout.ms` if the machine is slow, or build a smaller one"
    )]
    Slow(std::time::Duration),
    #[error("is not a component that can be compiled: {0}; build it again, for wasm32 without threads")]
    Invalid(String),
    #[error("is a component but no plugin: it exports none of {}; export one with the SDK", interfaces::KINDS.map(|(name, _)| name).join(", "))]
    NoPlugin,
    #[error("exports the interfaces of {0} and {1}: a plugin has one kind, make two of it")]
    TwoKinds(Kind, Kind),
    #[error(
        "speaks version {found} of the {contract}, this host speaks {}; {}",
        range(supported),
        way_out(found, supported)
    )]
    Version {
        contract: &'static str,
        found: String,
        /// oldest first
        supported: &'static [&'static str],
    },
    #[error(
        "imports `{0}`, which no plugin is given; leave out the library that needs it, or build it for another target (see sdk/)"
    )]
    Import(String),
    #[error(
        "imports schema-registry, which a {0} is never granted; its answers must depend on its configuration alone"
    )]
    NeverGranted(Kind),
    #[error("does not keep to the plugin contract: {0}; build it again with this version's SDK")]
    Contract(String),
    #[error("broke in `describe`: {0}; this is a bug of the plugin")]
    Describe(Cause),
    #[error("describes itself wrongly: {0}; correct `describe`")]
    Descriptor(String),
    #[error("is {plugin}, but so is {other} with other contents; remove one, or give it another version")]
    Twice { plugin: String, other: PathBuf },
}

/// What scanning needs to know.
pub(crate) struct Scanner {
    pub(crate) engine: Engine,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) linker: Linker<State>,
    pub(crate) cache: Option<Cache>,
    pub(crate) limits: Limits,
    pub(crate) limits_of: BTreeMap<String, Limits>,
}

// === impl ScanError ===

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for ScanError {}

// === impl Scanner ===

impl Scanner {
    pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
        let mut linker = Linker::new(engine);
        Any::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        Ok(linker)
    }

    /// Reads, compiles and describes the plugin in this file.
    pub(crate) fn load(&self, path: &Path) -> Result<Plugin, Problem> {
        let bytes = read(path, self.limits.component_bytes)?;
        preamble(path, &bytes)?;
        let digest = hex(&Sha256::digest(&bytes));
        let (component, code) = self.compile(bytes, &digest)?;
        let Interfaces { kind, registries } = Interfaces::of(&component, &self.engine)?;
        let mut linker = self.linker.clone();
        let pre = wasi::link(&mut linker, &component, &self.engine)
            .and_then(|()| linker.instantiate_pre(&component))
            .map_err(|error| Problem::Contract(format!("{error:#}")))?;
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let most = self
            .limits_of
            .values()
            .fold(self.limits.clone(), |most, limits| most.or_more(limits));
        let voice = Arc::new(Voice::new(stem, &most));
        let descriptor = Instance::<Nameless>::start(&pre, &most, voice)
            .and_then(|mut instance| instance.describe(&most))
            .map_err(|fault| Problem::Describe(fault.cause))?;
        let descriptor = Descriptor::from_wit(descriptor).map_err(Problem::Descriptor)?;
        let limits = self.limits_of.get(&descriptor.name).unwrap_or(&self.limits);
        let voice = Voice::new(format!("{}@{}", descriptor.name, descriptor.version), limits);
        Ok(Plugin {
            kind,
            descriptor,
            digest,
            path: path.to_owned(),
            code,
            wants_registries: registries,
            registries: None,
            pre,
            voice: Arc::new(voice),
            limits: limits.clone(),
            figures: Arc::default(),
            _ticker: Arc::clone(&self.ticker),
        })
    }

    fn compile(&self, bytes: Vec<u8>, digest: &str) -> Result<(Component, Code), Problem> {
        if let Some(component) = self
            .cache
            .as_ref()
            .and_then(|cache| cache.load(&self.engine, digest))
        {
            return Ok((component, Code::Cached));
        }
        let length = bytes.len();
        let component = self.compile_in_time(bytes)?.map_err(|error| {
            let text = format!("{error:#}").replace('\n', " ");
            // the parser's words for a file that is shorter than its sections say
            let cut = ["unexpected end", "out of bounds (bound"]
                .iter()
                .any(|words| text.contains(words));
            if cut {
                Problem::Damaged(text)
            } else {
                Problem::Invalid(text)
            }
        })?;
        info!(digest, bytes = length, "plugin compiled");
        if let Some(cache) = &self.cache {
            cache.store(digest, &component);
        }
        Ok((component, Code::Compiled))
    }

    /// A compiler cannot be interrupted: what takes too long goes on in its thread, until the process that refuses the file ends.
    fn compile_in_time(&self, bytes: Vec<u8>) -> Result<wasmtime::Result<Component>, Problem> {
        let engine = self.engine.clone();
        let (done, result) = mpsc::channel();
        let compile = move || drop(done.send(Component::from_binary(&engine, &bytes)));
        thread::Builder::new()
            .name("towpath-compile".to_owned())
            .stack_size(COMPILER_STACK)
            .spawn(compile)
            .map_err(Problem::Unreadable)?;
        match result.recv_timeout(self.limits.compile_timeout) {
            Ok(compiled) => Ok(compiled),
            Err(RecvTimeoutError::Timeout) => Err(Problem::Slow(self.limits.compile_timeout)),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Problem::Invalid("the compiler panicked on it".to_owned()))
            }
        }
    }
}

/// Bytes; of the threads that have always compiled.
const COMPILER_STACK: usize = 8 << 20;

/// The files that an entry of `plugin.path` stands for: itself, or every `*.wasm` directly in it, by name.
pub(crate) fn files(entry: &Path) -> Result<Vec<PathBuf>, Problem> {
    let metadata = fs::metadata(entry).map_err(unreadable)?;
    if !metadata.is_dir() {
        return Ok(vec![entry.to_owned()]);
    }
    let mut files = Vec::new();
    for file in fs::read_dir(entry).map_err(unreadable)? {
        let path = file.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() > limit {
        Err(Problem::TooLarge { limit })
    } else {
        Ok(bytes)
    }
}

/// The first 8 bytes: magic, version, layer (component model, "Binary.md"). A core module has version 1, layer 0.
fn preamble(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    match bytes {
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(Problem::CoreModule(path.display().to_string())),
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', ..] => {
            Err(Problem::Damaged("its head is not that of a component".to_owned()))
        }
        [] => Err(Problem::Damaged("it is empty".to_owned())),
        _ => Err(Problem::NotWasm),
    }
}

fn unreadable(error: io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::Missing,
        _ => Problem::Unreadable(error),
    }
}

/// `0.1.0`, or `0.1.0 to 0.3.0`.
fn range(supported: &[&str]) -> String {
    match supported {
        [] => "none".to_owned(),
        [only] => (*only).to_owned(),
        [oldest, .., newest] => format!("{oldest} to {newest}"),
    }
}

fn way_out(found: &str, supported: &[&str]) -> String {
    let newest = supported.last().copied().unwrap_or_default();
    let is_newer = match (Version::parse(found), Version::parse(newest)) {
        (Ok(found), Ok(newest)) => found > newest,
        _ => false,
    };
    if is_newer {
        format!("upgrade Towpath, or build it with the SDK of {newest}")
    } else {
        format!("build it with the SDK of {newest}")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_version_is_told_with_the_range_and_a_way_out() {
        let problem = |found: &str, supported| {
            let found = found.to_owned();
            Problem::Version {
                contract: "plugin contract",
                found,
                supported,
            }
            .to_string()
        };
        let supported = &["1.0.0", "1.1.0", "2.0.0"];
        let start = "of the plugin contract, this host speaks 1.0.0 to 2.0.0";
        assert_eq!(
            problem("2.0.1", supported),
            format!("speaks version 2.0.1 {start}; upgrade Towpath, or build it with the SDK of 2.0.0")
        );
        for found in ["0.9.0", "1.0.7", "none", "newest"] {
            assert_eq!(
                problem(found, supported),
                format!("speaks version {found} {start}; build it with the SDK of 2.0.0")
            );
        }
    }
}
