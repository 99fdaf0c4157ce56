//! Bearer tokens, as far as a client looks into them.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use data_encoding::BASE64URL_NOPAD;

/// A token that can be sent. A JWT is looked into for its subject and its end; whether it is genuine is the broker's business.
#[derive(Clone)]
pub(crate) struct Token {
    pub(super) text: String,
    pub(super) subject: Option<String>,
    pub(super) expires: Option<SystemTime>,
}

/// Why there is no token to send. None of the texts has a token or a secret in it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("the token file {} cannot be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: String },
    #[error("{place} is no token: {what}")]
    NoToken { place: String, what: &'static str },
    #[error("{place} expired {} s ago by this machine's clock", since.as_secs())]
    Expired { place: String, since: Duration },
    #[error("the token endpoint {url} cannot be asked: {cause}")]
    Unreachable { url: String, cause: String },
    /// The two sides do not come together; the sentence says what to change.
    #[error("the token endpoint {url} cannot be asked: {what}")]
    Tls { url: String, what: String },
    #[error("the token endpoint {url} refused client {client:?}: {status}{what}")]
    Refused {
        url: String,
        client: String,
        status: u16,
        /// What the endpoint said (RFC 6749, 5.2), with a separator before it.
        what: String,
    },
    #[error("the token endpoint {url} answered {status}{what}")]
    Failed { url: String, status: u16, what: String },
    #[error("the token endpoint {url} gave no token: {what}")]
    Answer { url: String, what: String },
}

/// Brokers take no request of more than half a MiB before they know who asks (`sasl.server.max.receive.size`).
pub(super) const LONGEST: usize = 256 << 10;

// === impl Error ===

impl Error {
    /// The configuration key to look at, without its prefix.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "sasl.oauthbearer.client.credentials.client.secret",
            _ => "sasl.oauthbearer.token.endpoint.url",
        }
    }

    /// What to change.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "correct the path, or put a token there that the worker may read",
            Self::NoToken { .. } => "put one line of A-Z a-z 0-9 - . _ ~ + / = there",
            Self::Expired { .. } => "renew it, or correct the clock",
            Self::Unreachable { .. } => {
                "check the URL, and that the endpoint can be reached from this machine"
            }
            Self::Tls { .. } => "it is asked again then",
            Self::Refused { .. } => "check the client's id and secret, and sasl.oauthbearer.scope",
            Self::Failed { .. } => "look at the endpoint; it is asked again",
            Self::Answer { .. } => "check that this is the token URL of the identity provider",
        }
    }
}

// === impl Token ===

impl Token {
    /// `place` is where it comes from, for errors.
    pub(super) fn parse(text: &str, place: &str) -> Result<Self, Error> {
        let text = text.trim();
        let no_token = |what| Error::NoToken {
            place: place.to_owned(),
            what,
        };
        if text.is_empty() {
            return Err(no_token("it is empty"));
        }
        if text.len() > LONGEST {
            return Err(no_token("it is longer than any broker takes"));
        }
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
        {
            return Err(no_token("there are other characters in it"));
        }
        let claims = claims(text).unwrap_or_default();
        let expires = claims
            .get("exp")
            .and_then(serde_json::Value::as_f64)
            .filter(|seconds| (0.0..1e12).contains(seconds))
            .map(|seconds| UNIX_EPOCH + Duration::from_secs_f64(seconds));
        let subject = claims
            .get("sub")
            .and_then(|subject| Some(subject.as_str()?.to_owned()));
        Ok(Self {
            text: text.to_owned(),
            subject,
            expires,
        })
    }

    /// Fails when its time is over.
    pub(super) fn check(&self, place: &str, now: SystemTime) -> Result<(), Error> {
        match self.expires.and_then(|expires| now.duration_since(expires).ok()) {
            Some(since) => Err(Error::Expired {
                place: place.to_owned(),
                since,
            }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("text", &"[redacted]")
            .field("subject", &self.subject)
            .field("expires", &self.expires)
            .finish()
    }
}

/// The claims of a JWT; none of an opaque token.
fn claims(text: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
    let mut parts = text.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let payload = BASE64URL_NOPAD
        .decode(payload.trim_end_matches('=').as_bytes())
        .ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}.{}", part(r#"{"alg":"none"}"#), part(claims), part("s"))
    }

    #[test]
    fn a_jwt_is_looked_into_and_an_opaque_token_is_taken_as_it_is() {
        let token = Token::parse(
            &format!(" {}\n", jwt(r#"{"sub":"mirror","exp":1700000000}"#)),
            "t",
        )
        .unwrap();
        assert_eq!(token.subject.as_deref(), Some("mirror"));
        let end = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(token.expires, Some(end));
        assert!(token.check("t", end - Duration::from_secs(1)).is_ok());
        let error = token
            .check("the token of f", end + Duration::from_secs(7))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the token of f expired 7 s ago by this machine's clock"
        );
        for opaque in [
            "abc",
            "a.b.c",
            "a.b",
            &jwt("[]"),
            &jwt(r#"{"exp":"soon","sub":1}"#),
            &jwt(r#"{"exp":-1}"#),
        ] {
            let token = Token::parse(opaque, "t").unwrap();
            assert_eq!((token.subject, token.expires), (None, None), "{opaque}");
        }
    }

    #[test]
    fn what_is_no_token_is_told_and_never_shown() {
        for text in [
            "",
            "\n",
            "two words",
            "a\x01auth=Bearer b",
            "ä",
            &"x".repeat(LONGEST + 1),
        ] {
            let error = Token::parse(text, "the file /t").unwrap_err().to_string();
            assert!(error.starts_with("the file /t is no token: "), "{error}");
            assert!(error.len() < 200, "{error}");
        }
        let token = Token::parse("hidden", "t").unwrap();
        assert!(!format!("{token:?}").contains("hidden"));
    }
}
