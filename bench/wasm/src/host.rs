//! As much of Envoy as one exchange needs: maps and buffers in memory, and how often the filter has asked for what.
//!
//! Nothing here says how Envoy behaves in its corners; `fakehost` does. This is to be quick, and to count.

mod imports;

use std::collections::{BTreeMap, HashMap};

use wasmtime::{Memory, TypedFunc};

pub(crate) use imports::linker;

const OK: u32 = 0;
const CAS_MISMATCH: u32 = 8;

/// Buffers and maps by their numbers in the ABI.
const REQUEST: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const RESPONSE_HEADERS: u32 = 2;
const CALLOUT_BODY: u32 = 4;
const CALLOUT_HEADERS: u32 = 6;
const CONFIGURATION: u32 = 7;

/// The filter's own memory.
pub(crate) struct Guest {
    pub(crate) memory: Memory,
    pub(crate) allocate: TypedFunc<u32, u32>,
}

/// Host calls by their names.
#[derive(Debug, Default)]
pub(crate) struct Calls(BTreeMap<&'static str, u64>);

/// What a callout asks.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) token: u32,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// What the host knows.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) guest: Option<Guest>,
    pub(crate) calls: Calls,
    /// How often the host asked the filter for memory.
    pub(crate) allocations: u64,
    pub(crate) configuration: Vec<u8>,
    pub(crate) now: u64,
    /// Serialised, as the ABI hands maps over.
    pub(crate) request_headers: Vec<u8>,
    pub(crate) response_headers: Vec<u8>,
    pub(crate) request_body: Vec<u8>,
    pub(crate) response_body: Vec<u8>,
    pub(crate) callout_headers: Vec<u8>,
    pub(crate) callout_body: Vec<u8>,
    pub(crate) client_address: Vec<u8>,
    /// Callouts that wait for an answer.
    pub(crate) questions: Vec<Question>,
    /// The status of a local reply, and its body.
    pub(crate) reply: Option<(u32, Vec<u8>)>,
    pub(crate) log: Vec<String>,
    shared: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    last_cas: u32,
    last_token: u32,
    metrics: HashMap<Vec<u8>, u32>,
}

// === impl Calls ===

impl Calls {
    fn add(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(name, times)| (*name, *times))
    }
}

// === impl State ===

impl State {
    /// How many cells there are, and the bytes of their names and values.
    pub(crate) fn shared_size(&self) -> (usize, usize) {
        let bytes = self
            .shared
            .iter()
            .map(|(key, (value, _))| key.len() + value.len());
        (self.shared.len(), bytes.sum())
    }

    /// How many metrics were defined.
    pub(crate) fn metrics(&self) -> usize {
        self.metrics.len()
    }

    fn buffer(&self, kind: u32) -> &[u8] {
        match kind {
            REQUEST => &self.request_body,
            RESPONSE_BODY => &self.response_body,
            CALLOUT_BODY => &self.callout_body,
            CONFIGURATION => &self.configuration,
            _ => &[],
        }
    }

    fn map(&self, kind: u32) -> &[u8] {
        match kind {
            REQUEST => &self.request_headers,
            RESPONSE_HEADERS => &self.response_headers,
            CALLOUT_HEADERS => &self.callout_headers,
            _ => &[],
        }
    }

    fn set_cell(&mut self, key: Vec<u8>, value: Vec<u8>, cas: u32) -> u32 {
        let cell = self.shared.entry(key).or_default();
        if cas != 0 && cell.1 != 0 && cas != cell.1 {
            return CAS_MISMATCH;
        }
        self.last_cas += 1;
        *cell = (value, self.last_cas);
        OK
    }

    fn metric(&mut self, name: Vec<u8>) -> u32 {
        let next = u32::try_from(self.metrics.len()).unwrap_or(u32::MAX);
        *self.metrics.entry(name).or_insert(next)
    }
}

/// A map as the ABI hands it over.
pub(crate) fn serialise(pairs: &[(&str, &str)]) -> Vec<u8> {
    let sizes = pairs.iter().flat_map(|(name, value)| [name.len(), value.len()]);
    let numbers = std::iter::once(pairs.len()).chain(sizes);
    let mut out: Vec<u8> = numbers
        .flat_map(|number| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes())
        .collect();
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(text.as_bytes());
        out.push(0);
    }
    out
}
