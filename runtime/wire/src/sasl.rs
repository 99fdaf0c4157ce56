//! How a client says who it is (`sasl.mechanism`), and with what.

use crate::Secret;

/// A mechanism with its credentials.
#[derive(Clone, Debug)]
pub enum Sasl {
    Plain(Login),
    Scram(ScramHash, Login),
    OauthBearer(OauthBearer),
}

/// A user name and its password, each resolved anew at every authentication: they may be changed while the client runs.
#[derive(Clone, Debug)]
pub struct Login {
    pub username: Secret,
    pub password: Secret,
}

/// SCRAM-SHA-256 or SCRAM-SHA-512.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramHash {
    Sha256,
    Sha512,
}

/// Where tokens come from.
#[derive(Clone, Debug)]
pub enum OauthBearer {}
