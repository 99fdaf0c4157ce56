//! What holds for every request: what the client must accept, how long it may take, who may have sent it.

use std::any::Any;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::timeout;

use super::{Reach, error::Error};
use crate::limits::Limits;

/// Every answer is JSON.
pub(super) async fn accept(request: Request, next: Next) -> Response {
    if accepts_json(request.headers()) {
        next.run(request).await
    } else {
        Error::plain(StatusCode::NOT_ACCEPTABLE).into_response()
    }
}

pub(super) async fn limit(State(limits): State<Limits>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(limits);
    match timeout(limits.request, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Error::timed_out().into_response(),
    }
}

/// There is no authentication: a page that an operator's browser shows must not steer the worker. Browsers name the page's origin; and a name
/// that a page has made point to this machine is none of this machine's names.
pub(super) async fn origin(State(reach): State<Reach>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    if let Some(host) = host
        && reach == Reach::Loopback
        && !is_loopback_name(host)
    {
        return Error::forbidden(format!(
            "the worker listens on a loopback address and is not called {host:?}: use localhost or 127.0.0.1"
        ))
        .into_response();
    }
    if let Some(origin) = headers.get(header::ORIGIN)
        && !origin.to_str().is_ok_and(|origin| is_same_origin(origin, host))
    {
        return Error::forbidden("requests from pages of another origin are not taken").into_response();
    }
    next.run(request).await
}

pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    tracing::error!("handling a request panicked: {text}");
    Error::panicked().into_response()
}

/// Whether JSON is among what the client takes. Of ranges that name it, the narrowest counts.
fn accepts_json(headers: &HeaderMap) -> bool {
    let mut best: Option<(u8, bool)> = None;
    let mut any = false;
    for range in headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
    {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        if media.is_empty() {
            continue;
        }
        any = true;
        let width = match media.as_str() {
            "application/json" => 2,
            "application/*" => 1,
            "*/*" | "*" => 0,
            _ => continue,
        };
        let refused = parts
            .filter_map(|parameter| parameter.strip_prefix("q="))
            .any(|quality| quality.parse::<f32>().is_ok_and(|quality| quality <= 0.0));
        if best.is_none_or(|(narrowest, _)| width > narrowest) {
            best = Some((width, !refused));
        }
    }
    best.map_or(!any, |(_, accepted)| accepted)
}

fn is_loopback_name(host: &str) -> bool {
    let Ok(uri) = format!("http://{host}/").parse::<Uri>() else {
        return false;
    };
    let name = uri.host().unwrap_or_default();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn is_same_origin(origin: &str, host: Option<&str>) -> bool {
    let authority = origin.strip_prefix("http://");
    authority.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, value.parse().expect("a header"));
        accepts_json(&headers)
    }

    #[test]
    fn json_is_accepted_by_name_by_range_and_by_silence() {
        assert!(accepts_json(&HeaderMap::new()));
        for value in [
            "application/json",
            "*/*",
            "application/*",
            "text/html, application/xhtml+xml, */*;q=0.8",
            "Application/JSON; charset=utf-8",
            "application/json, */*;q=0",
            "",
        ] {
            assert!(accepts(value), "{value}");
        }
        for value in [
            "application/xml",
            "text/*",
            "application/json;q=0, */*",
            "*/*;q=0.0",
        ] {
            assert!(!accepts(value), "{value}");
        }
    }

    #[test]
    fn only_names_of_this_machine_are_loopback_names() {
        for name in [
            "localhost",
            "localhost:8083",
            "127.0.0.1:8083",
            "127.1.2.3",
            "[::1]:80",
            "LocalHost",
        ] {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in [
            "evil.example:8083",
            "localhost.evil.example",
            "10.0.0.1",
            "a b",
            "",
            "127.0.0.1@evil",
        ] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }
}
