//! The ZooKeeper of a broker that is too old for KRaft.

use std::{fs, io::Read, io::Write, net::TcpStream, time::Duration};

use anyhow::{Result, anyhow};
use tempfile::TempDir;

use crate::{
    kafka::Kafka,
    process::Process,
    wait::{self, Hopeless},
};

/// A server alone. Dropping it kills it.
pub(super) struct ZooKeeper {
    _process: Process,
    // After the process: fields are dropped in order.
    _dir: TempDir,
}

const READY: Duration = Duration::from_secs(60);
const ANSWERED: Duration = Duration::from_secs(2);

// === impl ZooKeeper ===

impl ZooKeeper {
    /// Starts it and waits until it answers.
    pub(super) fn start(kafka: &Kafka, port: u16) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("towpath-zookeeper-").tempdir()?;
        let config = dir.path().join("zookeeper.properties");
        let data = dir.path().join("data");
        fs::write(
            &config,
            format!(
                "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n4lw.commands.whitelist=ruok\n",
                data.display()
            ),
        )?;
        let logging = kafka.logging_flag(dir.path())?;
        let mut command = kafka.java(
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            &[
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                &logging,
            ],
        );
        command.arg(&config);
        let log = dir.path().join("zookeeper.log");
        let mut process = Process::spawn("zookeeper", &command, &log, Some(dir.path()))?;
        wait::until("zookeeper", READY, || {
            if let Some(status) = process.ended()? {
                let tail = process.log_tail(20);
                return Err(anyhow!(Hopeless(format!("zookeeper ended ({status}):\n{tail}"))));
            }
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            // A server that takes the connection may still never answer it; the next one it does.
            stream.set_read_timeout(Some(ANSWERED))?;
            stream.write_all(b"ruok")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok((answer == "imok").then_some(()))
        })?;
        Ok(Self {
            _process: process,
            _dir: dir,
        })
    }
}
