//! Compiled plugins on disk, by the digest of their file: loading one takes 0.2 ms, compiling one 0.1 s to half a minute.
//!
//! The cache is an optimization: whatever is wrong with it is logged, and costs a compilation.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use sha2::{Digest, Sha256};
use tracing::{debug, warn};
use wasmtime::{Engine, component::Component};

mod precompiled;

use precompiled::Precompiled;

/// A folder of our own.
pub(crate) struct Cache {
    folder: PathBuf,
    /// who we are, for comparison with who owns a file
    user: u32,
    /// what the machine code depends on beside the component
    compatibility: u64,
}

/// What a file of the cache starts with, followed by the sha256 of the rest.
const MAGIC: &[u8; 16] = b"towpath cwasm 1\n";

/// Tells apart the files that this process is writing at the same time.
static WRITING: AtomicU64 = AtomicU64::new(0);

// === impl Cache ===

impl Cache {
    /// Opens the folder, or makes it, for this user alone. None: it cannot be trusted, which is logged.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Option<Self> {
        match private_folder(folder) {
            Ok(user) => {
                let mut hasher = DefaultHasher::new();
                engine.precompile_compatibility_hash().hash(&mut hasher);
                Some(Self {
                    folder: folder.to_owned(),
                    user,
                    compatibility: hasher.finish(),
                })
            }
            Err(error) => {
                warn!(folder = %folder.display(), %error, "plugin cache not used: plugins are compiled at every start");
                None
            }
        }
    }

    /// The compiled component. None: not there, or not to be trusted.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        match self
            .read(&path)
            .and_then(|code| code.load(engine).map_err(io::Error::other))
        {
            Ok(component) => {
                debug!(digest, "plugin loaded from the cache");
                Some(component)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                warn!(file = %path.display(), %error, "cached plugin not used: compiled again");
                None
            }
        }
    }

    /// Keeps a compiled component for the next start.
    pub(crate) fn store(&self, digest: &str, component: &Component) {
        let path = self.path(digest);
        let stored = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|code| self.write(&path, &code));
        if let Err(error) = stored {
            warn!(file = %path.display(), %error, "compiled plugin not kept");
        }
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder
            .join(format!("{digest}-{:016x}.cwasm", self.compatibility))
    }

    fn read(&self, path: &Path) -> io::Result<Precompiled> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.uid() != self.user || metadata.mode() & 0o022 != 0 {
            return Err(io::Error::other("it is not ours alone to write"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let Some((magic, rest)) = bytes.split_first_chunk::<16>() else {
            return Err(io::Error::other("it is truncated"));
        };
        let Some((digest, code)) = rest.split_first_chunk::<32>() else {
            return Err(io::Error::other("it is truncated"));
        };
        if magic != MAGIC || Sha256::digest(code).as_slice() != digest {
            return Err(io::Error::other("it is damaged"));
        }
        Ok(Precompiled::written_by_us(code.to_vec()))
    }

    /// Under another name first: a reader sees all of a file or none of it, also after a crash.
    fn write(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let number = WRITING.fetch_add(1, Ordering::Relaxed);
        let unfinished = path.with_extension(format!("{}-{number}.new", std::process::id()));
        let written = (|| {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(MAGIC)?;
            file.write_all(&Sha256::digest(code))?;
            file.write_all(code)?;
            file.sync_all()?;
            fs::rename(&unfinished, path)
        })();
        if written.is_err() {
            // best effort: the error that matters is the first one
            let _ = fs::remove_file(&unfinished);
        }
        written
    }
}

/// Makes sure that nobody else can put files there, and says who we are (as the file system sees it).
fn private_folder(folder: &Path) -> io::Result<u32> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let number = WRITING.fetch_add(1, Ordering::Relaxed);
    let probe = folder.join(format!(".probe-{}-{number}", std::process::id()));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&probe)?;
    let user = file.metadata()?.uid();
    fs::remove_file(&probe)?;
    let metadata = fs::metadata(folder)?;
    if metadata.uid() != user {
        return Err(io::Error::other("it belongs to another user"));
    }
    if metadata.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(user)
}
