//! A VM that runs the filter's `.wasm`, and counts what each of Envoy's callbacks costs in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, Store};

use crate::host::{self, Guest, State};

/// The root context's number.
pub(crate) const ROOT: u32 = 1;

/// Bytes of a page of a WebAssembly memory.
const PAGE: u64 = 1 << 16;

/// Fuel that no callback uses up.
const PLENTY: u64 = u64::MAX / 2;

/// The compiled module: VMs are made from it.
pub(crate) struct Filter {
    engine: Engine,
    module: Module,
    linker: Linker<State>,
}

/// One worker's VM.
pub(crate) struct Vm {
    store: Store<State>,
    instance: Instance,
    costs: BTreeMap<&'static str, Cost>,
    next_context: u32,
}

/// What calls of one kind have cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// How often it was called.
    pub(crate) times: u64,
    /// Instructions of WebAssembly: wasmtime's fuel.
    pub(crate) instructions: u64,
    /// Calls of the host, and how often the host came back for memory.
    pub(crate) host_calls: u64,
    pub(crate) allocations: u64,
    pub(crate) nanoseconds: u64,
}

// === impl Filter ===

impl Filter {
    /// Compiles the module, with fuel or, for times, without.
    pub(crate) fn load(path: &Path, with_fuel: bool) -> Result<Self> {
        let mut config = Config::new();
        config
            .consume_fuel(with_fuel)
            .cranelift_opt_level(OptLevel::Speed);
        let engine = Engine::new(&config).map_err(told)?;
        let module = Module::from_file(&engine, path)
            .map_err(told)
            .with_context(|| format!("cannot compile {}", path.display()))?;
        let linker = host::linker(&engine).map_err(told)?;
        Ok(Self {
            engine,
            module,
            linker,
        })
    }

    /// A VM with the filter in it, which has no configuration yet, and a host of its own.
    pub(crate) fn start(&self) -> Result<Vm> {
        let mut store = Store::new(&self.engine, State::default());
        // Where fuel is not counted there is none to be had.
        let _ = store.set_fuel(PLENTY);
        // Imports that no exchange of the bench needs do nothing.
        let mut linker = self.linker.clone();
        linker
            .define_unknown_imports_as_default_values(&mut store, &self.module)
            .map_err(told)?;
        let instance = linker.instantiate(&mut store, &self.module).map_err(told)?;
        let guest = Guest {
            memory: instance
                .get_memory(&mut store, "memory")
                .context("the filter has no memory")?,
            allocate: instance
                .get_typed_func(&mut store, "proxy_on_memory_allocate")
                .map_err(told)?,
        };
        store.data_mut().guest = Some(guest);
        let mut vm = Vm {
            store,
            instance,
            costs: BTreeMap::new(),
            next_context: ROOT + 1,
        };
        vm.call::<_, ()>("_initialize", ())?;
        Ok(vm)
    }
}

// === impl Vm ===

impl Vm {
    /// Makes the root context, and gives it the configuration.
    pub(crate) fn configure(&mut self, configuration: Vec<u8>) -> Result<()> {
        let size = u32::try_from(configuration.len())?;
        self.store.data_mut().configuration = configuration;
        self.call::<_, ()>("proxy_on_context_create", (ROOT, 0_u32))?;
        self.call::<_, u32>("proxy_on_vm_start", (ROOT, 0_u32))?;
        let accepted = self.call::<_, u32>("proxy_on_configure", (ROOT, size))?;
        self.store.data_mut().configuration = Vec::new();
        ensure!(
            accepted == 1,
            "the filter refused its configuration: {}",
            self.host().log.join("\n")
        );
        Ok(())
    }

    /// A new number for a stream's context.
    pub(crate) fn next_context(&mut self) -> u32 {
        let context = self.next_context;
        self.next_context += 1;
        context
    }

    /// Calls one of the filter's functions, and counts what it costs.
    pub(crate) fn call<P, R>(&mut self, name: &'static str, parameters: P) -> Result<R>
    where
        P: wasmtime::WasmParams,
        R: wasmtime::WasmResults,
    {
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut self.store, name)
            .map_err(told)
            .with_context(|| format!("the filter does not export {name}"))?;
        let counts_fuel = self.store.set_fuel(PLENTY).is_ok();
        let (calls, allocations) = (self.host().calls.total(), self.host().allocations);
        let since = Instant::now();
        let result = function
            .call(&mut self.store, parameters)
            .map_err(told)
            .with_context(|| format!("the filter trapped in {name}"))?;
        let took = since.elapsed();
        let left = if counts_fuel {
            self.store.get_fuel().map_err(told)?
        } else {
            PLENTY
        };
        let (calls_after, allocations_after) = (self.host().calls.total(), self.host().allocations);
        let cost = self.costs.entry(name).or_default();
        cost.times += 1;
        cost.instructions += PLENTY - left;
        cost.host_calls += calls_after - calls;
        cost.allocations += allocations_after - allocations;
        cost.nanoseconds += u64::try_from(took.as_nanos())?;
        Ok(result)
    }

    /// What the host knows.
    pub(crate) fn host(&self) -> &State {
        self.store.data()
    }

    /// What the host knows, to be changed.
    pub(crate) fn host_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }

    /// Bytes of the VM's linear memory.
    pub(crate) fn memory(&self) -> u64 {
        let guest = self.host().guest.as_ref();
        guest.map_or(0, |guest| guest.memory.size(&self.store) * PAGE)
    }

    /// What was called since this was asked last.
    pub(crate) fn take_costs(&mut self) -> BTreeMap<&'static str, Cost> {
        self.host_mut().calls.clear();
        std::mem::take(&mut self.costs)
    }
}

// === impl Cost ===

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), |sum, cost| Self {
            times: sum.times + cost.times,
            instructions: sum.instructions + cost.instructions,
            host_calls: sum.host_calls + cost.host_calls,
            allocations: sum.allocations + cost.allocations,
            nanoseconds: sum.nanoseconds + cost.nanoseconds,
        })
    }
}

/// An error of wasmtime's, with all that led to it.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn told(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}
