//! A plugin that uses WASI as runtimes do, and as no runtime does: the host's tests are about what it is answered.

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Edits, Failure, Needs, Plugin, Transformation,
    export_plugin,
};
use wasi::{
    cli::{environment, exit, stderr, stdin, stdout, terminal_stdout},
    clocks::{monotonic_clock, wall_clock},
    filesystem::preopens,
    io::{poll, streams::StreamError},
    random::random,
    sockets::{instance_network, tcp_create_socket},
};

wit_bindgen::generate!({ path: "wit", world: "guest", generate_all });

struct Guest {
    act: String,
}

impl Plugin for Guest {
    fn describe() -> Descriptor {
        Descriptor::new("wasi-guest", "0.1.0", "Uses WASI.")
            .key(ConfigKey::required("act", ConfigType::String))
    }

    fn init(config: &mut Config) -> Option<Self> {
        Some(Self {
            act: config.string("act")?,
        })
    }

    fn needs(&self) -> Needs {
        Needs::none().changes_value()
    }
}

impl Transformation for Guest {
    fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
        let mut edits = Edits::new();
        let out = stdout::get_stdout;
        match self.act.as_str() {
            "look-around" => {
                for index in 0..batch.len() {
                    edits.set_value(index, Some(look_around().as_bytes()));
                }
            }
            "print" => {
                let (out, err) = (stdout::get_stdout(), stderr::get_stderr());
                assert!(out.check_write().is_ok_and(|bytes| bytes > 0));
                for text in ["one\ntw", "o\nforged\u{1b}[2J\n", "no end"] {
                    out.write(text.as_bytes()).expect("stdout takes it");
                    out.blocking_flush().expect("stdout takes it");
                }
                err.write(b"complaint\n").expect("stderr takes it");
            }
            "flood" => {
                let lines = "a line of no interest\n".repeat(10_000);
                for _ in 0..100 {
                    out().write(lines.as_bytes()).expect("stdout takes it");
                }
            }
            "newlines" => out().write(&vec![b'\n'; 12 << 20]).expect("stdout takes it"),
            "one-line" => {
                for _ in 0..20 {
                    out().write(&vec![b'x'; 8 << 20]).expect("stdout takes it");
                }
            }
            "too-much" => out().write(&vec![b'x'; 20 << 20]).expect("stdout takes it"),
            "leak" => loop {
                std::mem::forget(stdout::get_stdout());
            },
            "leak-pollables" => {
                let pollable = monotonic_clock::subscribe_duration(u64::MAX);
                let all: Vec<&poll::Pollable> = (0..200_000).map(|_| &pollable).collect();
                poll::poll(&all);
            }
            "many-in-turn" => (0..20_000).for_each(|_| drop(stdout::get_stdout().subscribe())),
            "sleep" => {
                let pollable = monotonic_clock::subscribe_duration(u64::MAX);
                pollable.block();
                assert!(pollable.ready());
                assert_eq!(poll::poll(&[&pollable, &stdin::get_stdin().subscribe()]), [0, 1]);
            }
            "random" => drop(random::get_random_bytes(1 << 40)),
            "exit" => exit::exit(Err(())),
            "network" => drop(instance_network::instance_network()),
            "socket" => drop(tcp_create_socket::create_tcp_socket(&[1; 8])),
            "large-socket" => drop(tcp_create_socket::create_tcp_socket(&vec![1; 8 << 20])),
            "splice" => drop(out().splice(&stdin::get_stdin(), 1)),
            "complain" => {
                let text = "Traceback:\n  line 12, in transform\n    return 1 / 0\nZeroDivisionError: division by zero\n";
                stderr::get_stderr()
                    .write(text.as_bytes())
                    .expect("stderr takes it");
                std::process::abort()
            }
            other => return Err(Failure::permanent(format!("no such act: {other}"))),
        }
        Ok(edits)
    }
}

/// All that can be learned, in a line: two asks for randomness in one call must differ.
fn look_around() -> String {
    let time = wall_clock::now();
    let input = match stdin::get_stdin().blocking_read(10) {
        Ok(bytes) => format!("{bytes:?}"),
        Err(StreamError::Closed) => "closed".to_owned(),
        Err(StreamError::LastOperationFailed(error)) => error.to_debug_string(),
    };
    format!(
        "env {:?} args {:?} cwd {:?} dirs {} terminal {} stdin {input} wall {}.{} monotonic {} random {:x} {:?}",
        environment::get_environment(),
        environment::get_arguments(),
        environment::initial_cwd(),
        preopens::get_directories().len(),
        terminal_stdout::get_terminal_stdout().is_some(),
        time.seconds,
        time.nanoseconds,
        monotonic_clock::now(),
        random::get_random_u64(),
        random::get_random_bytes(5),
    )
}

export_plugin!(transformation: Guest);
