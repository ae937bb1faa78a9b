//! Imports about contexts: ticks, callouts, properties, and what no HTTP filter of ours uses.

#![expect(unsafe_code, reason = "imports of the ABI are C symbols")]
// SAFETY of every `no_mangle` here: the name is the ABI's, and no other crate of a test defines it.

use std::time::Duration;

use super::memory::{Input, Output, put};
use crate::call::Call;
use crate::callout::{self, CalloutRequest};
use crate::headers::HeaderMap;
use crate::status::{Outcome, Status};
use crate::vm::{Vm, host_call};

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(period: u32) -> u32 {
    host_call(Call::SetTickPeriodMilliseconds, b"", |vm| {
        let root = vm.root_of_context().ok_or(Status::BadArgument)?;
        let period = Duration::from_millis(period.into());
        vm.process.clock.lock().unwrap().tick_every(vm.id, root, period);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(context: u32) -> u32 {
    host_call(Call::SetEffectiveContext, b"", |vm| {
        if !vm.knows(context) {
            return Err(Status::BadArgument);
        }
        vm.effective = context;
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_http_call(
    cluster: *const u8,
    cluster_size: usize,
    headers: *const u8,
    headers_size: usize,
    body: *const u8,
    body_size: usize,
    _trailers: *const u8,
    _trailers_size: usize,
    timeout: u32,
    token: *mut u32,
) -> u32 {
    let (cluster, headers, body) = (
        Input::new(cluster, cluster_size),
        Input::new(headers, headers_size),
        Input::new(body, body_size),
    );
    host_call(Call::HttpCall, cluster.bytes(), |vm| {
        let request = CalloutRequest {
            cluster: cluster.text(),
            headers: HeaderMap::from_wire(headers.bytes()).ok_or(Status::BadArgument)?,
            body: body.bytes().to_vec(),
            timeout: Duration::from_millis(timeout.into()),
        };
        put(token, callout::dispatch(vm, request)?);
        Ok(())
    })
}

/// A property of the stream, its filter state (by the name that it was set by), of the process or the plugin.
#[unsafe(no_mangle)]
extern "C" fn proxy_get_property(
    path: *const u8,
    path_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let path = Input::new(path, path_size);
    host_call(Call::GetProperty, path.bytes(), |vm| {
        let value = property(vm, path.bytes()).ok_or(Status::NotFound)?;
        Output::new(data, size).give(&value);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_property(
    path: *const u8,
    path_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    let (path, value) = (Input::new(path, path_size), Input::new(value, value_size));
    host_call(Call::SetProperty, path.bytes(), |vm| {
        let stream = vm.stream().ok_or(Status::NotFound)?;
        stream.see(|seen| seen.filter_state.insert(path.text(), value.bytes().to_vec()));
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_status(code: *mut u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    host_call(Call::GetStatus, b"", |_| {
        put(code, 0);
        Output::new(data, size).give(b"");
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_done() -> u32 {
    host_call(Call::Done, b"", |_| Ok(()))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_call_foreign_function(
    name: *const u8,
    name_size: usize,
    _arguments: *const u8,
    _arguments_size: usize,
    _data: *mut *mut u8,
    _size: *mut usize,
) -> u32 {
    host_call(
        Call::CallForeignFunction,
        Input::new(name, name_size).bytes(),
        |_| Err(Status::NotFound),
    )
}

#[unsafe(no_mangle)]
extern "C" fn proxy_grpc_call(
    _upstream: *const u8,
    _upstream_size: usize,
    _service: *const u8,
    _service_size: usize,
    _method: *const u8,
    _method_size: usize,
    _metadata: *const u8,
    _metadata_size: usize,
    _message: *const u8,
    _message_size: usize,
    _timeout: u32,
    _token: *mut u32,
) -> u32 {
    host_call(Call::GrpcCall, b"", no_grpc)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_grpc_stream(
    _upstream: *const u8,
    _upstream_size: usize,
    _service: *const u8,
    _service_size: usize,
    _method: *const u8,
    _method_size: usize,
    _metadata: *const u8,
    _metadata_size: usize,
    _token: *mut u32,
) -> u32 {
    host_call(Call::GrpcStream, b"", no_grpc)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_grpc_send(_token: u32, _message: *const u8, _size: usize, _end_stream: bool) -> u32 {
    host_call(Call::GrpcSend, b"", no_grpc)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_grpc_cancel(_token: u32) -> u32 {
    host_call(Call::GrpcCancel, b"", no_grpc)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_grpc_close(_token: u32) -> u32 {
    host_call(Call::GrpcClose, b"", no_grpc)
}

/// There is no gRPC cluster here.
fn no_grpc(_: &mut Vm) -> Outcome {
    Err(Status::InternalFailure)
}

fn property(vm: &Vm, path: &[u8]) -> Option<Vec<u8>> {
    let of_stream = vm.stream().and_then(|stream| {
        let state = stream.see(|seen| seen.filter_state.get(&*String::from_utf8_lossy(path)).cloned());
        stream.properties.get(path).cloned().or(state)
    });
    of_stream
        .or_else(|| vm.process.properties.get(path).cloned())
        .or_else(|| vm.properties_of_plugin.get(path).cloned())
}
