//! One suite on two clusters: groups, transactions, ACLs, quotas and credentials of the embedded cluster answer as Apache Kafka does.
//!
//! Cases speak the protocol itself, request by request, so that every error code is seen. Each has names of its own.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod acls;
mod classic;
mod clients;
mod consumer;
mod offsets;
mod target;
mod transactions;

use anyhow::Result;
use target::Target;
use towpath_lab::broker::{Broker, BrokerOptions};

type Case = (&'static str, fn(&Target) -> Result<()>);

fn run(target: &Target) {
    let all = [
        classic::CASES,
        consumer::CASES,
        offsets::CASES,
        transactions::CASES,
        acls::CASES,
        clients::CASES,
    ];
    let mut failed = Vec::new();
    for (name, case) in all.into_iter().flatten() {
        if let Err(error) = case(target) {
            failed.push(format!("{name}: {error:#}"));
        }
    }
    assert!(
        failed.is_empty(),
        "on {}, {} cases failed:\n{}",
        target.name,
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn the_embedded_cluster_behaves() {
    run(&Target::embedded());
}

#[test]
fn apache_kafka_behaves() {
    let options = BrokerOptions::named("conformance")
        .property("group.initial.rebalance.delay.ms", "0")
        // Records of a fixed time in the past are read back, however long the suite takes.
        .property("log.retention.ms", "-1")
        // Assignments in the answer to the heartbeat that asks for them, as the embedded cluster has it (KIP-1263).
        .property("group.consumer.assignment.interval.ms", "0")
        .property("group.consumer.assignor.offload.enable", "false")
        .property(
            "authorizer.class.name",
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        );
    let broker = Broker::start(options).expect("the broker starts");
    run(&Target::at("Apache Kafka", broker.bootstrap()));
}
