//! A plugin that does everything wrong, as its configuration says: the host's tests are about what becomes of it.

use std::hint::black_box;

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Edit, Edits, Failure, Needs, Plugin, Transformation,
    export_plugin,
    host::{self, Level},
};

struct Hostile {
    act: String,
    /// does it only to batches with a value `bad`, so that the same batch breaks again and another one does not
    on_bad: bool,
    seed: u64,
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
            "init-recursion" => {
                _ = black_box(recurse(1));
                None
            }
            _ => Some(Self {
                on_bad: act.ends_with(ON_BAD),
                act: act.trim_end_matches(ON_BAD).to_owned(),
                seed: config.get("size").and_then(|size| size.parse().ok()).unwrap_or(1),
            }),
        }
    }

    fn needs(&self) -> Needs {
        match self.act.as_str() {
            "undeclared-read" if self.on_bad => Needs::none().reads_value(),
            "undeclared-edit" if self.on_bad => Needs::none().reads_value(),
            "undeclared-read" => Needs::none().changes_value(),
            "undeclared-edit" => Needs::none().reads_key(),
            "random" => Needs::none()
                .reads_value()
                .changes_value()
                .changes_headers()
                .drops()
                .splits(),
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
        if self.on_bad && !has_bad(batch) {
            return Ok(edits);
        }
        match self.act.as_str() {
            "trap" => panic!("trapped in transform"),
            "nothing" => {}
            "mid-batch" => {
                for (index, value) in (0..).zip(batch.values().iter()) {
                    assert!(!is_bad(value), "a bad record");
                    edits.set_value(index, Some(b"never to be seen"));
                }
            }
            "random" => random(self.seed, batch, &mut edits),
            "utf8-topic" => edits.set_topic(0, not_utf8()),
            "utf8-reason" => edits.reject(0, not_utf8()),
            "loop" => endless(),
            "memory" => eat_memory(),
            "recursion" | "overflow" => _ = black_box(recurse(1)),
            "output" => edits.write_value(0, |out| out.resize(20 << 20, b'x')),
            "undeclared-read" if self.on_bad => drop(batch.headers(0)),
            "undeclared-read" => drop(batch.values()),
            "undeclared-edit" => edits.drop(0),
            "wrong-index" => drop(batch.value(batch.len())),
            "out-of-range" => edits.drop(batch.len()),
            "descending" => {
                edits.drop(if self.on_bad { 0 } else { 1 });
                edits.drop(0);
            }
            "contradiction" => {
                edits.drop(0);
                edits.push(0, Edit::SetValue(None));
            }
            "million-lines" => {
                for line in 0..1_000_000 {
                    host::log(Level::Warn, format!("line {line}"));
                }
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

/// What an act ends with that is done to bad records alone.
const ON_BAD: &str = "-on-bad";

/// Edits of any kind to any record, in any order, by the seed and the first value: among them ones that the contract allows.
fn random(seed: u64, batch: &Batch<'_>, edits: &mut Edits) {
    let first = batch.value(0).unwrap_or_default();
    let mut state = first.iter().fold(seed | 1, |state, byte| {
        state.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte)
    });
    let mut below = |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    for _ in 0..below(4) {
        let index = below(u64::from(batch.len()) * 2) as u32;
        let text = format!("{:x}", below(1 << 40));
        match below(10) {
            0 => edits.drop(index),
            1 => edits.set_topic(index, text),
            2 => edits.set_key(index, Some(text.into_bytes())),
            3 => edits.set_value(index, Some(text.as_bytes())),
            4 => edits.push(index, Edit::SetValue(None)),
            5 => edits.append_header(index, text, None),
            6 => edits.remove_headers(index, text),
            7 => edits.replace(index, Vec::new()),
            8 => edits.reject(index, if below(2) == 0 { text } else { not_utf8() }),
            _ => edits.append_header(index, not_utf8(), None),
        }
    }
}

/// A string as no safe guest makes one.
#[expect(unsafe_code, reason = "a hostile guest is bound by no compiler")]
fn not_utf8() -> String {
    // SAFETY: there is none; nothing in here looks at the string, it goes to the host as bytes.
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe, b'z']) }
}

fn has_bad(batch: &Batch<'_>) -> bool {
    batch.values().iter().any(is_bad)
}

fn is_bad(value: Option<&[u8]>) -> bool {
    value.is_some_and(|value| value.starts_with(b"bad"))
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
