//! Asking a token endpoint: one POST on a connection of its own.

use std::{fmt, str::FromStr, time::Duration};

use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};

use super::token::{self, Error};
use crate::{
    Options, Tls,
    http::{Authorization, HttpError, HttpRequest, Patience},
};

/// The URL of a token endpoint, `http://` or `https://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEndpoint(Uri);

/// Who wants a token, and for what.
pub(super) struct Grant<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a str,
    pub(super) scope: Option<&'a str>,
}

/// Of the configuration keys that TLS errors name.
const KEYS: &str = "sasl.jaas.config, option ";
/// A token and what is said about it.
const LONGEST_ANSWER: usize = 2 * token::LONGEST;

// === impl TokenEndpoint ===

impl TokenEndpoint {
    /// Whether secrets cross the network in clear text on the way there.
    pub fn is_plain(&self) -> bool {
        self.0.scheme_str() != Some("https")
    }

    /// Asks for a token, by `tls` where it is of https; answers its text, and how long it lives when the endpoint says so.
    pub(super) async fn ask(
        &self,
        grant: &Grant<'_>,
        tls: Option<&Tls>,
        options: &Options,
    ) -> Result<(String, Option<Duration>), Error> {
        // As Kafka's clients: the JVM's authorities where the JAAS line names none, and never the brokers'.
        let trusted = || {
            tls.cloned()
                .unwrap_or_else(|| Tls::of_a_token_endpoint(KEYS, None, None))
        };
        let tls = (!self.is_plain()).then(trusted);
        let patience = Patience {
            connect: options.connect_timeout,
            answer: options.request_timeout,
        };
        let answer = self.request(grant).ask(tls.as_ref(), patience).await;
        let (status, body) = answer.map_err(|cause| match cause {
            HttpError::Tls(what) => Error::Tls {
                url: self.to_string(),
                what,
            },
            HttpError::Unreachable(cause) => self.unreachable(cause),
        })?;
        self.granted(grant, status, &body)
    }

    fn request(&self, grant: &Grant<'_>) -> HttpRequest {
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = grant.scope {
            form.push_str("&scope=");
            form.push_str(&form_encoded(scope));
        }
        HttpRequest {
            method: Method::POST,
            uri: self.0.clone(),
            accept: "application/json",
            body: Some(("application/x-www-form-urlencoded", Bytes::from(form))),
            authorization: Some(Authorization::Basic(grant.id.to_owned(), grant.secret.to_owned())),
            longest_answer: LONGEST_ANSWER,
        }
    }

    fn granted(
        &self,
        grant: &Grant<'_>,
        status: StatusCode,
        body: &[u8],
    ) -> Result<(String, Option<Duration>), Error> {
        let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let url = self.to_string();
        if status.is_success() {
            return match answer.get("access_token").and_then(serde_json::Value::as_str) {
                Some(token) => {
                    let expires_in = answer.get("expires_in").and_then(seconds);
                    Ok((token.to_owned(), expires_in))
                }
                None => {
                    let what = "its answer is not JSON with an access_token".to_owned();
                    Err(Error::Answer { url, what })
                }
            };
        }
        let what = said(&answer);
        let status = status.as_u16();
        match status {
            400..=407 | 409..=428 => Err(Error::Refused {
                url,
                client: grant.id.to_owned(),
                status,
                what,
            }),
            300..400 => Err(Error::Answer {
                url,
                what: format!("it leads elsewhere ({status})"),
            }),
            _ => Err(Error::Failed { url, status, what }),
        }
    }

    fn unreachable(&self, cause: String) -> Error {
        Error::Unreachable {
            url: self.to_string(),
            cause,
        }
    }
}

impl FromStr for TokenEndpoint {
    /// The sentence to show.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("is no URL: {error}"))?;
        match uri.scheme_str() {
            Some("http" | "https") => crate::http::parse_url(text).map(Self),
            _ => Err("begins neither with https://, http:// nor file://".to_owned()),
        }
    }
}

impl fmt::Display for TokenEndpoint {
    /// Without the query, which may hold what is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        write!(f, "{scheme}://{authority}{}", self.0.path())
    }
}

/// `expires_in`: a number, and from some endpoints a number as text.
fn seconds(value: &serde_json::Value) -> Option<Duration> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    (0.0..1e12)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

/// `error` and `error_description` of RFC 6749, 5.2.
fn said(answer: &serde_json::Value) -> String {
    const LONGEST: usize = 200;
    ["error", "error_description"]
        .iter()
        .filter_map(|key| answer.get(key)?.as_str())
        .map(|text| {
            let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
            format!(": {text}")
        })
        .collect()
}

/// `application/x-www-form-urlencoded`.
fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
