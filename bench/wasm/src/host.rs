//! As much of Envoy as one exchange needs: the imports of the proxy-wasm ABI over maps and buffers in memory.
//!
//! Nothing here says how Envoy behaves in its corners; `fakehost` does. This is to be quick, and to count.

use std::collections::{BTreeMap, HashMap};

use wasmtime::{Caller, Engine, Linker, Memory, Result, TypedFunc};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;

/// Buffers and maps by their numbers in the ABI.
pub(crate) const REQUEST: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const RESPONSE_HEADERS: u32 = 2;
const CALLOUT_BODY: u32 = 4;
const CALLOUT_HEADERS: u32 = 6;
const CONFIGURATION: u32 = 7;

/// Most lines of the filter's log that are kept.
const MAX_LOG: usize = 20;

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

/// The imports that an exchange of the bench needs.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    streams(&mut linker)?;
    process(&mut linker)?;
    outside(&mut linker)?;
    Ok(linker)
}

type Host<'a> = Caller<'a, State>;

/// Headers, bodies, local replies.
fn streams(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut host: Host<'_>, kind: u32, start: u32, max: u32, data: u32, size: u32| {
            host.data_mut().calls.add("get_buffer_bytes");
            let all = host.data().buffer(kind);
            let from = (start as usize).min(all.len());
            let to = from.saturating_add(max as usize).min(all.len());
            let bytes = all.get(from..to).unwrap_or_default().to_vec();
            give(&mut host, &bytes, data, size)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |mut host: Host<'_>, kind: u32, data: u32, size: u32| {
            host.data_mut().calls.add("get_header_map_pairs");
            let bytes = host.data().map(kind).to_vec();
            give(&mut host, &bytes, data, size)
        },
    )?;
    counted(linker, "proxy_set_header_map_pairs", 3)?;
    counted(linker, "proxy_replace_header_map_value", 5)?;
    counted(linker, "proxy_add_header_map_value", 5)?;
    counted(linker, "proxy_remove_header_map_value", 3)?;
    counted(linker, "proxy_set_buffer_bytes", 5)?;
    counted(linker, "proxy_set_property", 4)?;
    counted(linker, "proxy_continue_stream", 1)?;
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |mut host: Host<'_>,
         status: u32,
         _details: u32,
         _details_size: u32,
         body: u32,
         body_size: u32,
         _headers: u32,
         _headers_size: u32,
         _grpc: u32|
         -> Result<u32> {
            host.data_mut().calls.add("send_local_response");
            let body = take(&mut host, body, body_size)?;
            host.data_mut().reply = Some((status, body));
            Ok(OK)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut host: Host<'_>, path: u32, path_size: u32, data: u32, size: u32| -> Result<u32> {
            host.data_mut().calls.add("get_property");
            if take(&mut host, path, path_size)? != b"source\0address" {
                return Ok(NOT_FOUND);
            }
            let address = host.data().client_address.clone();
            give(&mut host, &address, data, size)
        },
    )?;
    Ok(())
}

/// Time, shared data, metrics, the log.
fn process(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |mut host: Host<'_>, time: u32| -> Result<u32> {
            host.data_mut().calls.add("get_current_time");
            let now = host.data().now;
            put(&mut host, time, &now.to_le_bytes())?;
            Ok(OK)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut host: Host<'_>, key: u32, key_size: u32, data: u32, size: u32, cas: u32| -> Result<u32> {
            host.data_mut().calls.add("get_shared_data");
            let key = take(&mut host, key, key_size)?;
            let Some((value, version)) = host.data().shared.get(&key).cloned() else {
                return Ok(NOT_FOUND);
            };
            put(&mut host, cas, &version.to_le_bytes())?;
            give(&mut host, &value, data, size)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |mut host: Host<'_>, key: u32, key_size: u32, value: u32, size: u32, cas: u32| -> Result<u32> {
            host.data_mut().calls.add("set_shared_data");
            let (key, value) = (take(&mut host, key, key_size)?, take(&mut host, value, size)?);
            Ok(host.data_mut().set_cell(key, value, cas))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut host: Host<'_>, _kind: u32, name: u32, size: u32, id: u32| -> Result<u32> {
            host.data_mut().calls.add("define_metric");
            let name = take(&mut host, name, size)?;
            let metric = host.data_mut().metric(name);
            put(&mut host, id, &metric.to_le_bytes())?;
            Ok(OK)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |mut host: Host<'_>, _id: u32, _by: i64| {
            host.data_mut().calls.add("increment_metric");
            OK
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_record_metric",
        |mut host: Host<'_>, _id: u32, _value: u64| {
            host.data_mut().calls.add("record_metric");
            OK
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_log",
        |mut host: Host<'_>, _level: u32, text: u32, size: u32| -> Result<u32> {
            host.data_mut().calls.add("log");
            let line = take(&mut host, text, size)?;
            let log = &mut host.data_mut().log;
            if log.len() < MAX_LOG {
                log.push(String::from_utf8_lossy(&line).into_owned());
            }
            Ok(OK)
        },
    )?;
    Ok(())
}

/// Callouts, and randomness.
fn outside(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |mut host: Host<'_>,
         _cluster: u32,
         _cluster_size: u32,
         headers: u32,
         headers_size: u32,
         body: u32,
         body_size: u32,
         _trailers: u32,
         _trailers_size: u32,
         _timeout: u32,
         token: u32|
         -> Result<u32> {
            host.data_mut().calls.add("http_call");
            let headers = take(&mut host, headers, headers_size)?;
            let body = take(&mut host, body, body_size)?;
            let state = host.data_mut();
            state.last_token += 1;
            let number = state.last_token;
            let path = String::from_utf8_lossy(&headers);
            let path = path.split('\0').find(|text| text.starts_with("/v1/"));
            state.questions.push(Question {
                token: number,
                path: path.unwrap_or_default().to_owned(),
                body,
            });
            put(&mut host, token, &number.to_le_bytes())?;
            Ok(OK)
        },
    )?;
    linker.func_wrap(
        "wasi_snapshot_preview1",
        "random_get",
        |mut host: Host<'_>, to: u32, size: u32| -> Result<u32> {
            // The same in each run, so that runs can be compared.
            let bytes: Vec<u8> = (0..size).map(|at| (at * 37 + 11) as u8).collect();
            put(&mut host, to, &bytes)?;
            Ok(OK)
        },
    )?;
    Ok(())
}

/// A call whose arguments nobody looks at.
fn counted(linker: &mut Linker<State>, import: &'static str, arguments: usize) -> Result<()> {
    let name = import.strip_prefix("proxy_").unwrap_or(import);
    let i32s = vec![wasmtime::ValType::I32; arguments];
    let kind = wasmtime::FuncType::new(linker.engine(), i32s, [wasmtime::ValType::I32]);
    linker.func_new("env", import, kind, move |mut host, _, results| {
        host.data_mut().calls.add(name);
        if let Some(result) = results.first_mut() {
            *result = wasmtime::Val::I32(0);
        }
        Ok(())
    })?;
    Ok(())
}

fn take(host: &mut Host<'_>, from: u32, size: u32) -> Result<Vec<u8>> {
    let Some(guest) = &host.data().guest else {
        return Ok(Vec::new());
    };
    let memory = guest.memory;
    let mut bytes = vec![0; size as usize];
    memory.read(&host, from as usize, &mut bytes)?;
    Ok(bytes)
}

fn put(host: &mut Host<'_>, to: u32, bytes: &[u8]) -> Result<()> {
    if let Some(guest) = &host.data().guest {
        let memory = guest.memory;
        memory.write(host, to as usize, bytes)?;
    }
    Ok(())
}

/// Hands bytes over in memory that the filter allocates for them, as Envoy does.
fn give(host: &mut Host<'_>, bytes: &[u8], data: u32, size: u32) -> Result<u32> {
    let mut at = 0;
    let length = bytes.len() as u32;
    if let (Some(guest), false) = (&host.data().guest, bytes.is_empty()) {
        let allocate = guest.allocate.clone();
        host.data_mut().allocations += 1;
        at = allocate.call(&mut *host, length)?;
        put(host, at, bytes)?;
    }
    put(host, data, &at.to_le_bytes())?;
    put(host, size, &length.to_le_bytes())?;
    Ok(OK)
}
