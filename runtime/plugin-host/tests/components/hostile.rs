//! Plugins that misbehave: each is stopped, told by name, and replaced.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use towpath_plugin_host::{CallError, Cause, InitError, Limits, Pair, Plugin};
use tracing_subscriber::{Layer, layer::SubscriberExt};

use crate::guests::{self, Lab, TestRecords, config};

fn limits() -> Limits {
    Limits {
        call_timeout: Duration::from_millis(500),
        init_timeout: Duration::from_millis(1000),
        ..Limits::default()
    }
}

fn in_init(plugin: &Arc<Plugin>, act: &str) -> Cause {
    match plugin.transformation(&config(&[("act", act)])).err().unwrap() {
        InitError::Broken(broken) => {
            assert_eq!((broken.plugin.as_str(), broken.call), ("hostile", "init"));
            broken.cause
        }
        other => panic!("{other}"),
    }
}

/// What becomes of one call, and that the next one is answered by a fresh instance.
fn in_transform(plugin: &Arc<Plugin>, act: &str) -> Cause {
    let mut transformation = plugin.transformation(&config(&[("act", act)])).unwrap();
    let batch = TestRecords::texts(&["a", "b"]);
    let mut call = || match transformation.transform(batch.clone()).unwrap_err() {
        CallError::Broken(broken) => {
            assert_eq!((broken.version.as_str(), broken.call), ("0.1.0", "transform"));
            let sentence = broken.to_string();
            let start = format!(
                "plugin hostile@0.1.0 (sha256 {}) broke in `transform`: ",
                &plugin.digest()[..12]
            );
            assert!(sentence.starts_with(&start), "{sentence}");
            broken.cause
        }
        other => panic!("{other}"),
    };
    let first = call();
    assert_eq!(
        first.to_string(),
        call().to_string(),
        "a fresh instance breaks the same way"
    );
    first
}

#[test]
fn a_trap_says_where_and_gives_the_last_words() {
    let (_lab, plugin) = Lab::plugin("hostile", limits());
    for (act, cause) in [
        ("init-trap", in_init(&plugin, "init-trap")),
        ("trap", in_transform(&plugin, "trap")),
    ] {
        let Cause::Trap { trap, last_words, .. } = &cause else {
            panic!("{act}: {cause}")
        };
        assert!(trap.contains("unreachable"), "{trap}");
        assert!(
            last_words.as_ref().unwrap().contains("trapped in"),
            "{last_words:?}"
        );
    }
    let Cause::Trap { trap, .. } = in_transform(&plugin, "overflow") else {
        panic!()
    };
    assert!(trap.contains("stack"), "{trap}");
}

#[test]
fn a_loop_is_stopped_at_the_deadline() {
    let (_lab, plugin) = Lab::plugin("hostile", limits());
    let start = Instant::now();
    assert!(
        matches!(in_init(&plugin, "init-loop"), Cause::Deadline(limit) if limit == Duration::from_millis(1000))
    );
    assert!(
        matches!(in_transform(&plugin, "loop"), Cause::Deadline(limit) if limit == Duration::from_millis(500))
    );
    assert!(start.elapsed() >= Duration::from_millis(2000), "not before");
    assert!(start.elapsed() < Duration::from_secs(20), "and not much later");
}

#[test]
fn memory_and_output_are_limited() {
    let (_lab, plugin) = Lab::plugin("hostile", Limits::default());
    assert!(matches!(in_init(&plugin, "init-memory"), Cause::Memory(limit) if limit == 64 << 20));
    assert!(matches!(in_transform(&plugin, "memory"), Cause::Memory(_)));
    assert!(matches!(in_transform(&plugin, "output"), Cause::Output(limit) if limit == 16 << 20));
    let (_lab, plugin) = Lab::plugin(
        "hostile",
        Limits {
            memory_bytes: 4 << 20,
            ..Limits::default()
        },
    );
    let cause = in_transform(&plugin, "output");
    assert!(
        matches!(cause, Cause::Memory(limit) if limit == 4 << 20),
        "{cause}"
    );
}

#[test]
fn a_plugin_is_held_to_what_it_declared() {
    let (_lab, plugin) = Lab::plugin("hostile", limits());
    let cause = in_transform(&plugin, "undeclared-read");
    assert!(
        matches!(&cause, Cause::Undeclared(what) if what.contains("read values")),
        "{cause}"
    );
    let cause = in_transform(&plugin, "undeclared-edit");
    assert!(
        matches!(&cause, Cause::Undeclared(what) if what.contains("dropped a record")),
        "{cause}"
    );
}

#[test]
fn edits_that_break_a_rule_break_the_plugin() {
    let (_lab, plugin) = Lab::plugin("hostile", limits());
    let cases = [
        ("out-of-range", "it edits record 2 of a batch of 2"),
        ("wrong-index", "it asked for record 2 of a batch of 2"),
        ("descending", "its edits are not in order"),
        (
            "contradiction",
            "it wants record 0 dropped, replaced or rejected, and more",
        ),
    ];
    for (act, expected) in cases {
        let cause = in_transform(&plugin, act);
        assert!(
            matches!(&cause, Cause::Malformed(what) if what.contains(expected)),
            "{act}: {cause}"
        );
    }
}

#[test]
fn a_broken_instance_is_replaced_and_other_batches_go_on() {
    let (_lab, plugin) = Lab::plugin("hostile", limits());
    let mut transformation = plugin.transformation(&config(&[("act", "trap-on-bad")])).unwrap();
    for _ in 0..3 {
        assert!(
            transformation
                .transform(TestRecords::texts(&["good"]))
                .unwrap()
                .is_empty()
        );
        assert!(matches!(
            transformation.transform(TestRecords::texts(&["bad"])),
            Err(CallError::Broken(_))
        ));
    }
}

#[test]
fn a_failure_is_not_a_break() {
    let (_lab, plugin) = Lab::plugin("hostile", limits());
    for (act, expected) in [("fail", false), ("fail-for-now", true)] {
        let mut transformation = plugin.transformation(&config(&[("act", act)])).unwrap();
        let error = transformation.transform(TestRecords::texts(&["a"])).unwrap_err();
        assert!(
            matches!(error, CallError::Failure { retriable, .. } if retriable == expected),
            "{error}"
        );
    }
}

#[test]
fn a_plugins_own_mistakes_come_with_the_values_and_without_secrets() {
    let (_lab, plugin) = Lab::plugin("hostile", limits());
    let error = plugin
        .transformation(&config(&[("act", "init-mistakes"), ("secret", "hunter2")]))
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "`act` = \"init-mistakes\": is not nice; `secret` = \"[hidden]\": is too short"
    );
    let error = plugin
        .transformation(&config(&[("act", "init-silent")]))
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "the plugin refuses this configuration without saying why"
    );
}

#[test]
fn what_breaks_in_describe_is_told_with_the_file() {
    let cases = [
        ("trap", "broke in `describe`: it trapped: "),
        ("loop", "broke in `describe`: it ran for more than 500ms"),
        (
            "memory",
            "broke in `describe`: it wanted more memory than 67108864 bytes",
        ),
        ("badname", "describes itself wrongly: the name \"Bad Name\""),
        ("version", "describes itself wrongly: the version \"newest\""),
    ];
    for (act, expected) in cases {
        let problem = Lab::problem(&guests::hostile_in_describe(act));
        assert!(problem.contains(expected), "{act}: {problem}");
    }
}

/// Counts what plugins log, and looks at each line.
struct Lines(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Message(String);

        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }

        if event.metadata().target() == "towpath::plugin" {
            let mut message = Message(String::new());
            event.record(&mut message);
            assert!(
                message.0.len() < 1100 && !message.0.contains('\n'),
                "{}",
                message.0
            );
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_flood_of_lines_is_cut_short() {
    let (_lab, plugin) = Lab::plugin("hostile", Limits::default());
    let lines = Arc::new(AtomicUsize::new(0));
    let subscriber = tracing_subscriber::registry().with(Lines(Arc::clone(&lines)));
    let start = Instant::now();
    tracing::subscriber::with_default(subscriber, || {
        let mut transformation = plugin.transformation(&config(&[("act", "log")])).unwrap();
        // 10,000 lines; how many are let through depends on how long they take
        let outcome = transformation.transform(TestRecords::texts(&["a"]));
        assert!(outcome.is_ok() || matches!(outcome, Err(CallError::Broken(_))));
    });
    let seconds = start.elapsed().as_secs() as usize + 1;
    let lines = lines.load(Ordering::Relaxed);
    assert!(
        (50..=(seconds + 1) * 101).contains(&lines),
        "{lines} lines in {seconds} s"
    );
}

#[test]
fn counters_are_kept_and_limited() {
    let (_lab, plugin) = Lab::plugin("hostile", Limits::default());
    let mut transformation = plugin.transformation(&config(&[("act", "count")])).unwrap();
    for _ in 0..3 {
        transformation.transform(TestRecords::texts(&["a", "b"])).unwrap();
    }
    let counters = plugin.counters();
    assert_eq!(counters.len(), 16);
    assert!(counters.contains(&("records".to_owned(), 6)), "{counters:?}");
}

#[test]
fn where_it_broke_is_told_by_names_of_functions() {
    let (_lab, plugin) = Lab::plugin("hostile", limits());
    for act in ["trap", "loop", "recursion"] {
        let mut transformation = plugin.transformation(&config(&[("act", act)])).unwrap();
        let error = transformation.transform(TestRecords::texts(&["a"])).unwrap_err();
        let CallError::Broken(broken) = error else {
            panic!("{error}")
        };
        let named = broken.backtrace.iter().any(|frame| {
            ["hostile::", "towpath_plugin::guest::"]
                .iter()
                .any(|name| frame.contains(name))
        });
        assert!(named, "{act}: {:?}", broken.backtrace);
        assert!(
            broken
                .backtrace
                .iter()
                .all(|frame| frame.len() < 1000 && !frame.contains('\n'))
        );
        assert!(
            !broken.kind().contains("trapped in"),
            "a guest's own words may be a record's"
        );
    }
    assert_eq!(plugin.figures().usage().broken.trap, 2);
    assert_eq!(plugin.figures().usage().broken.deadline, 1);
}

#[test]
fn calls_are_counted_for_each_use_of_a_plugin() {
    let (_lab, plugin) = Lab::plugin("hostile", limits());
    let (one, other) = (plugin.attached(), plugin.attached());
    let mut count = one.transformation(&config(&[("act", "count")])).unwrap();
    for _ in 0..5 {
        count.transform(TestRecords::texts(&["a", "b"])).unwrap();
    }
    let usage = one.figures().usage();
    assert_eq!(usage.calls, 5);
    assert!(usage.call_ms_max > 0.0 && usage.call_ms_total >= usage.call_ms_max);
    assert!((1 << 16..64 << 20).contains(&usage.memory_bytes_max), "{usage:?}");
    assert!(one.counters().contains(&("records".to_owned(), 10)));
    assert_eq!((other.figures().usage().calls, other.counters().len()), (0, 0));
}

#[test]
fn text_that_is_not_utf8_breaks_the_plugin() {
    let (_lab, plugin) = Lab::plugin("hostile", limits());
    for act in ["utf8-topic", "utf8-reason"] {
        let cause = in_transform(&plugin, act);
        assert!(
            matches!(&cause, Cause::Malformed(what) if what.contains("could not be read") && what.contains("utf-8")),
            "{act}: {cause}"
        );
    }
}

/// A section of a binary: its id, its length as LEB128, its content.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// A core module with one function that adds so many times.
fn module(additions: usize) -> Vec<u8> {
    // locals: none; the argument; then `local.get 0, i32.mul, local.get 0, i32.add` again and again; end
    let body = [
        &[0, 0x20, 0][..],
        &[0x20, 0, 0x6c, 0x20, 0, 0x6a].repeat(additions),
        &[0x0b],
    ]
    .concat();
    let code = [&leb(1)[..], &leb(body.len()), &body].concat();
    let head = b"\0asm\x01\0\0\0";
    [
        &head[..],
        &section(1, &[1, 0x60, 1, 0x7f, 1, 0x7f]),
        &section(3, &[1, 0]),
        &section(10, &code),
    ]
    .concat()
}

#[test]
fn a_component_that_takes_too_long_to_compile_is_refused_in_time() {
    let head = b"\0asm\x0d\0\x01\0";
    let bomb = [&head[..], &section(1, &module(400_000))].concat();
    let lab = Lab::new();
    lab.add("bomb.wasm", &bomb);
    let start = Instant::now();
    let (host, errors) = lab.open_with(Limits {
        compile_timeout: Duration::from_millis(30),
        ..Limits::default()
    });
    assert_eq!(host.plugins().count(), 0);
    let sentence = errors[0].to_string();
    assert!(
        sentence.contains("was still being compiled after 30ms"),
        "{sentence}"
    );
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_component_of_hundreds_of_parts_is_refused_before_they_are_there() {
    let plugin = guests::component("mask_field");
    // Which number our module has among those of the component is not known from here.
    let problem = (0..10).find_map(|index| {
        let parts = [&leb(200)[..], &[0, index, 0].repeat(200)].concat();
        let bomb = [&plugin[..], &section(1, &module(1)), &section(2, &parts)].concat();
        let problem = Lab::problem_or_none(&bomb)?;
        problem.contains("broke in `describe`").then_some(problem)
    });
    let problem = problem.expect("one of them is taken by the parser");
    assert!(
        problem.contains("more than 100 core instances, memories or tables"),
        "{problem}"
    );
}

#[test]
fn predicates_and_validators_are_held_to_the_contract_too() {
    let (_lab, plugin) = Lab::plugin("examples/hostile_predicate", limits());
    for (act, expected) in [
        ("trap", "it trapped"),
        ("loop", "it ran for more than 500ms"),
        ("out-of-range", "it matches record 2 of a batch of 2"),
        ("twice", "its matches do not ascend"),
        ("output", "its answer is larger than 16777216 bytes"),
        ("undeclared", "it read keys"),
        ("random", "its matches do not ascend"),
    ] {
        let mut predicate = plugin.predicate(&config(&[("act", act)])).unwrap();
        let error = predicate
            .matching(TestRecords::texts(&["a", "bad"]))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{act}: {error}");
        assert!(
            predicate.matching(TestRecords::texts(&["a", "b"])).is_ok(),
            "{act}: a fresh instance"
        );
    }
    let (_lab, plugin) = Lab::plugin("examples/hostile_validator", limits());
    for (act, expected) in [
        ("trap", "it trapped"),
        ("loop", "it ran for more than 500ms"),
        ("out-of-range", "1 "),
        ("twice", "ascend"),
        ("output", "its answer is larger than 16777216 bytes"),
        ("undeclared", "it read keys"),
        ("utf8", "could not be read"),
        ("random", "ejection"),
    ] {
        let mut validator = plugin.validator(&config(&[("act", act)])).unwrap();
        let batch = TestRecords::texts(&["bad"]);
        let pairs = [Pair {
            source: Some(0),
            target: Some(0),
        }];
        let error = validator
            .validate(batch.clone(), batch, &pairs)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{act}: {error}");
    }
}
