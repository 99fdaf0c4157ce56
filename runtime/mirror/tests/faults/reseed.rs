//! A topic with preserved offsets that has stopped is mirrored anew: deleted on the target, and filled again.

use towpath_domain::{Decision, TopicName, TopicPartition};
use towpath_embedded::{Action, ApiKey, ErrorCode, Rule};
use towpath_mirror::resolve::{Error, Mode, Resolution, reseed::Request};
use towpath_wire::NewTopic;

use super::{
    mirror::{Mirror, prepare_as, prepare_with},
    pair::{PARTITIONS, Pair, TOPIC, Writer},
    wait,
};

const PRESERVE: [(&str, &str); 1] = [("offsets.mode", "preserve")];

fn request(delete: Option<&str>, mode: Mode) -> Request {
    Request {
        topic: TopicName::new(TOPIC),
        delete: delete.map(TopicName::new),
        mode,
    }
}

async fn reseed(pair: &Pair, request: &Request) -> Result<Vec<Resolution>, Error> {
    prepare_with(pair, &PRESERVE).await.unwrap().reseed(request).await
}

/// Mirrored, and stopped by what somebody else has written.
async fn diverged(seed: u64) -> (Pair, Writer) {
    let pair = Pair::start(1, seed).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(3, 20).await;
    arrives(&pair).await;
    Writer::new(&pair.target).await.write(1, 3).await;
    let mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await.unwrap());
    let stopped = ["mirroring", "target-diverged"];
    wait::until(|| mirror.states() == stopped, || format!("{:?}", mirror.status())).await;
    mirror.stop().await;
    (pair, writer)
}

async fn arrives(pair: &Pair) {
    let mirror = Mirror::run(prepare_with(pair, &PRESERVE).await.unwrap());
    let arrived = || pair.compare_places() == Ok(());
    wait::until(arrived, || {
        format!("{:?} {:?}", pair.compare_places(), mirror.status())
    })
    .await;
    mirror.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_somebody_else_has_written_to_is_mirrored_anew_by_its_name() {
    let (pair, mut writer) = diverged(590).await;
    writer.delete_before(1, 10).await;
    for wrong in [None, Some("payments")] {
        let refused = reseed(&pair, &request(wrong, Mode::Write)).await.unwrap_err();
        let remedy = "write --delete-target-topic orders";
        assert!(refused.to_string().contains(remedy), "{refused}");
    }
    let before = pair.rows(1).1;
    let told = reseed(&pair, &request(None, Mode::DryRun)).await.unwrap();
    assert!(
        told[1]
            .told
            .contains("offsets 0 to 63 (excluded) of orders-1 on the target are deleted"),
        "{told:?}"
    );
    assert!(
        told[1]
            .told
            .contains("source's offsets 0 to 10 (excluded) is lost"),
        "{told:?}"
    );
    assert!(!told[0].told.contains("is lost"), "{told:?}");
    assert_eq!(pair.rows(1).1, before, "a dry run changes nothing");
    reseed(&pair, &request(Some(TOPIC), Mode::Write)).await.unwrap();
    arrives(&pair).await;
    // Pressed twice it is mirrored twice, and the same.
    reseed(&pair, &request(Some(TOPIC), Mode::Write)).await.unwrap();
    reseed(&pair, &request(Some(TOPIC), Mode::Write))
        .await
        .unwrap_err();
    writer.write_all(1, 20).await;
    arrives(&pair).await;
    pair.shutdown().await;
}

/// The topic is gone, and its rows are not: nothing begins by itself, and the same command ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_stopped_in_between_repeats_it() {
    let (pair, _) = diverged(591).await;
    let unanswered = Action::ErrorAfter(ErrorCode::RequestTimedOut);
    let fault = pair
        .target
        .faults()
        .inject(Rule::on(ApiKey::DeleteTopics).then(unanswered));
    reseed(&pair, &request(Some(TOPIC), Mode::Write))
        .await
        .unwrap_err();
    fault.remove();
    assert!(pair.rows(1).1.is_empty(), "it is deleted");
    let mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await.unwrap());
    let stopped = ["target-recreated"; 2];
    wait::until(|| mirror.states() == stopped, || format!("{:?}", mirror.status())).await;
    mirror.stop().await;
    reseed(&pair, &request(Some(TOPIC), Mode::Write)).await.unwrap();
    arrives(&pair).await;
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_connector_has_mirrored_there_is_not_deleted() {
    let (pair, _) = diverged(592).await;
    let other = prepare_as(&pair, "other", &[("offsets.mode", "translate")])
        .await
        .unwrap();
    let mirror = Mirror::run(other);
    wait::until(
        || mirror.states() == ["mirroring"; 2] && mirror.status().lag.records == 0,
        || format!("{:?}", mirror.status()),
    )
    .await;
    mirror.stop().await;
    let before = pair.rows(1).1;
    let refused = reseed(&pair, &request(Some(TOPIC), Mode::Write))
        .await
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("connector other has mirrored orders there, too"),
        "{refused}"
    );
    assert_eq!(pair.rows(1).1, before);
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operators_decision_does_not_hinder_it() {
    let (pair, _) = diverged(593).await;
    let abort = towpath_mirror::resolve::Request {
        decision: Decision::Abort,
        topic: Some(TopicName::new(TOPIC)),
        partition: None,
        existing: towpath_mirror::resolve::Existing::Refused,
        mode: Mode::Write,
        at: 1_700_000_000_000,
    };
    let connector = prepare_with(&pair, &PRESERVE).await.unwrap();
    let decided = connector.resolve(&abort).await.unwrap();
    assert_eq!(decided[0].partition, TopicPartition::new(TOPIC, 1));
    reseed(&pair, &request(Some(TOPIC), Mode::Write)).await.unwrap();
    arrives(&pair).await;
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_of_somebody_else_under_the_name_is_not_deleted() {
    let (pair, _) = diverged(594).await;
    let others = Writer::new(&pair.target).await;
    let deleted = others.client.delete_topics(&[TopicName::new(TOPIC)]).await;
    deleted
        .unwrap()
        .into_iter()
        .for_each(|(_, result)| result.unwrap());
    let topic = NewTopic {
        name: TopicName::new(TOPIC),
        partitions: PARTITIONS,
        replication_factor: 1,
        configs: Vec::new(),
    };
    let created = others.client.create_topics(&[topic]).await;
    created
        .unwrap()
        .into_iter()
        .for_each(|(_, result)| assert!(result.is_ok(), "{result:?}"));
    Writer::new(&pair.target).await.write(0, 3).await;
    let before = pair.rows(0).1;
    let refused = reseed(&pair, &request(Some(TOPIC), Mode::Write))
        .await
        .unwrap_err();
    let told = "it is not the topic that the connector has mirrored to, and has records";
    assert!(refused.to_string().contains(told), "{refused}");
    assert_eq!(pair.rows(0).1, before);
    pair.shutdown().await;
}

/// What a group does that cannot be asked is not known, and its topic not deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_groups_cannot_be_listed_nothing_is_deleted() {
    let (pair, _) = diverged(595).await;
    let before = pair.rows(1).1;
    let unknown = Action::Error(ErrorCode::ClusterAuthorizationFailed);
    pair.target
        .faults()
        .inject(Rule::on(ApiKey::ListGroups).then(unknown));
    reseed(&pair, &request(Some(TOPIC), Mode::Write))
        .await
        .unwrap_err();
    assert_eq!(pair.rows(1).1, before);
    pair.shutdown().await;
}
