//! A guest that runs, and the keeper that replaces it when it breaks.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use wasmtime::{
    Store,
    component::{Instance as Linked, InstancePre, Resource},
};

use crate::{
    CallError, Needs,
    batch::Batch,
    bindings::{AclChecks, Any, Matches, Routes, SchemaChecks, Transforms, Validates, plugin},
    broken::{Broken, Cause, Fault},
    engine,
    limits::Limits,
    plugin::Plugin,
    registries::{Asking, MOST_FETCHED},
    state::State,
    voice::Voice,
};

/// The exported interface of a kind.
pub(crate) trait Exports: Sized {
    fn find(store: &mut Store<State>, linked: &Linked) -> wasmtime::Result<Self>;
}

/// A fresh guest: one store, one instance, one thread at a time.
pub(crate) struct Instance<E> {
    store: Store<State>,
    plugin: Any,
    exports: E,
}

/// A plugin that can only be asked who it is.
pub(crate) struct Nameless;

/// One configured use of a plugin. Its instance is made when it is first needed, and again after the former one broke.
pub(crate) struct Keeper<E> {
    plugin: Arc<Plugin>,
    config: Vec<(String, String)>,
    needs: Needs,
    live: Option<Instance<E>>,
}

/// What an instance may hold of resources at once, borrowed ones included: each costs the host memory. Runtimes hold a dozen.
const HANDLES: usize = 4096;

/// Why an instance could not be configured.
pub(crate) enum Refusal {
    Config(Vec<plugin::ConfigError>),
    Broken(Fault),
}

// === impl Exports ===

impl Exports for Nameless {
    fn find(_store: &mut Store<State>, _linked: &Linked) -> wasmtime::Result<Self> {
        Ok(Self)
    }
}

macro_rules! exports {
    ($($bindings:ty),*) => {$(
        impl Exports for $bindings {
            fn find(store: &mut Store<State>, linked: &Linked) -> wasmtime::Result<Self> {
                Self::new(store, linked)
            }
        }
    )*};
}

exports!(AclChecks, Matches, Routes, SchemaChecks, Transforms, Validates);

// === impl Instance ===

impl<E: Exports> Instance<E> {
    pub(crate) fn start(pre: &InstancePre<State>, limits: &Limits, voice: Arc<Voice>) -> Result<Self, Fault> {
        let mut store = Store::new(pre.engine(), State::new(limits, voice));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.output_bytes);
        store.set_max_component_handles(HANDLES);
        // a module's start function runs already here
        store.set_epoch_deadline(engine::ticks(limits.init_timeout));
        let linked = pre
            .instantiate(&mut store)
            .and_then(|linked| Ok((Any::new(&mut store, &linked)?, E::find(&mut store, &linked)?)));
        store.data_mut().end();
        match linked {
            Ok((plugin, exports)) => Ok(Self {
                store,
                plugin,
                exports,
            }),
            Err(error) => Err(Fault::of(&error, store.data(), limits, limits.init_timeout)),
        }
    }

    pub(crate) fn describe(&mut self, limits: &Limits) -> Result<plugin::Descriptor, Fault> {
        self.guard(limits, limits.init_timeout, |store, guest, _| {
            guest.call_describe(store)
        })
    }

    fn init(&mut self, limits: &Limits, config: &[(String, String)]) -> Result<Needs, Refusal> {
        let answer = self
            .guard(limits, limits.init_timeout, |store, guest, _| {
                guest.call_init(store, config)
            })
            .map_err(Refusal::Broken)?;
        answer.map(Needs::from_wit).map_err(Refusal::Config)
    }

    /// Calls the guest within limits. After an error the instance must not be used again: it may have stopped anywhere.
    fn guard<R>(
        &mut self,
        limits: &Limits,
        timeout: Duration,
        call: impl FnOnce(&mut Store<State>, &plugin::Guest, &E) -> wasmtime::Result<R>,
    ) -> Result<R, Fault> {
        self.store.set_epoch_deadline(engine::ticks(timeout));
        self.store.data_mut().begin();
        let answer = call(
            &mut self.store,
            self.plugin.towpath_plugin_plugin(),
            &self.exports,
        );
        self.store.data_mut().end();
        answer.map_err(|error| Fault::of(&error, self.store.data(), limits, timeout))
    }
}

// === impl Keeper ===

impl<E: Exports> Keeper<E> {
    /// Makes the first instance, so that mistakes in the configuration show before anything flows.
    pub(crate) fn start(plugin: Arc<Plugin>, config: Vec<(String, String)>) -> Result<Self, Refusal> {
        let (instance, needs) = configured(&plugin, &config)?;
        Ok(Self {
            plugin,
            config,
            needs,
            live: Some(instance),
        })
    }

    pub(crate) fn needs(&self) -> Needs {
        self.needs
    }

    /// One call. When it breaks the plugin, the instance is dropped, and the next call makes another one. Where it asks the registries what is not known
    /// yet, it is stopped, the answer is fetched, and it is made again on a fresh instance.
    pub(crate) fn call<R>(
        &mut self,
        name: &'static str,
        mut call: impl FnMut(&mut Store<State>, &E) -> wasmtime::Result<R>,
    ) -> Result<R, CallError> {
        let mut fetched = HashMap::new();
        loop {
            let mut instance = match self.live.take() {
                Some(instance) => instance,
                None => self.replace()?,
            };
            let registries = self.plugin.registries.as_ref();
            instance.store.data_mut().asking = registries
                .map(|registries| Asking::new(Arc::clone(registries), std::mem::take(&mut fetched)));
            let limits = self.plugin.limits();
            let started = Instant::now();
            let answer = instance.guard(limits, limits.call_timeout, |store, _, exports| {
                call(store, exports)
            });
            let memory = instance.store.data().limiter.used();
            self.plugin.figures.called(started.elapsed(), memory);
            let mut missed = None;
            if let Some(asking) = instance.store.data_mut().asking.take() {
                (fetched, missed) = asking.end();
            }
            match (answer, missed) {
                (Ok(answer), None) => {
                    self.live = Some(instance);
                    return Ok(answer);
                }
                (_, Some(_)) if fetched.len() >= MOST_FETCHED => {
                    let what = format!(
                        "it asked the registries more than {MOST_FETCHED} things in one call that were not known"
                    );
                    return Err(self.broken(name, Cause::Malformed(what)).into());
                }
                (_, Some(ask)) => {
                    let answer = self.plugin.fetch(&ask).map_err(CallError::Unavailable)?;
                    fetched.insert(ask, answer);
                }
                (Err(fault), None) => return Err(self.broken(name, fault).into()),
            }
        }
    }

    /// The guest answered, but not as the contract says: its memory is not to be trusted either.
    pub(crate) fn discard(&mut self, name: &'static str, cause: Cause) -> Box<Broken> {
        self.live = None;
        self.broken(name, cause)
    }

    fn replace(&self) -> Result<Instance<E>, Box<Broken>> {
        let again = match configured(&self.plugin, &self.config) {
            Ok((instance, needs)) if needs == self.needs => return Ok(instance),
            Ok(_) => Cause::Malformed(
                "it declared something else than the first time it was configured".to_owned(),
            )
            .into(),
            Err(Refusal::Broken(fault)) => fault,
            Err(Refusal::Config(_)) => {
                Cause::Malformed("it refused the configuration that it had accepted before".to_owned()).into()
            }
        };
        Err(self.broken("init", again))
    }

    fn broken(&self, call: &'static str, fault: impl Into<Fault>) -> Box<Broken> {
        Box::new(self.plugin.broken(call, fault))
    }
}

/// Lends a batch to the guest for as long as `call` runs, which gets it as a borrow. A guest that drops it traps.
pub(crate) fn lend<R>(
    store: &mut Store<State>,
    batch: Batch,
    call: impl FnOnce(&mut Store<State>, Resource<Batch>) -> wasmtime::Result<R>,
) -> wasmtime::Result<R> {
    let lent = store.data_mut().batches.push(batch)?;
    let answer = call(store, Resource::new_borrow(lent.rep()))?;
    store.data_mut().batches.delete(lent)?;
    Ok(answer)
}

fn configured<E: Exports>(
    plugin: &Plugin,
    config: &[(String, String)],
) -> Result<(Instance<E>, Needs), Refusal> {
    let mut instance = plugin.instantiate().map_err(Refusal::Broken)?;
    let needs = instance.init(plugin.limits(), config)?;
    Ok((instance, needs))
}
