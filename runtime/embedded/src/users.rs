//! Users that authenticate with SASL PLAIN and SCRAM.

use std::collections::BTreeMap;

mod scram;
mod session;

pub(crate) use self::{
    scram::{Credential, MAX_ITERATIONS, MIN_ITERATIONS, Mechanism as ScramMechanism},
    session::Session,
};

/// Passwords for PLAIN, credentials for SCRAM. A cluster without users asks nobody to authenticate.
#[derive(Debug, Default)]
pub(crate) struct Users {
    passwords: BTreeMap<String, String>,
    scram: BTreeMap<(String, ScramMechanism), Credential>,
}

/// `sasl.enabled.mechanisms`: all that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Plain,
    Scram(ScramMechanism),
}

// === impl Mechanism ===

impl Mechanism {
    pub(crate) const ALL: [Self; 3] = [
        Self::Plain,
        Self::Scram(ScramMechanism::Sha256),
        Self::Scram(ScramMechanism::Sha512),
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(ScramMechanism::Sha256) => "SCRAM-SHA-256",
            Self::Scram(ScramMechanism::Sha512) => "SCRAM-SHA-512",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }
}

// === impl Users ===

impl Users {
    /// By name and password, for every mechanism. `salt` gives random bytes.
    pub(crate) fn new(passwords: &BTreeMap<String, String>, mut salt: impl FnMut() -> [u8; 16]) -> Self {
        let mut users = Self {
            passwords: passwords.clone(),
            scram: BTreeMap::new(),
        };
        for (name, password) in passwords {
            for mechanism in [ScramMechanism::Sha256, ScramMechanism::Sha512] {
                let credential = Credential::of_password(mechanism, password, salt());
                users.scram.insert((name.clone(), mechanism), credential);
            }
        }
        users
    }

    pub(crate) fn has_password(&self, user: &str, password: &str) -> bool {
        self.passwords.get(user).is_some_and(|own| own == password)
    }

    pub(crate) fn credential(&self, user: &str, mechanism: ScramMechanism) -> Option<&Credential> {
        self.scram.get(&(user.to_owned(), mechanism))
    }

    pub(crate) fn set(&mut self, user: &str, mechanism: ScramMechanism, credential: Credential) {
        self.scram.insert((user.to_owned(), mechanism), credential);
    }

    /// Whether there was one.
    pub(crate) fn remove(&mut self, user: &str, mechanism: ScramMechanism) -> bool {
        self.scram.remove(&(user.to_owned(), mechanism)).is_some()
    }

    /// Mechanisms and iterations of everybody with a SCRAM credential.
    pub(crate) fn described(&self) -> BTreeMap<&str, Vec<(ScramMechanism, u32)>> {
        let mut users = BTreeMap::<_, Vec<_>>::new();
        for ((user, mechanism), credential) in &self.scram {
            users
                .entry(user.as_str())
                .or_default()
                .push((*mechanism, credential.iterations()));
        }
        users
    }
}
