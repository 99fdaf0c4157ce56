//! From a core module to a component: the last step of building a plugin for `wasm32-unknown-unknown`.
//!
//! The SDK leaves a description of the plugin's world in a custom section of the module; this reads it, and wraps the module accordingly.
#![forbid(unsafe_code)]

mod borrows;

pub use borrows::return_borrows;

use wit_component::{ComponentEncoder, DecodedWasm};

/// A plugin's component.
pub struct Component {
    /// The file's contents.
    pub bytes: Vec<u8>,
    /// Names of the interfaces it exports, such as `towpath:plugin/router@0.1.0`.
    pub exports: Vec<String>,
    /// Names of the interfaces it imports; interfaces that only hold types are among them.
    pub imports: Vec<String>,
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the input is not WebAssembly: it does not start with the bytes \\0asm")]
    NotWasm,
    #[error("the input is a component already: put it into `plugin.path` as it is")]
    AlreadyComponent,
    #[error(
        "the module says nothing about its world: was it built with the SDK's export macro, as a cdylib, and not stripped of custom sections?"
    )]
    NoWorld,
    #[error(
        "the module imports `{0}`, which the plugin's world does not have: leave out the library that needs it, or build for wasm32-unknown-unknown"
    )]
    Import(String),
    #[error("the module cannot be made a component: {0}")]
    Encode(String),
}

// === impl Component ===

impl Component {
    /// Wraps a core module built by the SDK, and validates the outcome.
    pub fn new(core: &[u8]) -> Result<Self, Error> {
        match core {
            [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {}
            [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => return Err(Error::AlreadyComponent),
            _ => return Err(Error::NotWasm),
        }
        let encoded = ComponentEncoder::default()
            .validate(true)
            .module(core)
            .and_then(|encoder| encoder.encode())
            .map_err(|error| explain(&format!("{error:#}")))?;
        let component = Self::describe(encoded).map_err(|error| Error::Encode(format!("{error:#}")))?;
        if component.exports.is_empty() {
            Err(Error::NoWorld)
        } else {
            Ok(component)
        }
    }

    /// A component that another toolchain has made; no world: it is no component.
    pub fn read(bytes: Vec<u8>) -> Result<Self, Error> {
        match bytes[..] {
            [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => {
                Self::describe(bytes).map_err(|error| Error::Encode(format!("{error:#}")))
            }
            [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(Error::NoWorld),
            _ => Err(Error::NotWasm),
        }
    }

    /// The kind it exports, such as `router`; none: it is no plugin.
    pub fn kind(&self) -> Option<&str> {
        self.exports.iter().find_map(|export| {
            let (package, interface) = export.split_once('/')?;
            let interface = interface.split('@').next()?;
            (package.starts_with("towpath:") && interface != "plugin").then_some(interface)
        })
    }

    fn describe(bytes: Vec<u8>) -> anyhow::Result<Self> {
        let DecodedWasm::Component(resolve, world) = wit_component::decode(&bytes)? else {
            anyhow::bail!("the outcome is a WIT package, not a component");
        };
        let world = &resolve.worlds[world];
        let exports = world
            .exports
            .keys()
            .map(|key| resolve.name_world_key(key))
            .collect();
        let imports = world
            .imports
            .keys()
            .map(|key| resolve.name_world_key(key))
            .collect();
        Ok(Self {
            bytes,
            exports,
            imports,
        })
    }
}

/// The library's chain of errors in the words of someone who builds a plugin.
fn explain(chain: &str) -> Error {
    let import = chain
        .split_once("module requires an import interface named `")
        .or_else(|| chain.split_once("failed to resolve import `"))
        .and_then(|(_, rest)| rest.split('`').next());
    match import {
        Some(import) => Error::Import(import.to_owned()),
        None => Error::Encode(chain.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_told_apart() {
        assert!(matches!(Component::new(b"#!/bin/sh"), Err(Error::NotWasm)));
        assert!(matches!(
            Component::new(b"\0asm\x0d\0\x01\0"),
            Err(Error::AlreadyComponent)
        ));
        assert!(matches!(Component::new(b"\0asm\x01\0\0\0"), Err(Error::NoWorld)));
        assert!(matches!(
            Component::new(b"\0asm\x01\0\0\0\x01\xff"),
            Err(Error::Encode(_))
        ));
    }
}
