//! The beginning and the end of contexts: configuration, local replies, resets, the access log, destruction.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::abi::guest;
use crate::callout::Answer;
use crate::chain;
use crate::half::Side;
use crate::seen::Seen;
use crate::stream::{LocalReply, Stream};
use crate::vm::{Root, enter, with, with_stream};

/// Creates a root context with a configuration; the one before is retired. Says whether the filter took it.
pub(crate) fn configure(configuration: &[u8]) -> bool {
    let id = with(|vm| {
        let id = vm.next_context();
        vm.roots.push(Root { id, retired: false });
        id
    });
    enter(id, || guest::proxy_on_context_create(id, 0));
    let (started, _) = enter(id, || guest::proxy_on_vm_start(id, 0));
    with(|vm| vm.configuration = Some(configuration.to_vec()));
    let accepted = started && enter(id, || guest::proxy_on_configure(id, configuration.len())).0;
    with(|vm| {
        vm.configuration = None;
        for root in &mut vm.roots {
            root.retired |= (root.id == id) != accepted;
        }
    });
    drop_unused_roots();
    accepted
}

/// A request begins: its context.
pub(crate) fn open(properties: BTreeMap<Vec<u8>, Vec<u8>>, seen: Arc<Mutex<Seen>>) -> u32 {
    let (id, root) = with(|vm| {
        let root = vm.newest_root().expect("no root context is configured");
        let id = vm.next_context();
        vm.streams.insert(id, Stream::new(root, properties, seen));
        (id, root)
    });
    enter(id, || guest::proxy_on_context_create(id, root));
    id
}

/// A tick of a root context's timer.
pub(crate) fn tick(root: u32) {
    if with(|vm| vm.knows(root)) {
        enter(root, || guest::proxy_on_tick(root));
    }
}

/// A callout's answer arrives, in the root context that owns the call.
pub(crate) fn callout_answered(root: u32, token: u32, answer: Answer) {
    if !with(|vm| vm.knows(root)) {
        return;
    }
    let (headers, body) = (answer.headers.len(), answer.body.len());
    with(|vm| vm.answer = Some(answer));
    enter(root, || {
        guest::proxy_on_http_call_response(root, token, headers, body, 0);
    });
}

/// The proxy answers in the provider's place (`sendLocalReply`).
pub(crate) fn reply(id: u32, reply: &LocalReply) {
    let Some((repeated, response_begun, answer_sent)) = with_stream(id, |stream| {
        for side in Side::BOTH {
            let half = stream.half_mut(side);
            half.aborted |= half.in_callback;
        }
        (
            std::mem::replace(&mut stream.replied_locally, true),
            stream.response.headers.is_some(),
            stream.answer_sent,
        )
    }) else {
        return;
    };
    if repeated {
        with(|vm| vm.process.violation("a second local reply on one stream"));
    }
    if answer_sent {
        return reset(id, &reply.details);
    }
    with_stream(id, |stream| stream.set_details(&reply.details));
    let headers = reply.response_headers();
    if !response_begun {
        // The filter's own response callbacks see it.
        chain::headers(id, Side::Response, headers, reply.body.is_empty());
        if !reply.body.is_empty() {
            chain::data(id, Side::Response, reply.body.clone(), true);
        }
        return;
    }
    // The answer is already in the filter chain: past it, to the client.
    with_stream(id, |stream| {
        stream.answer_sent = true;
        stream.local_complete = true;
        stream.response.headers = Some(headers.clone());
        stream.see(|seen| {
            seen.client.headers = Some(headers);
            seen.client
                .chunks
                .extend((!reply.body.is_empty()).then(|| reply.body.clone()));
            seen.client.ended = true;
        });
    });
    finish(id);
}

/// The proxy cuts the stream off.
pub(crate) fn reset(id: u32, details: &str) {
    with_stream(id, |stream| {
        stream.set_details(details);
        stream.see(|seen| seen.client.reset = true);
    });
    finish(id);
}

/// The client hangs up.
pub(crate) fn hang_up(id: u32) {
    with_stream(id, |stream| {
        stream.set_details("downstream_remote_disconnect");
        stream.see(|seen| seen.client.gone = true);
    });
    finish(id);
}

/// The end of a stream, whatever ended it: `on_log`, then `on_done`, then `on_delete`.
pub(crate) fn finish(id: u32) {
    let mut stuck = 0;
    let ending = with_stream(id, |stream| {
        stream.over = true;
        stream.log_phase = true;
        stream.see(|seen| {
            let provider_done = stream.response.complete && !stream.replied_locally && seen.upstream.ended;
            let lost = stream.request.buffered.as_ref().map_or(0, Vec::len);
            if provider_done && lost > 0 {
                stuck = lost;
            }
            seen.upstream.cancelled = seen.upstream.reached() && !provider_done;
            seen.over = true;
        });
        for side in Side::BOTH {
            stream.half_mut(side).access.frame = false;
            stream.half_mut(side).access.buffering = false;
        }
    });
    if ending.is_none() {
        return;
    }
    if stuck > 0 {
        // Resuming while the body still comes, and then returning Continue, leaves bytes in the buffer.
        with(|vm| {
            vm.process
                .violation(format!("{stuck} bytes of the request never left the buffer"));
        });
    }
    enter(id, || guest::proxy_on_log(id));
    with(|vm| {
        if let Some(stream) = vm.streams.get_mut(&id) {
            stream.log_phase = false;
        }
    });
    enter(id, || guest::proxy_on_done(id));
    enter(id, || guest::proxy_on_delete(id));
    with(|vm| vm.streams.remove(&id));
    drop_unused_roots();
}

/// A VM dies: clients of its streams get 503 or a cut answer, and no callback of the filter runs any more.
pub(crate) fn crash() {
    with(|vm| {
        for stream in vm.streams.values_mut().filter(|stream| !stream.over) {
            stream.over = true;
            let answered = stream.answer_sent;
            stream.see(|seen| {
                seen.over = true;
                seen.upstream.cancelled = seen.upstream.reached();
                if answered {
                    seen.client.reset = true;
                } else {
                    let reply = LocalReply::plain(503, "", "wasm_fail_stream");
                    seen.client.headers = Some(reply.response_headers());
                    seen.client.ended = true;
                    seen.details = reply.details;
                }
            });
        }
        vm.process.forget_vm(vm.id);
    });
}

/// Old roots go when their last stream has ended; their callouts are cancelled.
fn drop_unused_roots() {
    while let Some(root) = with(|vm| {
        vm.roots
            .iter()
            .find(|root| root.retired && !vm.streams.values().any(|stream| stream.root == root.id))
            .map(|root| root.id)
    }) {
        enter(root, || guest::proxy_on_done(root));
        enter(root, || guest::proxy_on_delete(root));
        with(|vm| {
            vm.roots.retain(|other| other.id != root);
            vm.process.clock.lock().unwrap().stop(vm.id, root);
            let vm_id = vm.id;
            vm.process
                .callouts
                .lock()
                .unwrap()
                .retain(|callout| (callout.vm, callout.root) != (vm_id, root));
        });
    }
}
