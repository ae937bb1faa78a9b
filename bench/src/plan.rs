//! What is measured, in which order: every row in turn, A B C A B C, so that what the machine does meanwhile hits
//! all of them alike.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tollgate_bench_prompts::{Corpus, Prompts};
use tollgate_stack::proc;

use crate::load::{self, Load};
use crate::machine;
use crate::progress::Progress;
use crate::row::{Kind, Row};

/// Clients at saturation.
pub(crate) const CLIENTS: usize = 8;
/// Warm-up of a row, for each size: every key is known to it then, and its code is compiled.
pub(crate) const WARM_UP: Duration = Duration::from_millis(500);

/// How much is measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    /// Bytes of request bodies.
    pub(crate) sizes: Vec<usize>,
    pub(crate) rounds: usize,
    /// How long one row is measured at a time, in seconds.
    pub(crate) slice_s: f64,
}

/// One row in one round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Slice {
    pub(crate) kind: Kind,
    pub(crate) bytes: usize,
    pub(crate) clients: usize,
    pub(crate) round: usize,
    pub(crate) requests: u64,
    pub(crate) requests_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// CPU time of the proxy's process a request.
    pub(crate) cpu_us: f64,
    /// Share of the machine's time that other guests of its host took meanwhile, in percent.
    pub(crate) stolen_percent: f64,
    /// Resident memory of the proxy's process behind it.
    pub(crate) resident_kib: u64,
}

/// Resident memory of a row's proxy.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Memory {
    pub(crate) kind: Kind,
    pub(crate) at_rest_kib: u64,
    pub(crate) under_load_kib: u64,
    pub(crate) after_kib: u64,
}

// === impl Plan ===

impl Plan {
    /// Measures all rows.
    ///
    /// # Errors
    ///
    /// Where a row refuses or fails.
    pub(crate) async fn run(
        &self,
        rows: &[Row],
        corpus: &Corpus,
        progress: &Progress,
    ) -> Result<(Vec<Slice>, Vec<Memory>)> {
        let mut at_rest = Vec::new();
        for row in rows {
            at_rest.push(proc::resident_kib(row.pid)?);
        }
        let mut of_rows = vec![Vec::new(); rows.len()];
        for &bytes in &self.sizes {
            let prompts = Rc::new(RefCell::new(Prompts::new(corpus, bytes, false)));
            for row in rows {
                row.load(&prompts, CLIENTS, WARM_UP).await?;
            }
            let turns: Vec<_> = rows.iter().map(|row| (row, &prompts)).collect();
            let taken = self
                .take_turns(&turns, &[1, CLIENTS], bytes, &format!("{bytes} B"), progress)
                .await?;
            for (slices, taken) in of_rows.iter_mut().zip(taken) {
                slices.extend(taken);
            }
        }
        let mut memory = Vec::new();
        for ((row, at_rest_kib), slices) in rows.iter().zip(at_rest).zip(&of_rows) {
            row.settled().await?;
            let under_load = slices.iter().map(|slice| slice.resident_kib);
            memory.push(Memory {
                kind: row.kind,
                at_rest_kib,
                under_load_kib: under_load.fold(at_rest_kib, u64::max),
                after_kib: proc::resident_kib(row.pid)?,
            });
        }
        Ok((of_rows.concat(), memory))
    }

    /// Measures rows, each with its prompts, in turn: all rounds with the first number of clients, then all with the
    /// next. The slices of each row.
    ///
    /// # Errors
    ///
    /// Where a row refuses or fails.
    pub(crate) async fn take_turns(
        &self,
        rows: &[(&Row, &Rc<RefCell<Prompts>>)],
        clients: &[usize],
        bytes: usize,
        what: &str,
        progress: &Progress,
    ) -> Result<Vec<Vec<Slice>>> {
        let span = Duration::from_secs_f64(self.slice_s);
        let rounds = self.rounds;
        let mut of_rows = vec![Vec::new(); rows.len()];
        for &clients in clients {
            for round in 0..rounds {
                progress.say(&format!(
                    "{what}: {clients} clients, round {} of {rounds}",
                    round + 1
                ));
                for ((row, prompts), slices) in rows.iter().zip(&mut of_rows) {
                    slices.push(row.slice(prompts, clients, span, round, bytes).await?);
                }
            }
        }
        Ok(of_rows)
    }
}

// === impl Row ===

impl Row {
    pub(crate) async fn load(
        &self,
        prompts: &Rc<RefCell<Prompts>>,
        clients: usize,
        span: Duration,
    ) -> Result<Load> {
        let load = load::run(&self.target, prompts, clients, span).await;
        let load = load.with_context(|| format!("{:?} cannot be measured", self.kind))?;
        self.settled().await?;
        Ok(load)
    }

    /// Measures once. The time that the proxy spends after the last answer on what the load left behind counts.
    async fn slice(
        &self,
        prompts: &Rc<RefCell<Prompts>>,
        clients: usize,
        span: Duration,
        round: usize,
        bytes: usize,
    ) -> Result<Slice> {
        let (cpu, stolen) = (proc::cpu_time(self.pid)?, machine::stolen());
        let load = self.load(prompts, clients, span).await?;
        let cpu = proc::cpu_time(self.pid)?.saturating_sub(cpu);
        let stolen = machine::stolen().saturating_sub(stolen);
        let (seconds, requests) = (load.elapsed.as_secs_f64(), load.requests as f64);
        let micros = |quantile| load.latencies.value_at_quantile(quantile) as f64 / 1_000.0;
        Ok(Slice {
            kind: self.kind,
            bytes,
            clients,
            round,
            requests: load.requests,
            requests_per_s: requests / seconds,
            p50_us: micros(0.5),
            p99_us: micros(0.99),
            cpu_us: cpu.as_secs_f64() * 1e6 / requests,
            // Jiffies are hundredths of a second, of two cores at least.
            stolen_percent: stolen as f64 / 2.0 / seconds,
            resident_kib: proc::resident_kib(self.pid)?,
        })
    }
}
