//! How a client says who it is (`sasl.mechanism`), and with what: SASL as Kafka's brokers speak it (KIP-12, KIP-84, KIP-152, KIP-255).
//!
//! What a mechanism says is here; when it is said, in `connection::authentication`.

mod endpoint;
mod error;
mod exchange;
mod gate;
mod oauthbearer;
mod scram;
mod token;

use std::{fmt, sync::Arc};

pub use endpoint::TokenEndpoint;
pub use error::Error as SaslError;
pub use oauthbearer::{ClientCredentials, OauthBearer, TokenSource};
pub use token::Error as TokenError;

pub(crate) use error::Error;
pub(crate) use exchange::{Exchange, Step};

use crate::{Options, Secret, Tls};
use gate::Gate;

/// A mechanism with its credentials.
#[derive(Clone, Debug)]
pub enum Sasl {
    Plain(Login),
    Scram(ScramHash, Login),
    OauthBearer(OauthBearer),
}

/// A user name and its password, each resolved anew at every authentication: they may be changed while the client runs.
/// Clones share what is remembered of refusals.
#[derive(Clone, Debug)]
pub struct Login {
    pub username: Secret,
    pub password: Secret,
    gate: Arc<Gate>,
}

/// SCRAM-SHA-256 or SCRAM-SHA-512.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramHash {
    Sha256,
    Sha512,
}

/// Whom a broker is told to talk to, for messages. Has nothing secret in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    User(String),
    /// A token, by its subject where it can be read.
    Token(Option<String>),
}

// === impl Sasl ===

impl Sasl {
    /// The name as brokers know it.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain(_) => "PLAIN",
            Self::Scram(ScramHash::Sha256, _) => "SCRAM-SHA-256",
            Self::Scram(ScramHash::Sha512, _) => "SCRAM-SHA-512",
            Self::OauthBearer(_) => "OAUTHBEARER",
        }
    }

    /// The principal that brokers know the client by when they are not told otherwise (`principal.builder.class`), such as `User:mirror`.
    /// None while it is not known: before the first token.
    pub fn principal(&self) -> Option<String> {
        let name = match self {
            Self::Plain(login) | Self::Scram(_, login) => login.username.resolve().ok(),
            Self::OauthBearer(oauth) => oauth.subject(),
        };
        name.map(|name| format!("User:{name}"))
    }

    /// How the token endpoint is spoken to, when there is one of https.
    pub(crate) fn tls_of_token_endpoint(&self) -> Option<&Tls> {
        match self {
            Self::OauthBearer(oauth) => oauth.tls_of_token_endpoint(),
            Self::Plain(_) | Self::Scram(..) => None,
        }
    }

    /// Credentials as they are now, ready for one authentication. Fails without asking the broker when they cannot be had, and when the broker
    /// has just refused the same ones.
    pub(crate) async fn begin(&self, options: &Options) -> Result<Exchange, Error> {
        match self {
            Self::Plain(login) => {
                let (username, password) = login.resolve(options)?;
                Exchange::plain(username, password)
            }
            Self::Scram(hash, login) => {
                let (username, password) = login.resolve(options)?;
                Ok(Exchange::scram(*hash, username, password))
            }
            Self::OauthBearer(oauth) => Ok(Exchange::oauthbearer(
                oauth.token(options).await?,
                oauth.extensions(),
            )),
        }
    }

    /// The broker took what [`Sasl::begin`] gave.
    pub(crate) fn taken(&self) {
        self.gate().open();
    }

    /// The broker refused it: it is not shown the same again for a while, which grows each time. Accounts are locked by less.
    pub(crate) fn refused(&self, error: &Error) {
        self.gate().close(error);
        if let Self::OauthBearer(oauth) = self {
            oauth.forget();
        }
    }

    fn gate(&self) -> &Gate {
        match self {
            Self::Plain(login) | Self::Scram(_, login) => &login.gate,
            Self::OauthBearer(oauth) => oauth.gate(),
        }
    }
}

// === impl Login ===

impl Login {
    pub fn new(username: Secret, password: Secret) -> Self {
        Self {
            username,
            password,
            gate: Arc::default(),
        }
    }

    fn resolve(&self, options: &Options) -> Result<(String, String), Error> {
        let (username, password) = (self.username.resolve()?, self.password.resolve()?);
        self.gate.pass(&[&username, &password], options)?;
        Ok((username, password))
    }
}

// === impl Who ===

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user {name:?}"),
            Self::Token(Some(subject)) => write!(f, "the token of {subject:?}"),
            Self::Token(None) => f.write_str("the token"),
        }
    }
}
