//! Clients that do not behave, over real connections.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use towpath_server::{Limits, serve};

use crate::fake::{Fake, HANGS};

/// Longer than anything here may take.
const DEADLINE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    token: CancellationToken,
    work: JoinSet<io::Result<()>>,
}

// === impl Server ===

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has one");
        let token = CancellationToken::new();
        let mut work = JoinSet::new();
        work.spawn(serve(listener, Arc::new(Fake::new()), limits, token.clone()));
        Self { address, token, work }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// Sends something and reads until the server hangs up.
    async fn sent(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("it is taken");
        rest(&mut stream).await
    }

    async fn stop(mut self) {
        self.token.cancel();
        let ended = timeout(DEADLINE, self.work.join_next()).await.expect("it ends");
        ended
            .expect("it runs")
            .expect("it does not panic")
            .expect("it served");
    }
}

/// What the server sends until it hangs up.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
    read.expect("the server hangs up").expect("without a reset");
    String::from_utf8(answer).expect("it is text")
}

fn quick() -> Limits {
    Limits {
        arrival: Duration::from_millis(200),
        ..Limits::default()
    }
}

const GET: &str = "GET /connectors HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_request_is_answered_over_a_connection() {
    let server = Server::start(Limits::default()).await;
    let answer = server.sent(GET).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n[]"),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_send_a_whole_head_is_hung_up_on() {
    let server = Server::start(quick()).await;
    assert_eq!(server.sent("").await, "");
    assert_eq!(server.sent("GET / HTTP/1.1\r\nHost: loc").await, "");
    server.stop().await;
}

#[tokio::test]
async fn who_is_idle_after_an_answer_is_hung_up_on() {
    let server = Server::start(quick()).await;
    let answer = server
        .sent("GET /connectors HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(answer.ends_with("\r\n\r\n[]"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_send_a_whole_body_is_told_and_hung_up_on() {
    let server = Server::start(quick()).await;
    let head = "POST /connectors HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let answer = server.sent(head).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#"{"error_code":408,"#), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_read_its_answers_is_hung_up_on() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    let requests = "GET /connectors HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    let sending = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
    let ended = timeout(DEADLINE, sending).await;
    assert!(
        ended.is_ok(),
        "the connection is kept for a client that reads nothing"
    );
    server.stop().await;
}

#[tokio::test]
async fn who_sends_too_much_is_told_all_the_same() {
    let server = Server::start(Limits::default()).await;
    let mut stream = server.connect().await;
    let length = 12 << 20;
    let head = format!(
        "PUT /connectors/a/config HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    stream.write_all(&vec![b' '; length]).await.expect("it is read");
    let answer = rest(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 413 ") && answer.contains(r#""error_code":413"#),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let server = Server::start(Limits::default()).await;
    let answer = server.sent("\u{16}\u{3}\u{1} hello\r\n\r\n").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn slow_clients_do_not_stop_others() {
    let limits = Limits {
        arrival: DEADLINE,
        connections: 100,
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut slow = Vec::new();
    for index in 0..limits.connections - 1 {
        let mut stream = server.connect().await;
        let part = if index % 2 == 0 {
            "GET /conn"
        } else {
            "POST /connectors HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        };
        stream.write_all(part.as_bytes()).await.expect("it is taken");
        slow.push(stream);
    }
    let answer = timeout(DEADLINE / 4, server.sent(GET))
        .await
        .expect("it is answered while they are slow");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    drop(slow);
    server.stop().await;
}

#[tokio::test]
async fn one_client_more_than_allowed_waits_for_another_to_go() {
    let limits = Limits {
        connections: 2,
        arrival: DEADLINE,
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let first = server.connect().await;
    let _second = server.connect().await;
    let mut third = server.connect().await;
    third
        .write_all(GET.as_bytes())
        .await
        .expect("the machine takes it");
    let mut byte = [0];
    let early = timeout(Duration::from_millis(300), third.read(&mut byte)).await;
    assert!(early.is_err(), "it was answered though there were two");
    drop(first);
    let answer = rest(&mut third).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_worker_that_does_not_answer_is_not_waited_for() {
    let limits = Limits {
        request: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let text = format!("GET /connectors/{HANGS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = server.sent(&text).await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(
        answer.contains(r#"{"error_code":500,"message":"Request timed out."#),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_end_waits_for_requests_only_so_long() {
    let limits = Limits {
        shutdown: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut hanging = server.connect().await;
    let text = format!("GET /connectors/{HANGS} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    hanging.write_all(text.as_bytes()).await.expect("it is taken");
    let mut idle = server.connect().await;
    idle.write_all(b"GET /connectors HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .expect("it is taken");
    let mut answer = [0; 12];
    timeout(DEADLINE, idle.read_exact(&mut answer))
        .await
        .expect("in time")
        .expect("it is answered");
    let address = server.address;
    server.stop().await;
    assert_eq!(rest(&mut hanging).await, "", "it is cut off");
    rest(&mut idle).await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}
