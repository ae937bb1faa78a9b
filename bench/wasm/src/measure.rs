//! What is measured, and how it is shown.

use std::collections::BTreeMap;
use std::io::{Stdout, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tollgate_bench_prompts::{Corpus, Prompts};

use crate::gateway::{Client, Gateway, assert_quiet, static_keys};
use crate::vm::{Cost, Filter};

/// Bytes of a request's body.
const BODY: usize = 2_048;

/// Exchanges before those that are measured, and those.
const WARM_UP: u64 = 300;
const MEASURED: u64 = 1_000;

/// Most a VM may have after it was configured, and how long a configuration of [`MANY_KEYS`] may take.
const MAX_IDLE: u64 = 8 << 20;
const MAX_START: Duration = Duration::from_millis(50);
const MANY_KEYS: u64 = 10_000;

/// How much a VM's memory may grow over the second half of very many exchanges.
const MAX_GROWTH: u64 = 1 << 20;

/// What each callback has cost.
type Costs = BTreeMap<&'static str, Cost>;

/// How often each host call was made.
type HostCalls = Vec<(&'static str, u64)>;

/// The bench.
pub(crate) struct Bench {
    wasm: PathBuf,
    /// Counts instructions.
    filter: Filter,
    prompts: Prompts,
    out: Stdout,
    /// Bounds that do not hold.
    pub(crate) broken: Vec<String>,
}

// === impl Bench ===

impl Bench {
    pub(crate) fn new(wasm: PathBuf) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let filter = Filter::load(&wasm, true)?;
        let prompts = Prompts::new(&Corpus::read(&root)?, BODY, false);
        Ok(Self {
            wasm,
            filter,
            prompts,
            out: std::io::stdout(),
            broken: Vec::new(),
        })
    }

    /// Each callback of an exchange of 2 KB with everything on, and what the host is asked for.
    pub(crate) fn callbacks(&mut self) -> Result<()> {
        let mut gateway = Gateway::start(&self.filter, &everything()?, 0)?;
        let (costs, calls) = self.measured(&mut gateway, |_| Client::ONE)?;
        writeln!(
            self.out,
            "| callback | times | instructions | host calls | allocations for the host |\n|---|--:|--:|--:|--:|"
        )?;
        for (name, cost) in &costs {
            let name = name.strip_prefix("proxy_").unwrap_or(name);
            row(&mut self.out, name, *cost)?;
        }
        row(&mut self.out, "all", costs.into_values().sum())?;
        writeln!(self.out, "\n| host call | an exchange |\n|---|--:|")?;
        for (name, times) in calls {
            writeln!(self.out, "| {name} | {:.2} |", per_exchange(times))?;
        }
        writeln!(self.out)?;
        Ok(())
    }

    /// How long a configuration of many keys takes, and what memory a VM has.
    pub(crate) fn start(&mut self) -> Result<()> {
        let mut many = everything()?;
        set(&mut many, "keys", static_keys(MANY_KEYS).into());
        let bytes = serde_json::to_vec(&many)?;
        let size = std::fs::metadata(&self.wasm)?.len();
        writeln!(self.out, "the .wasm: {}", megabytes(size))?;

        // Times are taken where no fuel is counted.
        let filter = Filter::load(&self.wasm, false)?;
        let mut best = Duration::MAX;
        let mut with_many = 0;
        for _ in 0..5 {
            let mut vm = filter.start()?;
            let since = Instant::now();
            vm.configure(bytes.clone())?;
            best = best.min(since.elapsed());
            with_many = vm.memory();
        }
        let mut vm = self.filter.start()?;
        let at_first = vm.memory();
        vm.configure(bytes.clone())?;
        let instructions = vm.take_costs().into_values().sum::<Cost>().instructions;
        writeln!(
            self.out,
            "a configuration of {MANY_KEYS} keys ({}): {:.1} ms at best, {} million instructions",
            megabytes(bytes.len() as u64),
            best.as_secs_f64() * 1e3,
            instructions / 1_000_000
        )?;
        let mut idle = self.filter.start()?;
        idle.configure(serde_json::to_vec(&everything()?)?)?;
        writeln!(
            self.out,
            "memory of a VM: {} at first, {} configured, {} with {MANY_KEYS} keys",
            megabytes(at_first),
            megabytes(idle.memory()),
            megabytes(with_many)
        )?;
        let mut gateway = Gateway::start(&self.filter, &everything()?, 0)?;
        for _ in 0..WARM_UP {
            gateway.exchange(Client::ONE, &self.prompts.next_body())?;
        }
        let warm = gateway.vm.memory();
        writeln!(
            self.out,
            "after {WARM_UP} exchanges of {BODY} B: {}\n",
            megabytes(warm)
        )?;
        self.bound("memory of an idle VM", idle.memory(), MAX_IDLE);
        if best > MAX_START {
            self.broken
                .push(format!("{MANY_KEYS} keys take {best:?}, more than {MAX_START:?}"));
        }
        Ok(())
    }

    /// What an exchange costs without one thing or another.
    pub(crate) fn features(&mut self) -> Result<()> {
        writeln!(
            self.out,
            "| | instructions | host calls | memory of the VM |\n|---|--:|--:|--:|"
        )?;
        let without: [(&str, &[(&str, Value)]); 6] = [
            ("everything on", &[]),
            (
                "no fields for the access log",
                &[("access_log", json!({"fields": []}))],
            ),
            ("no limits", &[("limits", json!([]))]),
            ("no validation", &[("validation", json!([]))]),
            (
                "tokens of 64 bytes counted, the rest estimated",
                &[("bodies", json!({"exact_count_bytes": 64}))],
            ),
            (
                "all of that",
                &[
                    ("access_log", json!({"fields": []})),
                    ("limits", json!([])),
                    ("validation", json!([])),
                    ("bodies", json!({"exact_count_bytes": 64})),
                ],
            ),
        ];
        for (what, changes) in without {
            let mut config = everything()?;
            for (name, value) in changes {
                set(&mut config, name, value.clone());
            }
            self.scaled(what, &config, 0, |_| Client::ONE)?;
        }
        writeln!(self.out)?;
        Ok(())
    }

    /// What an exchange costs by the number of keys, limits and budgets.
    pub(crate) fn scale(&mut self) -> Result<()> {
        writeln!(
            self.out,
            "| | instructions | host calls | memory of the VM |\n|---|--:|--:|--:|"
        )?;
        for keys in [1, 1_000, 10_000, 100_000] {
            let mut config = everything()?;
            set(&mut config, "keys", static_keys(keys).into());
            let of = move |number: u64| Client {
                key: number.wrapping_mul(7_919) % keys,
                ..Client::ONE
            };
            self.scaled(&format!("{keys} keys in the configuration"), &config, 0, of)?;
        }
        for keys in [1, 1_000, 10_000] {
            let mut config = everything()?;
            set(&mut config, "key_cache", json!({"max_keys": 50_000}));
            let of = move |number: u64| Client {
                key: number % keys,
                ..Client::ONE
            };
            self.scaled(&format!("{keys} keys of the sidecar's, cached"), &config, 0, of)?;
        }
        for limits in [0, 1, 4, 16, 64] {
            let mut config = everything()?;
            set(&mut config, "limits", limits_of(limits));
            self.scaled(
                &format!("{limits} limits, all for each request"),
                &config,
                0,
                |_| Client::ONE,
            )?;
        }
        for budgets in [0, 1, 2, 4, 8] {
            let config = everything()?;
            self.scaled(
                &format!("{budgets} budgets for each request"),
                &config,
                budgets,
                |_| Client::ONE,
            )?;
        }
        writeln!(self.out)?;
        Ok(())
    }

    /// What grows over very many exchanges, each with a key, a session and an address of its own: nothing.
    pub(crate) fn growth(&mut self, exchanges: u64) -> Result<()> {
        let mut config = everything()?;
        set(
            &mut config,
            "limits",
            json!([
                {"name": "key", "count": "requests", "amount": 1000, "period": "1m", "per": ["key"]},
                {"name": "session", "count": "tokens", "amount": 1_000_000, "period": "1h", "per": ["session"]},
                {"name": "address", "count": "requests", "amount": 1000, "period": "1m", "per": ["ip"]},
            ]),
        );
        let filter = Filter::load(&self.wasm, false)?;
        let mut gateway = Gateway::start(&filter, &config, 0)?;
        writeln!(
            self.out,
            "| exchanges, each with a key, a session and an address of its own | memory of the VM | cells | their bytes | metrics |\n|--:|--:|--:|--:|--:|"
        )?;
        let mut halfway = (0, 0);
        for number in 1..=exchanges {
            let client = Client {
                key: number,
                session: number,
                address: number,
            };
            gateway.exchange(client, &self.prompts.next_body())?;
            if number == exchanges.div_ceil(2) {
                halfway = (gateway.vm.memory(), gateway.vm.host().shared_size().1 as u64);
            }
            if number.is_power_of_two() && number >= exchanges / 64 || number == exchanges {
                let host = gateway.vm.host();
                let (cells, bytes) = host.shared_size();
                writeln!(
                    self.out,
                    "| {number} | {} | {cells} | {} | {} |",
                    megabytes(gateway.vm.memory()),
                    megabytes(bytes as u64),
                    host.metrics()
                )?;
            }
        }
        writeln!(self.out)?;
        let (memory, bytes) = halfway;
        self.bound(
            "what a VM grew by in the second half",
            gateway.vm.memory() - memory,
            MAX_GROWTH,
        );
        let more = (gateway.vm.host().shared_size().1 as u64).saturating_sub(bytes);
        self.bound("what shared data grew by in the second half", more, MAX_GROWTH);
        Ok(())
    }

    fn scaled(
        &mut self,
        what: &str,
        config: &Value,
        budgets: usize,
        client: impl Fn(u64) -> Client,
    ) -> Result<()> {
        let mut gateway = Gateway::start(&self.filter, config, budgets)?;
        // Each key is resolved before it is measured, and so is each of the budgets' leases.
        let keys = (0..50_000).map(|number| client(number).key).max().unwrap_or(0) + 1;
        if config.get("keys").is_none() {
            let body = self.prompts.next_body();
            for key in 0..keys {
                gateway.exchange(Client { key, ..Client::ONE }, &body)?;
            }
        }
        let (costs, _) = self.measured(&mut gateway, client)?;
        let cost: Cost = costs.into_values().sum();
        writeln!(
            self.out,
            "| {what} | {} | {:.1} | {} |",
            thousands(cost.instructions),
            per_exchange(cost.host_calls),
            megabytes(gateway.vm.memory())
        )?;
        Ok(())
    }

    /// The costs of [`MEASURED`] exchanges, ticks among them, and the host calls that they made.
    fn measured(
        &mut self,
        gateway: &mut Gateway,
        client: impl Fn(u64) -> Client,
    ) -> Result<(Costs, HostCalls)> {
        for number in 0..WARM_UP {
            gateway.exchange(client(number), &self.prompts.next_body())?;
        }
        gateway.vm.take_costs();
        for number in WARM_UP..WARM_UP + MEASURED {
            gateway.exchange(client(number), &self.prompts.next_body())?;
        }
        assert_quiet(gateway)?;
        let calls = gateway.vm.host().calls.iter().collect();
        Ok((gateway.vm.take_costs(), calls))
    }

    fn bound(&mut self, what: &str, is: u64, most: u64) {
        if is > most {
            self.broken.push(format!(
                "{what}: {} is more than {}",
                megabytes(is),
                megabytes(most)
            ));
        }
    }
}

/// What the comparison with others runs with, too, and a sidecar.
fn everything() -> Result<Value> {
    let mut config: Value =
        serde_json::from_str(include_str!("../../everything.json")).context("everything.json")?;
    set(&mut config, "gateway_id", json!("bench"));
    set(
        &mut config,
        "sidecar",
        json!({"cluster": "sidecar", "token": "token"}),
    );
    Ok(config)
}

/// So many limits that each request is under, of all kinds, in four scopes.
fn limits_of(count: usize) -> Value {
    let scopes = [
        json!(["key"]),
        json!(["workspace"]),
        json!(["user", "model"]),
        json!(["global"]),
    ];
    let one = |number: usize| {
        let counts = ["requests", "tokens", "output_tokens"];
        json!({
            "name": format!("limit-{number}"), "count": counts.get(number / 4 % 3),
            "algorithm": if (number / 12).is_multiple_of(2) { "token_bucket" } else { "sliding_window" },
            "amount": 100_000_000_000_u64, "period": "1h", "per": scopes.get(number % 4),
        })
    };
    (0..count).map(one).collect()
}

fn set(config: &mut Value, name: &str, value: Value) {
    if let Some(fields) = config.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

fn row(out: &mut Stdout, name: &str, cost: Cost) -> Result<()> {
    writeln!(
        out,
        "| {name} | {:.2} | {} | {:.1} | {:.1} |",
        per_exchange(cost.times),
        thousands(cost.instructions),
        per_exchange(cost.host_calls),
        per_exchange(cost.allocations)
    )?;
    Ok(())
}

fn per_exchange(total: u64) -> f64 {
    total as f64 / MEASURED as f64
}

/// Thousands an exchange.
fn thousands(instructions: u64) -> String {
    format!("{:.1} k", per_exchange(instructions) / 1e3)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / f64::from(1 << 20))
}
