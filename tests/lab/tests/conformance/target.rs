//! Whom a case is run against.

use std::sync::OnceLock;

use tokio::runtime::Runtime;
use towpath_embedded::{Cluster, Options};
use towpath_lab::broker::{Broker, BrokerOptions};

use crate::connection::Connection;

/// A cluster of one broker, its id is 1. Cases share it and use topics of their own.
pub struct Target {
    pub bootstrap: String,
}

struct Embedded {
    target: Target,
    // They live as long as the tests.
    _cluster: Cluster,
    _runtime: Runtime,
}

// === impl Target ===

impl Target {
    pub fn embedded() -> &'static Self {
        static EMBEDDED: OnceLock<Embedded> = OnceLock::new();
        let embedded = EMBEDDED.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let options = Options::default().config("auto.create.topics.enable", "false");
            let cluster = runtime.block_on(Cluster::start(options)).unwrap();
            Embedded {
                target: Self {
                    bootstrap: cluster.bootstrap_servers(),
                },
                _cluster: cluster,
                _runtime: runtime,
            }
        });
        &embedded.target
    }

    pub fn kafka() -> &'static Self {
        static KAFKA: OnceLock<(Target, Broker)> = OnceLock::new();
        let (target, _) = KAFKA.get_or_init(|| {
            let broker = Broker::start(BrokerOptions::named("conformance")).expect("the broker starts");
            let bootstrap = broker.bootstrap().to_owned();
            (Self { bootstrap }, broker)
        });
        target
    }

    pub fn connect(&self) -> Connection {
        Connection::open(&self.bootstrap)
    }
}
