//! Consumer groups as an administrator sees them, by the data plane's own client on a real broker, with librdkafka's consumers in them.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::{collections::HashMap, sync::OnceLock, time::Duration};

use anyhow::{Context, Result, ensure};
use rdkafka::{
    ClientConfig, Offset as At, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    producer::{BaseProducer, Producer},
};
use towpath_domain::{GroupId, Offset, TopicPartition};
use towpath_lab::broker::{Broker, BrokerOptions};
use towpath_wire::{
    Client, CommittedOffset, DescribedGroup, Error, GroupType, KafkaError, ListedGroup, Options,
};

const SOON: Duration = Duration::from_secs(30);

fn broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| {
        let options = BrokerOptions::named("target").property("group.initial.rebalance.delay.ms", "0");
        Broker::start(options).expect("the broker starts")
    })
}

/// A client, and two partitions of a new topic.
async fn topic(name: &str) -> Result<(Client, [TopicPartition; 2])> {
    broker().admin()?.create_topic(name, 2, &[])?;
    let client = client(SOON).await?;
    Ok((
        client,
        [0, 1].map(|partition| TopicPartition::new(name, partition)),
    ))
}

async fn client(request_timeout: Duration) -> Result<Client> {
    let options = Options {
        bootstrap_servers: vec![broker().bootstrap().to_owned()],
        request_timeout,
        ..Options::default()
    };
    Ok(Client::connect(options).await?)
}

fn consumer(group: &str, protocol: &str) -> Result<BaseConsumer> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", broker().bootstrap())
        .set("group.id", group)
        .set("group.protocol", protocol)
        .set("client.id", "reader")
        .set("enable.auto.commit", "false")
        .create()?)
}

fn offsets(partitions: &[TopicPartition], offset: i64, metadata: &str) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        let (topic, index) = (partition.topic.as_str(), partition.partition.0);
        list.add_partition_offset(topic, index, At::Offset(offset))?;
        let mut element = list.find_partition(topic, index).context("it was added")?;
        element.set_metadata(metadata);
    }
    Ok(list)
}

/// What librdkafka reads of a group.
fn read_by_another(group: &str, partitions: &[TopicPartition]) -> Result<Vec<At>> {
    let consumer = consumer(group, "classic")?;
    let list = consumer.committed_offsets(offsets(partitions, 0, "")?, SOON)?;
    Ok(list.elements().iter().map(|element| element.offset()).collect())
}

async fn listed(client: &Client, group: &str) -> Result<Option<ListedGroup>> {
    let all = client.list_groups().await?;
    Ok(all.into_iter().find(|listed| listed.id.0 == group))
}

async fn described(client: &Client, group: &str) -> Result<DescribedGroup, Error> {
    let group = GroupId(group.to_owned());
    let mut answer = client.describe_groups(std::slice::from_ref(&group)).await;
    answer.remove(&group).expect("it was asked about")
}

async fn committed(client: &Client, group: &str) -> Result<HashMap<TopicPartition, CommittedOffset>, Error> {
    let group = GroupId(group.to_owned());
    let mut answer = client.group_offsets(std::slice::from_ref(&group)).await;
    answer.remove(&group).expect("it was asked about")
}

/// The error of each partition that could not be committed.
async fn commit(client: &Client, group: &str, partitions: &[TopicPartition], offset: i64) -> Vec<Error> {
    let offsets: Vec<_> = partitions
        .iter()
        .map(|partition| (partition.clone(), Offset(offset), "by towpath".to_owned()))
        .collect();
    let results = client
        .commit_group_offsets(&GroupId(group.to_owned()), &offsets)
        .await;
    results.into_values().filter_map(Result::err).collect()
}

#[tokio::test]
async fn offsets_of_a_group_without_members_are_read_and_set() -> Result<()> {
    let (client, partitions) = topic("groups.empty").await?;
    ensure!(listed(&client, "empty").await?.is_none());
    let absent = described(&client, "empty").await.unwrap_err();
    ensure!(absent.kafka() == Some(KafkaError::GROUP_ID_NOT_FOUND), "{absent}");
    ensure!(committed(&client, "empty").await?.is_empty());

    // Without having subscribed it is no member.
    consumer("empty", "classic")?
        .commit(&offsets(&partitions[..1], 40, "by librdkafka")?, CommitMode::Sync)?;
    let group = listed(&client, "empty").await?.unwrap();
    ensure!(group.group_type == Some(GroupType::Classic) && group.is_active() == Some(false));
    ensure!(described(&client, "empty").await?.members.is_empty());
    let offsets = committed(&client, "empty").await?;
    ensure!(offsets.len() == 1 && offsets[&partitions[0]].offset == Offset(40));
    ensure!(offsets[&partitions[0]].metadata == "by librdkafka");

    let nowhere = TopicPartition::new("groups.nowhere", 0);
    let errors = commit(&client, "empty", &[partitions[1].clone(), nowhere], 7).await;
    ensure!(errors.len() == 1 && errors[0].kafka() == Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION));
    let read = read_by_another("empty", &partitions)?;
    ensure!(read == [At::Offset(40), At::Offset(7)], "{read:?}");
    let offsets = committed(&client, "empty").await?;
    ensure!(offsets[&partitions[1]].metadata == "by towpath");
    // Back is a way, too.
    ensure!(commit(&client, "empty", &partitions, 3).await.is_empty());
    let read = read_by_another("empty", &partitions)?;
    ensure!(read == [At::Offset(3); 2], "{read:?}");
    Ok(())
}

#[tokio::test]
async fn a_group_with_members_is_told_and_takes_no_offsets_but_theirs() -> Result<()> {
    for (protocol, group_type) in [("classic", GroupType::Classic), ("consumer", GroupType::Consumer)] {
        let name = format!("groups.active.{protocol}");
        let (client, partitions) = topic(&name).await?;
        let group = format!("active-{protocol}");
        let consumer = consumer(&group, protocol)?;
        consumer.subscribe(&[&name])?;
        let deadline = tokio::time::Instant::now() + SOON;
        while consumer.assignment()?.count() < 2 {
            consumer.poll(Duration::from_millis(50));
            let has_members = described(&client, &group)
                .await
                .is_ok_and(|group| !group.members.is_empty());
            let errors = commit(&client, &group, &partitions, 1).await;
            let unknown = errors
                .iter()
                .filter(|error| error.kafka() == Some(KafkaError::UNKNOWN_MEMBER_ID));
            // In whichever state it is.
            ensure!(!has_members || unknown.count() == 2, "{errors:?}");
            ensure!(tokio::time::Instant::now() < deadline, "{group} does not begin");
        }
        let found = described(&client, &group).await?;
        ensure!(found.group_type == group_type && found.members.len() == 1);
        ensure!(found.members[0].client_id == "reader");
        let found = listed(&client, &group).await?.unwrap();
        ensure!(found.is_active() == Some(true) && found.group_type == Some(group_type.clone()));
        consumer.commit(&offsets(&partitions, 40, "mine")?, CommitMode::Sync)?;
        let errors = commit(&client, &group, &partitions, 1).await;
        let codes: Vec<_> = errors.iter().map(|error| error.kafka()).collect();
        ensure!(codes == [Some(KafkaError::UNKNOWN_MEMBER_ID); 2], "{errors:?}");
        let read = committed(&client, &group).await?;
        ensure!(
            read.values().all(|offset| offset.offset == Offset(40)),
            "{read:?}"
        );

        // Its members leave, and it takes what they may begin with next time.
        consumer.unsubscribe();
        drop(consumer);
        let deadline = tokio::time::Instant::now() + SOON;
        while !described(&client, &group).await?.members.is_empty() {
            ensure!(
                tokio::time::Instant::now() < deadline,
                "{group} keeps its members"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ensure!(commit(&client, &group, &partitions, 50).await.is_empty());
        let read = committed(&client, &group).await?;
        ensure!(
            read.values().all(|offset| offset.offset == Offset(50)),
            "{read:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn offsets_of_an_open_transaction_are_not_taken_for_committed() -> Result<()> {
    let (client, partitions) = topic("groups.unstable").await?;
    ensure!(commit(&client, "unstable", &partitions[..1], 5).await.is_empty());
    let reader = consumer("unstable", "classic")?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker().bootstrap())
        .set("transactional.id", "unstable")
        .create()?;
    producer.init_transactions(SOON)?;
    producer.begin_transaction()?;
    let metadata = reader.group_metadata().context("it has a group")?;
    producer.send_offsets_to_transaction(&offsets(&partitions, 9, "")?, &metadata, SOON)?;
    let impatient = self::client(Duration::from_secs(1)).await?;
    let error = committed(&impatient, "unstable").await.unwrap_err();
    ensure!(
        error.kafka() == Some(KafkaError::UNSTABLE_OFFSET_COMMIT),
        "{error}"
    );
    // It is told of an offset that is there and about to change; of a first one nothing is.
    ensure!(
        error
            .to_string()
            .contains("of groups.unstable-0 for group unstable"),
        "{error}"
    );
    producer.commit_transaction(SOON)?;
    let read = committed(&client, "unstable").await?;
    ensure!(read.len() == 2 && read.values().all(|offset| offset.offset == Offset(9)));
    Ok(())
}
