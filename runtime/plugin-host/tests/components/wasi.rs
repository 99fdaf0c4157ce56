//! What a guest that imports WASI is answered: the same everywhere, at once, and nothing of this machine.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use towpath_plugin_host::{CallError, Cause, Edits, Limits, Plugin};
use tracing_subscriber::{Layer, layer::SubscriberExt};

use crate::guests::{self, Lab, TestRecords, config};

fn transform(plugin: &Arc<Plugin>, act: &str) -> Result<Edits, CallError> {
    let mut transformation = plugin.transformation(&config(&[("act", act)])).unwrap();
    transformation.transform(TestRecords::texts(&["a", "b"]))
}

fn broken(plugin: &Arc<Plugin>, act: &str) -> Cause {
    match transform(plugin, act) {
        Err(CallError::Broken(broken)) => broken.cause,
        other => panic!("{act}: {other:?}"),
    }
}

/// What plugins logged, as `LEVEL line`, and how many lines were left out.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<(Vec<String>, u64)>>);

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Fields(String, u64);

        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }

            fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
                if field.name() == "suppressed" {
                    self.1 = value;
                }
            }
        }

        if event.metadata().target() == "towpath::plugin" {
            let mut fields = Fields(String::new(), 0);
            event.record(&mut fields);
            let mut log = self.0.lock().unwrap();
            log.0.push(format!("{} {}", event.metadata().level(), fields.0));
            log.1 += fields.1;
        }
    }
}

impl Log {
    fn of<R>(call: impl FnOnce() -> R) -> (R, Vec<String>, u64) {
        let log = Self::default();
        let answer =
            tracing::subscriber::with_default(tracing_subscriber::registry().with(log.clone()), call);
        let (lines, left_out) = log.0.lock().unwrap().clone();
        (answer, lines, left_out)
    }
}

#[test]
fn every_answer_is_fixed_and_says_nothing_of_the_machine() {
    let (_lab, plugin) = Lab::plugin("wasi_guest", Limits::default());
    let seen = |edits: Edits| -> Vec<String> {
        let values = &edits.values.values;
        (0..2)
            .map(|index| String::from_utf8(values.get(index).unwrap().to_vec()).unwrap())
            .collect()
    };
    let mut transformation = plugin.transformation(&config(&[("act", "look-around")])).unwrap();
    let batch = TestRecords::texts(&["a", "b"]);
    let first = seen(transformation.transform(batch.clone()).unwrap());
    assert_eq!(
        first[0],
        "env [] args [] cwd None dirs 0 terminal false stdin closed wall 946684800.0 monotonic 1000000000 \
         random 6e789e6aa1b965f4 [79, 69, 9, 128, 24]"
    );
    assert_ne!(first[0], first[1], "within a call bytes of randomness differ");
    for _ in 0..2 {
        let again = seen(transformation.transform(batch.clone()).unwrap());
        assert_eq!(again, first, "the same batch gives the same bytes");
    }
    assert_eq!(
        seen(transform(&plugin, "look-around").unwrap()),
        first,
        "on a fresh instance too"
    );
}

#[test]
fn whoever_sleeps_is_woken_at_once() {
    let (_lab, plugin) = Lab::plugin("wasi_guest", Limits::default());
    let start = Instant::now();
    transform(&plugin, "sleep").unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_no_plugin_is_given_stops_it_and_is_named() {
    let (_lab, plugin) = Lab::plugin("wasi_guest", Limits::default());
    let cases = [
        (
            "network",
            "it calls wasi:sockets/instance-network instance-network, which no plugin is given",
        ),
        (
            "socket",
            "it calls wasi:sockets/tcp-create-socket create-tcp-socket, which no plugin is given",
        ),
        (
            "splice",
            "it calls wasi:io/streams [method]output-stream.splice, which no plugin is given",
        ),
        ("exit", "it ended itself by wasi:cli/exit, which no plugin may do"),
        (
            "random",
            "it asks for 1099511627776 random bytes at once, the most is 1048576",
        ),
        ("leak", "it holds too many handles of resources"),
        ("leak-pollables", "it holds too many handles of resources"),
    ];
    for (act, expected) in cases {
        let cause = broken(&plugin, act);
        assert!(
            matches!(&cause, Cause::Forbidden(what) if what == expected),
            "{act}: {cause}"
        );
    }
    // lifted item by item, a list is larger here than it was there: counted as what it takes here
    assert!(matches!(broken(&plugin, "large-socket"), Cause::Output(_)));
    transform(&plugin, "many-in-turn").unwrap();
}

#[test]
fn what_is_printed_goes_to_the_log_line_by_line() {
    let (_lab, plugin) = Lab::plugin("wasi_guest", Limits::default());
    let (answer, lines, _) = Log::of(|| transform(&plugin, "print"));
    answer.unwrap();
    let expected = [
        "INFO one",
        "INFO two",
        "INFO forged\\u{1b}[2J",
        "WARN complaint",
        "INFO no end",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn the_end_of_what_a_guest_complains_is_told_when_it_breaks() {
    let (_lab, plugin) = Lab::plugin("wasi_guest", Limits::default());
    let cause = broken(&plugin, "complain");
    let Cause::Trap { last_words, .. } = &cause else {
        panic!("{cause}")
    };
    assert_eq!(
        last_words.as_deref(),
        Some("line 12, in transform; return 1 / 0; ZeroDivisionError: division by zero")
    );
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "lines are limited a second: one must pass before the next is admitted"
)]
fn floods_of_output_are_cut_short_and_take_no_memory() {
    let (_lab, plugin) = Lab::plugin(
        "wasi_guest",
        Limits {
            call_timeout: Duration::from_secs(60),
            ..Limits::default()
        },
    );
    let start = Instant::now();
    let (answer, lines, left_out) = Log::of(|| {
        let answer = transform(&plugin, "flood");
        // what was left out is told with the first line of another second
        let told = Instant::now() + Duration::from_secs(10);
        let mut seconds = 0;
        while Instant::now() < told && seconds < 3 {
            std::thread::sleep(Duration::from_millis(600));
            transform(&plugin, "print").unwrap();
            seconds += 1;
        }
        answer
    });
    answer.unwrap();
    let seconds = start.elapsed().as_secs() as usize + 1;
    assert!(
        (100..=(seconds + 1) * 101).contains(&lines.len()),
        "{} lines",
        lines.len()
    );
    assert!((900_000..1_000_000).contains(&left_out), "{left_out} left out");

    let (answer, lines, _) = Log::of(|| transform(&plugin, "newlines"));
    answer.unwrap();
    assert_eq!(lines.len(), 0, "empty lines say nothing");
    let (answer, lines, _) = Log::of(|| transform(&plugin, "one-line"));
    answer.unwrap();
    assert_eq!(
        lines.iter().map(String::len).collect::<Vec<_>>(),
        ["INFO ".len() + 1000 + "…".len()]
    );
    assert!(matches!(broken(&plugin, "too-much"), Cause::Output(limit) if limit == 16 << 20));
}

#[test]
fn a_later_patch_of_wasi_is_answered_and_another_package_refused() {
    let lab = Lab::new();
    let component = guests::component("wasi_guest");
    lab.add("newer.wasm", &guests::replace(&component, b"@0.2.0", b"@0.2.9"));
    let (host, errors) = lab.open();
    assert!(errors.is_empty(), "{errors:?}");
    transform(host.plugins().next().unwrap(), "look-around").unwrap();

    for (from, to, named) in [
        (&b"@0.2.0"[..], &b"@0.3.0"[..], "imports `wasi:"),
        (b"wasi:sockets/", b"wasi:nuclear/", "imports `wasi:nuclear/"),
    ] {
        let problem = Lab::problem(&guests::replace(&component, from, to));
        assert!(
            problem.contains(named) && problem.contains("which no plugin is given"),
            "{problem}"
        );
    }
}
