//! TLS between the worker and two real brokers: mirrored through every kind of listener and store, certificates renewed under load, and each
//! way in which the two do not come together as one sentence. Contents are compared through the plain listeners.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, anyhow, ensure};
use tempfile::TempDir;
use towpath_lab::{
    broker::{BrokerOptions, Listener, Pair, Pem, STORE_PASSWORD},
    certificates::{Authority, trust_store},
    compare,
    generate::Traffic,
    proxy::Proxy,
    sequence,
    towpath::{self, Connector, Worker},
    wait,
};

const SOON: Duration = Duration::from_secs(60);
const RECORDS: u64 = 20_000;

/// Brokers with a listener of each kind, and who certified whom.
struct World {
    pair: Pair,
    brokers: Authority,
    clients: Authority,
    stranger: Authority,
    /// Before the source's listener `MTLS`.
    proxy: Proxy,
    folder: TempDir,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start().expect("the brokers start"))
}

impl World {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let authority = |name: &str| Authority::new(&folder.path().join(name), name);
        let (brokers, clients, stranger) = (
            authority("brokers")?,
            authority("clients")?,
            authority("stranger")?,
        );
        let proxy = Proxy::start()?;
        let here = ["127.0.0.1", "localhost"];
        let pem = |name, server, clients_of, advertised| {
            Listener::Pem(Pem {
                name,
                host: "127.0.0.1",
                server,
                clients_of,
                advertised,
            })
        };
        let on_v6 = |name, server| {
            Listener::Pem(Pem {
                name,
                host: "[::1]",
                server,
                clients_of: None,
                advertised: None,
            })
        };
        let v6_server = brokers.server("v6.pem", &["::1"])?;
        let mutual = |advertised| -> Result<Listener> {
            let server = brokers.server("server.pem", &here)?;
            Ok(pem("MTLS", server, Some(clients.pem()), advertised))
        };
        // Who comes with a certificate is known by its subject.
        let users = "User:ANONYMOUS;User:CN=mirror;User:CN=short-lived;User:CN=renewed";
        let options = |name| BrokerOptions::named(name).property("super.users", users);
        let source = options("source")
            .listener(Listener::Tls)
            .listener(mutual(Some(proxy.address().to_owned()))?)
            .listener(pem(
                "EXPIRED",
                brokers.expired_server("expired.pem", &here)?,
                None,
                None,
            ))
            .listener(pem("STRANGE", stranger.server("server.pem", &here)?, None, None))
            .listener(pem(
                "MISNAMED",
                brokers.server("misnamed.pem", &["kafka-1.example"])?,
                None,
                None,
            ))
            .listener(on_v6("V6", v6_server.clone()))
            .listener(on_v6("V6MISNAMED", brokers.server("v4.pem", &here)?));
        let target = options("target")
            .listener(Listener::Tls)
            .listener(mutual(None)?)
            .listener(on_v6("V6", v6_server));
        let pair = Pair::start_with(source, target)?;
        proxy.forward_to(pair.source.bind_address_of("MTLS")?);
        Ok(Self {
            pair,
            brokers,
            clients,
            stranger,
            proxy,
            folder,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn produce(&self, topic: &str, traffic: &Traffic) -> Result<()> {
        self.pair.source.admin()?.create_topic(topic, 4, &[])?;
        let generated = traffic.produce(self.pair.source.bootstrap())?;
        ensure!(generated.total() > 0);
        Ok(())
    }

    fn assert_same(&self, topic: &str, records: u64) -> Result<()> {
        compare::assert_same(
            (self.pair.source.bootstrap(), topic),
            (self.pair.target.bootstrap(), topic),
            records,
        )?;
        Ok(())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

/// Keys of one side: `source.cluster.`, `target.cluster.` or none.
fn encrypted(prefix: &str, keys: &[(&str, &str)]) -> Vec<(String, String)> {
    [("security.protocol", "SSL")]
        .iter()
        .chain(keys)
        .map(|(key, value)| (format!("{prefix}{key}"), (*value).to_owned()))
        .collect()
}

fn worker(bootstrap: &str, security: &[(String, String)]) -> Result<Worker> {
    let mut properties = vec![("bootstrap.servers", bootstrap)];
    properties.extend(security.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    Worker::new(&properties)
}

fn connector(name: &str, bootstrap: &str, security: &[(String, String)]) -> Connector {
    let connector = Connector::mirror(name, bootstrap).set("topics", name);
    security
        .iter()
        .fold(connector, |connector, (key, value)| connector.set(key, value))
}

#[test]
fn every_kind_of_listener_and_store_is_mirrored_through() -> Result<()> {
    let world = world();
    let (source, target) = (&world.pair.source, &world.pair.target);
    let kafka = source.kafka();
    let mirror = world.clients.client("mirror")?;
    let pem = mirror.write(&world.path("mirror.pem"))?;
    let p12 = mirror.store(kafka, &world.path("mirror.p12"), "PKCS12")?;
    let jks = mirror.store(kafka, &world.path("mirror.jks"), "JKS")?;
    let trust_p12 = trust_store(kafka, &source.ca_pem(), &world.path("trust.p12"), "PKCS12")?;
    let trust_jks = trust_store(kafka, &world.brokers.pem(), &world.path("trust.jks"), "JKS")?;
    let secrets = world.path("secrets.properties");
    fs::write(&secrets, format!("store={STORE_PASSWORD}\n"))?;
    let password = format!("${{file:{}:store}}", text(&secrets));
    // Lines of a PEM file become blanks in one line, as in a properties file.
    let inline = |pem: String| pem.replace('\n', " ");
    let (key, chain) = (inline(mirror.key()), inline(mirror.certificate()));
    let trusted = inline(fs::read_to_string(world.brokers.pem())?);

    // The worker's own cluster, with a client certificate; then each connector its own way in and out.
    let brokers_pem = world.brokers.pem();
    let own = encrypted(
        "",
        &[
            ("ssl.truststore.location", text(&brokers_pem)),
            ("ssl.keystore.location", text(&pem)),
        ],
    );
    let mut worker = worker(target.bootstrap_of("MTLS")?, &own)?;
    let target_tls = target.bootstrap_of("TLS")?;
    let target_ca = target.ca_pem();
    for topic in ["pkcs12", "jks", "inline"] {
        world.produce(topic, &Traffic::orders(topic, 4, RECORDS))?;
    }
    worker.connector(&connector(
        "pkcs12",
        source.bootstrap_of("TLS")?,
        &encrypted(
            "source.cluster.",
            &[
                ("ssl.truststore.location", text(&trust_p12)),
                ("ssl.truststore.password", &password),
                ("ssl.truststore.type", "PKCS12"),
                ("ssl.enabled.protocols", "TLSv1.2"),
            ],
        ),
    ))?;
    let mut through_jks = encrypted(
        "source.cluster.",
        &[
            ("ssl.truststore.location", text(&trust_jks)),
            ("ssl.truststore.password", STORE_PASSWORD),
            ("ssl.keystore.location", text(&jks)),
            ("ssl.keystore.password", &password),
            ("ssl.keystore.type", "JKS"),
        ],
    );
    through_jks.extend(encrypted(
        "target.cluster.",
        &[("ssl.truststore.location", text(&target_ca))],
    ));
    through_jks.push((
        "target.cluster.bootstrap.servers".to_owned(),
        target_tls.to_owned(),
    ));
    worker.connector(&connector("jks", world.proxy.address(), &through_jks))?;
    let mut through_inline = encrypted(
        "source.cluster.",
        &[
            ("ssl.truststore.certificates", &trusted),
            ("ssl.keystore.key", &key),
            ("ssl.keystore.certificate.chain", &chain),
            ("ssl.cipher.suites", "TLS_AES_128_GCM_SHA256"),
        ],
    );
    through_inline.extend(encrypted(
        "target.cluster.",
        &[
            ("ssl.truststore.certificates", &trusted),
            ("ssl.keystore.location", text(&p12)),
            ("ssl.keystore.password", STORE_PASSWORD),
        ],
    ));
    through_inline.push((
        "target.cluster.bootstrap.servers".to_owned(),
        target.bootstrap_of("MTLS")?.to_owned(),
    ));
    worker.connector(&connector("inline", world.proxy.address(), &through_inline))?;

    worker.start()?;
    for topic in ["pkcs12", "jks", "inline"] {
        worker.wait_until_mirrored(topic, source, SOON)?;
    }
    let log = worker.log_text();
    let status = worker.status_text().unwrap_or_default();
    worker.stop()?;
    for topic in ["pkcs12", "jks", "inline"] {
        world.assert_same(topic, RECORDS)?;
    }
    for shown in [log, status] {
        ensure!(!shown.contains(STORE_PASSWORD), "a password is shown: {shown}");
        ensure!(!shown.contains("PRIVATE KEY"), "a key is shown: {shown}");
    }
    Ok(())
}

#[test]
fn certificates_for_ipv6_addresses_are_taken_end_to_end() -> Result<()> {
    let world = world();
    let (source, target) = (&world.pair.source, &world.pair.target);
    let brokers_pem = world.brokers.pem();
    let trust = [("ssl.truststore.location", text(&brokers_pem))];
    world.produce("v6", &Traffic::orders("v6", 4, RECORDS))?;
    let address = target.bootstrap_of("V6")?;
    ensure!(address.starts_with("[::1]:"), "{address}");
    let mut worker = worker(address, &encrypted("", &trust))?;
    let security = encrypted("source.cluster.", &trust);
    worker.connector(&connector("v6", source.bootstrap_of("V6")?, &security))?;
    worker.start()?;
    worker.wait_until_mirrored("v6", source, SOON)?;
    worker.stop()?;
    world.assert_same("v6", RECORDS)
}

#[test]
fn a_certificate_that_ends_under_load_is_renewed_without_a_restart() -> Result<()> {
    let world = world();
    let source = &world.pair.source;
    let store = world.path("renewed.pem");
    let brokers_pem = world.brokers.pem();
    let traffic = Traffic::orders("renewed", 4, 60_000).pace(3_000);
    source.admin()?.create_topic("renewed", 4, &[])?;
    let security = encrypted(
        "source.cluster.",
        &[
            ("ssl.truststore.location", text(&brokers_pem)),
            ("ssl.keystore.location", text(&store)),
        ],
    );
    let mut worker = worker(world.pair.target.bootstrap(), &[])?;
    worker.connector(&connector("renewed", world.proxy.address(), &security))?;
    thread::scope(|scope| -> Result<()> {
        let load = scope.spawn(|| traffic.produce(source.bootstrap()));
        // Long enough for a start on a busy machine.
        let end = SystemTime::now() + Duration::from_secs(10);
        world.clients.client_until("short-lived", end)?.write(&store)?;
        worker.start()?;
        worker.wait_for("the first records", SOON, |status| status.mirrored().records > 0)?;
        wait::until("the certificate's end", SOON, || {
            Ok((SystemTime::now() > end + Duration::from_secs(1)).then_some(()))
        })?;
        // The connections there are go on; new ones are refused, and the status says why.
        let before = worker.status()?.context("a status")?.mirrored().records;
        worker.wait_for("records past the end", SOON, |status| {
            status.mirrored().records > before
        })?;
        world.proxy.cut();
        wait::until("the sentence in the status", SOON, || {
            let status = worker.status_text().unwrap_or_default();
            Ok(status
                .contains("the broker does not accept our certificate CN=short-lived")
                .then_some(()))
        })?;
        // Written as tools write: not at once. Half a store is no store.
        let renewed = world.clients.client("renewed")?.pem();
        fs::write(&store, &renewed[..renewed.len() / 2])?;
        wait::until("the warning", SOON, || {
            Ok(worker
                .log_text()
                .contains("a changed key store or trust store cannot be used")
                .then_some(()))
        })?;
        fs::write(&store, &renewed)?;
        load.join().map_err(|_| anyhow!("the load panicked"))??;
        worker.wait_until_mirrored("renewed", source, SOON)?;
        Ok(())
    })?;
    let log = worker.log_text();
    worker.stop()?;
    ensure!(
        log.contains("new connections use what is in it now") && log.contains("CN=renewed"),
        "{log}"
    );
    // It mirrors on in the same process, and repeats nothing: it was never killed.
    sequence::audit(world.pair.target.bootstrap(), "renewed", &traffic)?.assert_exactly_once()?;
    world.assert_same("renewed", 60_000)
}

#[test]
fn topic_verify_reads_through_tls() -> Result<()> {
    let world = world();
    let (source, target) = (&world.pair.source, &world.pair.target);
    world.produce("verified", &Traffic::orders("verified", 4, 1_000))?;
    let (jks, trust) = (world.path("verify.jks"), world.path("verify-trust.jks"));
    world
        .clients
        .client("mirror")?
        .store(source.kafka(), &jks, "JKS")?;
    trust_store(source.kafka(), &world.brokers.pem(), &trust, "JKS")?;
    let config = |name: &str, text: String| -> Result<String> {
        let path = world.path(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let java = format!(
        "security.protocol=SSL\nssl.truststore.location={}\nssl.truststore.password={STORE_PASSWORD}\n\
         ssl.keystore.location={}\nssl.keystore.password={STORE_PASSWORD}\n",
        trust.display(),
        jks.display()
    );
    let source_config = config("source.properties", java)?;
    let verify = |target_config: &str| {
        let arguments = [
            "topic",
            "verify",
            "--topic",
            "verified",
            "--source-bootstrap-servers",
            world.proxy.address(),
            "--source-config",
            &source_config,
            "--target-bootstrap-servers",
            source.bootstrap_of("TLS")?,
            "--target-config",
            target_config,
        ];
        towpath::run(&arguments, world.folder.path())
    };
    // The same topic through two listeners of one cluster.
    let pem = |authority: PathBuf| {
        format!(
            "security.protocol=SSL\nssl.truststore.location={}\n",
            authority.display()
        )
    };
    let output = verify(&config("target.properties", pem(source.ca_pem()))?)?;
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(output.status.success(), "{stdout}{stderr}");
    ensure!(
        stdout.contains("compared 1000 records of 4 partitions") && stdout.contains("equal"),
        "{stdout}"
    );
    let output = verify(&config(
        "wrong.properties",
        "ssl.keystore.pasword=hidden\nacks=all\n".to_owned(),
    )?)?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "{stderr}");
    ensure!(
        stderr.contains("ssl.keystore.pasword") && !stderr.contains("hidden"),
        "{stderr}"
    );
    ensure!(target.admin()?.partitions("verified")?.is_none());
    Ok(())
}

/// A worker that must not start, and says why in one sentence with all the parts, without a secret.
fn refuses(bootstrap: &str, security: &[(String, String)], parts: &[&str]) -> Result<()> {
    let mut worker = worker(world().pair.target.bootstrap(), &[])?;
    worker.connector(&connector("refused", bootstrap, security))?;
    let stderr = worker.refuses(&[parts])?;
    ensure!(
        !stderr.contains("hidden") && !stderr.contains(STORE_PASSWORD),
        "{stderr}"
    );
    Ok(())
}

#[test]
fn what_does_not_fit_is_one_sentence_at_the_start() -> Result<()> {
    let world = world();
    let source = &world.pair.source;
    let (brokers_pem, stranger_pem) = (world.brokers.pem(), world.stranger.pem());
    let trust = ("ssl.truststore.location", text(&brokers_pem));
    let keys = |more: &[(&str, &str)]| encrypted("source.cluster.", &[&[trust], more].concat());
    let at = "source.cluster.bootstrap.servers = \"127.0.0.1:";
    let at_any = "source.cluster.bootstrap.servers = \"";
    for (listener, expected) in [
        (
            "STRANGE",
            "the broker's certificate is not from an authority in source.cluster.ssl.truststore.location; put",
        ),
        (
            "EXPIRED",
            "the broker's certificate, or one of its authorities, expired on ",
        ),
        (
            "MISNAMED",
            "the broker is addressed as 127.0.0.1, and its certificate is for DnsName(\"kafka-1.example\"); use",
        ),
        (
            "V6MISNAMED",
            "the broker is addressed as ::1, and its certificate is for ",
        ),
        ("MTLS", "the broker wants a client certificate and we have none"),
    ] {
        refuses(source.bind_address_of(listener)?, &keys(&[]), &[at_any, expected])?;
    }
    // The name is the only thing wrong with that one.
    let unnamed = keys(&[("ssl.endpoint.identification.algorithm", "")]);
    refuses(
        source.bootstrap_of("MISNAMED")?,
        &unnamed,
        &["topics = \"refused\": no such topic"],
    )?;
    let unknown = world
        .stranger
        .client("mirror")?
        .write(&world.path("unknown.pem"))?;
    refuses(
        source.bind_address_of("MTLS")?,
        &keys(&[("ssl.keystore.location", text(&unknown))]),
        &[at, "the broker does not accept our certificate CN=mirror"],
    )?;
    refuses(
        source.bootstrap(),
        &keys(&[]),
        &[
            at,
            "a plain text listener does so",
            "source.cluster.security.protocol",
        ],
    )?;
    refuses(
        source.bootstrap_of("TLS")?,
        &[],
        &[at, "set security.protocol to SSL or SASL_SSL"],
    )?;
    // Mistakes that are found before anybody is asked.
    let kafka = source.kafka();
    let p12 = world
        .clients
        .client("mirror")?
        .store(kafka, &world.path("bad-input.p12"), "PKCS12")?;
    let (p12, none) = (text(&p12), world.path("none"));
    for (more, expected) in [
        (
            &[
                ("ssl.keystore.location", p12),
                ("ssl.keystore.password", "hidden"),
            ][..],
            "source.cluster.ssl.keystore.password: is not the password of the PKCS12 store",
        ),
        (
            &[("ssl.keystore.location", p12)],
            "source.cluster.ssl.keystore.password: missing",
        ),
        (
            &[("ssl.keystore.location", p12), ("ssl.keystore.type", "PEM")],
            "source.cluster.ssl.keystore.type = \"PEM\": what source.cluster.ssl.keystore.location names is a PKCS12 store",
        ),
        (
            &[("ssl.keystore.location", text(&none))],
            "cannot be read: No such file or directory",
        ),
        (
            &[("ssl.keystore.location", text(&stranger_pem))],
            "has no private key in it; name a store with the client's key and certificate",
        ),
        (
            &[("ssl.key.password", "hidden")],
            "has no effect without source.cluster.ssl.keystore.location",
        ),
        (
            &[("ssl.keystore.pasword", "hidden")],
            "source.cluster.ssl.keystore.pasword: unknown key; did you mean",
        ),
    ] {
        refuses(source.bootstrap_of("TLS")?, &keys(more), &[expected])?;
    }
    let idle = [(
        "source.cluster.ssl.truststore.location".to_owned(),
        text(&brokers_pem).to_owned(),
    )];
    refuses(
        source.bootstrap(),
        &idle,
        &["has no effect: source.cluster.security.protocol is PLAINTEXT; set it to SSL"],
    )?;
    let topics = world.pair.target.admin()?.topics()?;
    ensure!(
        !topics.contains(&"refused".to_owned()),
        "nothing may have been changed"
    );
    Ok(())
}
