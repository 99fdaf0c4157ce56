//! How a connection is protected, and who says that it is who: what `security.protocol` stands for.

mod secret;

pub use secret::{Environment, Secret, Unresolved};

use crate::Sasl;

/// Neither is `PLAINTEXT`, `tls` alone `SSL`, `sasl` alone `SASL_PLAINTEXT`, both are `SASL_SSL`.
#[derive(Clone, Debug, Default)]
pub struct Security {
    pub tls: Option<Tls>,
    pub sasl: Option<Sasl>,
}

/// What `ssl.*` says.
#[derive(Clone, Debug)]
pub enum Tls {}
