//! Stand-ins for what a language's runtime imports of WASI 0.2: nothing of this machine is behind them.
//!
//! Not `wasmtime-wasi`: its clocks tell the time and its polls block the thread, where no deadline of ours reaches it. Here every answer is
//! fixed and comes at once. Clocks stand still, bytes of randomness are the same in every call, there is no environment, file, socket or input;
//! what is written to stdout and stderr goes to the log. All else of these packages stops the guest with a sentence that names the function.

mod output;
mod random;
mod stand_ins;

use wasmtime::{
    Engine,
    component::{Component, Linker, LinkerInstance, ResourceType, types::ComponentItem},
};

use crate::state::State;

pub(crate) use output::Output;
pub(crate) use random::Random;

/// Whose interfaces are answered, from 0.2.0 to any 0.2.x. Others, such as `wasi:http`, are no part of a runtime: refused when scanned.
const PACKAGES: [&str; 6] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

/// A guest asked for what no plugin is given.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Forbidden(String);

/// What the stand-ins keep for an instance.
#[derive(Default)]
pub(crate) struct Wasi {
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    pub(crate) random: Random,
}

/// Whether an import of this name and version has a stand-in.
pub(crate) fn answers(interface: &str, version: &str) -> bool {
    let patch = version.strip_prefix("0.2.");
    let number = patch.is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|c| c.is_ascii_digit()));
    number && PACKAGES.iter().any(|package| interface.starts_with(package))
}

/// Defines whatever this component imports of the packages above, item by item: it gets exactly the functions that it names, in its version.
pub(crate) fn link(
    linker: &mut Linker<State>,
    component: &Component,
    engine: &Engine,
) -> wasmtime::Result<()> {
    for (import, item) in component.component_type().imports(engine) {
        let Some((interface, version)) = import.split_once('@') else {
            continue;
        };
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        if !answers(interface, version) {
            continue;
        }
        let mut at = linker.instance(import)?;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => match stand_ins::define(&mut at, interface, name)? {
                    true => {}
                    false => forbid(&mut at, interface, name)?,
                },
                ComponentItem::Resource(_) => at.resource(name, resource(name), |_, _| Ok(()))?,
                // types need no definition; of anything else linking says that it is missing
                _ => {}
            }
        }
    }
    Ok(())
}

/// Resources have no state: what they are is in their number, so a guest that keeps or drops them costs nothing here. How many it
/// may hold is the store's limit.
fn resource(name: &str) -> ResourceType {
    match name {
        "output-stream" => ResourceType::host::<stand_ins::OutputStream>(),
        "input-stream" => ResourceType::host::<stand_ins::InputStream>(),
        "pollable" => ResourceType::host::<stand_ins::Pollable>(),
        "error" => ResourceType::host::<stand_ins::StreamFailure>(),
        "descriptor" => ResourceType::host::<stand_ins::Descriptor>(),
        "terminal-input" => ResourceType::host::<stand_ins::TerminalInput>(),
        "terminal-output" => ResourceType::host::<stand_ins::TerminalOutput>(),
        _ => ResourceType::host::<Never>(),
    }
}

/// A resource that no function here hands out.
struct Never;

fn forbid(at: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> wasmtime::Result<()> {
    let sentence = format!("it calls {interface} {name}, which no plugin is given");
    at.func_new(name, move |_, _, _, _| Err(forbidden(sentence.clone())))
}

fn forbidden(sentence: String) -> wasmtime::Error {
    wasmtime::Error::new(Forbidden(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runtimes_need_has_stand_ins() {
        for (interface, version) in [("wasi:cli/stdout", "0.2.0"), ("wasi:sockets/tcp", "0.2.12")] {
            assert!(answers(interface, version), "{interface}@{version}");
        }
        for (interface, version) in [
            ("wasi:http/types", "0.2.0"),
            ("wasi:cli/stdout", "0.3.0"),
            ("wasi:cli/stdout", "0.2."),
            ("wasi:cli/stdout", "0.2.0-rc.1"),
            ("wasi:cli/stdout", "0.20.0"),
            ("wasi:climate/stdout", "0.2.0"),
            ("env", ""),
        ] {
            assert!(!answers(interface, version), "{interface}@{version}");
        }
    }
}
