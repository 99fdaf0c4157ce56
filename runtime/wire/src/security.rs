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

// === impl Security ===

impl Security {
    /// The principal that a cluster's ACLs know the client by, unless its brokers map names otherwise. None when only they know: with a client
    /// certificate, or before the first token.
    pub fn principal(&self) -> Option<String> {
        match (&self.sasl, &self.tls) {
            (Some(sasl), _) => sasl.principal(),
            (None, None) => Some("User:ANONYMOUS".to_owned()),
            (None, Some(_)) => None,
        }
    }
}
