//! A router that does everything wrong, as its key `act` says.

use std::hint::black_box;

use towpath_plugin::{
    Config, ConfigKey, ConfigType, Descriptor, Failure, Needs, Plugin, Router, export_plugin,
};

struct Hostile {
    act: String,
}

impl Plugin for Hostile {
    fn describe() -> Descriptor {
        Descriptor::new("hostile-router", "0.1.0", "Misbehaves.")
            .key(ConfigKey::required("act", ConfigType::String).documentation("What to do."))
    }

    fn init(config: &mut Config) -> Option<Self> {
        Some(Self {
            act: config.string("act")?,
        })
    }

    fn needs(&self) -> Needs {
        Needs::none()
    }
}

impl Router for Hostile {
    fn map_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        Ok(Some(match self.act.as_str() {
            "trap" => panic!("no topic today"),
            "loop" => loop {
                black_box(());
            },
            "output" => "x".repeat(20 << 20),
            "utf8" => not_utf8(),
            "random" => topic.bytes().map(|byte| char::from(byte ^ 0x55)).collect(),
            "collide" => "one".to_owned(),
            _ => topic.to_owned(),
        }))
    }

    fn unmap_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        Ok(Some(match self.act.as_str() {
            "lost" => "another".to_owned(),
            _ => topic.to_owned(),
        }))
    }
}

/// A string as no safe guest makes one.
#[expect(unsafe_code, reason = "a hostile guest is bound by no compiler")]
fn not_utf8() -> String {
    // SAFETY: there is none; nothing in here looks at the string, it goes to the host as bytes.
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe, b'z']) }
}

export_plugin!(router: Hostile);
