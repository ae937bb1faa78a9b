//! One row in one round of one shape.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tokio::task::JoinSet;
use tollgate_stack::proc;

use super::client::{self, Seen, Shared};
use super::{Prompts, Shape};
use crate::load::connect;
use crate::row::{Kind, Row};
use crate::upstream::{EVENTS, PACE};

/// What was seen. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StreamSlice {
    pub(crate) kind: Kind,
    pub(crate) shape: &'static str,
    pub(crate) round: usize,
    pub(crate) events: u64,
    /// Events that the upstream sent and no client saw.
    pub(crate) lost: u64,
    /// From a request to its first event.
    pub(crate) first_p50_us: f64,
    pub(crate) first_p99_us: f64,
    /// From one event to the next.
    pub(crate) gap_p99_us: f64,
    /// From an event's sending to its coming.
    pub(crate) delay_p50_us: f64,
    pub(crate) delay_p99_us: f64,
    /// CPU time of the proxy's process an event.
    pub(crate) cpu_us: f64,
}

/// Measures once.
///
/// # Errors
///
/// An answer that is no 200, or a stream that breaks off.
pub(super) async fn measure(
    row: &Row,
    shape: Shape,
    prompts: &Rc<RefCell<Prompts>>,
    round: usize,
) -> Result<StreamSlice> {
    let mut target = row.target.clone();
    target.headers.push((EVENTS, shape.events.to_string()));
    target.headers.push((PACE, shape.pace_ms.to_string()));
    let mut connections = Vec::new();
    for _ in 0..shape.clients {
        connections.push(connect(&target).await?);
    }
    let shared = Rc::new(Shared {
        target,
        prompts: Rc::clone(prompts),
        shape,
        seen: RefCell::new(Seen::new()?),
    });
    let before = proc::cpu_time(row.pid)?;
    let mut tasks = JoinSet::new();
    for (number, connection) in (0..).zip(connections) {
        tasks.spawn_local(client::run(connection, number, Rc::clone(&shared)));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    row.settled().await?;
    let cpu = proc::cpu_time(row.pid)?.saturating_sub(before);
    let shared = Rc::into_inner(shared).context("a client outlived its load")?;
    let seen = shared.seen.into_inner();
    let micros = |nanos: u64| nanos as f64 / 1_000.0;
    Ok(StreamSlice {
        kind: row.kind,
        shape: shape.name,
        round,
        events: seen.events,
        lost: (seen.requests * shape.events).saturating_sub(seen.events),
        first_p50_us: micros(seen.first.value_at_quantile(0.5)),
        first_p99_us: micros(seen.first.value_at_quantile(0.99)),
        gap_p99_us: micros(seen.gaps.value_at_quantile(0.99)),
        delay_p50_us: micros(seen.delays.value_at_quantile(0.5)),
        delay_p99_us: micros(seen.delays.value_at_quantile(0.99)),
        cpu_us: cpu.as_secs_f64() * 1e6 / seen.events as f64,
    })
}
