use super::*;

/// What a log is mirrored to, kept as one pair a record.
struct Model {
    runs: Runs,
    /// source, its first target offset, how many it has
    records: Vec<(i64, i64, i64)>,
    source: i64,
    target: i64,
}

/// SplitMix64: every run of the tests is the same.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit) as i64
    }
}

impl Model {
    fn random(seed: u64) -> Self {
        let mut random = Random(seed);
        let (source, target) = (random.below(1000), random.below(1000));
        let mut model = Self {
            runs: Runs::default(),
            records: Vec::new(),
            source,
            target,
        };
        for _ in 0..random.below(60) + 1 {
            match random.below(4) {
                0 => model.source += random.below(5) + 1,
                1 => model.record(random.below(3) + 2),
                _ => (0..random.below(20) + 1).for_each(|_| model.record(1)),
            }
        }
        model.record(1);
        model
    }

    fn record(&mut self, count: i64) {
        self.runs.note(Offset(self.source), Offset(self.target));
        self.records.push((self.source, self.target, count));
        self.source += 1;
        self.target += count;
        if count > 1 {
            // What becomes several records ends its run: the next source offset does not follow on the target.
            self.runs.note(Offset(self.source), Offset(self.target));
        }
    }
}

#[test]
fn every_offset_has_the_place_that_a_pair_a_record_says() {
    for seed in 0..300 {
        let model = Model::random(seed);
        let first = model.records[0];
        for source in first.0 - 3..model.source {
            let expected = model.records.iter().find(|record| record.0 >= source);
            let end = Offset(model.target);
            assert_eq!(
                model.runs.target_of(Offset(source), end),
                expected.map(|record| Offset(record.1)),
                "seed {seed}, source offset {source}"
            );
        }
        let end = Offset(model.target);
        assert_eq!(model.runs.target_of(Offset(model.source), end), Some(end));
        assert_eq!(model.runs.target_of(Offset(model.source + 9), end), Some(end));
    }
}

#[test]
fn wherever_the_target_ends_the_source_goes_on_behind_what_is_there() {
    for seed in 0..300 {
        let model = Model::random(seed);
        assert_eq!(
            model.runs.source_at(Offset(model.records[0].1 - 1)),
            None,
            "seed {seed}"
        );
        for &(source, target, count) in &model.records {
            for skip in 0..count {
                let at = model
                    .runs
                    .source_at(Offset(target + skip))
                    .expect("it is behind the first");
                assert_eq!(
                    at.skip,
                    skip as u64,
                    "seed {seed}, target offset {}",
                    target + skip
                );
                // Offsets without a record before it may be read again: nothing comes of them.
                let between = model
                    .records
                    .iter()
                    .filter(|record| (at.offset.0..source).contains(&record.0));
                assert_eq!((at.offset.0 <= source, between.count()), (true, 0), "seed {seed}");
            }
        }
        let end = model.runs.source_at(Offset(model.target)).expect("it is the end");
        assert_eq!((end.offset.0, end.skip), (model.source, 0), "seed {seed}");
    }
}

#[test]
fn runs_come_back_from_their_bytes() {
    for seed in 0..300 {
        let runs = Model::random(seed).runs;
        assert_eq!(Runs::decode(&runs.encode()), Ok(runs), "seed {seed}");
    }
}

#[test]
fn bytes_that_are_no_runs_are_refused() {
    let runs: Runs = [(5, 1), (9, 4), (20, 5)]
        .map(|(source, target)| Run {
            source: Offset(source),
            target: Offset(target),
        })
        .into_iter()
        .collect();
    let bytes = runs.encode();
    for cut in 1..bytes.len() {
        // Between two runs a shorter list ends as well.
        if let Ok(shorter) = Runs::decode(&bytes[..cut]) {
            assert!(shorter.len() < runs.len(), "cut at {cut}");
        }
    }
    assert_eq!(Runs::decode(&[1]), Err(Malformed));
    assert_eq!(
        Runs::decode(&[1, 1, 0, 0]),
        Err(Malformed),
        "no length and no hole"
    );
    assert_eq!(Runs::decode(&[0xff; 30]), Err(Malformed));
}

#[test]
fn holes_at_a_place_are_behind_it() {
    let mut runs = Runs::default();
    runs.note(Offset(10), Offset(0));
    runs.note(Offset(17), Offset(5));
    assert_eq!(runs.first_behind(Offset(4)), Some(Offset(14)));
    assert_eq!(
        runs.first_behind(Offset(5)),
        Some(Offset(15)),
        "15 and 16 have no record"
    );
    // A marker at 5, and another one.
    for marker in [5, 6] {
        let next = runs.first_behind(Offset(marker)).unwrap();
        runs.cut(Offset(marker));
        runs.note(next, Offset(marker + 1));
        runs.note(Offset(17), Offset(marker + 1));
        let places = [14, 15, 16, 17].map(|source| runs.target_of(Offset(source), Offset(9)).unwrap().0);
        assert_eq!(places, [4, marker + 1, marker + 1, marker + 1]);
    }
    // A record that has three.
    runs.note(Offset(18), Offset(10));
    assert_eq!(runs.first_behind(Offset(9)), Some(Offset(17)));
    assert_eq!(runs.first_behind(Offset(10)), Some(Offset(18)));
}

#[test]
fn what_is_noted_again_replaces_what_was_planned_from_there_on() {
    let mut runs = Runs::default();
    runs.note(Offset(10), Offset(0));
    runs.note(Offset(20), Offset(5));
    runs.note(Offset(30), Offset(9));
    runs.note(Offset(21), Offset(5));
    let found: Vec<(i64, i64)> = runs.iter().map(|run| (run.source.0, run.target.0)).collect();
    assert_eq!(found, [(10, 0), (20, 5), (21, 5)], "20 has no record any more");
    assert_eq!(runs.target_of(Offset(20), Offset(7)), Some(Offset(5)));
    runs.note(Offset(19), Offset(5));
    assert_eq!(
        runs.last(),
        Some(Run {
            source: Offset(19),
            target: Offset(5)
        })
    );
    runs.cut(Offset(5));
    assert_eq!(runs.len(), 1);
}

/// Ten commits a second on a partition, each with its marker behind 1 to 200 records.
#[test]
fn a_run_of_a_transactional_topic_takes_less_than_four_bytes() {
    let mut random = Random(7);
    let mut runs = Runs::default();
    let (mut source, mut target) = (0, 0);
    for _ in 0..10_000 {
        runs.note(Offset(source), Offset(target));
        let records = random.below(200) + 1;
        source += records + 1;
        target += records;
    }
    let bytes = runs.encode().len();
    assert_eq!(runs.len(), 10_000);
    assert!(bytes <= 4 * runs.len(), "{bytes} bytes for {} runs", runs.len());
}
