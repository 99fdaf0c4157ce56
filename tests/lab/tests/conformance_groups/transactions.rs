//! Transactions: identities and epochs, what belongs to one, its end, and who may read it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    indexmap::IndexMap,
    messages::{
        AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeProducersRequest,
        DescribeTransactionsRequest, EndTxnRequest, EndTxnResponse, FetchRequest, InitProducerIdRequest,
        ListTransactionsRequest, ProduceRequest, ProducerId, TopicName, TransactionalId,
        TxnOffsetCommitRequest,
        add_partitions_to_txn_request::AddPartitionsToTxnTopic,
        describe_producers_request::TopicRequest,
        describe_producers_response::ProducerState,
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::PartitionData,
        produce_request::{PartitionProduceData, TopicProduceData},
        txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    },
    records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType},
};
use towpath_lab::wait;

use crate::{
    Case,
    classic::group_id,
    offsets::{Stable, fetched, fetched_all, fetched_with},
    target::{Connection, Target, is, text},
};

pub const CASES: &[Case] = &[
    ("a transactional id gets an identity", identities),
    ("a transaction is committed, another aborted", outcomes),
    ("what does not belong to a transaction is refused", strangers),
    ("a second producer fences the first", fencing),
    ("a producer goes on with a higher epoch", bump),
    ("the end raises the epoch", raised),
    ("offsets in a transaction", offsets),
    ("the end of a transaction is checked", ends),
    ("partitions are added all or none", all_or_none),
    ("transactions are described and listed", described),
    ("leaders tell whose transaction is open", open),
    ("a transaction that takes too long is aborted", timeout),
];

/// A producer id and its epoch.
type Identity = (i64, i16);

fn id(id: &str) -> TransactionalId {
    TransactionalId(text(id))
}

fn init(
    at: &mut Connection,
    transaction: &str,
    timeout_ms: i32,
    expected: Identity,
) -> Result<(i16, Identity)> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(id(transaction)))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id(ProducerId(expected.0))
        .with_producer_epoch(expected.1);
    let answer = at.call(4, &request)?;
    Ok((answer.error_code, (answer.producer_id.0, answer.producer_epoch)))
}

/// A new identity; one whose transaction is being ended is asked for again.
fn start(at: &mut Connection, transaction: &str) -> Result<Identity> {
    wait::until("a producer id", Duration::from_secs(30), || {
        match init(at, transaction, 60_000, (-1, -1))? {
            (0, identity) => Ok(Some(identity)),
            (14 | 15 | 16 | 51, _) => Ok(None),
            (code, _) => anyhow::bail!("InitProducerId answers {code}"),
        }
    })
}

fn add(at: &mut Connection, transaction: &str, identity: Identity, topics: &[&str]) -> Result<Vec<i16>> {
    let topic = |name: &&str| {
        AddPartitionsToTxnTopic::default()
            .with_name(TopicName(text(name)))
            .with_partitions(vec![0])
    };
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id(transaction))
        .with_v3_and_below_producer_id(ProducerId(identity.0))
        .with_v3_and_below_producer_epoch(identity.1)
        .with_v3_and_below_topics(topics.iter().map(topic).collect());
    // A coordinator is busy for a moment after a transaction has ended.
    wait::until("partitions in a transaction", Duration::from_secs(30), || {
        let answer = at.call(3, &request)?;
        let codes = topics.iter().map(|topic| {
            let mut results = answer.results_by_topic_v3_and_below.iter();
            let result = results.find(|result| &*result.name.0 == *topic);
            result.map_or(i16::MIN, |result| {
                result.results_by_partition[0].partition_error_code
            })
        });
        let codes: Vec<i16> = codes.collect();
        Ok((!codes.contains(&51)).then_some(codes))
    })
}

fn end(
    at: &mut Connection,
    version: i16,
    transaction: &str,
    identity: Identity,
    committed: bool,
) -> Result<EndTxnResponse> {
    let request = EndTxnRequest::default()
        .with_transactional_id(id(transaction))
        .with_producer_id(ProducerId(identity.0))
        .with_producer_epoch(identity.1)
        .with_committed(committed);
    wait::until("the end of a transaction", Duration::from_secs(30), || {
        let answer = at.call(version, &request)?;
        Ok((answer.error_code != 51).then_some(answer))
    })
}

fn batch(identity: Identity, sequence: i32, transactional: bool) -> Result<Bytes> {
    let record = Record {
        transactional,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: identity.0,
        producer_epoch: identity.1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(Bytes::from_static(b"value")),
        headers: IndexMap::new(),
    };
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut bytes, [&record], &options)?;
    Ok(bytes.freeze())
}

fn produce(version: i16, transaction: Option<&str>, topic: &str, records: Bytes) -> (i16, ProduceRequest) {
    let partition = PartitionProduceData::default()
        .with_index(0)
        .with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(TopicName(text(topic)))
        .with_partition_data(vec![partition]);
    let request = ProduceRequest::default()
        .with_transactional_id(transaction.map(id))
        .with_acks(-1)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic]);
    (version, request)
}

fn produced(target: &Target, (version, request): (i16, ProduceRequest)) -> Result<i16> {
    let mut at = target.connect()?;
    // While the leader of a new topic, or markers of the transaction before, are on their way.
    wait::until("a write", Duration::from_secs(30), || {
        let answer = at.call(version, &request)?;
        let code = answer.responses[0].partition_responses[0].error_code;
        Ok((![6, 51].contains(&code)).then_some(code))
    })
}

/// What a reader of committed records gets.
fn read(target: &Target, topic: &str) -> Result<PartitionData> {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(0)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(TopicName(text(topic)))
        .with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(1 << 20)
        .with_isolation_level(1)
        .with_topics(vec![topic]);
    let mut answer = target.connect()?.call(11, &request)?;
    answer
        .responses
        .pop()
        .and_then(|mut topic| topic.partitions.pop())
        .context("no partition in the answer")
}

/// Waits for the markers of everything that has ended.
fn settled(target: &Target, topic: &str, stable: i64) -> Result<PartitionData> {
    wait::until(
        &format!("the last stable offset {stable} of {topic}"),
        Duration::from_secs(30),
        || {
            let read = read(target, topic)?;
            is(
                "error, log start, high watermark, last stable offset",
                (
                    read.error_code,
                    read.log_start_offset,
                    read.high_watermark,
                    read.last_stable_offset,
                ),
                (0, read.log_start_offset, stable.max(read.high_watermark), stable),
            )?;
            Ok(Some(read))
        },
    )
}

fn identities(target: &Target) -> Result<()> {
    let mut at = target.transactional("txn-ids")?;
    let first = start(&mut at, "txn-ids")?;
    is("the first epoch", first.1, 0)?;
    let second = start(&mut at, "txn-ids")?;
    is("the second", second, (first.0, 1))?;
    is("no id", init(&mut at, "", 1000, (-1, -1))?.0, 42)?;
    is(
        "a timeout too long",
        init(&mut at, "txn-ids", 900_001, (-1, -1))?.0,
        50,
    )?;
    is("no timeout", init(&mut at, "txn-ids", 0, (-1, -1))?.0, 50)?;
    is("half an identity", init(&mut at, "txn-ids", 1000, (5, -1))?.0, 42)?;
    let nobody = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let one = at.call(4, &nobody)?;
    let two = at.call(4, &nobody)?;
    is("without an id", (one.error_code, one.producer_epoch), (0, 0))?;
    ensure!(one.producer_id != two.producer_id, "the same producer id twice");
    Ok(())
}

fn outcomes(target: &Target) -> Result<()> {
    let (transaction, topic) = ("txn-outcomes", "txn-outcomes");
    target.topic(topic, 1, &[])?;
    let mut at = target.transactional(transaction)?;
    let identity = start(&mut at, transaction)?;
    is(
        "a partition",
        add(&mut at, transaction, identity, &[topic])?,
        vec![0],
    )?;
    is(
        "a batch",
        produced(
            target,
            produce(9, Some(transaction), topic, batch(identity, 0, true)?),
        )?,
        0,
    )?;
    let before = read(target, topic)?;
    is(
        "before its end",
        (before.high_watermark, before.last_stable_offset),
        (1, 0),
    )?;
    is(
        "nothing is read",
        before.records.map_or(0, |records| records.len()),
        0,
    )?;
    is(
        "committed",
        end(&mut at, 3, transaction, identity, true)?.error_code,
        0,
    )?;
    let after = settled(target, topic, 2)?;
    is(
        "a marker",
        (
            after.high_watermark,
            after.aborted_transactions.unwrap_or_default().len(),
        ),
        (2, 0),
    )?;
    is(
        "committed again",
        end(&mut at, 3, transaction, identity, true)?.error_code,
        0,
    )?;
    is(
        "aborted after all",
        end(&mut at, 3, transaction, identity, false)?.error_code,
        48,
    )?;

    is(
        "a partition",
        add(&mut at, transaction, identity, &[topic])?,
        vec![0],
    )?;
    is(
        "a batch",
        produced(
            target,
            produce(9, Some(transaction), topic, batch(identity, 1, true)?),
        )?,
        0,
    )?;
    is(
        "aborted",
        end(&mut at, 3, transaction, identity, false)?.error_code,
        0,
    )?;
    settled(target, topic, 4)?;
    // A transaction without a batch leaves a marker all the same.
    is(
        "a partition",
        add(&mut at, transaction, identity, &[topic])?,
        vec![0],
    )?;
    is(
        "committed",
        end(&mut at, 3, transaction, identity, true)?.error_code,
        0,
    )?;
    settled(target, topic, 5).map(drop)
}

fn strangers(target: &Target) -> Result<()> {
    let (transaction, topic) = ("txn-strangers", "txn-strangers");
    target.topic(topic, 1, &[])?;
    let mut at = target.transactional(transaction)?;
    let identity = start(&mut at, transaction)?;
    let marked = batch(identity, 0, true)?;
    let write = |version, records| produced(target, produce(version, Some(transaction), topic, records));
    is(
        "marked, without an id",
        produced(target, produce(9, None, topic, marked.clone()))?,
        53,
    )?;
    is("before it is added", write(9, marked.clone())?, 48)?;
    is("before it is added, version 12", write(12, marked)?, 0)?;
    is(
        "not marked, in the middle",
        write(9, batch(identity, 1, false)?)?,
        48,
    )?;
    is(
        "aborted",
        end(&mut at, 3, transaction, identity, false)?.error_code,
        0,
    )?;
    settled(target, topic, 2)?;
    // Nobody notices when the first batch of a transaction is not marked.
    is(
        "a partition",
        add(&mut at, transaction, identity, &[topic])?,
        vec![0],
    )?;
    is("not marked, at first", write(9, batch(identity, 1, false)?)?, 0)?;
    is(
        "committed",
        end(&mut at, 3, transaction, identity, true)?.error_code,
        0,
    )?;
    settled(target, topic, 4)?;
    let foreign = batch((identity.0 + 1000, 0), 0, true)?;
    let code = produced(target, produce(12, Some(transaction), topic, foreign))?;
    is("a foreign producer id", code, 49)
}

fn fencing(target: &Target) -> Result<()> {
    let (transaction, topic) = ("txn-fencing", "txn-fencing");
    target.topic(topic, 1, &[])?;
    let mut at = target.transactional(transaction)?;
    let first = start(&mut at, transaction)?;
    is(
        "a partition",
        add(&mut at, transaction, first, &[topic])?,
        vec![0],
    )?;
    is(
        "a batch",
        produced(
            target,
            produce(9, Some(transaction), topic, batch(first, 0, true)?),
        )?,
        0,
    )?;
    let busy = init(&mut at, transaction, 60_000, (-1, -1))?;
    is("a second producer, at once", busy.0, 51)?;
    let second = start(&mut at, transaction)?;
    ensure!(
        second.0 == first.0 && second.1 > first.1,
        "{first:?}, then {second:?}"
    );
    let aborted = settled(target, topic, 2)?
        .aborted_transactions
        .unwrap_or_default();
    is("what the first wrote is aborted", aborted.len(), 1)?;
    is(
        "the first writes",
        produced(
            target,
            produce(9, Some(transaction), topic, batch(first, 1, true)?),
        )?,
        47,
    )?;
    is(
        "the first adds",
        add(&mut at, transaction, first, &[topic])?,
        vec![90],
    )?;
    is(
        "the first commits",
        end(&mut at, 3, transaction, first, true)?.error_code,
        90,
    )?;
    is(
        "the first commits, version 1",
        end(&mut at, 1, transaction, first, true)?.error_code,
        47,
    )?;
    is(
        "the first goes on",
        init(&mut at, transaction, 60_000, first)?.0,
        90,
    )?;
    is(
        "a foreign id",
        add(&mut at, transaction, (second.0 + 1000, 0), &[topic])?,
        vec![49],
    )
}

fn bump(target: &Target) -> Result<()> {
    let mut at = target.transactional("txn-bump")?;
    let first = start(&mut at, "txn-bump")?;
    let second = init(&mut at, "txn-bump", 60_000, first)?;
    is("the next epoch", second, (0, (first.0, first.1 + 1)))?;
    is("asked again", init(&mut at, "txn-bump", 60_000, first)?, second)?;
    is(
        "from an unknown one",
        init(&mut at, "txn-bump", 60_000, (first.0, 77))?.0,
        90,
    )
}

fn raised(target: &Target) -> Result<()> {
    let (transaction, topic) = ("txn-raised", "txn-raised");
    target.topic(topic, 1, &[])?;
    let mut at = target.transactional(transaction)?;
    let first = start(&mut at, transaction)?;
    is(
        "a batch",
        produced(
            target,
            produce(12, Some(transaction), topic, batch(first, 0, true)?),
        )?,
        0,
    )?;
    let ended = end(&mut at, 5, transaction, first, true)?;
    let next = (ended.producer_id.0, ended.producer_epoch);
    is("the end", (ended.error_code, next), (0, (first.0, first.1 + 1)))?;
    settled(target, topic, 2)?;
    let again = end(&mut at, 5, transaction, first, true)?;
    is(
        "the end, asked again",
        (again.error_code, again.producer_epoch),
        (0, next.1),
    )?;
    is(
        "a late batch",
        produced(
            target,
            produce(12, Some(transaction), topic, batch(first, 1, true)?),
        )?,
        47,
    )?;
    is(
        "a batch",
        produced(
            target,
            produce(12, Some(transaction), topic, batch(next, 0, true)?),
        )?,
        0,
    )?;
    let ended = end(&mut at, 5, transaction, next, false)?;
    is(
        "an abort",
        (ended.error_code, ended.producer_epoch),
        (0, next.1 + 1),
    )?;
    let ended = end(&mut at, 5, transaction, (next.0, next.1 + 1), false)?;
    is(
        "an abort of nothing",
        (ended.error_code, ended.producer_epoch),
        (0, next.1 + 2),
    )
}

fn offsets(target: &Target) -> Result<()> {
    let (transaction, group, topic) = ("txn-offsets", "txn-offsets", "txn-offsets");
    target.topic(topic, 1, &[])?;
    let mut at = target.transactional(transaction)?;
    let mut group_at = target.group(group)?;
    let identity = start(&mut at, transaction)?;
    let offset = |offset: i64| {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("")));
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        TxnOffsetCommitRequest::default()
            .with_transactional_id(id(transaction))
            .with_group_id(group_id(group))
            .with_producer_id(ProducerId(identity.0))
            .with_producer_epoch(identity.1)
            .with_generation_id(-1)
            .with_topics(vec![topic])
    };
    let added = AddOffsetsToTxnRequest::default()
        .with_transactional_id(id(transaction))
        .with_producer_id(ProducerId(identity.0))
        .with_producer_epoch(identity.1)
        .with_group_id(group_id(group));
    let mut commit = |request: &TxnOffsetCommitRequest| {
        Ok::<_, anyhow::Error>(group_at.call(3, request)?.topics[0].partitions[0].error_code)
    };
    is("the group is added", at.call(3, &added)?.error_code, 0)?;
    is("an offset", commit(&offset(7))?, 0)?;
    is(
        "of a generation that never was",
        commit(&offset(7).with_generation_id(5).with_member_id(text("x")))?,
        25,
    )?;
    let mut group_at = target.group(group)?;
    is(
        "before the end",
        fetched(&mut group_at, group, topic, 0)?,
        (0, -1),
    )?;
    is(
        "before the end, to be sure",
        fetched_with(&mut group_at, group, topic, 0, Stable::Yes)?,
        (88, -1),
    )?;
    is(
        "before the end, of all there are",
        fetched_all(&mut group_at, group)?,
        vec![],
    )?;
    is(
        "committed",
        end(&mut at, 3, transaction, identity, true)?.error_code,
        0,
    )?;
    wait::until("the offset", Duration::from_secs(30), || {
        Ok((fetched_with(&mut group_at, group, topic, 0, Stable::Yes)? == (0, 7)).then_some(()))
    })?;
    let again = wait::until("the group in a transaction", Duration::from_secs(30), || {
        let code = at.call(3, &added)?.error_code;
        Ok((code != 51).then_some(code))
    })?;
    is("the group is added", again, 0)?;
    let answer = group_at.call(3, &offset(9))?;
    is("an offset", answer.topics[0].partitions[0].error_code, 0)?;
    is(
        "before the end of the second, of all there are",
        fetched_all(&mut group_at, group)?,
        vec![(0, 88, -1)],
    )?;
    is(
        "aborted",
        end(&mut at, 3, transaction, identity, false)?.error_code,
        0,
    )?;
    wait::until("the offset", Duration::from_secs(30), || {
        Ok((fetched_with(&mut group_at, group, topic, 0, Stable::Yes)? == (0, 7)).then_some(()))
    })
}

fn ends(target: &Target) -> Result<()> {
    let transaction = "txn-ends";
    let mut at = target.transactional(transaction)?;
    is(
        "unknown",
        end(&mut at, 3, "txn-ends-none", (1, 0), true)?.error_code,
        49,
    )?;
    let identity = start(&mut at, transaction)?;
    is(
        "nothing to commit",
        end(&mut at, 3, transaction, identity, true)?.error_code,
        48,
    )?;
    is(
        "nothing to abort",
        end(&mut at, 3, transaction, identity, false)?.error_code,
        48,
    )?;
    is(
        "nothing to commit, version 5",
        end(&mut at, 5, transaction, identity, true)?.error_code,
        48,
    )?;
    is(
        "of a foreign id",
        end(&mut at, 3, transaction, (identity.0 + 1000, 0), true)?.error_code,
        49,
    )
}

fn all_or_none(target: &Target) -> Result<()> {
    let transaction = "txn-all";
    target.topic("txn-all", 1, &[])?;
    let mut at = target.transactional(transaction)?;
    let identity = start(&mut at, transaction)?;
    let codes = add(&mut at, transaction, identity, &["txn-all", "txn-all-none"])?;
    is("one that is not there", codes, vec![55, 3])?;
    is(
        "nothing was begun",
        end(&mut at, 3, transaction, identity, true)?.error_code,
        48,
    )
}

fn described(target: &Target) -> Result<()> {
    let (transaction, topic) = ("txn-described", "txn-described");
    target.topic(topic, 1, &[])?;
    let mut at = target.transactional(transaction)?;
    let describe = |at: &mut Connection, transaction: &str| {
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id(transaction)]);
        at.call(0, &request)?
            .transaction_states
            .pop()
            .context("no transaction in the answer")
    };
    is("unknown", describe(&mut at, "txn-none")?.error_code, 105)?;
    let identity = start(&mut at, transaction)?;
    let found = describe(&mut at, transaction)?;
    is(
        "before",
        (&*found.transaction_state, found.transaction_start_time_ms),
        ("Empty", -1),
    )?;
    is(
        "a partition",
        add(&mut at, transaction, identity, &[topic])?,
        vec![0],
    )?;
    let found = describe(&mut at, transaction)?;
    is(
        "under way",
        (&*found.transaction_state, found.transaction_timeout_ms),
        ("Ongoing", 60_000),
    )?;
    is(
        "its identity",
        (found.producer_id.0, found.producer_epoch),
        identity,
    )?;
    ensure!(
        found.transaction_start_time_ms > 0,
        "it began at {}",
        found.transaction_start_time_ms
    );
    is(
        "its partitions",
        (&*found.topics[0].topic.0, &found.topics[0].partitions[..]),
        (topic, &[0][..]),
    )?;
    let mut list = |states: &[&str], ids: &[i64], duration: i64| {
        let request = ListTransactionsRequest::default()
            .with_state_filters(states.iter().map(|name| text(name)).collect())
            .with_producer_id_filters(ids.iter().map(|id| ProducerId(*id)).collect())
            .with_duration_filter(duration);
        let answer = at.call(1, &request)?;
        let found = answer
            .transaction_states
            .iter()
            .any(|one| &*one.transactional_id.0 == transaction);
        Ok::<_, anyhow::Error>((found, answer.unknown_state_filters.len()))
    };
    is("among all", list(&[], &[], -1)?, (true, 0))?;
    is("among those under way", list(&["Ongoing"], &[], -1)?, (true, 0))?;
    is("among others", list(&["Empty", "Nonsense"], &[], -1)?, (false, 1))?;
    is("by its producer", list(&[], &[identity.0], -1)?, (true, 0))?;
    is("by another", list(&[], &[identity.0 + 1000], -1)?, (false, 0))?;
    is("among old ones", list(&[], &[], 3_600_000)?, (false, 0))?;
    is(
        "aborted",
        end(&mut at, 3, transaction, identity, false)?.error_code,
        0,
    )?;
    wait::until("the end", Duration::from_secs(30), || {
        Ok((&*describe(&mut at, transaction)?.transaction_state == "CompleteAbort").then_some(()))
    })
}

fn open(target: &Target) -> Result<()> {
    let (transaction, topic) = ("txn-open", "txn-open");
    target.topic(topic, 1, &[])?;
    let mut at = target.transactional(transaction)?;
    let identity = start(&mut at, transaction)?;
    let describe = || -> Result<Vec<ProducerState>> {
        let asked = TopicRequest::default()
            .with_name(TopicName(text(topic)))
            .with_partition_indexes(vec![0]);
        let request = DescribeProducersRequest::default().with_topics(vec![asked]);
        let mut answer = target.connect()?.call(0, &request)?;
        let topic = answer.topics.pop().context("no topic in the answer")?;
        let partition = topic.partitions.into_iter().next();
        let partition = partition.context("no partition in the answer")?;
        is("it is described", partition.error_code, 0)?;
        Ok(partition.active_producers)
    };
    let starts = |states: &[ProducerState]| -> Vec<(i64, i16, i64)> {
        let starts = states.iter().map(|state| {
            let epoch = i16::try_from(state.producer_epoch).unwrap_or(-1);
            (state.producer_id.0, epoch, state.current_txn_start_offset)
        });
        starts.collect()
    };
    is("nobody has written", starts(&describe()?), vec![])?;
    let add = |at: &mut Connection| is("a partition", add(at, transaction, identity, &[topic])?, vec![0]);
    let write = |sequence| -> Result<()> {
        let records = batch(identity, sequence, true)?;
        is(
            "a batch",
            produced(target, produce(9, Some(transaction), topic, records))?,
            0,
        )
    };
    add(&mut at)?;
    is("nor has a partition alone", starts(&describe()?), vec![])?;
    write(0)?;
    write(1)?;
    let (id, epoch) = identity;
    let found = describe()?;
    is("it is open", starts(&found), vec![(id, epoch, 0)])?;
    is(
        "with the time of its records",
        (found[0].last_sequence, found[0].last_timestamp > 0),
        (1, true),
    )?;
    is(
        "committed",
        end(&mut at, 3, transaction, identity, true)?.error_code,
        0,
    )?;
    settled(target, topic, 3)?;
    is("it has ended", starts(&describe()?), vec![(id, epoch, -1)])?;
    add(&mut at)?;
    write(2)?;
    is("another one is open", starts(&describe()?), vec![(id, epoch, 3)])?;
    is(
        "aborted",
        end(&mut at, 3, transaction, identity, false)?.error_code,
        0,
    )?;
    settled(target, topic, 5).map(drop)
}

fn timeout(target: &Target) -> Result<()> {
    let (transaction, topic) = ("txn-timeout", "txn-timeout");
    target.topic(topic, 1, &[])?;
    let mut at = target.transactional(transaction)?;
    start(&mut at, transaction)?;
    let (code, identity) = init(&mut at, transaction, 1000, (-1, -1))?;
    is("a short timeout", code, 0)?;
    is(
        "a partition",
        add(&mut at, transaction, identity, &[topic])?,
        vec![0],
    )?;
    settled(target, topic, 1)?;
    is(
        "it is fenced",
        end(&mut at, 3, transaction, identity, true)?.error_code,
        90,
    )
}
