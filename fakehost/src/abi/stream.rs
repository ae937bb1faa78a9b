//! Imports about one stream: headers, bodies, going on, answering.

#![expect(unsafe_code, reason = "imports of the ABI are C symbols")]
// SAFETY of every `no_mangle` here: the name is the ABI's, and no other crate of a test defines it.

use super::memory::{Input, Output};
use crate::buffer;
use crate::call::Call;
use crate::half::Side;
use crate::headers::HeaderMap;
use crate::status::{Outcome, Status};
use crate::stream::LocalReply;
use crate::vm::{Action, Vm, host_call, readable_map, writable_map};

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const CALLOUT_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;

#[unsafe(no_mangle)]
extern "C" fn proxy_get_buffer_bytes(
    kind: u32,
    start: usize,
    max: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    host_call(Call::GetBufferBytes, b"", |vm| {
        let bytes = readable_buffer(vm, kind)?;
        Output::new(data, size).give(buffer::read(bytes, start, max)?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_buffer_bytes(
    kind: u32,
    start: usize,
    length: usize,
    data: *const u8,
    size: usize,
) -> u32 {
    let data = Input::new(data, size);
    host_call(Call::SetBufferBytes, b"", |vm| {
        let stream = vm.stream_mut().ok_or(Status::BadArgument)?;
        let half = match kind {
            REQUEST_BODY => &mut stream.request,
            RESPONSE_BODY => &mut stream.response,
            _ => return Err(Status::BadArgument),
        };
        buffer::write(
            half.body_mut().ok_or(Status::BadArgument)?,
            start,
            length,
            data.bytes(),
        )
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_pairs(kind: u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    host_call(Call::GetHeaderMapPairs, b"", |vm| {
        let pairs = readable_map(vm, kind)?.map(HeaderMap::to_wire);
        Output::new(data, size).give(&pairs.unwrap_or_default());
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_header_map_pairs(kind: u32, data: *const u8, size: usize) -> u32 {
    let pairs = Input::new(data, size);
    host_call(Call::SetHeaderMapPairs, b"", |vm| {
        let map = writable_map(vm, kind)?;
        *map = HeaderMap::from_wire(pairs.bytes()).ok_or(Status::ParseFailure)?;
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_value(
    kind: u32,
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let key = Input::new(key, key_size);
    host_call(Call::GetHeaderMapValue, key.bytes(), |vm| {
        let value = readable_map(vm, kind)?
            .and_then(|map| map.first(key.bytes()))
            .ok_or(Status::NotFound)?;
        Output::new(data, size).give(value);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_add_header_map_value(
    kind: u32,
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    let (key, value) = (Input::new(key, key_size), Input::new(value, value_size));
    host_call(Call::AddHeaderMapValue, key.bytes(), |vm| {
        writable_map(vm, kind)?.add(key.bytes(), value.bytes());
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_replace_header_map_value(
    kind: u32,
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    let (key, value) = (Input::new(key, key_size), Input::new(value, value_size));
    host_call(Call::ReplaceHeaderMapValue, key.bytes(), |vm| {
        writable_map(vm, kind)?.set(key.bytes(), value.bytes());
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_remove_header_map_value(kind: u32, key: *const u8, key_size: usize) -> u32 {
    let key = Input::new(key, key_size);
    host_call(Call::RemoveHeaderMapValue, key.bytes(), |vm| {
        writable_map(vm, kind)?.remove(key.bytes());
        Ok(())
    })
}

/// Deferred to the end of the callback. Envoy forgets its pointers to the *request* in any case.
#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(kind: u32) -> u32 {
    host_call(Call::ContinueStream, b"", |vm| {
        let side = http_side(kind)?;
        let context = vm.context();
        let Some(stream) = vm.stream_mut() else {
            return Ok(());
        };
        stream.request.access.headers = false;
        stream.request.access.trailers = false;
        stream.request.access.frame = false;
        vm.actions.push_back(Action::Continue(context, side));
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_close_stream(kind: u32) -> u32 {
    host_call(Call::CloseStream, b"", |vm| {
        http_side(kind)?;
        let context = vm.context();
        if vm.stream().is_some() {
            vm.actions.push_back(Action::Reset(context));
        }
        Ok(())
    })
}

/// Deferred to the end of the callback, whose return value then counts for nothing.
#[unsafe(no_mangle)]
extern "C" fn proxy_send_local_response(
    status: u32,
    details: *const u8,
    details_size: usize,
    body: *const u8,
    body_size: usize,
    headers: *const u8,
    headers_size: usize,
    _grpc_status: i32,
) -> u32 {
    let (details, body, headers) = (
        Input::new(details, details_size),
        Input::new(body, body_size),
        Input::new(headers, headers_size),
    );
    host_call(Call::SendLocalResponse, b"", |vm| {
        let reply = LocalReply {
            status: u16::try_from(status).map_err(|_| Status::BadArgument)?,
            headers: HeaderMap::from_wire(headers.bytes()).ok_or(Status::ParseFailure)?,
            body: body.bytes().to_vec(),
            // Envoy's `StringUtil::replaceAllEmptySpace`.
            details: details.text().replace(char::is_whitespace, "_"),
        };
        vm.stop_next = true;
        send_reply(vm, reply)
    })
}

fn send_reply(vm: &mut Vm, reply: LocalReply) -> Outcome {
    let context = vm.context();
    if vm.stream().is_some() {
        vm.actions.push_back(Action::Reply(context, reply));
    }
    Ok(())
}

fn http_side(kind: u32) -> Result<Side, Status> {
    match kind {
        0 => Ok(Side::Request),
        1 => Ok(Side::Response),
        _ => Err(Status::BadArgument),
    }
}

fn readable_buffer(vm: &Vm, kind: u32) -> Result<&[u8], Status> {
    let bytes = match kind {
        REQUEST_BODY => vm.stream().map(|stream| stream.request.body()),
        RESPONSE_BODY => vm.stream().map(|stream| stream.response.body()),
        CALLOUT_BODY => {
            return vm
                .answer
                .as_ref()
                .map(|answer| answer.body.as_slice())
                .ok_or(Status::NotFound);
        }
        VM_CONFIGURATION => return Ok(&[]),
        PLUGIN_CONFIGURATION => return vm.configuration.as_deref().ok_or(Status::NotFound),
        _ => return Err(Status::BadArgument),
    };
    // In a wrong phase a body reads as empty, not as an error.
    Ok(bytes.flatten().map(Vec::as_slice).unwrap_or_default())
}
