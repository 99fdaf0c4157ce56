use std::{collections::BTreeSet, time::Duration};

use kafka_protocol::ResponseError;

use super::{Adding, Bump, End, Identity, Marker, Options, Transactions, end::Ended};
use crate::log::Outcome;

const MINUTE: Duration = Duration::from_secs(60);

/// Transactions, and the producer ids given out so far.
struct Coordinator(Transactions, i64);

impl Coordinator {
    fn new(options: Options) -> Self {
        let mut transactions = Transactions::default();
        transactions.configure(options);
        Self(transactions, 1000)
    }

    fn init(
        &mut self,
        now: Duration,
        expected: Option<Identity>,
    ) -> (Result<Identity, ResponseError>, Option<Marker>) {
        let Self(transactions, last) = self;
        *last += 1;
        transactions.init(now, "x", MINUTE, expected, *last)
    }

    fn start(&mut self) -> Identity {
        self.init(Duration::ZERO, None).0.unwrap()
    }

    fn add(&mut self, identity: Identity) -> Result<(), ResponseError> {
        self.0
            .add_partitions(Duration::ZERO, "x", identity, [("t".to_owned(), 0)])
    }

    fn end(&mut self, identity: Identity, outcome: Outcome, bump: Bump) -> Result<Ended, ResponseError> {
        let Self(transactions, last) = self;
        *last += 1;
        transactions.end(Duration::ZERO, "x", identity, End { outcome, bump }, *last)
    }

    fn produce(&mut self, identity: Identity, adding: Adding) -> Result<(), ResponseError> {
        self.0
            .check_produce(Duration::ZERO, "x", identity, ("t", 0), adding)
    }
}

fn later(identity: Identity) -> Identity {
    Identity {
        epoch: identity.epoch + 1,
        ..identity
    }
}

#[test]
fn a_transaction_ends_where_it_was() {
    let mut coordinator = Coordinator::new(Options::default());
    let identity = coordinator.start();
    coordinator.add(identity).unwrap();
    coordinator
        .0
        .add_group(Duration::ZERO, "x", identity, "g")
        .unwrap();
    let ended = coordinator.end(identity, Outcome::Commit, Bump::Nothing).unwrap();
    assert_eq!(ended.identity, identity);
    let marker = ended.marker.unwrap();
    assert_eq!((marker.identity, marker.outcome), (identity, Outcome::Commit));
    assert_eq!(marker.partitions, BTreeSet::from([("t".to_owned(), 0)]));
    assert_eq!(marker.groups, BTreeSet::from(["g".to_owned()]));

    // The answer was lost: nothing is written twice.
    assert_eq!(
        coordinator
            .end(identity, Outcome::Commit, Bump::Nothing)
            .unwrap()
            .marker,
        None
    );
    let other = coordinator.end(identity, Outcome::Abort, Bump::Nothing);
    assert_eq!(other, Err(ResponseError::InvalidTxnState));
}

#[test]
fn what_was_not_added_is_refused_unless_writing_adds_it() {
    let mut coordinator = Coordinator::new(Options::default());
    let identity = coordinator.start();
    assert_eq!(
        coordinator.produce(identity, Adding::Before),
        Err(ResponseError::InvalidTxnState)
    );
    assert_eq!(coordinator.produce(identity, Adding::Implied), Ok(()));
    assert_eq!(coordinator.produce(identity, Adding::Before), Ok(()));
    let offsets = coordinator
        .0
        .check_offsets(Duration::ZERO, "x", identity, "g", Adding::Before);
    assert_eq!(offsets, Err(ResponseError::InvalidTxnState));
}

#[test]
fn a_second_producer_fences_the_first() {
    let mut coordinator = Coordinator::new(Options::default());
    let first = coordinator.start();
    coordinator.add(first).unwrap();
    let (answer, marker) = coordinator.init(Duration::ZERO, None);
    assert_eq!(answer, Err(ResponseError::ConcurrentTransactions));
    assert_eq!(marker.unwrap().outcome, Outcome::Abort);
    let second = coordinator.start();
    assert!(second.producer_id == first.producer_id && second.epoch > first.epoch);

    assert_eq!(
        coordinator.produce(first, Adding::Before),
        Err(ResponseError::InvalidProducerEpoch)
    );
    assert_eq!(coordinator.add(first), Err(ResponseError::ProducerFenced));
    let end = coordinator.end(first, Outcome::Commit, Bump::Nothing);
    assert_eq!(end, Err(ResponseError::ProducerFenced));
    assert_eq!(
        coordinator.init(Duration::ZERO, Some(first)).0,
        Err(ResponseError::ProducerFenced)
    );
    let foreign = Identity {
        producer_id: 1,
        ..second
    };
    assert_eq!(
        coordinator.add(foreign),
        Err(ResponseError::InvalidProducerIdMapping)
    );
}

#[test]
fn a_producer_goes_on_with_the_next_epoch() {
    let mut coordinator = Coordinator::new(Options::default());
    let first = coordinator.start();
    let second = coordinator.init(Duration::ZERO, Some(first)).0.unwrap();
    assert_eq!(second, later(first));
    assert_eq!(
        coordinator.init(Duration::ZERO, Some(first)).0,
        Ok(second),
        "the answer was lost"
    );
}

#[test]
fn the_end_raises_the_epoch() {
    let mut coordinator = Coordinator::new(Options::default());
    let first = coordinator.start();
    coordinator.produce(first, Adding::Implied).unwrap();
    let ended = coordinator.end(first, Outcome::Commit, Bump::Epoch).unwrap();
    assert_eq!(ended.identity, later(first));
    assert_eq!(
        ended.marker.unwrap().identity,
        later(first),
        "late batches find it closed"
    );
    let again = coordinator.end(first, Outcome::Commit, Bump::Epoch).unwrap();
    assert_eq!((again.identity, again.marker), (later(first), None));
    // An abort without a transaction is allowed, and raises the epoch as well.
    let abort = coordinator
        .end(later(first), Outcome::Abort, Bump::Epoch)
        .unwrap();
    assert_eq!(abort.identity, later(later(first)));
}

#[test]
fn epochs_that_run_out_give_a_new_producer_id() {
    let mut coordinator = Coordinator::new(Options::default());
    let mut identity = coordinator.start();
    let first = identity.producer_id;
    while identity.producer_id == first {
        coordinator.produce(identity, Adding::Implied).unwrap();
        let ended = coordinator.end(identity, Outcome::Commit, Bump::Epoch).unwrap();
        let marker = ended.marker.unwrap().identity;
        assert_eq!((marker.producer_id, marker.epoch), (first, identity.epoch + 1));
        identity = ended.identity;
    }
    assert_eq!(identity.epoch, 0);
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_fenced() {
    let mut coordinator = Coordinator::new(Options::default());
    let identity = coordinator.start();
    coordinator.add(identity).unwrap();
    assert_eq!(coordinator.0.next_deadline(), Some(MINUTE));
    assert_eq!(coordinator.0.tick(MINUTE / 2), []);
    let markers = coordinator.0.tick(MINUTE);
    assert_eq!(markers.len(), 1);
    assert_eq!(
        (markers[0].outcome, markers[0].identity),
        (Outcome::Abort, later(identity))
    );
    assert_eq!(coordinator.add(identity), Err(ResponseError::ProducerFenced));
}

#[test]
fn between_outcome_and_markers_the_identity_is_busy() {
    let delay = Duration::from_millis(5);
    let mut coordinator = Coordinator::new(Options {
        marker_delay: delay,
        ..Options::default()
    });
    let identity = coordinator.start();
    coordinator.add(identity).unwrap();
    assert_eq!(
        coordinator
            .end(identity, Outcome::Commit, Bump::Nothing)
            .unwrap()
            .marker,
        None
    );
    let busy = Err(ResponseError::ConcurrentTransactions);
    assert_eq!(coordinator.add(identity), busy);
    assert_eq!(
        coordinator.init(Duration::ZERO, None).0,
        Err(ResponseError::ConcurrentTransactions)
    );
    assert_eq!(coordinator.0.tick(delay).len(), 1);
    assert_eq!(coordinator.add(identity), Ok(()));
}

#[test]
fn timeouts_have_a_limit() {
    let mut coordinator = Coordinator::new(Options::default());
    let mut ask = |timeout| coordinator.0.init(Duration::ZERO, "x", timeout, None, 1).0;
    let invalid = Err(ResponseError::InvalidTransactionTimeout);
    assert_eq!(ask(Duration::from_secs(901)), invalid);
    assert_eq!(ask(Duration::ZERO), invalid);
    assert!(ask(Duration::from_secs(900)).is_ok());
}
