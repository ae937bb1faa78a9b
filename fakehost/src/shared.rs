//! Shared data: one store for all workers, by `vm_id`, with Envoy's compare-and-set.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::status::{Outcome, Status};

/// Values by key, each with the number of the write that made it. There is no deletion: an emptied value
/// stays as a key.
#[derive(Debug, Default)]
pub(crate) struct SharedStore {
    values: BTreeMap<String, Values>,
    last_cas: u32,
    interferences: VecDeque<Vec<u8>>,
    queues: HashMap<(String, String), u32>,
    queued: BTreeMap<u32, VecDeque<Vec<u8>>>,
}

type Values = BTreeMap<Vec<u8>, (Vec<u8>, u32)>;

// === impl SharedStore ===

impl SharedStore {
    pub(crate) fn get(&self, vm_id: &str, key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        self.values
            .get(vm_id)
            .and_then(|values| values.get(key))
            .cloned()
            .ok_or(Status::NotFound)
    }

    /// 0 writes whatever the version; on a missing key any version writes; else it must be the current one. Only a
    /// write that succeeds draws a version.
    pub(crate) fn set(&mut self, vm_id: &str, key: &[u8], value: &[u8], cas: u32) -> Outcome {
        let next = Self::after(self.last_cas);
        let values = self.values.entry(vm_id.to_owned()).or_default();
        if let Some((_, current)) = values.get_mut(key) {
            let at = self
                .interferences
                .iter()
                .position(|prefix| key.starts_with(prefix));
            if cas != 0
                && let Some(at) = at
            {
                self.interferences.remove(at);
                *current = next;
                self.last_cas = next;
            }
            if cas != 0 && cas != *current {
                return Err(Status::CasMismatch);
            }
        }
        values.insert(key.to_vec(), (value.to_vec(), next));
        self.last_cas = next;
        Ok(())
    }

    /// Makes another worker rewrite, just before, each of the next `times` cells under `prefix` that are
    /// written conditionally: a true conflict.
    pub(crate) fn interfere(&mut self, prefix: &str, times: usize) {
        self.interferences
            .extend(std::iter::repeat_n(prefix.as_bytes().to_vec(), times));
    }

    /// All values of a `vm_id`.
    pub(crate) fn contents(&self, vm_id: &str) -> BTreeMap<String, Vec<u8>> {
        self.values
            .get(vm_id)
            .into_iter()
            .flatten()
            .map(|(key, (value, _))| (String::from_utf8_lossy(key).into_owned(), value.clone()))
            .collect()
    }

    pub(crate) fn register_queue(&mut self, vm_id: &str, name: &str) -> u32 {
        let next = u32::try_from(self.queues.len() + 1).expect("too many queues");
        *self
            .queues
            .entry((vm_id.to_owned(), name.to_owned()))
            .or_insert(next)
    }

    pub(crate) fn resolve_queue(&self, vm_id: &str, name: &str) -> Result<u32, Status> {
        self.queues
            .get(&(vm_id.to_owned(), name.to_owned()))
            .copied()
            .ok_or(Status::NotFound)
    }

    pub(crate) fn enqueue(&mut self, queue: u32, value: &[u8]) -> Outcome {
        if !self.queues.values().any(|id| *id == queue) {
            return Err(Status::NotFound);
        }
        self.queued.entry(queue).or_default().push_back(value.to_vec());
        Ok(())
    }

    pub(crate) fn dequeue(&mut self, queue: u32) -> Result<Vec<u8>, Status> {
        if !self.queues.values().any(|id| *id == queue) {
            return Err(Status::NotFound);
        }
        self.queued
            .get_mut(&queue)
            .and_then(VecDeque::pop_front)
            .ok_or(Status::Empty)
    }

    /// One counter for all keys, never 0.
    const fn after(cas: u32) -> u32 {
        if cas == u32::MAX { 1 } else { cas + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_writes_unconditionally() {
        let mut store = SharedStore::default();
        store.set("vm", b"k", b"1", 0).unwrap();
        store.set("vm", b"k", b"2", 0).unwrap();
        assert_eq!(store.get("vm", b"k").unwrap().0, b"2");
    }

    #[test]
    fn any_version_creates_a_missing_key_but_only_once() {
        let mut store = SharedStore::default();
        store.set("vm", b"k", b"1", 12345).unwrap();
        assert_eq!(store.set("vm", b"k", b"2", 12345), Err(Status::CasMismatch));
        assert_eq!(store.get("vm", b"k").unwrap().0, b"1");
    }

    #[test]
    fn versions_come_from_one_counter_for_all_keys() {
        let mut store = SharedStore::default();
        store.set("vm", b"a", b"", 0).unwrap();
        store.set("vm", b"b", b"", 0).unwrap();
        assert_ne!(store.get("vm", b"a").unwrap().1, store.get("vm", b"b").unwrap().1);
    }

    #[test]
    fn a_write_that_is_refused_draws_no_version() {
        let mut store = SharedStore::default();
        store.set("vm", b"k", b"1", 0).unwrap();
        let (_, first) = store.get("vm", b"k").unwrap();
        assert_eq!(store.set("vm", b"k", b"2", first + 7), Err(Status::CasMismatch));
        store.set("vm", b"k", b"2", first).unwrap();
        assert_eq!(store.get("vm", b"k").unwrap().1, first + 1);
    }

    #[test]
    fn an_emptied_value_stays_as_a_key() {
        let mut store = SharedStore::default();
        store.set("vm", b"k", b"1", 0).unwrap();
        store.set("vm", b"k", b"", 0).unwrap();
        assert_eq!(store.get("vm", b"k").unwrap().0, b"");
        assert_eq!(store.contents("vm").len(), 1);
    }

    #[test]
    fn another_vm_id_is_another_store() {
        let mut store = SharedStore::default();
        store.set("vm", b"k", b"1", 0).unwrap();
        assert_eq!(store.get("other", b"k"), Err(Status::NotFound));
    }

    #[test]
    fn an_interference_is_a_true_conflict() {
        let mut store = SharedStore::default();
        store.set("vm", b"k", b"1", 0).unwrap();
        let (_, cas) = store.get("vm", b"k").unwrap();
        store.interfere("k", 1);
        assert_eq!(store.set("vm", b"k", b"2", cas), Err(Status::CasMismatch));
        let (_, newer) = store.get("vm", b"k").unwrap();
        assert_ne!(newer, cas);
        store.set("vm", b"k", b"2", newer).unwrap();
    }
}
