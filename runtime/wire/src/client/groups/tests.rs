use towpath_domain::{GroupId, LeaderEpoch, Offset, TopicPartition};

use super::{super::tests::connect, *};
use crate::{
    Retry,
    scripted::{Answer, Asked, Broker, Session},
};

/// Without groups of KIP-848, as before Kafka 3.7.
const VERSIONS: &[(i16, i16, i16)] = &[
    (3, 4, 7),
    (8, 2, 7),
    (9, 1, 5),
    (10, 0, 2),
    (15, 0, 4),
    (16, 0, 2),
    (18, 0, 3),
];

/// A broker, a client of it that looks for the coordinator of "billing", and what follows.
struct Script {
    broker: Broker,
    client: Client,
}

impl Script {
    async fn start() -> Self {
        let broker = Broker::start().await;
        let client = connect(&broker, broker.options()).await;
        Self { broker, client }
    }

    async fn session(&self) -> Session {
        self.broker.session_of(VERSIONS).await
    }

    async fn coordinator(&self, session: &mut Session) {
        let asked = session.asked().await;
        assert_eq!((asked.api, asked.version), (10, 2));
        assert_eq!(asked.body, Answer::default().string("billing").i8(0).0);
        let answer = Answer::default().i32(0).i16(0).string("").i32(1);
        let answer = answer.string("127.0.0.1").i32(9092);
        session.answer(asked.correlation, answer).await;
    }

    async fn brokers(&self, session: &mut Session) {
        let asked = session.asked().await;
        assert_eq!((asked.api, asked.version), (3, 7));
        let answer = Answer::metadata(&self.broker.address, "east", "", -1);
        session.answer(asked.correlation, answer).await;
    }
}

fn billing() -> GroupId {
    GroupId("billing".to_owned())
}

fn orders(partition: i32) -> TopicPartition {
    TopicPartition::new("orders", partition)
}

async fn asked(session: &mut Session, api: i16, version: i16, body: &Answer) -> Asked {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (api, version));
    assert_eq!(asked.body, body.0);
    asked
}

#[tokio::test]
async fn groups_are_listed_once_every_broker_has_loaded_them() {
    let script = Script::start().await;
    let (listed, ()) = tokio::join!(script.client.list_groups(), async {
        let mut session = script.session().await;
        for (error, groups) in [(14, 0), (0, 2)] {
            script.brokers(&mut session).await;
            let asked = asked(&mut session, 16, 2, &Answer::default()).await;
            let mut answer = Answer::default().i32(0).i16(error).i32(groups);
            if groups == 2 {
                answer = answer.string("workers").string("connect");
                answer = answer.string("billing").string("consumer");
            }
            session.answer(asked.correlation, answer).await;
        }
    });
    let listed = listed.unwrap();
    let ids: Vec<_> = listed.iter().map(|group| group.id.0.as_str()).collect();
    assert_eq!(ids, ["billing", "workers"]);
    assert_eq!(listed[1].protocol_type, "connect");
    assert_eq!((listed[0].is_active(), &listed[0].group_type), (None, &None));
}

#[test]
fn what_a_group_does_is_told_by_its_state_and_type() {
    let listed = |state: &str, group_type: &str| {
        let text = |text: &str| kafka_protocol::protocol::StrBytes::from_string(text.to_owned());
        ListedGroup::of(
            &Listed::default()
                .with_group_state(text(state))
                .with_group_type(text(group_type)),
        )
    };
    let streams = listed("NotReady", "Streams");
    assert_eq!(
        (streams.is_active(), streams.group_type),
        (Some(true), Some(GroupType::Streams))
    );
    assert_eq!(listed("Empty", "classic").is_active(), Some(false));
    assert_eq!(
        listed("", "Quorum").group_type,
        Some(GroupType::Other("Quorum".to_owned()))
    );
}

#[tokio::test]
async fn members_are_told_and_a_group_that_is_dead_is_none() {
    let script = Script::start().await;
    let groups = [billing()];
    let describe = || script.client.describe_groups(&groups);
    let (described, _session) = tokio::join!(async { [describe().await, describe().await] }, async {
        let mut session = script.session().await;
        script.coordinator(&mut session).await;
        let request = Answer::default().i32(1).string("billing").i8(0);
        let asked = asked(&mut session, 15, 4, &request).await;
        let group = Answer::default().i32(0).i32(1).i16(0).string("billing");
        let group = group.string("Stable").string("consumer").string("range");
        let member = group.i32(1).string("m-1").i16(-1).string("c").string("/10.0.0.1");
        let answer = member.bytes(&[]).bytes(&[]).i32(i32::MIN);
        session.answer(asked.correlation, answer).await;

        let asked = session.asked().await;
        let group = Answer::default().i32(0).i32(1).i16(0).string("billing");
        let group = group.string("Dead").string("").string("").i32(0).i32(i32::MIN);
        session.answer(asked.correlation, group).await;
        // Whether the broker has the other request is looked up on the same connection.
        session
    });
    let stable = described[0][&billing()].as_ref().unwrap();
    assert_eq!((stable.state.as_str(), stable.members.len()), ("Stable", 1));
    assert_eq!(stable.members[0].client_host, "/10.0.0.1");
    let dead = described[1][&billing()].as_ref().unwrap_err();
    assert_eq!(dead.kafka(), Some(KafkaError::GROUP_ID_NOT_FOUND));
    assert!(
        dead.to_string()
            .contains("DescribeGroups of group billing: GROUP_ID_NOT_FOUND"),
        "{dead}"
    );
}

#[tokio::test]
async fn offsets_that_a_transaction_holds_are_waited_for() {
    let script = Script::start().await;
    let groups = [billing()];
    let offsets = || script.client.group_offsets(&groups);
    let (found, ()) = tokio::join!(async { [offsets().await, offsets().await] }, async {
        let mut session = script.session().await;
        script.coordinator(&mut session).await;
        let request = Answer::default().string("billing").i32(-1);
        let partition = |answer: Answer, partition: i32, offset: i64, error: i16| {
            let answer = answer.i32(partition).i64(offset).i32(4);
            answer.string("at dusk").i16(error)
        };
        // UNSTABLE_OFFSET_COMMIT, then two offsets, of which one is none.
        for error in [88, 0] {
            let asked = asked(&mut session, 9, 5, &request).await;
            let answer = Answer::default().i32(0).i32(1).string("orders").i32(2);
            let answer = partition(answer, 0, 40, 0);
            let answer = partition(answer, 1, -1, error).i16(0);
            session.answer(asked.correlation, answer).await;
        }
        let asked = asked(&mut session, 9, 5, &request).await;
        session
            .answer(asked.correlation, Answer::default().i32(0).i32(0).i16(30))
            .await;
    });
    let committed = CommittedOffset {
        offset: Offset(40),
        leader_epoch: LeaderEpoch(4),
        metadata: "at dusk".to_owned(),
    };
    let expected = [(orders(0), committed)].into_iter().collect();
    assert_eq!(*found[0][&billing()].as_ref().unwrap(), expected);
    let refused = found[1][&billing()].as_ref().unwrap_err();
    assert!(
        refused.to_string().ends_with(
            "OffsetFetch of group billing: GROUP_AUTHORIZATION_FAILED (error 30, until it is granted): grant Describe on \
             the group to User:ANONYMOUS"
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn offsets_are_committed_as_nobody_and_each_has_its_result() {
    let script = Script::start().await;
    let group = billing();
    let offsets = [
        (orders(0), Offset(40), "moved".to_owned()),
        (orders(1), Offset(41), String::new()),
    ];
    let commit = || script.client.commit_group_offsets(&group, &offsets);
    let (results, ()) = tokio::join!(
        async { [commit().await, commit().await, commit().await] },
        async {
            let mut session = script.session().await;
            script.coordinator(&mut session).await;
            let request = Answer::default().string("billing").i32(-1).string("").i16(-1);
            let request = request.i32(1).string("orders").i32(2);
            let request = request.i32(0).i64(40).i32(-1).string("moved");
            let request = request.i32(1).i64(41).i32(-1).string("");
            // It loads; a partition that is not there; a group with members; no permission.
            for errors in [[14, 14], [0, 3], [25, 25], [29, 30]] {
                let asked = asked(&mut session, 8, 7, &request).await;
                let answer = Answer::default().i32(0).i32(1).string("orders").i32(2);
                let answer = answer.i32(0).i16(errors[0]).i32(1).i16(errors[1]);
                session.answer(asked.correlation, answer).await;
            }
        }
    );
    let error = |of: usize, partition| results[of][&orders(partition)].as_ref().unwrap_err();
    assert!(results[0][&orders(0)].is_ok());
    assert_eq!(error(0, 1).kafka(), Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION));
    let active = error(1, 0);
    assert_eq!(
        (active.kafka(), active.retry()),
        (Some(KafkaError::UNKNOWN_MEMBER_ID), Retry::Never)
    );
    assert!(
        active
            .to_string()
            .contains("OffsetCommit of orders-0 for group billing: UNKNOWN_MEMBER_ID"),
        "{active}"
    );
    let grants = [error(2, 0), error(2, 1)].map(ToString::to_string);
    assert!(
        grants[0].ends_with("grant Read on the topic to User:ANONYMOUS"),
        "{}",
        grants[0]
    );
    assert!(
        grants[1].ends_with("grant Read on the group to User:ANONYMOUS"),
        "{}",
        grants[1]
    );
}
