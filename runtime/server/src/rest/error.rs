//! What a client is told when it does not get what it asked for. The only place that knows which refusal has which status.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::herder::Refusal;

/// Connect's `{"error_code", "message"}`.
#[derive(Debug)]
pub(super) struct Error {
    status: StatusCode,
    message: String,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct Body {
    /// the answer's status
    #[schema(minimum = 400, maximum = 599, examples(404))]
    error_code: u16,
    /// what is wrong and what to do, with a line for each mistake
    #[schema(examples("Connector orders-mirror not found"))]
    message: String,
}

// === impl Error ===

impl Error {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("HTTP 413 Payload Too Large: a body may have {limit} bytes"),
        )
    }

    /// The client did not send its request in time.
    pub(super) fn slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "HTTP 408 Request Timeout")
    }

    /// The worker did not answer in time.
    pub(super) fn timed_out() -> Self {
        Self::from(Refusal::TimedOut("It may still be done.".to_owned()))
    }

    pub(super) fn panicked() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the worker failed to handle this request; its log says how",
        )
    }

    /// Jersey's words for what has nothing to do with connectors.
    pub(super) fn plain(status: StatusCode) -> Self {
        Self::new(status, format!("HTTP {status}"))
    }

    /// A refusal, where Connect calls an unknown connector something else here.
    pub(super) fn worded(refusal: Refusal, unknown: impl FnOnce(&str) -> String) -> Self {
        match &refusal {
            Refusal::UnknownConnector(name) => Self::not_found(unknown(name)),
            _ => Self::from(refusal),
        }
    }

    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::UnknownConnector(_)
            | Refusal::UnknownTask { .. }
            | Refusal::UnknownPlugin(_)
            | Refusal::UnknownLogger(_) => StatusCode::NOT_FOUND,
            Refusal::Invalid(_) | Refusal::NotStopped(_) | Refusal::BadRequest(_) => StatusCode::BAD_REQUEST,
            Refusal::AlreadyExists(_) | Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::Disabled(_) => StatusCode::FORBIDDEN,
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            // Connect's, for both: its clients know no 504.
            Refusal::TimedOut(_) | Refusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, refusal.to_string())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(
                status = self.status.as_u16(),
                "a request failed: {}",
                self.message
            );
        }
        let body = Body {
            error_code: self.status.as_u16(),
            message: self.message,
        };
        (self.status, Json(body)).into_response()
    }
}
