//! The imports of the proxy-wasm ABI, over the host's [`State`].

use wasmtime::{Caller, Engine, Linker, Result};

use super::{OK, Question, State};

const NOT_FOUND: u32 = 1;

/// Most lines of the filter's log that are kept.
const MAX_LOG: usize = 20;

type Host<'a> = Caller<'a, State>;

/// The imports that an exchange of the bench needs.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    streams(&mut linker)?;
    process(&mut linker)?;
    outside(&mut linker)?;
    Ok(linker)
}

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
