//! A plugin that does everything wrong, as its configuration says: the host's tests are about what becomes of it.

use std::hint::black_box;

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Edit, Edits, Failure, Needs, Plugin, Transformation,
    export_plugin,
    host::{self, Level},
};

struct Hostile {
    act: String,
}

/// `describe` has no configuration: the tests overwrite the end of this in the built module.
static IN_DESCRIBE: [u8; 28] = *b"hostile-in-describe:behave..";
static VERSION: [u8; 21] = *b"hostile-version:0.1.0";

impl Plugin for Hostile {
    fn describe() -> Descriptor {
        match &black_box(&IN_DESCRIBE)[20..] {
            b"trap...." => panic!("trapped in describe"),
            b"loop...." => endless(),
            b"memory.." => eat_memory(),
            b"badname." => Descriptor::new("Bad Name", "1.0.0", ""),
            b"version." => Descriptor::new("hostile", "newest", ""),
            _ => Descriptor::new("hostile", version(), "Misbehaves.")
                .key(ConfigKey::required("act", ConfigType::String).documentation("What to do."))
                .key(ConfigKey::optional("size", ConfigType::Int))
                .key(ConfigKey::optional("secret", ConfigType::Password)),
        }
    }

    fn init(config: &mut Config) -> Option<Self> {
        let act = config.string("act")?;
        match act.as_str() {
            "init-trap" => panic!("trapped in init"),
            "init-loop" => endless(),
            "init-memory" => eat_memory(),
            "init-mistakes" => {
                config.mistake::<()>("act", "is not nice");
                config.mistake("secret", "is too short")
            }
            "init-silent" => None,
            _ => Some(Self { act }),
        }
    }

    fn needs(&self) -> Needs {
        match self.act.as_str() {
            "undeclared-read" => Needs::none().changes_value(),
            "undeclared-edit" => Needs::none().reads_key(),
            "headers" => Needs::none().reads_headers().changes_value(),
            "nothing" => Needs::none(),
            _ => Needs::none()
                .reads_key()
                .reads_value()
                .reads_offset()
                .reads_timestamp()
                .changes_value()
                .drops(),
        }
    }
}

impl Transformation for Hostile {
    fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
        let mut edits = Edits::new();
        match self.act.as_str() {
            "trap" => panic!("trapped in transform"),
            // a value decides, so that the same batch breaks again and another one does not
            "trap-on-bad" if has_bad(batch) => panic!("a bad record"),
            "loop-on-bad" if has_bad(batch) => endless(),
            "trap-on-bad" | "loop-on-bad" | "nothing" => {}
            "loop" => endless(),
            "memory" => eat_memory(),
            "overflow" => drop(black_box(recurse(1))),
            "output" => edits.write_value(0, |out| out.resize(20 << 20, b'x')),
            "undeclared-read" => drop(batch.values()),
            "undeclared-edit" => edits.drop(0),
            "wrong-index" => drop(batch.value(batch.len())),
            "out-of-range" => edits.drop(batch.len()),
            "descending" => {
                edits.drop(1);
                edits.drop(0);
            }
            "contradiction" => {
                edits.drop(0);
                edits.push(0, Edit::SetValue(None));
            }
            "log" => {
                for line in 0..10_000 {
                    host::log(Level::Info, format!("line {line}\nforged {}", "x".repeat(5000)));
                }
            }
            "count" => {
                host::count("records", u64::from(batch.len()));
                (0..100).for_each(|name| host::count(&format!("name_{name}"), 1));
            }
            "fail" => return Err(Failure::permanent("it cannot be done")),
            "fail-for-now" => return Err(Failure::retriable("not now")),
            "headers" => {
                for index in 0..batch.len() {
                    let keys: Vec<String> = batch
                        .headers(index)
                        .into_iter()
                        .map(|header| header.key)
                        .collect();
                    edits.set_value(index, Some(keys.join(",").as_bytes()));
                }
            }
            _ => echo(batch, &mut edits),
        }
        Ok(edits)
    }
}

fn has_bad(batch: &Batch<'_>) -> bool {
    batch.values().iter().any(|value| value == Some(b"bad"))
}

/// Says in the value what was seen; every third record is dropped.
fn echo(batch: &Batch<'_>, edits: &mut Edits) {
    let records = batch.records(
        Needs::none()
            .reads_key()
            .reads_value()
            .reads_offset()
            .reads_timestamp()
            .reads,
    );
    for record in records.iter() {
        if record.index % 3 == 2 {
            edits.drop(record.index);
            continue;
        }
        let text = format!(
            "{}-{}@{:?}/{:?} {:?}={:?}",
            batch.topic(),
            batch.partition(),
            record.offset,
            record.timestamp,
            record.key.map(String::from_utf8_lossy),
            record.value.map(String::from_utf8_lossy),
        );
        edits.set_value(record.index, Some(text.as_bytes()));
    }
}

fn version() -> &'static str {
    std::str::from_utf8(&black_box(&VERSION)[16..]).unwrap_or_default()
}

fn endless() -> ! {
    loop {
        black_box(());
    }
}

fn eat_memory() -> ! {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(black_box(vec![1; 1 << 20]));
    }
}

fn recurse(depth: u64) -> u64 {
    if black_box(depth) == 0 {
        0
    } else {
        1 + recurse(black_box(depth + 1))
    }
}

export_plugin!(transformation: Hostile);
