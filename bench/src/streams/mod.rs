//! Streams: what a row does to events on their way to the client.

mod client;
mod slice;
mod table;

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tollgate_bench_prompts::{Corpus, Prompts};

pub(crate) use self::slice::StreamSlice;
pub(crate) use self::table::write as table;
use crate::progress::Progress;
use crate::row::Row;

/// Bytes of the requests for streams.
const REQUEST: usize = 2_048;

/// A way to stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Shape {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// Clients, each with one stream at a time.
    pub(crate) clients: u64,
    /// Events of text in a stream; the usage comes in one more.
    pub(crate) events: u64,
    /// Milliseconds between events; 0 is as fast as they are taken.
    pub(crate) pace_ms: u64,
    /// Streams of each client in a turn.
    pub(crate) streams: u64,
}

/// What is measured: the first event's way, the cost of an event, the regularity of a paced stream, and many at once.
const SHAPES: [Shape; 4] = [
    Shape {
        name: "64 events at once, 1 stream",
        clients: 1,
        events: 64,
        pace_ms: 0,
        streams: 600,
    },
    Shape {
        name: "1,000 events at once, 8 streams",
        clients: 8,
        events: 1_000,
        pace_ms: 0,
        streams: 12,
    },
    Shape {
        name: "64 events 20 ms apart, 16 streams",
        clients: 16,
        events: 64,
        pace_ms: 20,
        streams: 1,
    },
    Shape {
        name: "30 events 100 ms apart, 512 streams",
        clients: 512,
        events: 30,
        pace_ms: 100,
        streams: 1,
    },
];

/// Measures all rows in all shapes, in turns.
///
/// # Errors
///
/// Where a row refuses or fails.
pub(crate) async fn run(
    rows: &[Row],
    corpus: &Corpus,
    rounds: usize,
    progress: &Progress,
) -> Result<Vec<StreamSlice>> {
    let prompts = Rc::new(RefCell::new(Prompts::new(corpus, REQUEST, true)));
    let mut slices = Vec::new();
    for shape in SHAPES {
        for round in 0..rounds {
            progress.say(&format!("{}, round {} of {rounds}", shape.name, round + 1));
            for row in rows {
                let slice = slice::measure(row, shape, &prompts, round).await;
                slices.push(slice.with_context(|| format!("{:?} cannot stream", row.kind))?);
            }
        }
    }
    Ok(slices)
}
