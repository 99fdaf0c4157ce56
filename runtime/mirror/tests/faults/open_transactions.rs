//! A transaction at the source that hangs: who has it open is told, nothing is stopped, and when it ends everything arrives once.

use towpath_domain::{Offset, state::PartitionState};
use towpath_embedded::{Action, ApiKey, ErrorCode, Rule};
use towpath_mirror::status::{PartitionStatus, TaskStatus};

use super::{
    mirror::{Mirror, prepare_with},
    pair::{Pair, Writer},
    wait,
};

const ID: &str = "hanging";
const PRESERVE: [(&str, &str); 1] = [("offsets.mode", "preserve")];

fn task(mirror: &Mirror) -> Option<TaskStatus> {
    mirror.status().tasks.into_iter().next()
}

fn partition(mirror: &Mirror) -> Option<PartitionStatus> {
    let mut partitions = task(mirror)?.partitions.into_iter();
    partitions.find(|partition| partition.partition == 0)
}

/// Until it is told who blocks it, if anybody is to be named; answers what the task says.
async fn blocked(mirror: &Mirror, is_named: bool) -> (PartitionState, TaskStatus) {
    let found = wait::poll(|| match partition(mirror)?.detail? {
        state @ PartitionState::BlockedByOpenTransaction { .. } => {
            let PartitionState::BlockedByOpenTransaction { producer, .. } = &state else {
                return None;
            };
            (producer.is_some() == is_named).then_some(state)
        }
        _ => None,
    });
    let found = found.await.expect("it is not told");
    (found, task(mirror).unwrap())
}

async fn hangs_and_ends(more: &[(&str, &str)], committed: bool) {
    let pair = Pair::start(1, 7).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(2, 10).await;
    let producer = writer.write_open(ID, 0, 5).await;
    writer.write_all(2, 10).await;
    let refusal = Rule::on(ApiKey::DescribeProducers).times(1);
    pair.source
        .faults()
        .inject(refusal.then(Action::Error(ErrorCode::TopicAuthorizationFailed)));
    let mirror = Mirror::run(prepare_with(&pair, more).await.unwrap());
    let (refused, _) = blocked(&mirror, false).await;
    assert!(refused.to_string().contains("does not say who"), "{refused}");
    let (state, of_task) = blocked(&mirror, true).await;
    let PartitionState::BlockedByOpenTransaction {
        offset,
        producer: Some(open),
        ..
    } = state
    else {
        panic!("{state}");
    };
    assert_eq!(
        (offset, open.id, open.epoch),
        (Offset(20), producer.id, producer.epoch)
    );
    assert!(mirror.failed().is_none(), "nothing has failed");
    assert!(of_task.run.trace.unwrap().contains("blocked-by-open-transaction"));
    writer.end(ID, producer, committed).await;
    wait::until(
        || {
            partition(&mirror)
                .is_some_and(|partition| partition.state == "mirroring" && partition.lag == Some(0))
        },
        || format!("it goes on: {:?}", partition(&mirror)),
    )
    .await;
    assert_eq!(task(&mirror).unwrap().run.trace, None);
    mirror.stop().await;
    assert_eq!(pair.compare(0), Ok(0), "each record is there once");
    if more == PRESERVE {
        pair.compare_places().unwrap();
    }
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_it_open_is_told_until_it_is_committed() {
    hangs_and_ends(&[], true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn or_aborted() {
    hangs_and_ends(&[], false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_with_preserved_offsets() {
    hangs_and_ends(&PRESERVE, true).await;
}
