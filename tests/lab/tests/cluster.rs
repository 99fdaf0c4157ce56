//! Clusters of three brokers whose leaders move: nothing is missing, the order is kept, and the worker goes on by itself.

use anyhow::Result;
use towpath_lab::{broker::BrokerOptions, cluster::Cluster, generate::Traffic, sequence};

#[test]
fn the_lab_moves_leaders_and_a_cluster_lives_through_the_loss_of_any_broker() -> Result<()> {
    let mut cluster = Cluster::start(&BrokerOptions::named("lab"))?;
    let topic = "moved";
    cluster.admin()?.create_topic(topic, 3, &[])?;
    let mut traffic = Traffic::text(topic, 3, 3000, 100);
    traffic.produce(&cluster.bootstrap())?;
    for to in [1, 2, 3] {
        cluster.admin()?.move_leader(topic, 0, to)?;
        assert_eq!(cluster.admin()?.leaders(topic)?[0], to);
    }
    for node in [1, 2, 3] {
        cluster.broker(node)?.kill()?;
        traffic = traffic.then(3000);
        traffic.produce(&cluster.bootstrap())?;
        cluster.broker(node)?.start_again()?;
        cluster.wait_until_in_sync(&[topic])?;
    }
    let bootstrap = cluster.bootstrap();
    sequence::audit(&bootstrap, topic, &traffic)?.assert_exactly_once()
}
