//! Against a real TLS server in this process, which passes what it decrypts to the scripted broker.

mod authority;
mod server;

use std::{fs, path::Path, time::Duration};

use kafka_protocol::messages::InitProducerIdRequest;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use towpath_domain::config::Config;

use self::{authority::Authority, server::Server};
use crate::{
    Address, Connection, Environment, Error, Options, Peer, Security,
    scripted::{Answer, Broker, Session},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Options with `ssl.*` keys as a user gives them.
fn options(pairs: &[(&str, &Path)]) -> Options {
    let mut config: Config = pairs
        .iter()
        .map(|(key, path)| (format!("source.cluster.{key}"), path.display().to_string()))
        .collect();
    config.insert("source.cluster.security.protocol".to_owned(), "SSL".to_owned());
    Options {
        security: Security::parse(&config, "source.cluster.", &Environment::default()).unwrap(),
        ..Options::default()
    }
}

async fn open(address: &Address, options: &Options) -> Result<Connection, Error> {
    let peer = Peer {
        address: address.clone(),
        node: None,
    };
    let opening = Connection::open(peer, options, CancellationToken::new());
    timeout(PATIENCE, opening)
        .await
        .expect("a connection or an error")
}

/// A connection through a TLS server to the scripted broker.
async fn through(server: &Server, broker: &Broker, options: &Options) -> (Connection, Session) {
    let address = server.address("localhost");
    let (connection, session) = tokio::join!(open(&address, options), broker.session());
    (connection.unwrap(), session)
}

async fn refused(server: &Server, host: &str, options: &Options) -> String {
    let error = open(&server.address(host), options).await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    // Certificates are renewed while we wait.
    assert!(error.is_retriable());
    error.to_string()
}

fn write(folder: &TempDir, name: &str, content: &str) -> std::path::PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

#[tokio::test]
async fn requests_pass_in_both_versions_and_many_pieces_share_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let trust = write(&folder, "trust.pem", &authority.pem());
    for version in [&TLS13, &TLS12] {
        let broker = Broker::start().await;
        let server = Server::start(&broker, authority.server(&["localhost"]), |server| {
            server.versions(version)
        })
        .await;
        let (connection, mut session) =
            through(&server, &broker, &options(&[("ssl.truststore.location", &trust)])).await;
        let before = server.received();
        let pieces: Vec<bytes::Bytes> = (0..3000_u32)
            .map(|number| number.to_be_bytes().to_vec().into())
            .collect();
        let mut head = connection.header(crate::api::PRODUCE, 5, 1).unwrap();
        head.extend_from_slice(b"head");
        let frame = crate::connection::Frame::new(crate::api::PRODUCE, head, pieces).unwrap();
        let answer = connection
            .send(crate::api::PRODUCE, frame, Duration::ZERO, |answer| {
                Ok((answer, 0))
            })
            .await
            .unwrap();
        let asked = session.asked().await;
        let expected: Vec<u8> = (0..3000_u32).flat_map(u32::to_be_bytes).collect();
        assert!(asked.body.ends_with(&expected));
        // 12 KB and some; a record of its own for each piece would be 66 KB more.
        let sent = server.received() - before;
        assert!(sent < 12_000 + 1_500, "{sent} bytes on the wire");
        let large: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        session
            .answer(asked.correlation, Answer::default().bytes(&large))
            .await;
        let answer = answer.await.unwrap();
        assert_eq!(answer[8..], large, "behind correlation id and length");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_brokers_certificate_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let trust = write(&folder, "trust.pem", &authority.pem());
    let options = options(&[("ssl.truststore.location", &trust)]);
    let broker = Broker::start().await;
    for (certificate, host, expected) in [
        (
            Authority::new("another").server(&["localhost"]),
            "localhost",
            "the broker's certificate is not from an authority in source.cluster.ssl.truststore.location; put the certificate of its authority there",
        ),
        (
            authority.server_between(&["localhost"], 2000, 2001),
            "localhost",
            "expired on Jan  1 00:00:00 2001 +00:00; renew it on the broker",
        ),
        (
            authority.server_between(&["localhost"], 2200, 2201),
            "localhost",
            "is valid from Jan  1 00:00:00 2200 +00:00 on, which is later than this machine's clock says",
        ),
        (
            authority.server(&["kafka-1.example", "10.0.0.1"]),
            "localhost",
            "is addressed as localhost, and its certificate is for DnsName(\"kafka-1.example\"), IpAddress(10.0.0.1); use a name",
        ),
        (
            authority.server(&["localhost"]),
            "127.0.0.1",
            "is addressed as 127.0.0.1, and its certificate is for DnsName(\"localhost\")",
        ),
        (
            authority.server(&[]),
            "localhost",
            "is addressed as localhost, and its certificate has no subject alternative name",
        ),
    ] {
        let server = Server::start(&broker, certificate, |server| server).await;
        let error = refused(&server, host, &options).await;
        assert!(error.contains(expected), "{error}\n{expected}");
        assert!(error.starts_with(&server.address(host).to_string()), "{error}");
    }
}

#[tokio::test]
async fn addresses_are_checked_too_and_names_only_when_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let trust = write(&folder, "trust.pem", &authority.pem());
    let strict = options(&[("ssl.truststore.location", &trust)]);
    let lax = options(&[
        ("ssl.truststore.location", &trust),
        ("ssl.endpoint.identification.algorithm", Path::new("")),
    ]);
    let broker = Broker::start().await;
    for (name, host, options) in [
        ("127.0.0.1", "127.0.0.1", &strict),
        ("elsewhere.example", "localhost", &lax),
        ("elsewhere.example", "127.0.0.1", &lax),
    ] {
        let server = Server::start(&broker, authority.server(&[name]), |server| server).await;
        let address = server.address(host);
        let (opened, _session) = tokio::join!(open(&address, options), broker.session());
        opened.unwrap_or_else(|error| panic!("{name} as {host}: {error}"));
    }
    // Without a look at names the authority is looked at all the same.
    let stranger = Authority::new("another").server(&["localhost"]);
    let server = Server::start(&broker, stranger, |server| server).await;
    assert!(
        refused(&server, "localhost", &lax)
            .await
            .contains("is not from an authority")
    );
}

#[tokio::test]
async fn a_certificate_in_the_trust_store_itself_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start().await;
    for (names, from, expected) in [
        (&["localhost"][..], 2020, None),
        (
            &["elsewhere.example"][..],
            2020,
            Some("is addressed as localhost"),
        ),
        (&["localhost"][..], 2000, Some("expired on")),
    ] {
        // As `openssl req -x509` makes one: marked as an authority's.
        let own = authority::self_signed(names, from, if from == 2000 { 2001 } else { 2200 });
        let trust = write(&folder, "trust.pem", &own.certificate);
        let options = options(&[("ssl.truststore.location", &trust)]);
        let server = Server::start(&broker, own, |server| server).await;
        match expected {
            None => drop(through(&server, &broker, &options).await),
            Some(expected) => {
                let error = refused(&server, "localhost", &options).await;
                assert!(error.contains(expected), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn brokers_that_want_a_client_certificate_get_it_or_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let trust = write(&folder, "trust.pem", &authority.pem());
    let known = write(&folder, "known.pem", &authority.client("mirror").pem());
    let unknown = write(
        &folder,
        "unknown.pem",
        &Authority::new("another").client("mirror").pem(),
    );
    for version in [&TLS13, &TLS12] {
        let broker = Broker::start().await;
        let server = Server::start(&broker, authority.server(&["localhost"]), |server| {
            server.versions(version).wants_clients_of(&authority)
        })
        .await;
        let with = |store| {
            options(&[
                ("ssl.truststore.location", &trust),
                ("ssl.keystore.location", store),
            ])
        };
        drop(through(&server, &broker, &with(&known)).await);
        assert_eq!(server.last_client().as_deref(), Some("CN=mirror"));
        let error = refused(&server, "localhost", &with(&unknown)).await;
        assert!(
            error.contains("does not accept our certificate CN=mirror (alert UnknownCA); use one"),
            "{error}"
        );
        let error = refused(
            &server,
            "localhost",
            &options(&[("ssl.truststore.location", &trust)]),
        )
        .await;
        assert!(
            error.contains("wants a client certificate and we have none"),
            "{error}"
        );
        assert!(error.contains("source.cluster.ssl.keystore.location"), "{error}");
    }
}

#[tokio::test]
async fn a_listener_of_the_other_kind_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let trust = write(&folder, "trust.pem", &authority.pem());
    let encrypted = options(&[("ssl.truststore.location", &trust)]);
    // A plain text listener takes the first words of TLS for the length of a request, and closes.
    let broker = Broker::start().await;
    let (error, ()) = tokio::join!(open(&broker.address, &encrypted), async {
        drop(broker.accept().await);
    });
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("a plain text listener does so: name the port of a TLS listener, or set source.cluster.security.protocol to PLAINTEXT"),
        "{error}"
    );
    // Or it says something that is not TLS.
    let (error, ()) = tokio::join!(open(&broker.address, &encrypted), async {
        broker.accept().await.raw(b"SSH-2.0-OpenSSH_9.6\r\n").await;
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("what the broker answered is not TLS"), "{error}");
    // And plain text to a TLS listener.
    let server = Server::start(&broker, authority.server(&["localhost"]), |server| server).await;
    let error = open(&server.address("localhost"), &Options::default())
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a TLS listener says this to plain text: set security.protocol to SSL or SASL_SSL"),
        "{error}"
    );
    assert!(!error.is_retriable());
}

#[tokio::test]
async fn versions_and_suites_that_do_not_meet_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let trust = write(&folder, "trust.pem", &authority.pem());
    let broker = Broker::start().await;
    let server = Server::start(&broker, authority.server(&["localhost"]), |server| {
        server.versions(&TLS13)
    })
    .await;
    let old = options(&[
        ("ssl.truststore.location", &trust),
        ("ssl.protocol", Path::new("TLSv1.2")),
    ]);
    let error = refused(&server, "localhost", &old).await;
    assert!(error.contains("accepts none of our protocol versions"), "{error}");
    let server = Server::start(&broker, authority.server(&["localhost"]), |server| {
        server.versions(&TLS12)
    })
    .await;
    let suites = options(&[
        ("ssl.truststore.location", &trust),
        ("ssl.cipher.suites", Path::new("TLS_AES_128_GCM_SHA256")),
    ]);
    let error = refused(&server, "localhost", &suites).await;
    assert!(error.contains("TLS"), "{error}");
}

#[tokio::test]
async fn changed_stores_are_used_by_the_next_connection_and_broken_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let trust = write(&folder, "trust.pem", &authority.pem());
    let store = write(&folder, "key.pem", &authority.client("first").pem());
    let options = options(&[
        ("ssl.truststore.location", &trust),
        ("ssl.keystore.location", &store),
    ]);
    let broker = Broker::start().await;
    let start = || {
        Server::start(&broker, authority.server(&["localhost"]), |server| {
            server.wants_clients_of(&authority)
        })
    };
    let server = start().await;
    let (first, _first_session) = through(&server, &broker, &options).await;
    assert_eq!(server.last_client().as_deref(), Some("CN=first"));

    let second = authority.client("second").pem();
    // Half of it is there; then all of it. Neither disturbs the connection that is open.
    write(&folder, "key.pem", &second[..second.len() / 2]);
    drop(through(&server, &broker, &options).await);
    assert_eq!(server.last_client().as_deref(), Some("CN=first"));
    for (broken, content) in [
        ("expired", authority.client_between("expired", 2000, 2001).pem()),
        ("empty", String::new()),
    ] {
        write(&folder, "key.pem", &content);
        drop(through(&server, &broker, &options).await);
        assert_eq!(server.last_client().as_deref(), Some("CN=first"), "{broken}");
    }
    fs::remove_file(&store).unwrap();
    drop(through(&server, &broker, &options).await);
    write(&folder, "key.pem", &second);
    drop(through(&server, &broker, &options).await);
    assert_eq!(server.last_client().as_deref(), Some("CN=second"));
    assert!(first.is_alive());

    // The authority changes: what it does not vouch for is refused from then on.
    let other = Authority::new("another");
    write(&folder, "trust.pem", &other.pem());
    let error = refused(&start().await, "localhost", &options).await;
    assert!(error.contains("is not from an authority"), "{error}");
    let server = Server::start(&broker, other.server(&["localhost"]), |server| server).await;
    drop(through(&server, &broker, &options).await);
}

#[tokio::test]
async fn a_store_that_cannot_be_used_at_the_start_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let trust = write(&folder, "trust.pem", &authority.pem());
    let (mirror, other) = (authority.client("mirror"), authority.client("other"));
    let mixed = write(
        &folder,
        "mixed.pem",
        &format!("{}{}", mirror.key, other.certificate),
    );
    let old = write(
        &folder,
        "old.pem",
        &authority.client_between("old", 2000, 2001).pem(),
    );
    let early = write(
        &folder,
        "early.pem",
        &authority.client_between("early", 2200, 2201).pem(),
    );
    for (store, expected) in [
        (
            mixed,
            "the private key does not belong to the first certificate (CN=other); put the certificate of this key first",
        ),
        (
            old,
            "its certificate (CN=old) expired on Jan  1 00:00:00 2001 +00:00; renew it",
        ),
        (
            early,
            "its certificate (CN=early) is valid from Jan  1 00:00:00 2200 +00:00 on; set this machine's clock",
        ),
    ] {
        let options = options(&[
            ("ssl.truststore.location", &trust),
            ("ssl.keystore.location", &store),
        ]);
        let problems = options.security.check();
        assert_eq!(problems.len(), 1, "{problems:?}");
        let problem = problems[0].to_string();
        assert!(problem.contains(expected), "{problem}");
        assert!(
            problem.starts_with("source.cluster.ssl.keystore.location = "),
            "{problem}"
        );
    }
    // Both stores' mistakes come at once.
    let missing = folder.path().join("missing");
    let options = options(&[
        ("ssl.truststore.location", &missing),
        ("ssl.keystore.location", &missing),
    ]);
    assert_eq!(options.security.check().len(), 2);
}

#[tokio::test]
async fn two_callers_read_and_write_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let trust = write(&folder, "trust.pem", &authority.pem());
    let broker = Broker::start().await;
    let server = Server::start(&broker, authority.server(&["localhost"]), |server| server).await;
    let (connection, mut session) =
        through(&server, &broker, &options(&[("ssl.truststore.location", &trust)])).await;
    let asking = async {
        let request = InitProducerIdRequest::default();
        for _ in 0..100 {
            let (first, second) = tokio::join!(connection.call(&request, 1), connection.call(&request, 1));
            assert!(first.unwrap().producer_id != second.unwrap().producer_id);
        }
    };
    let answering = async {
        for number in 0..200 {
            let asked = session.asked().await;
            session
                .answer(asked.correlation, Answer::producer_id(0, number))
                .await;
        }
    };
    timeout(PATIENCE, async { tokio::join!(asking, answering) })
        .await
        .unwrap();
}

#[test]
fn what_is_given_to_another_library_is_what_the_stores_hold() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let client = authority.client("mirror");
    let trust = write(&folder, "trust.pem", &authority.pem());
    let store = write(&folder, "key.pem", &client.pem());
    let options = options(&[
        ("ssl.truststore.location", &trust),
        ("ssl.keystore.location", &store),
    ]);
    let pem = options.security.tls.unwrap().to_pem().unwrap();
    let same = |ours: Option<String>, theirs: &str| assert_eq!(ours.unwrap(), theirs.replace("\r\n", "\n"));
    same(pem.authorities, &authority.pem());
    same(pem.chain, &client.certificate);
    same(pem.key, &client.key);
    assert!(pem.checks_host_name);
}
