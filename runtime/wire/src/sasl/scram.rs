//! SCRAM (RFC 5802, RFC 7677) as Kafka's clients and brokers do it: without channel binding, and without SASLprep, which Kafka's
//! `ScramFormatter` leaves out too.

use std::num::NonZero;

use data_encoding::BASE64;
use ring::{digest, hmac, pbkdf2};

use super::ScramHash;

/// The client's side of one authentication, before the server has said anything.
pub(super) struct Scram {
    hash: ScramHash,
    username: String,
    password: String,
    nonce: String,
}

/// What the server must prove to know.
pub(super) struct Proof {
    server_key: hmac::Key,
    auth_message: String,
}

/// Brokers refuse to store less (`ScramMechanism`), and less is what somebody would claim who wants to guess the password.
const FEWEST_ITERATIONS: u32 = 4096;
/// Sixteen times the most that a Kafka broker stores: a fraction of a second. A hostile server may ask for hours.
const MOST_ITERATIONS: u32 = 262_144;

/// "n,,": no channel binding, no other identity. In the last message it stands as base64.
const HEADER: &str = "n,,";

// === impl Scram ===

impl Scram {
    pub(super) fn new(hash: ScramHash, username: String, password: String) -> Self {
        let nonce = BASE64.encode(&rand::random::<[u8; 24]>());
        Self {
            hash,
            username,
            password,
            nonce,
        }
    }

    #[cfg(test)]
    pub(super) fn with_nonce(mut self, nonce: &str) -> Self {
        nonce.clone_into(&mut self.nonce);
        self
    }

    pub(super) fn first(&self) -> String {
        format!("{HEADER}{}", self.first_bare())
    }

    fn first_bare(&self) -> String {
        let name = self.username.replace('=', "=3D").replace(',', "=2C");
        format!("n={name},r={}", self.nonce)
    }

    /// The answer to the server's first message, and what its second one is held against. Takes as long as the server's iterations: not
    /// for a thread that others wait for.
    pub(super) fn answer(self, server_first: &[u8]) -> Result<(String, Proof), String> {
        let server_first = text(server_first)?;
        let challenge = Challenge::parse(server_first)?;
        let is_extended =
            challenge.nonce.len() > self.nonce.len() && challenge.nonce.starts_with(&self.nonce);
        if !is_extended {
            return Err("its nonce does not extend ours".to_owned());
        }
        let (pbkdf2, hash) = match self.hash {
            ScramHash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, hmac::HMAC_SHA256),
            ScramHash::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, hmac::HMAC_SHA512),
        };
        let mut salted = vec![0; hash.digest_algorithm().output_len()];
        pbkdf2::derive(
            pbkdf2,
            challenge.iterations,
            &challenge.salt,
            self.password.as_bytes(),
            &mut salted,
        );
        let salted = hmac::Key::new(hash, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(hash.digest_algorithm(), client_key.as_ref());
        let without_proof = format!("c={},r={}", BASE64.encode(HEADER.as_bytes()), challenge.nonce);
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare());
        let signature = hmac::sign(
            &hmac::Key::new(hash, stored_key.as_ref()),
            auth_message.as_bytes(),
        );
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, signature)| key ^ signature)
            .collect();
        let server_key = hmac::Key::new(hash, hmac::sign(&salted, b"Server Key").as_ref());
        Ok((
            format!("{without_proof},p={}", BASE64.encode(&proof)),
            Proof {
                server_key,
                auth_message,
            },
        ))
    }
}

// === impl Proof ===

impl Proof {
    /// Whether the server knows what only the user's password leads to.
    pub(super) fn verify(&self, server_final: &[u8]) -> Result<(), String> {
        let message = text(server_final)?;
        if let Some(error) = message.strip_prefix("e=") {
            return Err(format!("it says {error:?}"));
        }
        let signature = message
            .strip_prefix("v=")
            .and_then(|rest| rest.split(',').next())
            .and_then(|signature| BASE64.decode(signature.as_bytes()).ok())
            .ok_or("its last message holds no signature")?;
        hmac::verify(&self.server_key, self.auth_message.as_bytes(), &signature)
            .map_err(|_| "its signature is not of somebody who knows the password".to_owned())
    }
}

/// The server's first message.
struct Challenge<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: NonZero<u32>,
}

// === impl Challenge ===

impl<'a> Challenge<'a> {
    /// `r=nonce,s=salt,i=iterations`, in this order, and extensions. One that begins with `m=` is mandatory, and none is known.
    fn parse(message: &'a str) -> Result<Self, String> {
        if let Some(error) = message.strip_prefix("e=") {
            return Err(format!("it says {error:?}"));
        }
        let mut attributes = message.split(',');
        let mut attribute = |name: &str| {
            attributes
                .next()
                .and_then(|attribute| attribute.strip_prefix(name))
                .ok_or_else(|| format!("its first message lacks {name}"))
        };
        let nonce = attribute("r=")?;
        let salt = BASE64
            .decode(attribute("s=")?.as_bytes())
            .map_err(|_| "its salt is not base64")?;
        let iterations = attribute("i=")?;
        match iterations.parse::<NonZero<u32>>() {
            Ok(iterations) if (FEWEST_ITERATIONS..=MOST_ITERATIONS).contains(&iterations.get()) => Ok(Self {
                nonce,
                salt,
                iterations,
            }),
            _ => Err(format!(
                "it wants {iterations:.20} iterations, {FEWEST_ITERATIONS} to {MOST_ITERATIONS} are allowed"
            )),
        }
    }
}

fn text(message: &[u8]) -> Result<&str, String> {
    match std::str::from_utf8(message) {
        Ok("") => Err("its message is empty".to_owned()),
        Ok(text) => Ok(text),
        Err(_) => Err("its message is not text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

    fn pencil(hash: ScramHash) -> Scram {
        Scram::new(hash, "user".to_owned(), "pencil".to_owned()).with_nonce(NONCE)
    }

    /// The example of RFC 7677, and that of the draft for SHA-512 (draft-melnikov-scram-sha-512).
    #[test]
    fn the_examples_of_the_rfcs_come_out() {
        for (hash, first, last, verdict) in [
            (
                ScramHash::Sha256,
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
            (
                ScramHash::Sha512,
                "r=rOprNGfwEbeRWgbNEkqO02431b08-2f89-4bad-a4e6-80c0564ec865,s=Yin2FuHTt/M0kJWb0t9OI32n2VmOGi3m+JfjOvuDF88=,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO02431b08-2f89-4bad-a4e6-80c0564ec865,p=Hc5yec3NmCD7t+kFRw4/3yD6/F3SQHc7AVYschRja+Bc3sbdjlA0eH1OjJc0DD4ghn1tnXN5/Wr6qm9xmaHt4A==",
                "v=BQuhnKHqYDwQWS5jAw4sZed+C9KFUALsbrq81bB0mh+bcUUbbMPNNmBIupnS2AmyyDnG5CTBQtkjJ9kyY4kzmw==",
            ),
        ] {
            let scram = pencil(hash);
            assert_eq!(scram.first(), format!("n,,n=user,r={NONCE}"));
            let (answer, proof) = scram.answer(first.as_bytes()).unwrap();
            assert_eq!(answer, last);
            proof.verify(verdict.as_bytes()).unwrap();
            proof.verify(format!("{verdict},x=y").as_bytes()).unwrap();
            for wrong in [
                "v=AAAA",
                "v=",
                "e=invalid-proof",
                "",
                "x",
                "v=6rriTRBi23WpRR/wtup+",
            ] {
                assert!(proof.verify(wrong.as_bytes()).is_err(), "{wrong}");
            }
        }
    }

    #[test]
    fn names_are_escaped() {
        let scram = Scram::new(ScramHash::Sha256, "a=b,c=2C".to_owned(), String::new()).with_nonce("x");
        assert_eq!(scram.first(), "n,,n=a=3Db=2Cc=3D2C,r=x");
    }

    #[test]
    fn every_client_has_another_nonce() {
        let nonce = || Scram::new(ScramHash::Sha256, String::new(), String::new()).nonce;
        assert_ne!(nonce(), nonce());
    }

    #[test]
    fn a_hostile_challenge_is_refused() {
        for (challenge, expected) in [
            ("", "its message is empty"),
            ("r=other,s=QQ==,i=4096", "its nonce does not extend ours"),
            (
                "r=rOprNGfwEbeRWgbNEkqO,s=QQ==,i=4096",
                "its nonce does not extend ours",
            ),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=Q,i=4096", "its salt is not base64"),
            (
                "r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=4095",
                "it wants 4095 iterations",
            ),
            (
                "r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=2147483648",
                "it wants 2147483648 iterations",
            ),
            (
                "r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=99999999999999999999999999",
                "it wants 99999999999999999999 iterations",
            ),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=-1", "it wants -1 iterations"),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=QQ==", "its first message lacks i="),
            (
                "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=4096",
                "its first message lacks r=",
            ),
            ("e=other-error", "it says \"other-error\""),
        ] {
            let error = pencil(ScramHash::Sha256)
                .answer(challenge.as_bytes())
                .err()
                .unwrap();
            assert!(error.contains(expected), "{challenge}: {error}");
        }
        assert!(pencil(ScramHash::Sha256).answer(&[0xff, 0xfe]).is_err());
    }
}
