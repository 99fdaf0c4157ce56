//! The functions that have an answer. Their types are checked against the component's when it is linked.

use wasmtime::{
    StoreContextMut,
    component::{ComponentType, Lift, LinkerInstance, Lower, Resource},
};

use super::{forbidden, random::SEED};
use crate::{bindings::host::Level, state::State};

/// stdout or stderr, by its number.
pub(super) struct OutputStream;
/// Of stdin, which is at its end.
pub(super) struct InputStream;
/// Of anything: it is ready.
pub(super) struct Pollable;
/// Never handed out, as those below.
pub(super) struct StreamFailure;
pub(super) struct Descriptor;
pub(super) struct TerminalInput;
pub(super) struct TerminalOutput;

/// `wasi:io/streams.stream-error`
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<StreamFailure>),
    #[component(name = "closed")]
    Closed,
}

/// `wasi:clocks/wall-clock.datetime`
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// 2000-01-01T00:00:00Z: a time that no library takes for "not set" or for too old.
const WALL_CLOCK_SECONDS: u64 = 946_684_800;

/// ns. Not 0, which runtimes take for a clock that does not work.
const MONOTONIC_CLOCK: u64 = 1_000_000_000;

const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Bytes of randomness at once: a key is 32, and the host makes them before the guest has room for them.
const RANDOM_BYTES: u64 = 1 << 20;

/// What `check-write` allows at once. More is taken as well, up to `plugin.output.bytes`.
const WRITE_BYTES: u64 = 64 << 10;

type Context<'a> = StoreContextMut<'a, State>;

/// A fixed answer of this type, whatever the parameters are.
macro_rules! fixed {
    ($at:ident, $name:ident, ($($parameter:ty),*), $answer:expr) => {
        $at.func_wrap($name, |_: Context<'_>, _: ($($parameter,)*)| Ok(($answer,)))
    };
}

/// False: there is no such stand-in.
pub(super) fn define(
    at: &mut LinkerInstance<'_, State>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<bool> {
    let package = interface.split('/').next().unwrap_or(interface);
    let defined = match package {
        "wasi:cli" | "wasi:filesystem" => process(at, interface, name),
        "wasi:clocks" | "wasi:random" => time_and_chance(at, interface, name),
        "wasi:io" => streams(at, interface, name),
        _ => None,
    };
    defined.transpose().map(|defined| defined.is_some())
}

fn process(at: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> Option<wasmtime::Result<()>> {
    Some(match (interface, name) {
        ("wasi:cli/environment", "get-environment") => fixed!(at, name, (), Vec::<(String, String)>::new()),
        ("wasi:cli/environment", "get-arguments") => fixed!(at, name, (), Vec::<String>::new()),
        ("wasi:cli/environment", "initial-cwd") => fixed!(at, name, (), None::<String>),
        ("wasi:cli/stdin", "get-stdin") => fixed!(at, name, (), Resource::<InputStream>::new_own(0)),
        ("wasi:cli/stdout", "get-stdout") => fixed!(at, name, (), Resource::<OutputStream>::new_own(STDOUT)),
        ("wasi:cli/stderr", "get-stderr") => fixed!(at, name, (), Resource::<OutputStream>::new_own(STDERR)),
        ("wasi:cli/terminal-stdin", "get-terminal-stdin") => {
            fixed!(at, name, (), None::<Resource<TerminalInput>>)
        }
        ("wasi:cli/terminal-stdout", "get-terminal-stdout")
        | ("wasi:cli/terminal-stderr", "get-terminal-stderr") => {
            fixed!(at, name, (), None::<Resource<TerminalOutput>>)
        }
        ("wasi:filesystem/preopens", "get-directories") => {
            fixed!(at, name, (), Vec::<(Resource<Descriptor>, String)>::new())
        }
        ("wasi:cli/exit", "exit") => at.func_wrap(name, |_, _: (Result<(), ()>,)| exit()),
        ("wasi:cli/exit", "exit-with-code") => at.func_wrap(name, |_, _: (u8,)| exit()),
        _ => return None,
    })
}

fn time_and_chance(
    at: &mut LinkerInstance<'_, State>,
    interface: &str,
    name: &str,
) -> Option<wasmtime::Result<()>> {
    let chance = |mut store: Context<'_>| store.data_mut().wasi.random.next();
    Some(match (interface, name) {
        ("wasi:clocks/wall-clock", "now") => fixed!(
            at,
            name,
            (),
            Datetime {
                seconds: WALL_CLOCK_SECONDS,
                nanoseconds: 0
            }
        ),
        ("wasi:clocks/wall-clock", "resolution") => fixed!(
            at,
            name,
            (),
            Datetime {
                seconds: 0,
                nanoseconds: 1
            }
        ),
        ("wasi:clocks/monotonic-clock", "now") => fixed!(at, name, (), MONOTONIC_CLOCK),
        ("wasi:clocks/monotonic-clock", "resolution") => fixed!(at, name, (), 1_u64),
        // whoever sleeps is woken at once
        ("wasi:clocks/monotonic-clock", "subscribe-instant" | "subscribe-duration") => {
            fixed!(at, name, (u64), Resource::<Pollable>::new_own(0))
        }
        ("wasi:random/random", "get-random-u64") | ("wasi:random/insecure", "get-insecure-random-u64") => {
            at.func_wrap(name, move |store: Context<'_>, (): ()| Ok((chance(store),)))
        }
        ("wasi:random/random", "get-random-bytes")
        | ("wasi:random/insecure", "get-insecure-random-bytes") => at.func_wrap(name, random_bytes),
        ("wasi:random/insecure-seed", "insecure-seed") => fixed!(at, name, (), (SEED, SEED)),
        _ => return None,
    })
}

fn streams(at: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> Option<wasmtime::Result<()>> {
    if interface == "wasi:io/poll" {
        return Some(match name {
            "[method]pollable.ready" => fixed!(at, name, (Resource<Pollable>), true),
            "[method]pollable.block" => at.func_wrap(name, |_, _: (Resource<Pollable>,)| Ok(())),
            "poll" => at.func_wrap(name, poll),
            _ => return None,
        });
    }
    if interface != "wasi:io/streams" {
        return None;
    }
    Some(match name {
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            fixed!(
                at,
                name,
                (Resource<InputStream>, u64),
                Err::<Vec<u8>, _>(StreamError::Closed)
            )
        }
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => {
            fixed!(
                at,
                name,
                (Resource<InputStream>, u64),
                Err::<u64, _>(StreamError::Closed)
            )
        }
        "[method]input-stream.subscribe" => {
            fixed!(
                at,
                name,
                (Resource<InputStream>),
                Resource::<Pollable>::new_own(0)
            )
        }
        "[method]output-stream.check-write" => {
            fixed!(
                at,
                name,
                (Resource<OutputStream>),
                Ok::<_, StreamError>(WRITE_BYTES)
            )
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            at.func_wrap(name, write)
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            fixed!(at, name, (Resource<OutputStream>), Ok::<_, StreamError>(()))
        }
        "[method]output-stream.subscribe" => {
            fixed!(
                at,
                name,
                (Resource<OutputStream>),
                Resource::<Pollable>::new_own(0)
            )
        }
        _ => return None,
    })
}

fn exit() -> wasmtime::Result<()> {
    Err(forbidden(
        "it ended itself by wasi:cli/exit, which no plugin may do".to_owned(),
    ))
}

fn random_bytes(mut store: Context<'_>, (len,): (u64,)) -> wasmtime::Result<(Vec<u8>,)> {
    match usize::try_from(len) {
        Ok(bytes) if len <= RANDOM_BYTES => Ok((store.data_mut().wasi.random.bytes(bytes),)),
        _ => Err(forbidden(format!(
            "it asks for {len} random bytes at once, the most is {RANDOM_BYTES}"
        ))),
    }
}

/// All are ready, at once: what they wait for never changes.
fn poll(_: Context<'_>, (pollables,): (Vec<Resource<Pollable>>,)) -> wasmtime::Result<(Vec<u32>,)> {
    let mut ready = Vec::with_capacity(pollables.len());
    ready.extend((0_u32..).zip(&pollables).map(|(index, _)| index));
    Ok((ready,))
}

fn write(
    mut store: Context<'_>,
    (stream, bytes): (Resource<OutputStream>, Vec<u8>),
) -> wasmtime::Result<(Result<(), StreamError>,)> {
    let level = if stream.rep() == STDERR {
        Level::Warn
    } else {
        Level::Info
    };
    store.data_mut().print(level, &bytes);
    Ok((Ok(()),))
}
