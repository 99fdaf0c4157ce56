//! One engine per host, and the clock that its guests are stopped by.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use wasmtime::{Config, Engine, OptLevel, WasmBacktraceDetails};

/// Guests look at the epoch at every loop and function entry: the grain of all deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Moves the engine's epoch forward. Owned by everything that may run a guest: a guest whose ticker is gone would run for ever.
pub(crate) struct Ticker {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// No clock, no randomness, no threads: what is left gives the same bytes everywhere.
pub(crate) fn new() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // calls are synchronous; without the machinery for concurrent ones a small call takes half the time
        .concurrency_support(false)
        // without this, floating point results may differ between machines in the bits of a NaN
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    Engine::new(&config)
}

/// How many ticks cover this time. One more, because the first one may come at once.
pub(crate) fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX / 2) + 1
}

// === impl Ticker ===

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (engine, stopped) = (engine.clone(), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("towpath-epoch".to_owned())
            .spawn(move || {
                let (stop, wake) = &*stopped;
                let mut guard = stop.lock().unwrap_or_else(PoisonError::into_inner);
                while !*guard {
                    guard = wake
                        .wait_timeout(guard, TICK)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                    engine.increment_epoch();
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        let (stop, wake) = &*self.stop;
        *stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // the thread only counts: it has nothing to panic about, and a drop must not
            let _ = thread.join();
        }
    }
}
