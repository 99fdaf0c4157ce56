//! What a guest may use.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// What one instance of a plugin may use. The worker's keys are in brackets.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Linear memory and tables of one instance together (`plugin.memory.bytes`).
    pub memory_bytes: usize,
    /// Wall time of one call (`plugin.call.timeout.ms`), watched in steps of 10 ms.
    pub call_timeout: Duration,
    /// Wall time of `describe`, and of instantiation and `init` each (`plugin.init.timeout.ms`).
    pub init_timeout: Duration,
    /// What one call may hand to the host (`plugin.output.bytes`), counted as the host holds it.
    pub output_bytes: usize,
    /// Lines a plugin may log per second, all its instances together (`plugin.log.lines`); the rest is counted.
    pub log_lines_per_second: u32,
    /// Bytes of a logged line; the rest is cut.
    pub log_line_bytes: usize,
    /// A plugin's file; larger ones are not compiled.
    pub component_bytes: usize,
    /// Wall time of compiling a file (`plugin.compile.timeout.ms`).
    pub compile_timeout: Duration,
}

/// Counts the memory of one store and refuses what is above the limit. A guest that is refused sees `memory.grow` fail, as the
/// specification has it, and usually traps on that.
pub(crate) struct Limiter {
    limit: usize,
    used: usize,
    refused: bool,
}

/// Core instances, memories and tables of one component, each. Language runtimes have some ten; a file of a few bytes a part could ask for thousands,
/// of which each costs memory of ours that no limiter is asked about.
pub(crate) const PARTS: usize = 100;

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            call_timeout: Duration::from_secs(1),
            init_timeout: Duration::from_secs(5),
            output_bytes: 16 << 20,
            log_lines_per_second: 100,
            log_line_bytes: 1000,
            component_bytes: 64 << 20,
            compile_timeout: Duration::from_secs(300),
        }
    }
}

impl Limits {
    /// What a plugin may use until it is known by name.
    pub(crate) fn or_more(&self, other: &Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            call_timeout: self.call_timeout.max(other.call_timeout),
            init_timeout: self.init_timeout.max(other.init_timeout),
            output_bytes: self.output_bytes.max(other.output_bytes),
            ..self.clone()
        }
    }
}

// === impl Limiter ===

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limit: limits.memory_bytes,
            used: 0,
            refused: false,
        }
    }

    /// Forgets an earlier refusal: a guest that survived one is not to blame for what breaks later.
    pub(crate) fn reset(&mut self) {
        self.refused = false;
    }

    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    /// Bytes.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    fn grow(&mut self, by: usize) -> bool {
        match self.used.checked_add(by).filter(|used| *used <= self.limit) {
            Some(used) => self.used = used,
            None => self.refused = true,
        }
        !self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(size_of::<usize>())))
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}
