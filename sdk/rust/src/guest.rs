//! The component's side: bindings, and the instance behind them. Only on wasm32.

use std::{any::Any, cell::RefCell, marker::PhantomData, panic};

use crate::{Batch, Config, ConfigError, Plugin, host::Level};

mod bindings;
mod checks;
mod kinds;
mod plugin;
mod records;
pub(crate) mod registry;

pub use bindings::{
    acl_checkers, described, predicates, routers, schema_checkers, transformations, validators,
};
use described::towpath::plugin as wit;

/// Implements the exported interfaces for whoever implements the kind's trait.
pub struct Export<P>(PhantomData<P>);

thread_local! {
    /// The one plugin of this component, once it is configured.
    static INSTANCE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Trace => wit::host::Level::Trace,
        Level::Debug => wit::host::Level::Debug,
        Level::Info => wit::host::Level::Info,
        Level::Warn => wit::host::Level::Warn,
        Level::Error => wit::host::Level::Error,
    };
    wit::host::log(level, message);
}

pub(crate) fn count(name: &str, by: u64) {
    wit::host::count(name, by);
}

/// A guest's panic is a trap without words: the host shows the last error that was logged.
fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        log(Level::Error, &panic.to_string().replace('\n', " "))
    }));
}

fn configure<P: Plugin>(config: Vec<(String, String)>) -> Result<crate::Needs, Vec<ConfigError>> {
    report_panics();
    let mut config = Config::new(config);
    let plugin = P::init(&mut config);
    let plugin = config.settle(plugin)?;
    let needs = plugin.needs();
    INSTANCE.set(Some(Box::new(plugin)));
    Ok(needs)
}

fn with<P: Plugin, R>(call: impl FnOnce(&mut P) -> R) -> R {
    INSTANCE.with_borrow_mut(|instance| {
        let plugin = instance.as_mut().and_then(|plugin| plugin.downcast_mut::<P>());
        call(plugin.expect("the host calls `init` before anything else"))
    })
}

fn batch(source: &wit::batches::Batch) -> Batch<'_> {
    Batch::new(source)
}
