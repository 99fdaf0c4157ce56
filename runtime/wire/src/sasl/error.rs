//! Why a client cannot say who it is, and what to change.

use super::Who;
use crate::{Unresolved, sasl::token};

/// None of the texts has a password or a token in it. What to change is in [`Error::remedy`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// Credentials that the mechanism cannot express.
    #[error("{mechanism}: {what}")]
    Unusable {
        mechanism: &'static str,
        what: &'static str,
    },
    #[error(
        "the broker's listener does not take sasl.mechanism {wanted}, it has {}",
        Enabled(enabled)
    )]
    Mechanism {
        wanted: &'static str,
        enabled: Vec<String>,
    },
    #[error("the broker's listener takes no SASL")]
    NoSasl,
    #[error("{mechanism}: the broker refused {who}: {message}")]
    Refused {
        mechanism: &'static str,
        who: Who,
        message: String,
    },
    /// The other end cannot be what it claims to be, or does not follow the mechanism.
    #[error("{mechanism}: the other end does not prove that it is the broker: {what}")]
    Impostor { mechanism: &'static str, what: String },
    #[error("OAUTHBEARER: {0}")]
    Token(#[from] token::Error),
}

struct Enabled<'a>(&'a [String]);

// === impl Error ===

impl Error {
    /// The configuration key to look at, without its prefix.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Mechanism { .. } => "sasl.mechanism",
            Self::NoSasl => "security.protocol",
            Self::Impostor { .. } => "bootstrap.servers",
            Self::Unresolved(_) | Self::Unusable { .. } | Self::Refused { .. } => "sasl.jaas.config",
            Self::Token(error) => error.key(),
        }
    }

    /// What to change.
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::Unresolved(_) => "mend the reference, or what it leads to",
            Self::Unusable { .. } => "choose others",
            Self::Mechanism { wanted, .. } => {
                return format!(
                    "set one that it has, or add {wanted} to the broker's sasl.enabled.mechanisms"
                );
            }
            Self::NoSasl => {
                "set security.protocol to PLAINTEXT or SSL, or name the port of a listener with SASL"
            }
            Self::Refused { mechanism, who, .. } => match who {
                Who::User(_) => {
                    return format!(
                        "check the user name and the password, and that the cluster has this user for {mechanism}"
                    );
                }
                Who::Token(_) => {
                    "check that the token is not expired (compare the clocks), and that its issuer, audience and scope are what the \
                     broker expects"
                }
            },
            Self::Impostor { .. } => "check the address, and what is between it and here",
            Self::Token(error) => error.remedy(),
        };
        remedy.to_owned()
    }
}

impl std::fmt::Display for Enabled<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            [] => f.write_str("none"),
            enabled => f.write_str(&enabled.join(", ")),
        }
    }
}
