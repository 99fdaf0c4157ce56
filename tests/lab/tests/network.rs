//! Addresses that lead nowhere or elsewhere, and a network that is slow, silent or cut: nothing is missing, nothing comes twice.

use std::{
    fs,
    net::TcpListener,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use towpath_lab::{
    admin::Quota,
    broker::{Broker, BrokerOptions, Listener, Pair},
    compare,
    generate::{Content, Traffic},
    proxy::{Network, Proxy},
    sequence,
    towpath::{Connector, Worker},
    wait,
};

const SOON: Duration = Duration::from_secs(60);
const MIRRORED: Duration = Duration::from_secs(120);
const VIA: &str = "VIA";
const V6: &str = "V6";
/// Tells its clients a name that leads nowhere.
const LOST: &str = "LOST";

/// A pair whose brokers listen on IPv6 as well, and whose `VIA` listeners are behind proxies.
struct Behind {
    pair: Pair,
    source: Proxy,
    target: Proxy,
}

/// One test at a time: each makes the network what it needs.
fn behind() -> MutexGuard<'static, Behind> {
    static BEHIND: OnceLock<Mutex<Behind>> = OnceLock::new();
    let start = || -> Result<Behind> {
        let (source, target) = (Proxy::start()?, Proxy::start()?);
        let options = |name: &str, proxy: &Proxy| {
            let v6 = Listener::Via {
                name: V6,
                host: "[::1]",
                advertised: None,
            };
            let lost = Listener::Via {
                name: LOST,
                host: "127.0.0.1",
                advertised: Some("kafka-9.invalid:9092".to_owned()),
            };
            BrokerOptions::named(name)
                .listener(proxy.listener(VIA))
                .listener(v6)
                .listener(lost)
        };
        let pair = Pair::start_with(options("source", &source), options("target", &target))?;
        source.forward_to(pair.source.bind_address_of(VIA)?);
        target.forward_to(pair.target.bind_address_of(VIA)?);
        Ok(Behind { pair, source, target })
    };
    let behind = BEHIND.get_or_init(|| Mutex::new(start().expect("the brokers start")));
    let behind = behind.lock().unwrap_or_else(PoisonError::into_inner);
    behind.source.set(Network::default());
    behind.target.set(Network::default());
    behind
}

/// A worker whose requests and connections all go by these addresses.
fn worker(topic: &str, source: &str, target: &str, properties: &[(&str, &str)]) -> Result<Worker> {
    let own = [("bootstrap.servers", target), ("client.id", topic)];
    let mut worker = Worker::new(&[&own[..], properties].concat())?;
    worker.connector(
        &Connector::mirror(topic, source)
            .set("topics", topic)
            .set("exactly.once.support", "required"),
    )?;
    Ok(worker)
}

/// What is in the topic now arrives, and is compared.
fn mirror(pair: &Pair, topic: &str, source: &str, target: &str) -> Result<()> {
    pair.source.admin()?.create_topic(topic, 2, &[])?;
    Traffic::orders(topic, 2, 2000).produce(pair.source.bootstrap())?;
    let mut worker = worker(topic, source, target, &[])?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    worker.stop()?;
    let (left, right) = ((pair.source.bootstrap(), topic), (pair.target.bootstrap(), topic));
    compare::assert_same(left, right, 2000)?;
    Ok(())
}

/// Writes traffic while `disturb` runs, and says what was written.
fn under_load(bootstrap: &str, round: &Traffic, disturb: impl FnOnce() -> Result<()>) -> Result<Traffic> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let generator = scope.spawn(|| {
            let mut next = round.clone();
            loop {
                next.produce(bootstrap)?;
                if done.load(Ordering::Relaxed) {
                    return anyhow::Ok(next);
                }
                next = next.then(round.records);
            }
        });
        let disturbed = disturb();
        done.store(true, Ordering::Relaxed);
        let traffic = generator.join().expect("the generator does not panic")?;
        disturbed?;
        Ok(traffic)
    })
}

fn records(broker: &Broker, topic: &str) -> Result<i64> {
    let admin = broker.admin()?;
    if admin.partitions(topic)?.is_none() {
        return Ok(0);
    }
    Ok(admin.offsets(topic)?.iter().map(|(start, end)| end - start).sum())
}

fn wait_for_more(broker: &Broker, topic: &str) -> Result<()> {
    let before = records(broker, topic)?;
    wait::until("records to flow", SOON, || {
        Ok((records(broker, topic)? > before + 1000).then_some(()))
    })
}

#[test]
fn ipv6_listeners_are_used_end_to_end() -> Result<()> {
    let behind = behind();
    let pair = &behind.pair;
    let (source, target) = (pair.source.bootstrap_of(V6)?, pair.target.bootstrap_of(V6)?);
    ensure!(source.starts_with("[::1]:"), "{source}");
    mirror(pair, "v6", source, target)
}

#[test]
fn a_bootstrap_server_that_is_dead_or_silent_does_not_keep_the_next_from_being_used() -> Result<()> {
    let behind = behind();
    let pair = &behind.pair;
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let first = |last: &str| -> Result<String> { Ok(format!("{free},{},{last}", silent.local_addr()?)) };
    // A name has all addresses that the machine gives it: where localhost is ::1 first, nobody listens there.
    let (_, port) = pair.target.bootstrap().split_once(':').expect("host:port");
    let target = first(&format!("localhost:{port}"))?;
    mirror(pair, "bootstrapped", &first(pair.source.bootstrap())?, &target)
}

#[test]
fn brokers_that_move_to_another_address_are_followed_by_the_bootstrap_server() -> Result<()> {
    // What stays is the address that a name service or a load balancer has.
    let (stays, old, new) = (Proxy::start()?, Proxy::start()?, Proxy::start()?);
    let behind = behind();
    let mut moving = Broker::start(BrokerOptions::named("moving").listener(old.listener(VIA)))?;
    for proxy in [&stays, &old, &new] {
        proxy.forward_to(moving.bind_address_of(VIA)?);
    }
    let topic = "moving";
    moving.admin()?.create_topic(topic, 2, &[])?;
    let traffic = Traffic::text(topic, 2, 2000, 200);
    traffic.produce(moving.bootstrap())?;
    let mut worker = worker(topic, stays.address(), behind.pair.target.bootstrap(), &[])?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &moving, MIRRORED)?;
    assert!(old.opened() > 0 && new.opened() == 0);

    moving.stop()?;
    let (plain, via) = (moving.bootstrap().to_owned(), new.address());
    moving.set_property(
        "advertised.listeners",
        &format!("PLAINTEXT://{plain},{VIA}://{via}"),
    )?;
    drop(old);
    moving.start_again()?;
    let traffic = traffic.then(2000);
    traffic.produce(moving.bootstrap())?;
    worker.wait_until_mirrored(topic, &moving, MIRRORED)?;
    worker.stop()?;
    assert!(new.opened() > 0);
    sequence::audit(behind.pair.target.bootstrap(), topic, &traffic)?.assert_exactly_once()
}

/// The bootstrap server answers, and what it says of itself cannot be reached.
#[test]
fn a_name_in_advertised_listeners_that_leads_nowhere_is_told_with_its_broker() -> Result<()> {
    let behind = behind();
    let pair = &behind.pair;
    let said = [
        "kafka-9.invalid:9092 (node 1): cannot connect: the name kafka-9.invalid cannot be resolved",
        "broker 1 tells its clients this name: correct it in its advertised.listeners, or let this machine resolve it",
    ];
    pair.source.admin()?.create_topic("lost", 1, &[])?;
    Traffic::text("lost", 1, 10, 100).produce(pair.source.bootstrap())?;
    let quick = [("request.timeout.ms", "2000")];
    let (source, target) = (
        pair.source.bind_address_of(LOST)?,
        pair.target.bind_address_of(LOST)?,
    );
    for (source, target) in [
        (source, pair.target.bootstrap()),
        (pair.source.bootstrap(), target),
    ] {
        let mut worker = worker("lost", source, target, &quick)?;
        worker.start()?;
        wait::until("the sentence in the status", SOON, || {
            let status = worker.status_text().unwrap_or_default();
            ensure!(said.iter().all(|part| status.contains(part)), "{status}");
            Ok(Some(()))
        })?;
        worker.stop()?;
    }
    Ok(())
}

/// As when a broker gets another machine under its old name, and nobody tells its clients.
#[test]
fn a_name_that_leads_to_another_address_is_followed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 kafka-1.example\n")?;
    let old = Proxy::start()?;
    let (_, port) = old.address().split_once(':').expect("host:port");
    let port = port.parse()?;
    let new = Proxy::start_at("127.0.0.2", port)?;
    let name = format!("kafka-1.example:{port}");
    let moving = Broker::start(BrokerOptions::named("renamed").listener(Listener::Via {
        name: VIA,
        host: "127.0.0.1",
        advertised: Some(name.clone()),
    }))?;
    for proxy in [&old, &new] {
        proxy.forward_to(moving.bind_address_of(VIA)?);
    }
    let topic = "renamed";
    moving.admin()?.create_topic(topic, 2, &[])?;
    let traffic = Traffic::text(topic, 2, 2000, 200);
    traffic.produce(moving.bootstrap())?;
    let target = behind().pair.target.bootstrap().to_owned();
    let mut worker = worker(topic, &name, &target, &[])?;
    worker.set_hosts(&hosts)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &moving, MIRRORED)?;
    assert!(old.opened() > 0 && new.opened() == 0);

    fs::write(&hosts, "127.0.0.2 kafka-1.example\n")?;
    drop(old);
    let traffic = traffic.then(2000);
    traffic.produce(moving.bootstrap())?;
    worker.wait_until_mirrored(topic, &moving, MIRRORED)?;
    worker.stop()?;
    assert!(new.opened() > 0);
    sequence::audit(&target, topic, &traffic)?.assert_exactly_once()
}

#[test]
fn a_network_that_is_delayed_slow_silent_or_cut_loses_and_doubles_nothing() -> Result<()> {
    let behind = behind();
    let pair = &behind.pair;
    let topic = "network";
    pair.source.admin()?.create_topic(topic, 4, &[])?;
    let round = Traffic::text(topic, 4, 20_000, 200).pace(10_000);
    let (source, target) = (behind.source.address(), behind.target.address());
    // Short, so that a silence is longer than it.
    let mut worker = worker(topic, source, target, &[("request.timeout.ms", "2000")])?;
    worker.start()?;
    let networks = [
        ("delayed", Network::default().delayed(Duration::from_millis(150))),
        ("slow", Network::default().limited(300_000)),
        ("silent", Network::default().silent()),
        ("cut", Network::default().cut()),
        ("cut again and again", Network::default().cut_after(100_000)),
    ];
    let traffic = under_load(pair.source.bootstrap(), &round, || {
        wait_for_more(&pair.target, topic)?;
        for (what, network) in networks {
            for (side, proxy) in [("source", &behind.source), ("target", &behind.target)] {
                println!(
                    "{what} network to the {side} at {} records",
                    records(&pair.target, topic)?
                );
                proxy.set(network);
                // Only while it is cut off from everything nothing can arrive.
                match what {
                    "silent" | "cut" => wait::pause(Duration::from_secs(3)),
                    _ => wait_for_more(&pair.target, topic)?,
                }
                proxy.set(Network::default());
                // A connection that is to be cut after some bytes stays so.
                proxy.cut();
                wait_for_more(&pair.target, topic)?;
            }
        }
        Ok(())
    })?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    worker.stop()?;
    sequence::audit(pair.target.bootstrap(), topic, &traffic)?.assert_exactly_once()
}

#[test]
fn a_quota_of_the_brokers_slows_down_without_a_time_out() -> Result<()> {
    let behind = behind();
    let pair = &behind.pair;
    let topic = "quota";
    pair.source.admin()?.create_topic(topic, 4, &[])?;
    let traffic = Traffic {
        content: Content::Random,
        ..Traffic::text(topic, 4, 6000, 1000)
    };
    pair.source
        .admin()?
        .set_quota(topic, Quota::Fetch, Some(1_000_000))?;
    pair.target
        .admin()?
        .set_quota(topic, Quota::Produce, Some(600_000))?;
    traffic.produce(pair.source.bootstrap())?;
    let (source, target) = (pair.source.bootstrap(), pair.target.bootstrap());
    let mut worker = worker(topic, source, target, &[("request.timeout.ms", "2000")])?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    worker.stop()?;
    let log = worker.log_text();
    // The leaders of a topic that was just created may not know it yet: that is no matter of quotas.
    let troubled = log.lines().any(|line| {
        line.contains("no answer within")
            || (line.contains("retrying") && !line.contains("NOT_LEADER_OR_FOLLOWER"))
    });
    assert!(!troubled, "{log}");
    sequence::audit(target, topic, &traffic)?.assert_exactly_once()
}

/// What has arrived since `before` within a limit, at whatever moment one looks: the rate, a burst, and a batch that was asked for by then.
fn assert_within(rate: f64, since: Instant, before: i64, now: i64) {
    const SPARE: f64 = 1_500_000.0;
    // Looked at after the count: what has arrived had at most this time.
    let (bytes, allowed) = (
        (now - before) as f64 * 1000.0,
        rate * since.elapsed().as_secs_f64() + SPARE,
    );
    assert!(bytes <= allowed, "{bytes} bytes, {allowed} are allowed");
}

#[test]
fn limits_hold_back_one_connector_alone_and_are_changed_while_it_runs() -> Result<()> {
    const RECORDS: u64 = 24_000;
    let behind = behind();
    let pair = &behind.pair;
    let (topic, free) = ("limited", "unlimited");
    for name in [topic, free] {
        pair.source.admin()?.create_topic(name, 4, &[])?;
    }
    let traffic = Traffic {
        content: Content::Random,
        ..Traffic::text(topic, 4, RECORDS, 1000)
    };
    traffic.produce(pair.source.bootstrap())?;
    let (source, target) = (pair.source.bootstrap(), pair.target.bootstrap());
    let limited = Connector::mirror(topic, source).set("topics", topic);
    let mut worker = Worker::new(&[("bootstrap.servers", target)])?;
    worker.connector(&limited.clone().set("source.max.bytes.per.second", "1000000"))?;
    worker.connector(&Connector::mirror(free, source).set("topics", free))?;

    let is_throttled_by = |worker: &mut Worker, key: &str| {
        worker.wait_for(&format!("{key} to be shown"), SOON, |status| {
            let connector = status.connector(topic);
            connector.is_some_and(|connector| connector.throttled == [key])
        })
    };
    let started = Instant::now();
    worker.start()?;
    is_throttled_by(&mut worker, "source.max.bytes.per.second")?;
    Traffic::text(free, 4, 50_000, 1000).produce(source)?;
    worker.wait_until_mirrored(free, &pair.source, SOON)?;
    wait::until("3 MB within the source's limit", MIRRORED, || {
        let now = records(&pair.target, topic)?;
        assert_within(1_000_000.0, started, 0, now);
        Ok((now > 3000).then_some(()))
    })?;

    let (changed, before) = (Instant::now(), records(&pair.target, topic)?);
    ensure!(
        before < RECORDS as i64 / 2,
        "nothing was held back: {before} records"
    );
    worker.connector(&limited.clone().set("target.max.bytes.per.second", "2000000"))?;
    is_throttled_by(&mut worker, "target.max.bytes.per.second")?;
    wait::until("6 MB within the target's limit", MIRRORED, || {
        let now = records(&pair.target, topic)?;
        assert_within(2_000_000.0, changed, before, now);
        Ok((now > before + 6000).then_some(()))
    })?;
    // It stops at once though there is much to do, and goes on where it was.
    worker.stop()?;
    ensure!(records(&pair.target, topic)? < RECORDS as i64);
    worker.start()?;
    let status = worker.wait_for("the connector to go on", SOON, |status| {
        status.mirrored().records > 0
    })?;
    ensure!(status.failure().is_none());
    worker.connector(&limited)?;
    let status = worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    let mirrored = status.connector(topic).expect("it is there").mirrored.records;
    worker.stop()?;
    let log = worker.log_text();
    ensure!(
        log.contains("the changed limits are applied") && !log.contains("the changed file is applied"),
        "{log}"
    );
    ensure!(mirrored > 0 && !log.contains("no answer within"), "{log}");
    sequence::audit(target, topic, &traffic)?.assert_exactly_once()
}
