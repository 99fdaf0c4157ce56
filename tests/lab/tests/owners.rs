//! Three workers that share two connectors: buckets move between them, two get the same one, and workers are killed, frozen and stopped, while transactions are written.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use towpath_lab::{
    broker::Pair,
    compare::{
        self,
        places::{assert_identical, wait_for_bounds},
    },
    generate::{self, Codec, Traffic, Transactions},
    read::{self, Isolation},
    towpath::{BUCKETS, Connector, Worker},
    wait,
};

const MIRRORED: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 12;
const TRANSLATED: &str = "owners-translated";
const PRESERVED: &str = "owners-preserved";
const WORKERS: usize = 3;
const ROUNDS: usize = 12;

/// The workers, and what each was told to have.
struct Crew {
    workers: Vec<Worker>,
    told: Vec<Vec<u32>>,
    random: StdRng,
}

/// What happens in a round.
#[derive(Clone, Copy, Debug)]
enum Round {
    Move,
    /// the same buckets for two
    Both,
    Kill,
    /// frozen amid its work, and thawed when others have gone on with what it had
    Freeze,
    /// stopped in peace, and started again with nothing
    Stop,
}

fn worker(pair: &Pair) -> Result<Worker> {
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair.target.bootstrap()),
        ("offset.storage.topic", "positions"),
    ])?;
    for (topic, mode) in [(TRANSLATED, "translate"), (PRESERVED, "preserve")] {
        worker.connector(
            &Connector::mirror(topic, pair.source.bootstrap())
                .set("topics", topic)
                .set("exactly.once.support", "required")
                .set("offsets.mode", mode),
        )?;
    }
    Ok(worker)
}

#[test]
fn buckets_that_move_between_workers_that_die_and_freeze_lose_nothing_double_nothing_and_change_no_offset()
-> Result<()> {
    let pair = Pair::shared();
    for topic in [TRANSLATED, PRESERVED] {
        pair.source.admin()?.create_topic(topic, PARTITIONS, &[])?;
    }
    // Before the first record that counts the target would have filler, which is deleted: its log would begin there.
    Traffic::text(PRESERVED, PARTITIONS, 120, 100).produce(pair.source.bootstrap())?;
    let transactions = |topic: &str| Transactions {
        topic: topic.to_owned(),
        partitions: PARTITIONS,
        producers: 3,
        rounds: 250,
        records: 21,
        codec: Codec::Lz4,
    };
    let running = AtomicUsize::new(2);
    let mut crew = Crew::start(pair)?;
    let committed = thread::scope(|scope| {
        let (running, bootstrap) = (&running, pair.source.bootstrap());
        let generators = [TRANSLATED, PRESERVED].map(|topic| {
            scope.spawn(move || {
                let result = generate::transactional(bootstrap, &transactions(topic));
                running.fetch_sub(1, Ordering::Relaxed);
                result
            })
        });
        let kinds = [Round::Move, Round::Freeze, Round::Both, Round::Kill, Round::Stop];
        for round in (0..).take_while(|round| *round < ROUNDS || running.load(Ordering::Relaxed) > 0) {
            let kind = kinds[round % kinds.len()];
            let who = crew.random.random_range(0..WORKERS);
            crew.play(kind, who)
                .with_context(|| format!("round {round}: {kind:?} of {who}"))?;
        }
        let [translated, _] = generators.map(|generator| generator.join().expect("no generator panics"));
        anyhow::Ok(translated?.0)
    })?;
    crew.gather()?;
    let last = &mut crew.workers[0];
    for topic in [TRANSLATED, PRESERVED] {
        last.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    }
    wait_for_bounds(pair, PRESERVED).with_context(|| last.status_text().unwrap_or_default())?;
    for worker in &mut crew.workers {
        worker.stop()?;
    }
    let (source, target) = (
        (pair.source.bootstrap(), TRANSLATED),
        (pair.target.bootstrap(), TRANSLATED),
    );
    compare::assert_same(source, target, committed.total())?;
    let visible = read::count(target.0, target.1, Isolation::ReadUncommitted)?;
    assert_eq!(
        visible, committed.records,
        "for readers of uncommitted records too"
    );
    assert_identical(pair, PRESERVED)?;
    Ok(())
}

// === impl Crew ===

impl Crew {
    fn start(pair: &Pair) -> Result<Self> {
        let mut crew = Self {
            workers: (0..WORKERS).map(|_| worker(pair)).collect::<Result<_>>()?,
            told: vec![Vec::new(); WORKERS],
            random: StdRng::seed_from_u64(11),
        };
        crew.deal(&[0, 1, 2])?;
        for worker in &mut crew.workers {
            worker.start()?;
        }
        for who in 0..WORKERS {
            crew.wait_for_what_was_told(who)?;
        }
        Ok(crew)
    }

    fn tell(&mut self, who: usize, buckets: Vec<u32>) -> Result<()> {
        let file = BTreeMap::from([(TRANSLATED, buckets.clone()), (PRESERVED, buckets.clone())]);
        self.told[who] = buckets;
        self.workers[who].share(&file)
    }

    /// Each bucket to one of these, by chance; the others have nothing.
    fn deal(&mut self, among: &[usize]) -> Result<()> {
        let mut hands = vec![Vec::new(); WORKERS];
        for bucket in 0..BUCKETS {
            hands[among[self.random.random_range(0..among.len())]].push(bucket);
        }
        for (who, hand) in hands.into_iter().enumerate() {
            self.tell(who, hand)?;
        }
        Ok(())
    }

    fn wait_for_what_was_told(&mut self, who: usize) -> Result<()> {
        let told = self.told[who].clone();
        self.workers[who].wait_for("the worker to have what it was told", SOON, |status| {
            [TRANSLATED, PRESERVED].iter().all(|name| {
                let connector = status.connector(name);
                connector.is_some_and(|connector| connector.buckets.as_ref() == Some(&told))
            })
        })?;
        Ok(())
    }

    fn pause(&mut self) {
        wait::pause(Duration::from_millis(self.random.random_range(200..1500)));
    }

    fn play(&mut self, round: Round, who: usize) -> Result<()> {
        let others: Vec<usize> = (0..WORKERS).filter(|other| *other != who).collect();
        match round {
            Round::Move => self.deal(&[0, 1, 2])?,
            Round::Both => {
                let all: Vec<u32> = (0..BUCKETS).collect();
                self.tell(others[0], all)?;
                self.pause();
                // Whoever has lost some to the other one gets them back only after having given them up.
                for worker in 0..WORKERS {
                    self.tell(worker, Vec::new())?;
                    self.wait_for_what_was_told(worker)?;
                }
                self.deal(&[0, 1, 2])?;
            }
            Round::Kill => {
                self.workers[who].kill()?;
                self.deal(&others)?;
                self.pause();
                self.workers[who].start()?;
            }
            Round::Freeze => {
                self.workers[who].process()?.signal("STOP")?;
                self.deal(&others)?;
                for other in others {
                    self.wait_for_what_was_told(other)?;
                }
                self.pause();
                self.workers[who].process()?.signal("CONT")?;
            }
            Round::Stop => {
                self.workers[who].stop()?;
                self.deal(&others)?;
                self.workers[who].start()?;
            }
        }
        for who in 0..WORKERS {
            self.wait_for_what_was_told(who)?;
        }
        self.pause();
        Ok(())
    }

    /// Everything to the first.
    fn gather(&mut self) -> Result<()> {
        for who in 0..WORKERS {
            self.tell(who, Vec::new())?;
        }
        for who in 0..WORKERS {
            self.wait_for_what_was_told(who)?;
        }
        self.tell(0, (0..BUCKETS).collect())
    }
}
