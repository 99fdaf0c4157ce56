use std::fs;

use data_encoding::BASE64;
use kafka_protocol::messages::InitProducerIdRequest;
use ring::{hmac, pbkdf2};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    Connection, Environment, Login, OauthBearer, ScramHash, Secret, Security, TokenSource,
    connection::InFlight,
    scripted::{Answer, Broker, Session, WITH_SASL},
};

const PASSWORD: &str = "pencil, \"hidden\"";
const HANDSHAKE: i16 = 17;
const AUTHENTICATE: i16 = 36;
const FAILED: i16 = 58;

fn secret(text: &str) -> Secret {
    Secret::new("sasl.jaas.config", text, &Environment::default())
}

fn login() -> Login {
    Login::new(secret("mirror=1"), secret(PASSWORD))
}

fn options(broker: &Broker, sasl: Sasl) -> Options {
    Options {
        security: Security {
            sasl: Some(sasl),
            ..Security::default()
        },
        ..broker.options()
    }
}

fn scram(broker: &Broker) -> Options {
    options(broker, Sasl::Scram(ScramHash::Sha256, login()))
}

async fn open(broker: &Broker, options: &Options) -> Result<Connection, Error> {
    let peer = Peer {
        address: broker.address.clone(),
        node: None,
    };
    Connection::open(peer, options, CancellationToken::new()).await
}

/// Takes the handshake for a mechanism and answers it.
async fn handshake(session: &mut Session, mechanism: &str, answer: Answer) {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (HANDSHAKE, 1));
    assert_eq!(&asked.body[2..], mechanism.as_bytes());
    session.answer(asked.correlation, answer).await;
}

/// The next message of the mechanism.
async fn said(session: &mut Session) -> (i32, Vec<u8>) {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (AUTHENTICATE, 1));
    (asked.correlation, asked.body[4..].to_vec())
}

async fn tell(session: &mut Session, correlation: i32, bytes: &[u8]) {
    session
        .answer(correlation, Answer::sasl_authenticate(0, "", bytes, 0))
        .await;
}

/// A broker that lets everybody in with PLAIN, for so long.
async fn let_in(session: &mut Session, lifetime_ms: i64) {
    handshake(session, "PLAIN", Answer::sasl_handshake(0, &["PLAIN"])).await;
    let (correlation, _) = said(session).await;
    session
        .answer(correlation, Answer::sasl_authenticate(0, "", b"", lifetime_ms))
        .await;
}

async fn ask(connection: &Connection) -> Result<InFlight<i64>, Error> {
    let id = |answer: kafka_protocol::messages::InitProducerIdResponse, _| answer.producer_id.0;
    connection
        .0
        .call(&InitProducerIdRequest::default(), 1, Duration::ZERO, id)
        .await
}

/// The server's side of SCRAM-SHA-256: what it says last, when it knows the password.
fn server_final(client_first: &str, server_first: &str, client_final: &str) -> String {
    let mut salted = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        std::num::NonZero::new(4096).unwrap(),
        b"salt",
        PASSWORD.as_bytes(),
        &mut salted,
    );
    let sign = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let key = sign(&salted, "Server Key");
    let without_proof = client_final.rsplit_once(",p=").unwrap().0;
    let bare = client_first.strip_prefix("n,,").unwrap();
    let message = format!("{bare},{server_first},{without_proof}");
    format!("v={}", BASE64.encode(sign(key.as_ref(), &message).as_ref()))
}

#[tokio::test]
async fn plain_says_name_and_password_and_goes_on_on_the_same_connection() {
    let broker = Broker::start().await;
    let options = options(&broker, Sasl::Plain(login()));
    let (connection, mut session) = tokio::join!(open(&broker, &options), async {
        let mut session = broker.session_of(WITH_SASL).await;
        handshake(&mut session, "PLAIN", Answer::sasl_handshake(0, &["PLAIN"])).await;
        let (correlation, message) = said(&mut session).await;
        assert_eq!(message, format!("\0mirror=1\0{PASSWORD}").as_bytes());
        tell(&mut session, correlation, b"").await;
        session
    });
    let connection = connection.unwrap();
    let answer = ask(&connection).await.unwrap();
    let asked = session.asked().await;
    session.answer(asked.correlation, Answer::producer_id(0, 7)).await;
    assert_eq!(answer.await.unwrap(), 7);
}

#[tokio::test]
async fn scram_lets_both_sides_prove_that_they_know_the_password() {
    let broker = Broker::start().await;
    let options = scram(&broker);
    let (connection, ()) = tokio::join!(open(&broker, &options), async {
        let mut session = broker.session_of(WITH_SASL).await;
        handshake(
            &mut session,
            "SCRAM-SHA-256",
            Answer::sasl_handshake(0, &["SCRAM-SHA-256"]),
        )
        .await;
        let (correlation, first) = said(&mut session).await;
        let first = String::from_utf8(first).unwrap();
        let nonce = first.strip_prefix("n,,n=mirror=3D1,r=").unwrap();
        let server_first = format!("r={nonce}more,s={},i=4096", BASE64.encode(b"salt"));
        tell(&mut session, correlation, server_first.as_bytes()).await;
        let (correlation, last) = said(&mut session).await;
        let last = String::from_utf8(last).unwrap();
        let verdict = server_final(&first, &server_first, &last);
        tell(&mut session, correlation, verdict.as_bytes()).await;
    });
    connection.unwrap();
}

#[tokio::test]
async fn a_hostile_server_is_left_at_once() {
    let broker = Broker::start().await;
    let salt = BASE64.encode(b"salt");
    let own = |rest: &str| format!("r=NONCE,s={salt},i={rest}");
    for (challenge, expected) in [
        (String::new(), "its message is empty"),
        (own("4096"), "its nonce does not extend ours"),
        (
            format!("r=NONCEx,s={salt},i=2147483648"),
            "it wants 2147483648 iterations",
        ),
        (format!("r=NONCEx,s={salt},i=1"), "it wants 1 iterations"),
        (
            format!("r=NONCEx,s={salt},i=4096"),
            "its signature is not of somebody who knows the password",
        ),
    ] {
        let options = scram(&broker);
        let (connection, ()) = tokio::join!(open(&broker, &options), async {
            let mut session = broker.session_of(WITH_SASL).await;
            handshake(&mut session, "SCRAM-SHA-256", Answer::sasl_handshake(0, &[])).await;
            let (correlation, first) = said(&mut session).await;
            let first = String::from_utf8(first).unwrap();
            let nonce = first.rsplit_once("r=").unwrap().1;
            tell(
                &mut session,
                correlation,
                challenge.replace("NONCE", nonce).as_bytes(),
            )
            .await;
            // The one challenge that is taken is followed by a signature out of thin air.
            if let Some(asked) = session.next().await {
                assert!(expected.contains("signature"), "{expected}");
                let made_up = format!("v={}", BASE64.encode(&[7; 32]));
                tell(&mut session, asked.correlation, made_up.as_bytes()).await;
                assert!(session.next().await.is_none());
            }
        });
        let error = connection.err().unwrap();
        let text = error.to_string();
        assert!(
            text.contains("SCRAM-SHA-256: the other end does not prove that it is the broker")
                && text.contains(expected),
            "{text}"
        );
        assert!(
            text.ends_with("; check the address, and what is between it and here"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_the_listener_lacks_is_said() {
    let broker = Broker::start().await;
    for (answer, expected) in [
        (
            Answer::sasl_handshake(33, &["PLAIN", "OAUTHBEARER"]),
            "does not take sasl.mechanism SCRAM-SHA-256, it has PLAIN, OAUTHBEARER; set one that it has",
        ),
        (
            Answer::sasl_handshake(33, &[]),
            "it has none; set one that it has, or add SCRAM-SHA-256 to the broker's sasl.enabled.mechanisms",
        ),
        (
            Answer::sasl_handshake(34, &[]),
            "takes no SASL; set security.protocol to PLAINTEXT or SSL",
        ),
        (
            Answer::sasl_handshake(-1, &[]),
            "SaslHandshake of SCRAM-SHA-256: UNKNOWN_SERVER_ERROR",
        ),
    ] {
        let options = scram(&broker);
        let (connection, ()) = tokio::join!(open(&broker, &options), async {
            let mut session = broker.session_of(WITH_SASL).await;
            handshake(&mut session, "SCRAM-SHA-256", answer).await;
        });
        let error = connection.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_without_the_password_and_not_repeated_at_once() {
    let broker = Broker::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, PASSWORD).unwrap();
    let password = secret(&format!("${{dir:{}:password}}", folder.path().display()));
    let mut options = options(&broker, Sasl::Plain(Login::new(secret("mirror"), password)));
    // Longer than this test takes.
    options.retry_backoff = Duration::from_secs(60);
    options.retry_backoff_max = Duration::from_secs(60);
    let (connection, ()) = tokio::join!(open(&broker, &options), async {
        let mut session = broker.session_of(WITH_SASL).await;
        handshake(&mut session, "PLAIN", Answer::sasl_handshake(0, &["PLAIN"])).await;
        let (correlation, _) = said(&mut session).await;
        let refusal = Answer::sasl_authenticate(
            FAILED,
            "Authentication failed: Invalid username or password",
            b"",
            0,
        );
        session.answer(correlation, refusal).await;
        assert!(session.next().await.is_none());
    });
    let error = connection.err().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "{}: PLAIN: the broker refused user \"mirror\": Authentication failed: Invalid username or password; \
             check the user name and the password, and that the cluster has this user for PLAIN",
            broker.address
        )
    );
    assert_eq!(error.retry(), crate::Retry::WhenMended);

    // Nobody is there to answer, and nobody is asked.
    let again = open(&broker, &options).await.err().unwrap();
    assert_eq!(again.to_string(), error.to_string());

    // With another password it is tried at once.
    fs::write(&file, "mended").unwrap();
    let (connection, ()) = tokio::join!(open(&broker, &options), async {
        let mut session = broker.session_of(WITH_SASL).await;
        handshake(&mut session, "PLAIN", Answer::sasl_handshake(0, &["PLAIN"])).await;
        let (correlation, message) = said(&mut session).await;
        assert_eq!(message, b"\0mirror\0mended");
        tell(&mut session, correlation, b"").await;
    });
    connection.unwrap();

    // A reference that leads nowhere is found before anybody is asked.
    fs::remove_file(&file).unwrap();
    let error = open(&broker, &options).await.err().unwrap().to_string();
    assert!(error.contains("password cannot be read"), "{error}");
}

#[tokio::test]
async fn a_token_is_sent_with_its_extensions_and_a_refusal_is_heard_to_its_end() {
    let broker = Broker::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "to.ken\n").unwrap();
    let extensions = vec![("logicalCluster".to_owned(), "lkc-1".to_owned())];
    let source = TokenSource::File(file.clone());
    let options = options(&broker, Sasl::OauthBearer(OauthBearer::new(source, extensions)));
    let (connection, ()) = tokio::join!(open(&broker, &options), async {
        let mut session = broker.session_of(WITH_SASL).await;
        handshake(
            &mut session,
            "OAUTHBEARER",
            Answer::sasl_handshake(0, &["OAUTHBEARER"]),
        )
        .await;
        let (correlation, message) = said(&mut session).await;
        assert_eq!(
            message,
            b"n,,\x01auth=Bearer to.ken\x01logicalCluster=lkc-1\x01\x01"
        );
        tell(&mut session, correlation, b"").await;
    });
    connection.unwrap();

    let (connection, ()) = tokio::join!(open(&broker, &options), async {
        let mut session = broker.session_of(WITH_SASL).await;
        handshake(
            &mut session,
            "OAUTHBEARER",
            Answer::sasl_handshake(0, &["OAUTHBEARER"]),
        )
        .await;
        let (correlation, _) = said(&mut session).await;
        tell(&mut session, correlation, br#"{"status":"invalid_token"}"#).await;
        let (correlation, message) = said(&mut session).await;
        assert_eq!(message, [1]);
        let refusal = Answer::sasl_authenticate(FAILED, "Authentication failed", b"", 0);
        session.answer(correlation, refusal).await;
    });
    let error = connection.err().unwrap().to_string();
    assert!(
        error.contains(
            "OAUTHBEARER: the broker refused the token: invalid_token: Authentication failed; check that the token is not expired"
        ),
        "{error}"
    );
    assert!(!error.contains("to.ken"), "{error}");
}

#[tokio::test]
async fn a_broker_that_says_nothing_is_left_in_time() {
    let broker = Broker::start().await;
    let options = Options {
        request_timeout: Duration::from_millis(100),
        ..scram(&broker)
    };
    let (connection, ()) = tokio::join!(open(&broker, &options), async {
        let mut session = broker.session_of(WITH_SASL).await;
        session.asked().await;
        assert!(session.next().await.is_none(), "the connection is closed");
    });
    let error = connection.err().unwrap();
    assert!(error.to_string().contains("no answer within 100 ms"), "{error}");
    assert!(error.retry().is_soon(), "{error}");
}

#[tokio::test]
async fn authenticating_again_waits_for_what_is_in_flight_and_holds_back_what_comes() {
    let broker = Broker::start().await;
    let options = options(&broker, Sasl::Plain(login()));
    let (connection, mut session) = tokio::join!(open(&broker, &options), async {
        let mut session = broker.session_of(WITH_SASL).await;
        let_in(&mut session, 1).await;
        session
    });
    let connection = connection.unwrap();
    let first = ask(&connection).await.unwrap();
    let asked = session.asked().await;
    // Longer than the session: the request in flight is waited for.
    assert!(session.is_silent(SOONEST + Duration::from_millis(300)).await);
    let mut second = Box::pin(ask(&connection));
    assert!(
        futures::poll!(&mut second).is_pending(),
        "nothing new may be asked"
    );
    session.answer(asked.correlation, Answer::producer_id(0, 1)).await;
    assert_eq!(first.await.unwrap(), 1);
    let_in(&mut session, 60_000).await;
    let second = second.await.unwrap();
    let asked = session.asked().await;
    assert_eq!(asked.api, 22);
    session.answer(asked.correlation, Answer::producer_id(0, 2)).await;
    assert_eq!(second.await.unwrap(), 2);
    assert!(connection.is_alive() && connection.has_room());
}

#[tokio::test]
async fn a_broker_that_refuses_it_the_second_time_loses_the_connection_with_the_reason() {
    let broker = Broker::start().await;
    let options = options(&broker, Sasl::Plain(login()));
    let (connection, mut session) = tokio::join!(open(&broker, &options), async {
        let mut session = broker.session_of(WITH_SASL).await;
        let_in(&mut session, 1).await;
        session
    });
    let connection = connection.unwrap();
    handshake(&mut session, "PLAIN", Answer::sasl_handshake(0, &["PLAIN"])).await;
    let (correlation, _) = said(&mut session).await;
    let mut waiting = Box::pin(ask(&connection));
    assert!(futures::poll!(&mut waiting).is_pending());
    let refusal = Answer::sasl_authenticate(FAILED, "gone", b"", 0);
    session.answer(correlation, refusal).await;
    let error = waiting.await.unwrap_err();
    assert!(
        error.to_string().contains("authenticating again failed")
            && error.to_string().contains("refused user \"mirror=1\": gone"),
        "{error}"
    );
    assert!(error.retry().is_soon(), "{error}");
    assert!(!connection.is_alive());
    assert!(session.next().await.is_none());
}
