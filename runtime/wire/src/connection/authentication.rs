//! Saying who we are: after the versions are known and before anything else, and again before the broker's patience ends (KIP-152, KIP-368).

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    messages::{SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest},
    protocol::StrBytes,
};
use tokio::time::{sleep, timeout};

use super::{Inner, state::Cause};
use crate::{
    Error, KafkaError, Options, Peer, Sasl,
    api::Call,
    sasl::{self, Step},
};

/// A broker refuses to be told twice within a second (`KafkaChannel.MIN_REAUTH_INTERVAL_ONE_SECOND_NANOS`).
const SOONEST: Duration = Duration::from_millis(1100);

/// Credentials for one authentication.
pub(crate) struct Login {
    sasl: Sasl,
    exchange: sasl::Exchange,
}

/// Gets credentials together, when there is somebody to be. Before the broker is spoken to: it is not kept waiting for a token endpoint, and
/// hears nothing from a client whose credentials it has just refused.
pub(super) async fn begin(peer: &Peer, options: &Options) -> Result<Option<Login>, Error> {
    match &options.security.sasl {
        Some(sasl) => Login::begin(sasl, peer, options).await.map(Some),
        None => Ok(None),
    }
}

// === impl Login ===

impl Login {
    async fn begin(sasl: &Sasl, peer: &Peer, options: &Options) -> Result<Self, Error> {
        let exchange = sasl.begin(options).await.map_err(|cause| failed(peer, cause))?;
        Ok(Self {
            sasl: sasl.clone(),
            exchange,
        })
    }
}

// === impl Inner ===

impl Inner {
    /// Authenticates, and from then on again and again for as long as the connection lives.
    pub(super) async fn log_in(&mut self, login: Login, options: &Options) -> Result<(), Error> {
        let sasl = login.sasl.clone();
        if let Some(lifetime) = self.authenticate(login, options).await? {
            let beside = self.beside();
            let options = options.clone();
            self.link
                .spawn(async move { beside.stay_logged_in(lifetime, &sasl, &options).await });
        }
        Ok(())
    }

    /// Before the session ends, all requests in flight are waited for, further ones wait in their order, and the broker is told again who this
    /// is. When it does not take it, the connection ends: the next one tells what is wrong.
    async fn stay_logged_in(self, mut lifetime: Duration, sasl: &Sasl, options: &Options) -> Cause {
        loop {
            // As Java: not all connections at once.
            sleep(lifetime.mul_f64(rand::random_range(0.85..0.95)).max(SOONEST)).await;
            let again = async {
                let login = Login::begin(sasl, self.link.peer(), options).await?;
                let _silence = self.link.silence().await;
                self.authenticate(login, options).await
            };
            lifetime = match again.await {
                Ok(Some(lifetime)) => lifetime,
                // The session has no end any more.
                Ok(None) => std::future::pending().await,
                Err(error) => return Cause::Lost(format!("authenticating again failed: {error}")),
            };
        }
    }

    /// One authentication; answers how long it is good for, when the broker says so.
    async fn authenticate(&self, login: Login, options: &Options) -> Result<Option<Duration>, Error> {
        let Login { sasl, mut exchange } = login;
        let peer = self.link.peer();
        match timeout(options.request_timeout, self.exchange(&sasl, &mut exchange)).await {
            Ok(Ok(lifetime)) => {
                sasl.taken();
                tracing::debug!(%peer, mechanism = sasl.mechanism(), ?lifetime, "authenticated");
                Ok(lifetime)
            }
            Ok(Err(Failed::Refused(cause))) => {
                sasl.refused(&cause);
                Err(failed(peer, cause))
            }
            Ok(Err(Failed::Asking(error))) => Err(error),
            Err(_) => Err(Error::Timeout {
                peer: peer.clone(),
                api: SaslAuthenticateRequest::API.name,
                after: options.request_timeout,
            }),
        }
    }

    async fn exchange(&self, sasl: &Sasl, exchange: &mut sasl::Exchange) -> Result<Option<Duration>, Failed> {
        self.handshake(sasl).await?;
        let mut message = exchange.first();
        loop {
            let answer = self.say(message).await?;
            if let Some(error) = KafkaError::of(answer.error_code) {
                let said = answer.error_message.map(|text| text.to_string());
                let said = said.filter(|text| !text.is_empty());
                return Err(Failed::Refused(exchange.refused(match error {
                    KafkaError::SASL_AUTHENTICATION_FAILED => said,
                    _ => Some(said.map_or(error.to_string(), |said| format!("{error}: {said}"))),
                })));
            }
            match exchange.next(&answer.auth_bytes).await.map_err(Failed::Refused)? {
                Step::Send(next) => message = next,
                Step::Done => {
                    let lifetime = u64::try_from(answer.session_lifetime_ms).unwrap_or(0);
                    return Ok((lifetime > 0).then(|| Duration::from_millis(lifetime)));
                }
            }
        }
    }

    async fn handshake(&self, sasl: &Sasl) -> Result<(), Failed> {
        let mechanism = sasl.mechanism();
        let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
        let version = self.version(SaslHandshakeRequest::API, i16::MAX)?;
        let answer = self
            .call(&request, version, Duration::ZERO, |answer, _| answer)
            .await?
            .await?;
        let enabled = || answer.mechanisms.iter().map(|name| name.to_string()).collect();
        match KafkaError::of(answer.error_code) {
            None => Ok(()),
            Some(KafkaError::UNSUPPORTED_SASL_MECHANISM) => Err(Failed::Refused(sasl::Error::Mechanism {
                wanted: mechanism,
                enabled: enabled(),
            })),
            Some(KafkaError::ILLEGAL_SASL_STATE) => Err(Failed::Refused(sasl::Error::NoSasl)),
            Some(error) => Err(Failed::Asking(Error::Kafka {
                peer: self.link.peer().clone(),
                api: SaslHandshakeRequest::API.name,
                on: Some(mechanism.to_owned()),
                error,
                message: None,
            })),
        }
    }

    async fn say(&self, message: Vec<u8>) -> Result<SaslAuthenticateResponse, Error> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message));
        let version = self.version(SaslAuthenticateRequest::API, i16::MAX)?;
        self.call(&request, version, Duration::ZERO, |answer, _| answer)
            .await?
            .await
    }
}

/// Who is to blame: the credentials, or the way to the broker.
enum Failed {
    Refused(sasl::Error),
    Asking(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Asking(error)
    }
}

fn failed(peer: &Peer, cause: sasl::Error) -> Error {
    Error::Sasl {
        peer: peer.clone(),
        cause: Box::new(cause),
    }
}
