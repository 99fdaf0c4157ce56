//! A broker for tests that answers what the test tells it to, byte by byte: what it says is written here by hand and not by the
//! library that reads it.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{Address, Options};

pub(crate) struct Broker {
    listener: TcpListener,
    pub(crate) address: Address,
}

/// The broker's end of a connection.
pub(crate) struct Session(TcpStream);

/// A request with header version 1 or 2; the body begins behind the client id.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) api: i16,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    pub(crate) body: Vec<u8>,
}

/// Builds an answer.
#[derive(Clone, Default)]
pub(crate) struct Answer(pub(crate) Vec<u8>);

/// (key, min, max): versions that are easily written by hand.
pub(crate) const SIMPLE: &[(i16, i16, i16)] =
    &[(0, 3, 5), (1, 4, 4), (2, 2, 4), (3, 4, 7), (18, 0, 3), (22, 0, 1)];

/// As [`SIMPLE`], from a listener with SASL.
pub(crate) const WITH_SASL: &[(i16, i16, i16)] = &[(17, 0, 1), (18, 0, 3), (22, 0, 1), (36, 0, 1)];

/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(10);

// === impl Broker ===

impl Broker {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            listener,
            address: Address {
                host: "127.0.0.1".to_owned(),
                port,
            },
        }
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            bootstrap_servers: vec![self.address.to_string()],
            request_timeout: Duration::from_secs(5),
            retry_backoff: Duration::from_millis(5),
            retry_backoff_max: Duration::from_millis(20),
            ..Options::default()
        }
    }

    /// The next connection, before it has said anything.
    pub(crate) async fn accept(&self) -> Session {
        Session(
            timeout(PATIENCE, self.listener.accept())
                .await
                .expect("nobody connects")
                .unwrap()
                .0,
        )
    }

    /// The next connection, with versions negotiated.
    pub(crate) async fn session(&self) -> Session {
        self.session_of(SIMPLE).await
    }

    /// The next connection, with these versions negotiated.
    pub(crate) async fn session_of(&self, versions: &[(i16, i16, i16)]) -> Session {
        let mut session = self.accept().await;
        let asked = session.asked().await;
        assert_eq!((asked.api, asked.version), (18, 3));
        session
            .answer(asked.correlation, Answer::api_versions(versions))
            .await;
        session
    }
}

// === impl Session ===

impl Session {
    pub(crate) async fn asked(&mut self) -> Asked {
        timeout(PATIENCE, self.next())
            .await
            .expect("nothing is asked")
            .expect("the client is gone")
    }

    /// `None` when the client closes the connection.
    pub(crate) async fn next(&mut self) -> Option<Asked> {
        let length = self.0.read_u32().await.ok()?;
        let mut frame = vec![0; length as usize];
        self.0.read_exact(&mut frame).await.ok()?;
        let short = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
        let correlation = i32::from_be_bytes(frame[4..8].try_into().unwrap());
        let body = frame[10 + usize::try_from(short(8)).unwrap()..].to_vec();
        Some(Asked {
            api: short(0),
            version: short(2),
            correlation,
            body,
        })
    }

    /// Whether the client stays silent for so long.
    pub(crate) async fn is_silent(&mut self, time: Duration) -> bool {
        timeout(time, self.0.peek(&mut [0])).await.is_err()
    }

    pub(crate) async fn answer(&mut self, correlation: i32, answer: Answer) {
        let mut frame = i32::try_from(answer.0.len() + 4).unwrap().to_be_bytes().to_vec();
        frame.extend(correlation.to_be_bytes());
        frame.extend(answer.0);
        self.raw(&frame).await;
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn i8(mut self, value: i8) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn i16(mut self, value: i16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn i32(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn i64(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn string(self, value: &str) -> Self {
        let mut answer = self.i16(value.len() as i16);
        answer.0.extend(value.as_bytes());
        answer
    }

    pub(crate) fn bytes(self, value: &[u8]) -> Self {
        let mut answer = self.i32(value.len() as i32);
        answer.0.extend(value);
        answer
    }

    /// SaslHandshake, version 1.
    pub(crate) fn sasl_handshake(error: i16, mechanisms: &[&str]) -> Self {
        let answer = Self::default().i16(error).i32(mechanisms.len() as i32);
        mechanisms
            .iter()
            .fold(answer, |answer, mechanism| answer.string(mechanism))
    }

    /// SaslAuthenticate, version 1.
    pub(crate) fn sasl_authenticate(error: i16, message: &str, bytes: &[u8], lifetime_ms: i64) -> Self {
        Self::default()
            .i16(error)
            .string(message)
            .bytes(bytes)
            .i64(lifetime_ms)
    }

    /// Version 3: compact array, tagged fields.
    pub(crate) fn api_versions(versions: &[(i16, i16, i16)]) -> Self {
        let mut answer = Self::default().i16(0).i8(versions.len() as i8 + 1);
        for (key, min, max) in versions {
            answer = answer.i16(*key).i16(*min).i16(*max).i8(0);
        }
        answer.i32(0).i8(0)
    }

    /// Version 7: one broker, and one topic of one partition that it leads with this epoch.
    pub(crate) fn metadata(broker: &Address, cluster: &str, topic: &str, epoch: i32) -> Self {
        let answer = Self::default()
            .i32(0)
            .i32(1)
            .i32(1)
            .string(&broker.host)
            .i32(i32::from(broker.port))
            .i16(-1);
        let answer = answer.string(cluster).i32(1);
        if topic.is_empty() {
            return answer.i32(0);
        }
        let answer = answer.i32(1).i16(0).string(topic).i8(0).i32(1);
        answer
            .i16(0)
            .i32(0)
            .i32(1)
            .i32(epoch)
            .i32(1)
            .i32(1)
            .i32(1)
            .i32(1)
            .i32(0)
    }

    /// Version 0 and 1.
    pub(crate) fn producer_id(throttle_ms: i32, id: i64) -> Self {
        Self::default().i32(throttle_ms).i16(0).i64(id).i16(0)
    }

    /// Version 4: one partition.
    pub(crate) fn list_offsets(topic: &str, error: i16, offset: i64, epoch: i32) -> Self {
        Self::default()
            .i32(0)
            .i32(1)
            .string(topic)
            .i32(1)
            .i32(0)
            .i16(error)
            .i64(-1)
            .i64(offset)
            .i32(epoch)
    }
}
