//! A predicate that does everything wrong, as its key `act` says, to batches with a value `bad`.

use std::hint::black_box;

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Failure, Needs, Plugin, Predicate, export_plugin,
};

struct Hostile {
    act: String,
}

impl Plugin for Hostile {
    fn describe() -> Descriptor {
        Descriptor::new("hostile-predicate", "0.1.0", "Misbehaves.")
            .key(ConfigKey::required("act", ConfigType::String).documentation("What to do."))
    }

    fn init(config: &mut Config) -> Option<Self> {
        Some(Self {
            act: config.string("act")?,
        })
    }

    fn needs(&self) -> Needs {
        match self.act.as_str() {
            "some" => Needs::none(),
            _ => Needs::none().reads_value(),
        }
    }
}

impl Predicate for Hostile {
    fn matching(&mut self, batch: &Batch<'_>) -> Result<Vec<u32>, Failure> {
        if self.act == "some" {
            // One of two, of a predicate that says it looks at no record.
            return Ok(vec![0]);
        }
        if !batch.values().iter().any(is_bad) {
            return Ok((0..batch.len()).collect());
        }
        Ok(match self.act.as_str() {
            "trap" => panic!("a bad record"),
            "loop" => loop {
                black_box(());
            },
            "out-of-range" => vec![batch.len()],
            "twice" => vec![0, 0],
            "output" => (0..8 << 20).collect(),
            "undeclared" => {
                drop(batch.keys());
                Vec::new()
            }
            "random" => {
                let seed = batch.len().wrapping_mul(31) + 7;
                (0..4)
                    .map(|step| seed.wrapping_mul(2_654_435_761).rotate_left(step * 7))
                    .collect()
            }
            _ => Vec::new(),
        })
    }
}

fn is_bad(value: Option<&[u8]>) -> bool {
    value.is_some_and(|value| value.starts_with(b"bad"))
}

export_plugin!(predicate: Hostile);
