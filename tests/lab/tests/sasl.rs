//! Who the worker is, told to two real brokers: by every mechanism, again before a session ends and with a changed password while records flow;
//! what is wrong with it, and which ACL is missing, as one sentence. Contents are compared through the plain listeners.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow, ensure};
use data_encoding::BASE64URL_NOPAD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tempfile::TempDir;
use towpath_lab::{
    broker::{Broker, BrokerOptions, Listener, Pair, STORE_PASSWORD, Sasl},
    certificates::{Authority, trust_store},
    compare,
    generate::{Pace, Traffic},
    towpath::{Connector, Status, Worker},
};

const SOON: Duration = Duration::from_secs(60);
const PASSWORD: &str = "s3cret, \\\"quoted\\\"";
/// As the mechanism sees it.
const PLAIN_PASSWORD: &str = "s3cret, \"quoted\"";
const POSITIONS: &str = "positions-of-acl";

/// A principal of the ACL test, with what it lacks.
const PRINCIPALS: [(&str, &str); 8] = [
    ("full", ""),
    ("no-source-read", "source read"),
    ("no-source-configs", "source configs"),
    ("no-create", "create"),
    ("no-write", "write"),
    ("no-target-configs", "target configs"),
    ("no-positions-read", "positions read"),
    ("no-positions-write", "positions write"),
];

fn world() -> &'static Pair {
    static WORLD: OnceLock<Pair> = OnceLock::new();
    WORLD.get_or_init(|| start().expect("the brokers start"))
}

fn start() -> Result<Pair> {
    let user = |name: &str| (name.to_owned(), PASSWORD.to_owned());
    let simple = |name: &str| (name.to_owned(), "simple".to_owned());
    let mut plain = vec![user("mirror")];
    plain.extend(PRINCIPALS.iter().map(|(name, _)| user(name)));
    let listener = Listener::Sasl(Sasl {
        plain,
        scram_sha_256: vec![simple("mirror256")],
        scram_sha_512: vec![simple("mirror512"), simple("rotated")],
        session_ms: Some(2500),
    });
    let users = "User:ANONYMOUS;User:mirror;User:mirror256;User:mirror512;User:rotated;User:token";
    let options = |name| {
        BrokerOptions::named(name)
            .property("super.users", users)
            .listener(listener.clone())
    };
    Pair::start_with(options("source"), options("target"))
}

/// A client's keys, without prefix.
type Keys = Vec<(&'static str, String)>;

fn module(name: &str, options: &str) -> (&'static str, String) {
    (
        "sasl.jaas.config",
        format!("org.apache.kafka.common.security.{name} required {options};"),
    )
}

fn keys(mechanism: &str, jaas: (&'static str, String)) -> Keys {
    vec![
        ("security.protocol", "SASL_PLAINTEXT".to_owned()),
        ("sasl.mechanism", mechanism.to_owned()),
        jaas,
    ]
}

fn plain(user: &str, password: &str) -> Keys {
    let options = format!("username=\"{user}\" password=\"{password}\"");
    keys("PLAIN", module("plain.PlainLoginModule", &options))
}

fn scram(mechanism: &str, user: &str, password: &str) -> Keys {
    let options = format!("username=\"{user}\" password=\"{password}\"");
    keys(mechanism, module("scram.ScramLoginModule", &options))
}

fn token_from(url: &str, options: &str) -> Keys {
    let mut keys = keys(
        "OAUTHBEARER",
        module("oauthbearer.OAuthBearerLoginModule", options),
    );
    keys.push(("sasl.oauthbearer.token.endpoint.url", url.to_owned()));
    keys
}

/// An unsigned token of the principal `User:token`, which ends `seconds` from now.
fn token(seconds: i64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let claims = format!(
        r#"{{"sub":"token","iat":{},"exp":{}}}"#,
        now.min(now + seconds) - 10,
        now + seconds
    );
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims))
}

/// A token endpoint on loopback: its URL. It lives as long as the test program.
fn token_endpoint() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/token", listener.local_addr()?);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            grant_token(&mut stream);
        }
    });
    Ok(url)
}

/// As [`token_endpoint`], of https, with key and certificate of this file.
fn tls_token_endpoint(server: &Path) -> Result<String> {
    let pem = fs::read(server)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(&pem)?)?;
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("https://{}/token", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let Ok(connection) = ServerConnection::new(Arc::clone(&config)) else {
                return;
            };
            let mut stream = StreamOwned::new(connection, stream);
            grant_token(&mut stream);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    Ok(url)
}

/// Reads a request for a token and answers it.
fn grant_token(stream: &mut (impl Read + Write)) {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !String::from_utf8_lossy(&request).contains("grant_type=client_credentials") {
        match stream.read(&mut part) {
            Ok(read @ 1..) => request.extend_from_slice(&part[..read]),
            _ => break,
        }
    }
    // "towpath:letmein"
    let is_known = String::from_utf8_lossy(&request).contains("Basic dG93cGF0aDpsZXRtZWlu");
    let (status, body) = if is_known {
        (
            "200 OK",
            format!(r#"{{"access_token":"{}","expires_in":600}}"#, token(600)),
        )
    } else {
        (
            "401 Unauthorized",
            r#"{"error":"invalid_client","error_description":"wrong secret"}"#.to_owned(),
        )
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    // A client that went away is none of its business.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

fn address(broker: &Broker) -> Result<&str> {
    broker.bootstrap_of("SASL")
}

/// A worker that writes to the target with these keys, and reads the source with those.
fn mirror(topic: &str, source: (&str, &Keys), target: (&str, &Keys)) -> Result<Worker> {
    mirror_with(topic, source, target, |connector| connector)
}

fn mirror_with(
    topic: &str,
    (source, source_keys): (&str, &Keys),
    (target, target_keys): (&str, &Keys),
    vary: impl FnOnce(Connector) -> Connector,
) -> Result<Worker> {
    let positions = format!("positions-of-{topic}");
    let mut properties = vec![
        ("bootstrap.servers", target),
        ("offset.storage.topic", &*positions),
    ];
    properties.extend(target_keys.iter().map(|(key, value)| (*key, escaped(value))));
    let mut connector = Connector::mirror(topic, source).set("topics", topic);
    for (key, value) in source_keys {
        connector = connector.set(&format!("source.cluster.{key}"), value);
    }
    let mut worker = Worker::new(&properties)?;
    worker.connector(&vary(connector))?;
    Ok(worker)
}

/// A backslash is a letter of its own in a properties file only when there are two.
fn escaped(value: &str) -> &'static str {
    // A test's few strings may live as long as it does.
    Box::leak(value.replace('\\', "\\\\").into_boxed_str())
}

fn both(topic: &str, keys: &Keys) -> Result<Worker> {
    let pair = world();
    mirror(
        topic,
        (address(&pair.source)?, keys),
        (address(&pair.target)?, keys),
    )
}

fn produce(topic: &str, records: u64) -> Result<()> {
    let source = &world().source;
    source.admin()?.create_topic(topic, 4, &[])?;
    Traffic::orders(topic, 4, records).produce(source.bootstrap())?;
    Ok(())
}

fn assert_same(topic: &str, records: u64) -> Result<()> {
    let pair = world();
    compare::assert_same(
        (pair.source.bootstrap(), topic),
        (pair.target.bootstrap(), topic),
        records,
    )?;
    Ok(())
}

/// Runs traffic for some seconds and `act` beside it.
fn under_load(topic: &str, records: u64, per_second: u64, act: impl FnOnce() -> Result<()>) -> Result<()> {
    let source = &world().source;
    let traffic = Traffic {
        pace: Pace::PerSecond(per_second),
        ..Traffic::orders(topic, 4, records)
    };
    thread::scope(|scope| {
        let writing = scope.spawn(|| traffic.produce(source.bootstrap()));
        act()?;
        writing.join().map_err(|_| anyhow!("the producer panicked"))??;
        Ok(())
    })
}

#[test]
fn every_mechanism_mirrors_what_is_there() -> Result<()> {
    const RECORDS: u64 = 10_000;
    let folder = TempDir::new()?;
    let file = folder.path().join("token");
    fs::write(&file, token(600))?;
    let endpoint = token_endpoint()?;
    for (topic, keys) in [
        ("by-plain", plain("mirror", PASSWORD)),
        ("by-scram-256", scram("SCRAM-SHA-256", "mirror256", "simple")),
        ("by-scram-512", scram("SCRAM-SHA-512", "mirror512", "simple")),
        (
            "by-token-file",
            token_from(&format!("file://{}", file.display()), ""),
        ),
        (
            "by-token-endpoint",
            token_from(&endpoint, r#"clientId="towpath" clientSecret="letmein""#),
        ),
    ] {
        produce(topic, RECORDS)?;
        let mut worker = both(topic, &keys)?;
        worker.start()?;
        worker
            .wait_until_mirrored(topic, &world().source, SOON)
            .context(topic)?;
        worker.stop()?;
        assert_same(topic, RECORDS)?;
        let log = worker.log_text();
        for secret in [PLAIN_PASSWORD, "letmein", "eyJ"] {
            ensure!(!log.contains(secret), "a secret is in the log: {log}");
        }
    }
    Ok(())
}

/// As Kafka's clients: whom to trust there is in the JAAS line, and what the brokers' certificates are trusted by has no say.
#[test]
fn a_token_endpoint_of_https_is_trusted_by_the_stores_in_the_jaas_line() -> Result<()> {
    let folder = TempDir::new()?;
    let authority = Authority::new(folder.path(), "identity provider")?;
    let endpoint = tls_token_endpoint(&authority.server("server.pem", &["127.0.0.1"])?)?;
    let kafka = world().source.kafka();
    let p12 = trust_store(
        kafka,
        &authority.pem(),
        &folder.path().join("trust.p12"),
        "PKCS12",
    )?;
    let client = r#"clientId="towpath" clientSecret="letmein""#;
    let by = |location: &Path, more: &str| {
        let location = location.display();
        token_from(
            &endpoint,
            &format!("{client} ssl.truststore.location=\"{location}\" {more}"),
        )
    };
    let password = format!("ssl.truststore.password=\"{STORE_PASSWORD}\"");
    for (topic, keys) in [
        ("by-https-pem", by(&authority.pem(), "")),
        ("by-https-p12", by(&p12, &password)),
    ] {
        produce(topic, 1000)?;
        let mut worker = both(topic, &keys)?;
        worker.start()?;
        worker
            .wait_until_mirrored(topic, &world().source, SOON)
            .context(topic)?;
        worker.stop()?;
        assert_same(topic, 1000)?;
        let log = worker.log_text();
        for secret in [STORE_PASSWORD, "letmein", "eyJ"] {
            ensure!(!log.contains(secret), "a secret is in the log: {log}");
        }
    }
    let stranger = Authority::new(&folder.path().join("stranger"), "stranger")?;
    let misnamed = tls_token_endpoint(&authority.server("misnamed.pem", &["login.example"])?)?;
    let trust = format!(
        "{client} ssl.truststore.location=\"{}\"",
        authority.pem().display()
    );
    let cannot = "cannot be asked: the token endpoint";
    let option = "source.cluster.sasl.jaas.config, option ssl.truststore.location";
    for (what, keys, parts) in [
        (
            "trusted by the system alone",
            token_from(&endpoint, client),
            &[
                cannot,
                "'s certificate is not from an authority in the system's store",
                option,
            ][..],
        ),
        (
            "another authority",
            by(&stranger.pem(), ""),
            &[
                cannot,
                "'s certificate is not from an authority in ",
                option,
                "put the certificate",
            ],
        ),
        (
            "another name",
            token_from(&misnamed, &trust),
            &[
                cannot,
                " is addressed as 127.0.0.1, and its certificate is for DnsName(\"login.example\")",
                "use a name of the certificate in the URL",
            ],
        ),
        (
            "no such store",
            by(&folder.path().join("none.pem"), ""),
            &[option, "none.pem", "cannot be read: No such file"],
        ),
    ] {
        produce_once("misfit")?;
        let source = address(&world().source)?;
        let good = plain("mirror", PASSWORD);
        let worker = mirror("misfit", (source, &keys), (address(&world().target)?, &good))?;
        refuses(&worker, &[parts]).context(what)?;
    }
    Ok(())
}

#[test]
fn sessions_are_renewed_between_requests_and_nothing_is_lost_or_retried() -> Result<()> {
    const RECORDS: u64 = 40_000;
    let topic = "renewed";
    world().source.admin()?.create_topic(topic, 4, &[])?;
    let mut worker = both(topic, &scram("SCRAM-SHA-512", "mirror512", "simple"))?;
    worker.start()?;
    // Three sessions long.
    under_load(topic, RECORDS, 5_000, || Ok(()))?;
    worker.wait_until_mirrored(topic, &world().source, SOON)?;
    worker.stop()?;
    assert_same(topic, RECORDS)?;
    // Brokers close a connection whose session is over: it would be a retry. A topic that was just created may have one without that.
    let log = worker.log_text();
    let retried = |line: &str| line.contains("retrying") && !line.contains("NOT_LEADER_OR_FOLLOWER");
    ensure!(!log.lines().any(retried), "{log}");
    Ok(())
}

#[test]
fn a_password_that_changes_on_the_brokers_is_waited_for_in_the_file() -> Result<()> {
    const RECORDS: u64 = 60_000;
    let topic = "rotated";
    let folder = TempDir::new()?;
    let file: PathBuf = folder.path().join("mirror.properties");
    fs::write(&file, "password=simple\n")?;
    let pair = world();
    pair.source.admin()?.create_topic(topic, 4, &[])?;
    let password = format!("${{file:{}:password}}", file.display());
    let mut worker = both(topic, &scram("SCRAM-SHA-512", "rotated", &password))?;
    worker.start()?;
    worker.wait_for("the first record", SOON, |status| {
        status.mirrored().records > 0 || status.lag() == 0
    })?;
    under_load(topic, RECORDS, 5_000, || {
        for broker in [&pair.source, &pair.target] {
            broker
                .admin()?
                .set_password("rotated", "SCRAM-SHA-512", "another")?;
        }
        // The sessions end meanwhile; what is refused then is said, and waits.
        let said = |text: &str| {
            text.contains("SCRAM-SHA-512: the broker refused user \\\"rotated\\\"")
                && text.contains("check the user name and the password")
        };
        let mut text = String::new();
        towpath_lab::wait::until("the refusal in the status", SOON, || {
            text = worker.status_text().unwrap_or_default();
            Ok(said(&text).then_some(()))
        })
        .with_context(|| text.clone())?;
        fs::write(&file, "password=another\n")?;
        Ok(())
    })?;
    worker.wait_until_mirrored(topic, &pair.source, SOON)?;
    worker.stop()?;
    assert_same(topic, RECORDS)
}

#[test]
fn what_is_wrong_at_the_start_is_one_sentence() -> Result<()> {
    let pair = world();
    let (source, target) = (address(&pair.source)?, address(&pair.target)?);
    let folder = TempDir::new()?;
    let file = folder.path().join("token");
    fs::write(&file, token(-60))?;
    let expired = token_from(&format!("file://{}", file.display()), "");
    let endpoint = token_endpoint()?;
    let good = plain("mirror", PASSWORD);
    let nobody = Vec::new();
    for (what, source, parts) in [
        (
            "wrong password",
            (source, plain("mirror", "wr0ng")),
            &[
                "source.cluster.sasl.jaas.config",
                "PLAIN: the broker refused user \"mirror\"",
                "Invalid username or password",
                "check the user name and the password",
            ][..],
        ),
        (
            "wrong password",
            (source, scram("SCRAM-SHA-256", "mirror256", "wr0ng")),
            &[
                "SCRAM-SHA-256: the broker refused user \"mirror256\"",
                "invalid credentials",
            ],
        ),
        (
            "a mechanism that the listener lacks",
            (pair.source.bootstrap(), good.clone()),
            &[
                "source.cluster.security.protocol",
                "takes no SASL",
                "set security.protocol to PLAINTEXT",
            ],
        ),
        (
            "nobody",
            (source, nobody.clone()),
            &[
                "source.cluster.bootstrap.servers",
                "if this is a listener with SASL, set security.protocol",
            ],
        ),
        (
            "an expired token",
            (source, expired),
            &["token in ", "expired 6", "renew it, or correct the clock"],
        ),
        (
            "a wrong secret",
            (
                source,
                token_from(&endpoint, r#"clientId="towpath" clientSecret="wr0ng""#),
            ),
            &[
                "refused client \"towpath\": 401: invalid_client: wrong secret",
                "check the client's id and secret",
            ],
        ),
        (
            "an endpoint that is not there",
            (
                source,
                token_from(
                    "http://127.0.0.1:1/token",
                    r#"clientId="towpath" clientSecret="wr0ng""#,
                ),
            ),
            &[
                "the token endpoint http://127.0.0.1:1/token cannot be asked",
                "Connection refused",
                "check the URL",
            ],
        ),
    ] {
        produce_once("misfit")?;
        let worker = mirror("misfit", (source.0, &source.1), (target, &good))?;
        refuses(&worker, &[parts]).context(what)?;
    }
    Ok(())
}

#[test]
fn each_missing_acl_is_named_and_all_of_them_are_enough() -> Result<()> {
    let pair = world();
    let topic = "acl";
    produce(topic, 1000)?;
    grant(topic)?;
    for (name, lacks) in PRINCIPALS {
        let worker = both(topic, &plain(name, PASSWORD))?;
        let who = format!("User:{name} may not ");
        let operation = |operation: &str| {
            format!("kafka-acls --add --allow-principal User:{name} --operation {operation} --topic ")
        };
        let on = |topic: &str, operations: &str| format!("{}{topic}", operation(operations));
        match lacks {
            "source read" => refuses(
                &worker,
                &[&["topics = \"acl\"", &who, "Read topic acl", &on(topic, "Read")]],
            )?,
            "source configs" => refuses(
                &worker,
                &[&[
                    "topics = \"acl\"",
                    &who,
                    "DescribeConfigs on the source cluster",
                    &on(topic, "DescribeConfigs"),
                ]],
            )?,
            "create" => refuses(
                &worker,
                &[
                    &[
                        "offset.storage.topic = ",
                        &who,
                        "Create on the target cluster",
                        &on(POSITIONS, "Create"),
                    ],
                    &[
                        "topics = \"acl\"",
                        &who,
                        "Create on the target cluster",
                        &on(topic, "Create"),
                    ],
                ],
            )?,
            "write" => refuses(
                &worker,
                &[&[
                    "topics = \"acl\"",
                    &who,
                    "Write on the target cluster",
                    &on(topic, "Write"),
                ]],
            )?,
            "target configs" => refuses(
                &worker,
                &[
                    &[
                        "offset.storage.topic = ",
                        &who,
                        "DescribeConfigs on the target cluster",
                    ],
                    &["topics = \"acl\"", &who, "DescribeConfigs on the target cluster"],
                ],
            )?,
            "positions read" => refuses(
                &worker,
                &[&["offset.storage.topic = ", &who, "Read on the target cluster"]],
            )?,
            "positions write" => refuses(
                &worker,
                &[&["offset.storage.topic = ", &who, "Write on the target cluster"]],
            )?,
            _ => continue,
        }
    }
    // Nothing was created by all those; now everything is allowed.
    ensure!(pair.target.admin()?.partitions(topic)?.is_none());
    let mut worker = both(topic, &plain("full", PASSWORD))?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, SOON)?;
    let status = worker.status_text().unwrap_or_default();
    worker.stop()?;
    assert_same(topic, 1000)?;
    // These are not enough for exactly once, and it says so.
    for what in ["at-least-once", "Create on the topic", "positions-of-acl-probe"] {
        ensure!(status.contains(what), "{what}: {status}");
    }
    exactly_once_with_the_documented_acls(topic)?;
    preserves_with_the_documented_acls("acl-preserved")
}

fn preserves_with_the_documented_acls(topic: &str) -> Result<()> {
    let pair = world();
    produce(topic, 1000)?;
    pair.source.admin()?.delete_records(topic, 0, 100)?;
    grant(topic)?;
    let keys = plain("full", PASSWORD);
    let (source, target) = (address(&pair.source)?, address(&pair.target)?);
    let preserve = |connector: Connector| connector.set("offsets.mode", "preserve");
    let mut worker = mirror_with(topic, (source, &keys), (target, &keys), preserve)?;
    let (admin, full) = (pair.target.admin()?, ["--add", "--allow-principal", "User:full"]);
    refuses(
        &worker,
        &[&[
            "topics = \"acl-preserved\"",
            "User:full may not Read, Delete, AlterConfigs on the target cluster",
            "--operation Read --operation Delete --operation AlterConfigs --topic acl-preserved",
        ]],
    )?;
    let operations = [
        "--operation",
        "Read",
        "--operation",
        "Delete",
        "--operation",
        "AlterConfigs",
    ];
    admin.acls(&[&full[..], &operations, &["--topic", topic]].concat())?;
    worker.start()?;
    worker.wait_for("the connector to fail", SOON, |status| {
        let failure = status.failure().unwrap_or_default();
        failure.contains("offsets.mode is preserve, and cannot be had") && failure.contains("Delete")
    })?;
    worker.stop()?;
    let prefixed = [
        "--resource-pattern-type",
        "prefixed",
        "--operation",
        "Delete",
        "--topic",
        POSITIONS,
    ];
    admin.acls(&[&full[..], &prefixed].concat())?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, SOON)?;
    towpath_lab::wait::until("the log to begin where the source's does", SOON, || {
        let same = admin.offsets(topic)? == pair.source.admin()?.offsets(topic)?;
        Ok(same.then_some(()))
    })?;
    worker.stop()
}

fn exactly_once_with_the_documented_acls(topic: &str) -> Result<()> {
    let pair = world();
    let required = |connector: Connector| connector.set("exactly.once.support", "required");
    let keys = plain("full", PASSWORD);
    let (source, target) = (address(&pair.source)?, address(&pair.target)?);
    let mut worker = mirror_with(topic, (source, &keys), (target, &keys), required)?;
    worker.start()?;
    let failed = |status: &Status| {
        let failure = status.failure().unwrap_or_default();
        failure.contains("exactly.once.support is required, and cannot be had")
    };
    worker.wait_for("the connector to fail", SOON, failed)?;
    worker.stop()?;

    let full = ["--add", "--allow-principal", "User:full"];
    let prefixed = ["--resource-pattern-type", "prefixed"];
    let topics = [
        "--operation",
        "Read",
        "--operation",
        "Write",
        "--operation",
        "DescribeConfigs",
        "--operation",
        "Create",
        "--topic",
        POSITIONS,
    ];
    let ids = ["--operation", "Write", "--transactional-id", POSITIONS];
    let admin = pair.target.admin()?;
    admin.acls(&[&full[..], &prefixed, &topics].concat())?;
    admin.acls(&[&full[..], &prefixed, &ids].concat())?;
    admin.acls(&[&full[..], &["--operation", "Read", "--topic", topic]].concat())?;
    worker.start()?;
    let more = Traffic::orders(topic, 4, 1000).then(500);
    more.produce(pair.source.bootstrap())?;
    worker.wait_until_mirrored(topic, &pair.source, SOON)?;
    // Killed and not stopped: what is behind the row is read.
    worker.kill()?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, SOON)?;
    worker.stop()?;
    assert_same(topic, 1500)
}

/// Everybody gets every permission but the one that they lack. Describe comes with each of Create's companions but not with Create.
fn grant(topic: &str) -> Result<()> {
    let pair = world();
    let all = [
        (&pair.source, "source read", "Read", vec![topic]),
        (&pair.source, "source configs", "DescribeConfigs", vec![topic]),
        (&pair.target, "create", "Create", vec![topic, POSITIONS]),
        (&pair.target, "", "Describe", vec![topic, POSITIONS]),
        (&pair.target, "write", "Write", vec![topic]),
        (
            &pair.target,
            "target configs",
            "DescribeConfigs",
            vec![topic, POSITIONS],
        ),
        (&pair.target, "positions read", "Read", vec![POSITIONS]),
        (&pair.target, "positions write", "Write", vec![POSITIONS]),
    ];
    for (broker, permission, operation, topics) in all {
        let mut arguments = vec!["--add".to_owned(), "--operation".to_owned(), operation.to_owned()];
        let having = PRINCIPALS
            .iter()
            .filter(|(_, lacks)| permission.is_empty() || *lacks != permission);
        for (name, _) in having {
            arguments.extend(["--allow-principal".to_owned(), format!("User:{name}")]);
        }
        for topic in topics {
            arguments.extend(["--topic".to_owned(), topic.to_owned()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        broker.admin()?.acls(&arguments)?;
    }
    // The controller has answered; a busy broker learns of the last ones later.
    towpath_lab::wait::pause(Duration::from_secs(3));
    Ok(())
}

fn produce_once(topic: &str) -> Result<()> {
    let admin = world().source.admin()?;
    match admin.partitions(topic)? {
        Some(_) => Ok(()),
        None => admin.create_topic(topic, 1, &[]),
    }
}

/// See [`Worker::refuses`]; and no password is shown.
fn refuses(worker: &Worker, lines: &[&[&str]]) -> Result<()> {
    let stderr = worker.refuses(lines)?;
    ensure!(
        !stderr.contains("wr0ng") && !stderr.contains(PLAIN_PASSWORD),
        "a secret is shown: {stderr}"
    );
    Ok(())
}
