//! Asking: one request, of the first URL that answers.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use towpath_wire::{HttpError, HttpRequest, Method, StatusCode, Uri};

use crate::Settings;

/// One registry.
#[derive(Clone, Debug)]
pub struct Registry {
    settings: Settings,
}

/// Why a registry gave no answer. All of it may be over later: whoever asks for a mirror waits.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the schema registry at {url}: {what}")]
    Unreachable { url: String, what: String },
    #[error("the schema registry at {url} answers {status} to {request}{said}; {remedy}")]
    Refused {
        url: String,
        request: String,
        status: u16,
        said: String,
        remedy: &'static str,
    },
    #[error("the schema registry at {url} gives an answer to {request} that is not understood: {what}")]
    Answer {
        url: String,
        request: String,
        what: String,
    },
    #[error("{0}")]
    Credentials(String),
}

/// What a registry says when it has something, or has not.
pub(crate) enum Said<T> {
    Found(T),
    /// 404
    Missing,
    /// 204, 405 or 501: it does not know the question.
    Unknown,
}

const JSON: &str = "application/vnd.schemaregistry.v1+json, application/json";
const BODY: &str = "application/vnd.schemaregistry.v1+json";
/// A schema is at most a few hundred KiB, a list of subjects of a large company a few MiB.
const LONGEST_ANSWER: usize = 32 << 20;

// === impl Registry ===

impl Registry {
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Said<T>, Error> {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Said<T>, Error> {
        self.ask(Method::POST, path, Some(body.to_string().into())).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Said<T>, Error> {
        let mut failure = None;
        for base in &self.settings.urls {
            match self.ask_one(base, &method, path, body.clone()).await {
                Ok(said) => return Ok(said),
                Err(error @ (Error::Unreachable { .. } | Error::Refused { status: 500.., .. })) => {
                    failure.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| Error::Credentials("no URL of a schema registry is known".to_owned())))
    }

    async fn ask_one<T: DeserializeOwned>(
        &self,
        base: &Uri,
        method: &Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Said<T>, Error> {
        let url = base.to_string().trim_end_matches('/').to_owned();
        let unreachable = |what: String| Error::Unreachable {
            url: url.clone(),
            what,
        };
        let uri: Uri = format!("{url}{path}")
            .parse()
            .map_err(|error| unreachable(format!("{path}: {error}")))?;
        let authorization = match &self.settings.authorization {
            None => None,
            Some(credentials) => Some(credentials.authorization().map_err(Error::Credentials)?),
        };
        let request = HttpRequest {
            method: method.clone(),
            uri,
            accept: JSON,
            body: body.map(|body| (BODY, body)),
            authorization,
            longest_answer: LONGEST_ANSWER,
        };
        let answer = request
            .ask(self.settings.tls.as_ref(), self.settings.patience)
            .await;
        let (status, body) = answer.map_err(|error| match error {
            HttpError::Tls(what) | HttpError::Unreachable(what) => unreachable(what),
        })?;
        let request = format!("{method} {path}");
        match status {
            StatusCode::NOT_FOUND => Ok(Said::Missing),
            // Apicurio says nothing of modes.
            StatusCode::NO_CONTENT | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                Ok(Said::Unknown)
            }
            status if status.is_success() => match serde_json::from_slice(&body) {
                Ok(answer) => Ok(Said::Found(answer)),
                Err(error) => Err(Error::Answer {
                    url,
                    request,
                    what: error.to_string(),
                }),
            },
            status => Err(Error::Refused {
                url,
                request,
                status: status.as_u16(),
                said: said(&body),
                remedy: remedy(status),
            }),
        }
    }
}

fn remedy(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "give credentials that may read it: schema.registry.basic.auth.user.info or schema.registry.bearer.auth.token"
        }
        status if status.is_redirection() => "name the URL that it leads to",
        _ => "look at its log",
    }
}

/// `{"error_code", "message"}`, on one line of limited length.
fn said(body: &[u8]) -> String {
    const LONGEST: usize = 200;
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = answer.get("message").and_then(serde_json::Value::as_str);
    message.map_or_else(String::new, |message| {
        let message: String = message
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST)
            .collect();
        format!(" ({message})")
    })
}

/// A segment of a path: everything but what RFC 3986 leaves unreserved is escaped, slashes too.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
