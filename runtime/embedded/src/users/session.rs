//! Authentication of one connection: SaslHandshake, then SaslAuthenticate as often as the mechanism needs.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Mechanism, Users, scram};
use crate::ErrorCode;

#[derive(Debug)]
pub(crate) struct Session(Mutex<State>);

#[derive(Debug)]
struct State {
    step: Step,
    identity: Identity,
}

/// Where an exchange is.
enum Step {
    /// Authentication, or another one, may begin.
    Start,
    Chosen(Mechanism),
    Challenged(scram::Challenge),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Identity {
    /// The listener is PLAINTEXT: everybody is nobody.
    Anonymous,
    Unknown,
    User {
        name: String,
        until: Option<Instant>,
    },
}

/// Why somebody is not let in; the connection is closed after the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

// === impl Session ===

impl Session {
    /// A connection to a listener of protocol PLAINTEXT.
    pub(crate) fn anonymous() -> Self {
        Self::new(Identity::Anonymous)
    }

    /// A connection to a listener of protocol SASL_PLAINTEXT.
    pub(crate) fn unknown() -> Self {
        Self::new(Identity::Unknown)
    }

    fn new(identity: Identity) -> Self {
        Self(Mutex::new(State {
            step: Step::Start,
            identity,
        }))
    }

    /// `None` before authentication, and when it is no longer valid (KIP-368).
    pub(crate) fn principal(&self) -> Option<String> {
        match &self.lock().identity {
            Identity::Anonymous => Some("User:ANONYMOUS".to_owned()),
            Identity::User {
                until: Some(until), ..
            } if *until <= Instant::now() => None,
            Identity::User { name, .. } => Some(format!("User:{name}")),
            Identity::Unknown => None,
        }
    }

    pub(crate) fn handshake(&self, mechanism: &str) -> Result<(), ErrorCode> {
        let mut state = self.lock();
        if state.identity == Identity::Anonymous || !matches!(state.step, Step::Start) {
            return Err(ErrorCode::IllegalSaslState);
        }
        let mechanism = Mechanism::named(mechanism).ok_or(ErrorCode::UnsupportedSaslMechanism)?;
        state.step = Step::Chosen(mechanism);
        Ok(())
    }

    /// What to say to the client. `nonce` is random text, `lifetime` how long the authentication is valid.
    pub(crate) fn authenticate(
        &self,
        said: &[u8],
        users: &Users,
        nonce: &str,
        lifetime: Option<Duration>,
    ) -> Result<Vec<u8>, Failed> {
        let mut state = self.lock();
        let step = std::mem::replace(&mut state.step, Step::Start);
        let (user, answer) = match step {
            Step::Start => {
                let message = "SaslAuthenticate request received before a SaslHandshake";
                return Err(Failed {
                    code: ErrorCode::IllegalSaslState,
                    message: message.to_owned(),
                });
            }
            Step::Chosen(Mechanism::Plain) => (plain(said, users)?, Vec::new()),
            Step::Chosen(Mechanism::Scram(mechanism)) => {
                let invalid = || invalid_credentials(Mechanism::Scram(mechanism));
                let first = scram::first(said).ok_or_else(invalid)?;
                let credential = users.credential(&first.0, mechanism).ok_or_else(invalid)?.clone();
                let challenge = scram::Challenge::new(mechanism, credential, first, nonce);
                let answer = challenge.message().as_bytes().to_vec();
                state.step = Step::Challenged(challenge);
                return Ok(answer);
            }
            Step::Challenged(challenge) => {
                let mechanism = Mechanism::Scram(challenge.mechanism());
                let answer = challenge
                    .check(said)
                    .ok_or_else(|| invalid_credentials(mechanism))?;
                (challenge.user, answer.into_bytes())
            }
        };
        if let Identity::User { name, .. } = &state.identity
            && *name != user
        {
            let message = format!("Cannot change principals during re-authentication from {name}: {user}");
            return Err(Failed {
                code: ErrorCode::SaslAuthenticationFailed,
                message,
            });
        }
        let until = lifetime.map(|lifetime| Instant::now() + lifetime);
        state.identity = Identity::User { name: user, until };
        Ok(answer)
    }

    /// Whether an exchange is over: only then its answer says how long it is valid.
    pub(crate) fn is_done(&self) -> bool {
        let state = self.lock();
        matches!(state.step, Step::Start) && matches!(state.identity, Identity::User { .. })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 4616: whom to act as, who one is, and the password.
fn plain(said: &[u8], users: &Users) -> Result<String, Failed> {
    let failed = |message: &str| {
        Err(Failed {
            code: ErrorCode::SaslAuthenticationFailed,
            message: message.to_owned(),
        })
    };
    let Ok(said) = std::str::from_utf8(said) else {
        return failed("Authentication failed: not UTF-8");
    };
    match said.split('\0').collect::<Vec<_>>()[..] {
        [other, user, password] => {
            if user.is_empty() || password.is_empty() {
                return failed("Authentication failed: username or password not specified");
            }
            if !users.has_password(user, password) {
                return failed("Authentication failed: Invalid username or password");
            }
            if !other.is_empty() && other != user {
                return failed(
                    "Authentication failed: Client requested an authorization id that is different from username",
                );
            }
            Ok(user.to_owned())
        }
        _ => failed("Invalid SASL/PLAIN response: expected 3 tokens"),
    }
}

fn invalid_credentials(mechanism: Mechanism) -> Failed {
    let message = format!(
        "Authentication failed during authentication due to invalid credentials with SASL mechanism {}",
        mechanism.name()
    );
    Failed {
        code: ErrorCode::SaslAuthenticationFailed,
        message,
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Start => "Start",
            Self::Chosen(mechanism) => mechanism.name(),
            Self::Challenged(_) => "Challenged",
        })
    }
}
