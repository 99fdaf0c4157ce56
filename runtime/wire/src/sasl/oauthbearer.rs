//! Where tokens come from, and how long one is used.

#[cfg(test)]
mod tests;

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    Error,
    endpoint::{Grant, TokenEndpoint},
    gate::Gate,
    token::{self, Token},
};
use crate::{Options, Secret, Tls};

/// Tokens for OAUTHBEARER. Clones share the token at hand: one is fetched for all connections of a client, and one at a time.
#[derive(Clone, Debug)]
pub struct OauthBearer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: TokenSource,
    extensions: Vec<(String, String)>,
    gate: Gate,
    /// Held while a token is fetched.
    fetching: tokio::sync::Mutex<Fetched>,
    /// Of the last token that was given out.
    subject: Mutex<Option<String>>,
}

/// Where tokens come from.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// A file with one token, written by somebody else: `sasl.oauthbearer.token.endpoint.url=file:///path`. Read at each use.
    File(PathBuf),
    /// The grant `client_credentials` of OAuth 2 (RFC 6749, 4.4).
    ClientCredentials(Box<ClientCredentials>),
}

/// Who asks a token endpoint, and for what.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    pub endpoint: TokenEndpoint,
    pub client_id: Secret,
    pub client_secret: Secret,
    /// `sasl.oauthbearer.scope`: separated by blanks.
    pub scope: Option<String>,
    /// For an endpoint of https; None: the authorities that the system trusts.
    pub tls: Option<Tls>,
}

#[derive(Debug, Default)]
struct Fetched {
    token: Option<Held>,
    /// The last fetch, when it failed: whoever waited for it has its error and does not fetch again.
    failure: Option<(Instant, Error)>,
}

#[derive(Debug)]
struct Held {
    token: Token,
    refresh_at: SystemTime,
}

/// `sasl.login.refresh.window.factor`: the share of a token's life after which another one is fetched. The rest is for an endpoint that is
/// down for a while: then the old one is used to its end.
const REFRESH_WINDOW: f64 = 0.8;
/// `sasl.login.refresh.window.jitter`: many clients do not all ask at once.
const REFRESH_JITTER: f64 = 0.05;

// === impl OauthBearer ===

impl OauthBearer {
    /// `extensions` are sent to the broker with the token (KIP-342): `extension_<name>="value"` in `sasl.jaas.config`.
    pub fn new(source: TokenSource, extensions: Vec<(String, String)>) -> Self {
        Self(Arc::new(Inner {
            source,
            extensions,
            gate: Gate::default(),
            fetching: tokio::sync::Mutex::default(),
            subject: Mutex::default(),
        }))
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    pub(super) fn extensions(&self) -> Vec<(String, String)> {
        self.0.extensions.clone()
    }

    pub(super) fn tls_of_token_endpoint(&self) -> Option<&Tls> {
        match &self.0.source {
            TokenSource::File(_) => None,
            TokenSource::ClientCredentials(credentials) => credentials.tls.as_ref(),
        }
    }

    /// Whom the last token was about.
    pub(super) fn subject(&self) -> Option<String> {
        self.subject_slot().clone()
    }

    /// A token that is good now.
    pub(super) async fn token(&self, options: &Options) -> Result<Token, Error> {
        let token = match &self.0.source {
            TokenSource::File(path) => self.read(path, options)?,
            TokenSource::ClientCredentials(credentials) => self.held_or_fetched(credentials, options).await?,
        };
        self.subject_slot().clone_from(&token.subject);
        Ok(token)
    }

    /// The broker refused the token: another one is fetched next time.
    pub(super) fn forget(&self) {
        // Whoever holds it is fetching another one.
        if let Ok(mut fetched) = self.0.fetching.try_lock() {
            fetched.token = None;
        }
    }

    fn read(&self, path: &PathBuf, options: &Options) -> Result<Token, Error> {
        let unreadable = |cause: String| token::Error::Unreadable {
            path: path.clone(),
            cause,
        };
        let size = fs::metadata(path)
            .map_err(|cause| unreadable(cause.to_string()))?
            .len();
        if size > 2 * token::LONGEST as u64 {
            return Err(unreadable(format!("it has {size} bytes, a token has not")).into());
        }
        let text = fs::read_to_string(path).map_err(|cause| unreadable(cause.to_string()))?;
        let place = format!("the token in {}", path.display());
        let token = Token::parse(&text, &place)?;
        token.check(&place, SystemTime::now())?;
        self.0.gate.pass(&[&token.text], options)?;
        Ok(token)
    }

    async fn held_or_fetched(
        &self,
        credentials: &ClientCredentials,
        options: &Options,
    ) -> Result<Token, Error> {
        let came = Instant::now();
        let mut fetched = self.0.fetching.lock().await;
        let now = SystemTime::now();
        if let Some(held) = fetched.token.as_ref().filter(|held| now < held.refresh_at) {
            return Ok(held.token.clone());
        }
        if let Some((at, error)) = fetched.failure.as_ref().filter(|(at, _)| *at >= came) {
            tracing::debug!(?at, %error, "the token was fetched in vain a moment ago");
            return Err(error.clone());
        }
        match self.fetch(credentials, options).await {
            Ok(held) => {
                fetched.failure = None;
                let token = held.token.clone();
                fetched.token = Some(held);
                Ok(token)
            }
            Err(error) => {
                let old = fetched.token.as_ref().map(|held| &held.token);
                if let Some(old) = old.filter(|old| old.check("", now).is_ok()) {
                    tracing::warn!(%error, "no new token; going on with the one at hand until its end");
                    return Ok(old.clone());
                }
                fetched.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn fetch(&self, credentials: &ClientCredentials, options: &Options) -> Result<Held, Error> {
        let (id, secret) = (
            credentials.client_id.resolve()?,
            credentials.client_secret.resolve()?,
        );
        self.0.gate.pass(&[&id, &secret], options)?;
        let grant = Grant {
            id: &id,
            secret: &secret,
            scope: credentials.scope.as_deref(),
        };
        let asked = SystemTime::now();
        let tls = credentials.tls.as_ref();
        let granted = credentials.endpoint.ask(&grant, tls, options).await;
        let (text, expires_in) = granted.map_err(|error| self.not_fetched(error.into()))?;
        let place = format!("the token of {}", credentials.endpoint);
        let mut token = Token::parse(&text, &place).map_err(|error| self.not_fetched(error.into()))?;
        let told = expires_in.and_then(|lifetime| asked.checked_add(lifetime));
        token.expires = token.expires.into_iter().chain(told).min();
        token
            .check(&place, asked)
            .map_err(|error| self.not_fetched(error.into()))?;
        // One whose end nobody tells is used once.
        let refresh_at = token.expires.map_or(asked, |expires| {
            let lifetime = expires.duration_since(asked).unwrap_or(Duration::ZERO);
            asked + lifetime.mul_f64(REFRESH_WINDOW + rand::random_range(0.0..REFRESH_JITTER))
        });
        Ok(Held { token, refresh_at })
    }

    /// An endpoint is not asked again at once either.
    fn not_fetched(&self, error: Error) -> Error {
        self.0.gate.close(&error);
        error
    }

    fn subject_slot(&self) -> MutexGuard<'_, Option<String>> {
        self.0.subject.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
