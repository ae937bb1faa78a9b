//! Imports about the process: time, shared data, queues, metrics, the log.

#![expect(unsafe_code, reason = "imports of the ABI are C symbols")]
// SAFETY of every `no_mangle` here: the name is the ABI's, and no other crate of a test defines it.

use super::memory::{Input, Output, put};
use crate::call::Call;
use crate::status::Status;
use crate::vm::{self, host_call, host_call_never};

#[unsafe(no_mangle)]
extern "C" fn proxy_log(level: u32, message: *const u8, size: usize) -> u32 {
    vm::log(level, &Input::new(message, size).text());
    0
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_log_level(level: *mut u32) -> u32 {
    host_call(Call::GetLogLevel, b"", |_| {
        put(level, 0);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32 {
    host_call(Call::GetCurrentTimeNanoseconds, b"", |vm| {
        put(time, vm.process.now());
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_shared_data(
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
    cas: *mut u32,
) -> u32 {
    let key = Input::new(key, key_size);
    host_call(Call::GetSharedData, key.bytes(), |vm| {
        let (value, version) = vm
            .process
            .shared
            .lock()
            .unwrap()
            .get(&vm.process.vm_id, key.bytes())?;
        Output::new(data, size).give(&value);
        put(cas, version);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_shared_data(
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
    cas: u32,
) -> u32 {
    let (key, value) = (Input::new(key, key_size), Input::new(value, value_size));
    // Only a write that names a version can conflict.
    let impossible = (cas == 0).then_some(Status::CasMismatch);
    host_call_never(impossible, Call::SetSharedData, key.bytes(), |vm| {
        vm.process
            .shared
            .lock()
            .unwrap()
            .set(&vm.process.vm_id, key.bytes(), value.bytes(), cas)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_register_shared_queue(name: *const u8, name_size: usize, id: *mut u32) -> u32 {
    let name = Input::new(name, name_size);
    host_call(Call::RegisterSharedQueue, name.bytes(), |vm| {
        put(
            id,
            vm.process
                .shared
                .lock()
                .unwrap()
                .register_queue(&vm.process.vm_id, &name.text()),
        );
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_resolve_shared_queue(
    vm_id: *const u8,
    vm_id_size: usize,
    name: *const u8,
    name_size: usize,
    id: *mut u32,
) -> u32 {
    let (vm_id, name) = (Input::new(vm_id, vm_id_size), Input::new(name, name_size));
    host_call(Call::ResolveSharedQueue, name.bytes(), |vm| {
        put(
            id,
            vm.process
                .shared
                .lock()
                .unwrap()
                .resolve_queue(&vm_id.text(), &name.text())?,
        );
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_dequeue_shared_queue(queue: u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    host_call(Call::DequeueSharedQueue, b"", |vm| {
        Output::new(data, size).give(&vm.process.shared.lock().unwrap().dequeue(queue)?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_enqueue_shared_queue(queue: u32, value: *const u8, value_size: usize) -> u32 {
    let value = Input::new(value, value_size);
    host_call(Call::EnqueueSharedQueue, b"", |vm| {
        vm.process.shared.lock().unwrap().enqueue(queue, value.bytes())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32 {
    let name = Input::new(name, name_size);
    host_call(Call::DefineMetric, name.bytes(), |vm| {
        let defined = vm
            .process
            .metrics
            .lock()
            .unwrap()
            .define(&mut vm.metric_ids, kind, &name.text())?;
        put(id, defined);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(id: u32, offset: i64) -> u32 {
    host_call(Call::IncrementMetric, b"", |vm| {
        vm.process
            .metrics
            .lock()
            .unwrap()
            .increment(&vm.metric_ids, id, offset)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(id: u32, value: u64) -> u32 {
    host_call(Call::RecordMetric, b"", |vm| {
        vm.process
            .metrics
            .lock()
            .unwrap()
            .record(&vm.metric_ids, id, value)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_metric(id: u32, value: *mut u64) -> u32 {
    host_call(Call::GetMetric, b"", |vm| {
        put(value, vm.process.metrics.lock().unwrap().get(&vm.metric_ids, id)?);
        Ok(())
    })
}
