//! The one unsafe call of this crate: machine code from a file.
#![allow(unsafe_code)]

use wasmtime::{Engine, component::Component};

/// Machine code that [`Component::serialize`] gave to this program, now or at an earlier start.
pub(super) struct Precompiled(Vec<u8>);

impl Precompiled {
    /// The caller vouches for it: see the proof in [`load`](Self::load).
    pub(super) fn written_by_us(code: Vec<u8>) -> Self {
        Self(code)
    }

    /// Turns it into a component. Fails when another version or configuration of wasmtime made it.
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `Component::deserialize` requires bytes that came unmodified from `Component::serialize` (or `precompile_component`).
        // `Cache::read` is the only place that makes a `Precompiled`, and by then it has established that
        // 1. the bytes come from a regular file, read through the handle whose metadata was checked, that belongs to this user and that
        //    neither group nor others may write, in a folder of mode 0700 that belongs to this user (`private_folder`): nobody who could
        //    not replace this program itself could have written it;
        // 2. `Cache::write`, the only writer, fills such files with the output of `Component::serialize` and nothing else, under a temporary
        //    name, and renames them when they are complete;
        // 3. the sha256 in the file's head equals that of the bytes, so that a damaged disk or an edited file is not taken for such output.
        // That the code suits this wasmtime, its configuration and this processor is checked by `deserialize` itself: it answers an error.
        // The bytes are a copy in our own memory, which nobody changes during the call.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
