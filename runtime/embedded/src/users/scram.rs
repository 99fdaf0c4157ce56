//! The server's half of SCRAM (RFC 5802, RFC 7677).

use std::num::NonZero;

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{digest, hmac, pbkdf2};

/// As AlterUserScramCredentials numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mechanism {
    Sha256 = 1,
    Sha512 = 2,
}

/// What a server keeps: enough to check a password, not enough to log in with.
#[derive(Clone)]
pub(crate) struct Credential {
    salt: Vec<u8>,
    iterations: u32,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

/// An exchange that waits for the client's proof.
pub(crate) struct Challenge {
    pub(crate) user: String,
    mechanism: Mechanism,
    credential: Credential,
    client_first: String,
    server_first: String,
    nonce: String,
}

/// The least that Kafka takes.
pub(crate) const MIN_ITERATIONS: u32 = 4096;
pub(crate) const MAX_ITERATIONS: u32 = 16384;

// === impl Mechanism ===

impl Mechanism {
    pub(crate) fn of(number: i8) -> Option<Self> {
        match number {
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(crate) fn number(self) -> i8 {
        self as i8
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), text)
            .as_ref()
            .to_vec()
    }

    fn hash(self, text: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, text).as_ref().to_vec()
    }
}

// === impl Credential ===

impl Credential {
    pub(crate) fn of_password(mechanism: Mechanism, password: &str, salt: [u8; 16]) -> Self {
        let (algorithm, size) = match mechanism {
            Mechanism::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            Mechanism::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let mut salted = vec![0; size];
        let iterations = NonZero::new(MIN_ITERATIONS).unwrap_or(NonZero::<u32>::MIN);
        pbkdf2::derive(algorithm, iterations, &salt, password.as_bytes(), &mut salted);
        Self::of_salted(mechanism, &salted, salt.to_vec(), MIN_ITERATIONS)
    }

    /// From a password that was salted and hashed already: what AlterUserScramCredentials brings.
    pub(crate) fn of_salted(mechanism: Mechanism, salted: &[u8], salt: Vec<u8>, iterations: u32) -> Self {
        let client_key = mechanism.hmac(salted, b"Client Key");
        Self {
            salt,
            iterations,
            stored_key: mechanism.hash(&client_key),
            server_key: mechanism.hmac(salted, b"Server Key"),
        }
    }

    pub(crate) fn iterations(&self) -> u32 {
        self.iterations
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The user and the nonce of a client's first message, and that message without its header.
pub(crate) fn first(message: &[u8]) -> Option<(String, String, String)> {
    let message = std::str::from_utf8(message).ok()?;
    // No channel binding, and nobody speaks for another.
    let bare = message
        .strip_prefix("n,,")
        .or_else(|| message.strip_prefix("y,,"))?;
    let mut fields = bare.split(',');
    let user = fields.next()?.strip_prefix("n=")?;
    let nonce = fields.next()?.strip_prefix("r=")?;
    // Further fields are extensions (tokenauth): Kafka's delegation tokens are left out.
    let user = user.replace("=2C", ",").replace("=3D", "=");
    Some((user, nonce.to_owned(), bare.to_owned()))
}

// === impl Challenge ===

impl Challenge {
    /// `nonce` is the server's part.
    pub(crate) fn new(
        mechanism: Mechanism,
        credential: Credential,
        (user, client_nonce, client_first): (String, String, String),
        nonce: &str,
    ) -> Self {
        let nonce = format!("{client_nonce}{nonce}");
        let salt = STANDARD.encode(&credential.salt);
        let server_first = format!("r={nonce},s={salt},i={}", credential.iterations);
        Self {
            user,
            mechanism,
            credential,
            client_first,
            server_first,
            nonce,
        }
    }

    pub(crate) fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    pub(crate) fn message(&self) -> &str {
        &self.server_first
    }

    /// The server's last message, if the client has proved that it knows the password.
    pub(crate) fn check(&self, message: &[u8]) -> Option<String> {
        let message = std::str::from_utf8(message).ok()?;
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let nonce = without_proof
            .split(',')
            .find_map(|field| field.strip_prefix("r="))?;
        if nonce != self.nonce {
            return None;
        }
        let proof = STANDARD.decode(proof).ok()?;
        let text = format!("{},{},{without_proof}", self.client_first, self.server_first);
        let signature = self.mechanism.hmac(&self.credential.stored_key, text.as_bytes());
        if proof.len() != signature.len() {
            return None;
        }
        let client_key: Vec<u8> = proof
            .iter()
            .zip(&signature)
            .map(|(proof, own)| proof ^ own)
            .collect();
        // How long the comparison takes tells something, as in no real broker: there is nothing to protect here.
        if self.mechanism.hash(&client_key) != self.credential.stored_key {
            return None;
        }
        let signature = self.mechanism.hmac(&self.credential.server_key, text.as_bytes());
        Some(format!("v={}", STANDARD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn an_exchange_is_what_the_standard_shows() {
        let salt: [u8; 16] = STANDARD
            .decode("W22ZaJ0SNY7soEsUEjb6gQ==")
            .unwrap()
            .try_into()
            .unwrap();
        let credential = Credential::of_password(Mechanism::Sha256, "pencil", salt);
        let said = first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(said.0, "user");
        let challenge = Challenge::new(
            Mechanism::Sha256,
            credential,
            said,
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        );
        assert_eq!(
            challenge.message(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let proof = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let signature = challenge.check(proof.as_bytes());
        assert_eq!(
            signature.as_deref(),
            Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        );
        assert_eq!(challenge.check(proof.replace("dHzb", "eHzb").as_bytes()), None);
        assert_eq!(challenge.check(proof.replace("%hvY", "%hvX").as_bytes()), None);
    }

    #[test]
    fn names_are_unescaped_and_nonsense_is_refused() {
        assert_eq!(first(b"n,,n=a=2Cb=3D,r=x").unwrap().0, "a,b=");
        assert!(first(b"p=tls-unique,,n=a,r=x").is_none());
        assert!(first(b"n,,r=x").is_none());
        assert!(first(&[0xff]).is_none());
    }
}
