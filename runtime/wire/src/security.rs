//! How a connection is protected, and who says that it is who: what `security.protocol` stands for.

mod jaas;
pub mod keys;
mod secret;
mod tls;

pub use secret::{Environment, Secret, Unresolved};
pub use tls::{Pem, Tls};

pub(crate) use tls::{Refused, Stream};

use crate::Sasl;

/// Neither is `PLAINTEXT`, `tls` alone `SSL`, `sasl` alone `SASL_PLAINTEXT`, both are `SASL_SSL`.
#[derive(Clone, Debug, Default)]
pub struct Security {
    pub tls: Option<Tls>,
    pub sasl: Option<Sasl>,
}
