//! A TCP connection to a host by whatever addresses its name has now.
//!
//! Nothing is kept between two connections: a name that leads elsewhere by then is followed (`client.dns.lookup=use_all_dns_ips`).

use std::{io, net::SocketAddr, time::Duration};

use futures::FutureExt;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use crate::{Address, race::race};

/// Before the next address is tried beside one that has not answered (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// The name of a host has no address, as far as this machine can find out.
#[derive(Debug, thiserror::Error)]
#[error("the name {host} cannot be resolved: {cause}")]
pub(crate) struct Unresolved {
    host: String,
    cause: String,
}

/// Resolves and connects, all in `limit`. The error names every address that was tried.
pub(crate) async fn dial(address: &Address, limit: Duration) -> io::Result<TcpStream> {
    let until = Instant::now() + limit;
    let resolving = lookup_host((address.host.as_str(), address.port));
    let cause = match timeout_at(until, resolving).await {
        Ok(Ok(addresses)) => return dial_until(addresses.collect(), until, limit).await,
        Ok(Err(cause)) => cause,
        Err(_) => late(limit),
    };
    Err(io::Error::new(
        cause.kind(),
        Unresolved {
            host: address.host.clone(),
            cause: cause.to_string(),
        },
    ))
}

async fn dial_until(addresses: Vec<SocketAddr>, until: Instant, limit: Duration) -> io::Result<TcpStream> {
    timeout_at(until, dial_any(addresses))
        .await
        .unwrap_or_else(|_| Err(late(limit)))
}

fn late(limit: Duration) -> io::Error {
    let what = format!("no connection within {} ms", limit.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, what)
}

async fn dial_any(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let one = |address: &SocketAddr| TcpStream::connect(*address).boxed();
    let mut causes = match race(addresses.iter().map(one).collect(), HEAD_START).await {
        Ok(stream) => return Ok(stream),
        Err(causes) => causes,
    };
    match (causes.pop(), causes.is_empty()) {
        (None, _) => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
        (Some(only), true) => Err(only),
        (Some(last), false) => {
            let kind = last.kind();
            causes.push(last);
            let all = addresses.iter().zip(causes);
            let all: Vec<String> = all
                .map(|(address, cause)| format!("{address}: {cause}"))
                .collect();
            Err(io::Error::new(kind, all.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        net::{TcpListener, TcpSocket},
        time::timeout,
    };

    use super::*;

    async fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    async fn closed() -> SocketAddr {
        listening().await.1
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_tried_and_named_when_none_answers() {
        let (_listener, open) = listening().await;
        let (one, two) = (closed().await, closed().await);
        let stream = dial_any(vec![one, open, two]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        let text = dial_any(vec![one, two]).await.unwrap_err().to_string();
        assert!(
            text.starts_with(&format!("{one}: Connection refused"))
                && text.contains(&format!(", {two}: Connection refused")),
            "{text}"
        );
        let error = dial_any(Vec::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "the name has no address");
    }

    /// A listener whose queue is full drops what comes, as a host that is gone does.
    #[tokio::test]
    async fn an_address_that_swallows_what_is_sent_does_not_take_the_time_of_the_next() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(1).unwrap();
        let swallows = full.local_addr().unwrap();
        let mut held = Vec::new();
        while let Ok(Ok(stream)) = timeout(Duration::from_millis(100), TcpStream::connect(swallows)).await {
            held.push(stream);
        }
        let (_listener, open) = listening().await;
        let stream = dial_any(vec![swallows, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        let address = Address {
            host: swallows.ip().to_string(),
            port: swallows.port(),
        };
        let error = dial(&address, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.to_string(), "no connection within 50 ms");
    }

    #[tokio::test]
    async fn an_ipv6_address_is_dialled() {
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let address = Address {
            host: "::1".to_owned(),
            port: listener.local_addr().unwrap().port(),
        };
        let stream = dial(&address, Duration::from_secs(10)).await.unwrap();
        assert!(stream.peer_addr().unwrap().is_ipv6());
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_told_from_a_host_that_does_not_answer() {
        let address = Address {
            // No name server is asked for a name with an empty part.
            host: "kafka-1..example".to_owned(),
            port: 9092,
        };
        let error = dial(&address, Duration::from_secs(10)).await.unwrap_err();
        assert!(error.get_ref().unwrap().is::<Unresolved>(), "{error:?}");
        let text = error.to_string();
        assert!(
            text.starts_with("the name kafka-1..example cannot be resolved: "),
            "{text}"
        );
    }
}
