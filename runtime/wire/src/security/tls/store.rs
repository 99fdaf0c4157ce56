//! Key stores and trust stores, as `ssl.keystore.*` and `ssl.truststore.*` name them: PEM, PKCS12 and JKS.
//!
//! What is in a file is told by its first bytes. Java does the same between JKS and PKCS12, whatever `type` says.

mod ec;
mod jks;
mod pem;
mod pkcs12;

use std::{fmt, fs, path::PathBuf, sync::Arc};

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use towpath_domain::config::Problem;

use crate::Secret;

/// Where certificates or a key are, and what opens them.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) role: Role,
    /// Of the configuration keys, such as `source.cluster.`.
    pub(crate) prefix: Arc<str>,
    pub(crate) place: Place,
    pub(crate) kind: Option<Kind>,
    pub(crate) password: Option<Secret>,
    pub(crate) key_password: Option<Secret>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Trust,
    Identity,
}

#[derive(Clone, Debug)]
pub(crate) enum Place {
    File(PathBuf),
    /// `ssl.truststore.certificates`.
    Certificates(Secret),
    /// `ssl.keystore.certificate.chain` and `ssl.keystore.key`.
    KeyAndChain {
        key: Secret,
        chain: Secret,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Jks,
    Pkcs12,
    Pem,
}

/// A store's content as it lies there. Two that are equal open to the same.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    bytes: Vec<u8>,
    password: Option<String>,
    key_password: Option<String>,
}

/// A private key and its certificates, its own first.
pub(crate) struct Identity {
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

/// What keeps a store from being opened.
enum Mistake {
    /// The password of the store is not the one given, or none was.
    Password,
    KeyPassword {
        alias: String,
    },
    /// The text says what is wrong with the content.
    Content(String),
    /// The key cannot be decrypted whatever the password.
    KeyCipher(String),
}

// === impl Store ===

impl Store {
    /// The full name of `ssl.truststore.<name>` or `ssl.keystore.<name>`.
    fn key(&self, name: &str) -> String {
        let store = match self.role {
            Role::Trust => "truststore",
            Role::Identity => "keystore",
        };
        format!("{}ssl.{store}.{name}", self.prefix)
    }

    /// The configuration key that says where the store is.
    pub(crate) fn place_key(&self) -> String {
        match &self.place {
            Place::File(_) => self.key("location"),
            Place::Certificates(_) => self.key("certificates"),
            Place::KeyAndChain { .. } => self.key("certificate.chain"),
        }
    }

    /// A mistake of the store as a whole.
    pub(crate) fn problem(&self, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        let value = match &self.place {
            Place::File(path) => Some(path.display().to_string()),
            // What was given is the content itself.
            Place::Certificates(_) | Place::KeyAndChain { .. } => None,
        };
        Problem::new(self.place_key(), value.as_deref(), message, remedy)
    }

    /// Reads it as it is at this moment, passwords included.
    pub(crate) fn read(&self) -> Result<Sealed, Problem> {
        let resolve = |secret: &Secret| secret.resolve().map_err(|unresolved| unresolved.0);
        let bytes = match &self.place {
            Place::File(path) => fs::read(path).map_err(|cause| {
                self.problem(
                    format!("cannot be read: {cause}"),
                    "name a file that this process may read",
                )
            })?,
            Place::Certificates(certificates) => resolve(certificates)?.into_bytes(),
            Place::KeyAndChain { key, chain } => [resolve(key)?, resolve(chain)?].join("\n").into_bytes(),
        };
        Ok(Sealed {
            bytes,
            password: self.password.as_ref().map(resolve).transpose()?,
            key_password: self.key_password.as_ref().map(resolve).transpose()?,
        })
    }

    /// The certificates that are trusted, at least one.
    pub(crate) fn trusted(&self, sealed: &Sealed) -> Result<Vec<CertificateDer<'static>>, Problem> {
        let kind = self.kind_of(sealed)?;
        let found = match kind {
            Kind::Pem => pem::certificates(&sealed.bytes),
            Kind::Pkcs12 => pkcs12::certificates(&sealed.bytes, sealed.password()),
            // Certificates are not encrypted there: without a password they are read all the same, as Java does.
            Kind::Jks => jks::certificates(&sealed.bytes, sealed.password.as_deref()),
        };
        let certificates = found.map_err(|mistake| self.explain(mistake, kind, sealed))?;
        if certificates.is_empty() {
            let remedy = match kind {
                Kind::Pem => "put the certificate of the brokers' authority into it",
                _ => "import the certificate of the brokers' authority: keytool -importcert",
            };
            return Err(self.problem("has no certificate in it", remedy));
        }
        Ok(certificates)
    }

    /// The first private key with its certificates.
    pub(crate) fn identity(&self, sealed: &Sealed) -> Result<Identity, Problem> {
        let kind = self.kind_of(sealed)?;
        let key_password = sealed.key_password.as_deref();
        let found = match kind {
            Kind::Pem => pem::identity(&sealed.bytes, key_password),
            Kind::Pkcs12 => pkcs12::identity(&sealed.bytes, sealed.password()),
            // A key's password is the store's unless another is given.
            Kind::Jks => jks::identity(
                &sealed.bytes,
                sealed.password(),
                key_password.unwrap_or(sealed.password()),
            ),
        };
        match found.map_err(|mistake| self.explain(mistake, kind, sealed))? {
            Some(identity) if !identity.chain.is_empty() => Ok(Identity {
                key: ec::complete(identity.key, identity.chain.first()),
                chain: identity.chain,
            }),
            Some(_) => Err(self.problem(
                "has a private key without its certificate",
                "put the certificate beside the key, then those of its authorities",
            )),
            None => Err(self.problem(
                "has no private key in it",
                "name a store with the client's key and certificate; one with authorities belongs into ssl.truststore.location",
            )),
        }
    }

    fn kind_of(&self, sealed: &Sealed) -> Result<Kind, Problem> {
        let found = match &sealed.bytes[..] {
            [0xfe, 0xed, 0xfe, 0xed, ..] => Kind::Jks,
            [0xce, 0xce, 0xce, 0xce, ..] => {
                return Err(self.problem(
                    "is a JCEKS store, which is not supported",
                    "convert it: keytool -importkeystore -deststoretype PKCS12",
                ));
            }
            [0x30, ..] => Kind::Pkcs12,
            bytes if pem::is_pem(bytes) => Kind::Pem,
            _ => {
                return Err(self.problem(
                    "is neither a PEM nor a PKCS12 nor a JKS store",
                    "name another file, or write this one again",
                ));
            }
        };
        match self.kind {
            Some(given) if given != found && (given == Kind::Pem || found == Kind::Pem) => Err(Problem::new(
                self.key("type"),
                Some(&given.to_string()),
                format!("what {} names is a {found} store", self.place_key()),
                format!("write {found}, or leave the key out"),
            )),
            _ => Ok(found),
        }
    }

    fn explain(&self, mistake: Mistake, kind: Kind, sealed: &Sealed) -> Problem {
        match mistake {
            Mistake::Password if self.password.is_none() => Problem::new(
                self.key("password"),
                None,
                format!(
                    "missing, and {} names a {kind} store that has one",
                    self.place_key()
                ),
                "give the store's password",
            ),
            Mistake::Password => Problem::new(
                self.key("password"),
                None,
                format!(
                    "is not the password of the {kind} store that {} names",
                    self.place_key()
                ),
                "correct it",
            ),
            Mistake::KeyPassword { alias } => {
                let key = format!("{}ssl.key.password", self.prefix);
                match sealed.key_password {
                    Some(_) => Problem::new(
                        key,
                        None,
                        format!("does not open {alias} in {}", self.place_key()),
                        "correct it",
                    ),
                    None => Problem::new(
                        key,
                        None,
                        format!(
                            "missing, and {alias} in {} is encrypted with a password of its own",
                            self.place_key()
                        ),
                        "give the key's password",
                    ),
                }
            }
            Mistake::Content(what) => {
                self.problem(format!("is not a sound {kind} store: {what}"), "write it again")
            }
            Mistake::KeyCipher(what) => self.problem(
                format!("its private key cannot be decrypted: {what}"),
                "encrypt it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc",
            ),
        }
    }
}

// === impl Sealed ===

impl Sealed {
    fn password(&self) -> &str {
        self.password.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

// === impl Kind ===

impl Kind {
    /// As `ssl.keystore.type` is written.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "JKS" => Some(Self::Jks),
            "PKCS12" => Some(Self::Pkcs12),
            "PEM" => Some(Self::Pem),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jks => "JKS",
            Self::Pkcs12 => "PKCS12",
            Self::Pem => "PEM",
        })
    }
}

/// Decrypts an `EncryptedPrivateKeyInfo` (RFC 5958) under PBES2.
fn decrypt(der: &[u8], password: Option<&str>, alias: &str) -> Result<PrivateKeyDer<'static>, Mistake> {
    let encrypted =
        EncryptedPrivateKeyInfoRef::try_from(der).map_err(|cause| Mistake::KeyCipher(cause.to_string()))?;
    let wrong = || Mistake::KeyPassword {
        alias: alias.to_owned(),
    };
    let password = password.ok_or_else(wrong)?;
    // A wrong password shows by what comes out of it.
    let key = encrypted.decrypt(password).map_err(|_| wrong())?;
    Ok(PrivateKeyDer::Pkcs8(key.as_bytes().to_vec().into()))
}

#[cfg(test)]
mod tests;
