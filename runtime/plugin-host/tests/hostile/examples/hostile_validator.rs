//! A validator that does everything wrong, as its key `act` says, to batches with a value `bad`.

use std::hint::black_box;

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Failure, Needs, Pair, Plugin, Rejection, Validator,
    export_plugin,
};

struct Hostile {
    act: String,
}

impl Plugin for Hostile {
    fn describe() -> Descriptor {
        Descriptor::new("hostile-validator", "0.1.0", "Misbehaves.")
            .key(ConfigKey::required("act", ConfigType::String).documentation("What to do."))
    }

    fn init(config: &mut Config) -> Option<Self> {
        Some(Self {
            act: config.string("act")?,
        })
    }

    fn needs(&self) -> Needs {
        Needs::none().reads_value()
    }
}

impl Validator for Hostile {
    fn validate(
        &mut self,
        source: &Batch<'_>,
        _target: &Batch<'_>,
        pairs: &[Pair],
    ) -> Result<Vec<Rejection>, Failure> {
        if !source.values().iter().any(is_bad) {
            return Ok(Vec::new());
        }
        let rejection = |index: u32, reason: String| Rejection { index, reason };
        let count = pairs.len() as u32;
        Ok(match self.act.as_str() {
            "trap" => panic!("a bad record"),
            "loop" => loop {
                black_box(());
            },
            "out-of-range" => vec![rejection(count, "x".to_owned())],
            "twice" => vec![rejection(0, "x".to_owned()), rejection(0, "y".to_owned())],
            "output" => vec![rejection(0, "x".repeat(20 << 20))],
            "undeclared" => {
                drop(source.keys());
                Vec::new()
            }
            "utf8" => vec![rejection(0, not_utf8())],
            "random" => {
                let seed = count.wrapping_mul(31) + 7;
                let index = |step: u32| seed.wrapping_mul(2_654_435_761).rotate_left(step * 7);
                (0..4)
                    .map(|step| rejection(index(step), format!("{step}")))
                    .collect()
            }
            _ => Vec::new(),
        })
    }
}

/// A string as no safe guest makes one.
#[expect(unsafe_code, reason = "a hostile guest is bound by no compiler")]
fn not_utf8() -> String {
    // SAFETY: there is none; nothing in here looks at the string, it goes to the host as bytes.
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe, b'z']) }
}

fn is_bad(value: Option<&[u8]>) -> bool {
    value.is_some_and(|value| value.starts_with(b"bad"))
}

export_plugin!(validator: Hostile);
