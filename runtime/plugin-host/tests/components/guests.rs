//! The components that the tests run: built once per run, for wasm32-unknown-unknown, in a target folder of their own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, LazyLock},
    time::Duration,
};

use tempfile::TempDir;
use towpath_componentize::Component;
use towpath_domain::{Offset, Partition};
use towpath_plugin_host::{Host, Limits, Options, Plugin, Records, ScanError, TimestampType};

/// Where cargo puts the core modules.
static MODULES: LazyLock<PathBuf> = LazyLock::new(build);

/// Folder of plugins, cache, host: one per test.
pub struct Lab {
    pub folder: TempDir,
}

/// Records in memory.
#[derive(Default)]
pub struct TestRecords {
    pub keys: Vec<Option<Vec<u8>>>,
    pub values: Vec<Option<Vec<u8>>>,
    pub headers: Vec<Vec<Header>>,
}

pub type Header = (Vec<u8>, Option<Vec<u8>>);

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../wasm-plugins");
    let cargo = |arguments: &[&str]| {
        let status = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--profile",
                "plugin",
                "--target",
                "wasm32-unknown-unknown",
                "--target-dir",
            ])
            .arg(&target)
            .args(arguments)
            .current_dir(&root)
            .status()
            .expect("cargo runs");
        assert!(
            status.success(),
            "building guests failed; is the target there? rustup target add wasm32-unknown-unknown"
        );
    };
    cargo(&[
        "-p",
        "route-by-regex",
        "-p",
        "mask-field",
        "-p",
        "schema-id-remap",
        "-p",
        "hostile",
        "-p",
        "recorded",
        "-p",
        "wasi-guest",
    ]);
    cargo(&["-p", "hostile", "--examples"]);
    cargo(&["-p", "towpath-plugin", "--examples"]);
    target.join("wasm32-unknown-unknown/plugin")
}

/// A core module as cargo built it: `mask_field`, or `examples/predicate`.
pub fn module(name: &str) -> Vec<u8> {
    fs::read(MODULES.join(name).with_extension("wasm")).unwrap()
}

pub fn component(name: &str) -> Vec<u8> {
    Component::new(&module(name)).unwrap().bytes
}

/// The hostile guest, doing this in `describe`.
pub fn hostile_in_describe(act: &str) -> Vec<u8> {
    let (marker, act) = ("hostile-in-describe:", format!("{act:.<8}"));
    let module = replace(
        &module("hostile"),
        format!("{marker}behave..").as_bytes(),
        format!("{marker}{act}").as_bytes(),
    );
    Component::new(&module).unwrap().bytes
}

/// Every occurrence; the length stays, so that the binary stays sound.
pub fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let (mut bytes, mut replaced) = (bytes.to_vec(), 0);
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            replaced += 1;
        }
    }
    assert!(replaced > 0, "{} is not there", String::from_utf8_lossy(from));
    bytes
}

pub fn config(config: &[(&str, &str)]) -> Vec<(String, String)> {
    config
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

// === impl Lab ===

impl Lab {
    pub fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    /// With these components, each named after its module.
    pub fn with(names: &[&str]) -> Self {
        let lab = Self::new();
        for name in names {
            lab.add(
                &format!("{}.wasm", name.rsplit('/').next().unwrap()),
                &component(name),
            );
        }
        lab
    }

    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    pub fn add(&self, file: &str, bytes: &[u8]) {
        fs::create_dir_all(self.plugins()).unwrap();
        fs::write(self.plugins().join(file), bytes).unwrap();
    }

    pub fn open(&self) -> (Host, Vec<ScanError>) {
        self.open_with(Limits {
            call_timeout: Duration::from_millis(500),
            ..Limits::default()
        })
    }

    pub fn open_with(&self, limits: Limits) -> (Host, Vec<ScanError>) {
        let options = Options {
            plugin_path: vec![self.plugins()],
            cache_dir: Some(self.cache()),
            limits,
            ..Options::default()
        };
        Host::open(options).unwrap()
    }

    /// The one problem of a folder with this file alone.
    pub fn problem(file: &[u8]) -> String {
        Self::problem_or_none(file).expect("a problem")
    }

    pub fn problem_or_none(file: &[u8]) -> Option<String> {
        let lab = Self::new();
        lab.add("sample.wasm", file);
        let limits = Limits {
            init_timeout: Duration::from_millis(500),
            ..Limits::default()
        };
        let (host, errors) = lab.open_with(limits);
        assert_eq!(host.plugins().count() + errors.len(), 1, "{errors:?}");
        let sentence = errors.first()?.to_string();
        let path = lab.plugins().join("sample.wasm").display().to_string();
        let problem = sentence.strip_prefix(&path);
        Some(
            problem
                .expect("the sentence starts with the file")
                .trim()
                .to_owned(),
        )
    }

    /// The one plugin of a folder with this component alone.
    pub fn plugin(name: &str, limits: Limits) -> (Self, Arc<Plugin>) {
        let lab = Self::with(&[name]);
        let (host, errors) = lab.open_with(limits);
        assert!(errors.is_empty(), "{errors:?}");
        let plugin = Arc::clone(host.plugins().next().unwrap());
        (lab, plugin)
    }
}

// === impl TestRecords ===

impl TestRecords {
    pub fn values<'a>(values: impl IntoIterator<Item = Option<&'a [u8]>>) -> Arc<Self> {
        let values: Vec<_> = values
            .into_iter()
            .map(|value| value.map(<[u8]>::to_vec))
            .collect();
        let keys = (0..values.len())
            .map(|index| Some(format!("k{index}").into_bytes()))
            .collect();
        Arc::new(Self {
            keys,
            headers: vec![Vec::new(); values.len()],
            values,
        })
    }

    pub fn texts(values: &[&str]) -> Arc<Self> {
        Self::values(values.iter().map(|value| Some(value.as_bytes())))
    }
}

impl Records for TestRecords {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn topic(&self) -> &str {
        "orders"
    }

    fn partition(&self) -> Partition {
        Partition(3)
    }

    fn offset(&self, index: usize) -> Offset {
        Offset(100 + 2 * index as i64)
    }

    fn timestamp(&self, index: usize) -> i64 {
        1_700_000_000_000 + index as i64
    }

    fn timestamp_type(&self) -> TimestampType {
        TimestampType::CreateTime
    }

    fn key(&self, index: usize) -> Option<&[u8]> {
        self.keys[index].as_deref()
    }

    fn value(&self, index: usize) -> Option<&[u8]> {
        self.values[index].as_deref()
    }

    fn headers(&self, index: usize, each: &mut dyn FnMut(&[u8], Option<&[u8]>)) {
        for (key, value) in &self.headers[index] {
            each(key, value.as_deref());
        }
    }
}
