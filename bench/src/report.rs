//! What comes out: a table to read and a file to compute with.

use std::fmt::Write as _;

use serde::Serialize;

use crate::compare::{Figures, with_range};
use crate::machine::Machine;
use crate::plan::{Memory, Plan, Slice};
use crate::row::Kind;
use crate::streams::{self, StreamSlice};

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    pub(crate) figures: Vec<Figures>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) slices: Vec<Slice>,
    pub(crate) streams: Vec<StreamSlice>,
}

// === impl Report ===

impl Report {
    /// The tables, in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut out = self.head();
        for &bytes in &self.plan.sizes {
            self.table(&mut out, bytes);
        }
        streams::table(&mut out, &self.streams);
        self.memory(&mut out);
        self.legend(&mut out);
        out
    }

    fn head(&self) -> String {
        let Machine {
            cpu,
            cores,
            memory_gib,
            kernel,
            envoy,
            commit,
            date,
        } = &self.machine;
        let Plan { rounds, slice_s, .. } = &self.plan;
        format!(
            "`{}` on {cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}, Envoy {envoy}, {date}, commit {commit}. \
             The proxy has core 0 for itself (one worker); load, upstream and sidecar share core 1. Rows take turns: \
             {rounds} rounds of {slice_s} s each, every request with another body. Figures are medians over the \
             rounds, differences taken within each round.\n",
            self.command
        )
    }

    fn table(&self, out: &mut String, bytes: usize) {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "\n**Bodies of {}**\n\n\
             | | p50 added µs (1 connection) | p99 added µs | p50 µs | requests/s (8 connections) | CPU µs a request | added | × bare |\n\
             |---|---|---|---|---|---|---|---|\n",
            size(bytes)
        );
        for row in self.figures.iter().filter(|row| row.bytes == bytes) {
            let is_bare = row.kind == Kind::Bare;
            let or_dash = |text: String| if is_bare { "–".to_owned() } else { text };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {:.0} | {:.0} | {:.0} | {} | {} |",
                row.kind.title(),
                or_dash(format!("{:+.0}", row.added_p50_us)),
                or_dash(format!("{:+.0}", row.added_p99_us)),
                row.p50_us,
                row.requests_per_s,
                row.cpu_us,
                or_dash(with_range(row.added_cpu_us, row.added_cpu_range_us)),
                or_dash(format!("{:.2}", row.added_cpu_ratio)),
            );
        }
    }

    fn memory(&self, out: &mut String) {
        out.push_str("\n**Resident memory of the proxy, MB**\n\n| | at rest | under load | after |\n|---|---|---|---|\n");
        for Memory {
            kind,
            at_rest_kib,
            under_load_kib,
            after_kib,
        } in &self.memory
        {
            let mb = |kib: &u64| kib.div_ceil(1_024);
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                kind.title(),
                mb(at_rest_kib),
                mb(under_load_kib),
                mb(after_kib)
            );
        }
    }

    fn legend(&self, out: &mut String) {
        out.push('\n');
        for row in &self.memory {
            let _ = writeln!(out, "- {}: {}.", row.kind.title(), row.kind.what());
        }
    }
}

/// A body's size, for a table's head.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        ..1_024 => format!("{bytes} B"),
        _ => format!("{} KB", bytes / 1_024),
    }
}
