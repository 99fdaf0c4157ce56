//! The corpus, and seeded changes of it, through every target: what the fuzzer once found stays found, without a fuzzer.
//! `BLESS=1` writes the seeds of the corpus anew; what the fuzzer found is added by hand.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::{
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use towpath_fuzz_targets::{TARGETS, Target};

#[path = "replay/answers.rs"]
mod answers;
#[path = "../../../runtime/wire/tests/counting/mod.rs"]
mod counting;
#[path = "replay/seeds.rs"]
mod seeds;

const SEED: u64 = 20_261_124;
const CHANGES: usize = 4_000;

// One test: the counter is the process's.
#[test]
fn nothing_in_the_corpus_breaks_a_rule_and_no_change_of_it_does() {
    bless();
    for target in TARGETS {
        let corpus = corpus(target.name);
        for name in seeds::of(target.name).into_iter().map(|(name, _)| name) {
            assert!(
                corpus.iter().any(|(path, _)| path.ends_with(&name)),
                "{}/{name} is missing: BLESS=1 cargo test --release -p towpath-fuzz-targets",
                target.name
            );
        }
        for (path, data) in &corpus {
            run(target, data, &path.display().to_string());
        }
        let mut random = StdRng::seed_from_u64(SEED);
        for change in 0..CHANGES {
            let data = changed(&mut random, &corpus);
            run(target, &data, &format!("seed {SEED}, change {change}"));
        }
        println!("{}: {} inputs and {CHANGES} changes", target.name, corpus.len());
    }
}

fn run(target: &Target, data: &[u8], what: &str) {
    let (largest, result) = counting::largest_in(|| catch_unwind(|| (target.body)(data)));
    let limit = target.largest_allocation + 64 * data.len();
    if result.is_err() || largest > limit {
        let path = std::env::temp_dir().join(format!("towpath-{}", target.name));
        fs::write(&path, data).unwrap();
        let (name, path) = (target.name, path.display());
        panic!(
            "{name}, {what}: it panicked or allocated {largest} bytes at once ({limit} are allowed): {path}"
        );
    }
}

/// One of the inputs with one to four changes.
fn changed(random: &mut StdRng, corpus: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut data = corpus[random.random_range(0..corpus.len())].1.clone();
    for _ in 0..random.random_range(1..5) {
        let at = random.random_range(0..=data.len());
        match random.random_range(0..7) {
            0 => data.truncate(at),
            1 => data.insert(at, random.random()),
            2 => {
                let other = &corpus[random.random_range(0..corpus.len())].1;
                let from = random.random_range(0..=other.len());
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
            3 => {
                let number: &[u8] = [
                    [0xff; 4].as_slice(),
                    &[0x7f, 0xff, 0xff, 0xff],
                    &[0, 0, 0, 0],
                    &[0xff, 0xff, 0xff, 0xff, 0x0f],
                    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
                    &[0, 4, 0, 1],
                ][random.random_range(0..6)];
                let end = data.len().min(at + number.len());
                data.splice(at..end, number.iter().copied());
            }
            4 => {
                let end = data.len().min(at + random.random_range(0..16));
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
            _ => {
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << random.random_range(0..8);
                }
            }
        }
    }
    data
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = folder(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let data = fs::read(&path).unwrap();
        (path, data)
    };
    paths.into_iter().map(read).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the tests alone, as everywhere where files are golden"
)]
fn bless() {
    if std::env::var("BLESS").is_err() {
        return;
    }
    for target in TARGETS {
        fs::create_dir_all(folder(target.name)).unwrap();
        for (name, data) in seeds::of(target.name) {
            fs::write(folder(target.name).join(name), data).unwrap();
        }
    }
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target)
}
