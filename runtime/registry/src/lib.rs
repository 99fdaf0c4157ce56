//! A schema registry by Confluent's API: subjects with their versions, and what an id stands for. Reading only.
//!
//! [`Settings::parse`] reads the keys of one registry, [`Registry`] asks it. A schema under an id never changes; what a registry lacks now it may have later.
#![forbid(unsafe_code)]

mod ask;
mod settings;
mod state;
mod text;

pub use ask::{Error, Registry};
pub use settings::Settings;
pub use text::{Schema, Text};
