//! Metrics: one of a name in the whole process, ids of its own in every VM.

use std::collections::{BTreeMap, HashMap};

use crate::status::{Outcome, Status};

/// The low bits of an id are the metric's type, as in Envoy.
const TYPE_BITS: u32 = 2;
const TYPE_MASK: u32 = (1 << TYPE_BITS) - 1;

/// A metric's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metric {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(u64),
    /// Every value that was recorded.
    Histogram(Vec<u64>),
}

/// All metrics of the process, by name.
#[derive(Debug, Default)]
pub(crate) struct MetricStore {
    by_name: BTreeMap<String, Metric>,
}

/// The ids that one VM was given.
#[derive(Debug, Default)]
pub(crate) struct MetricIds {
    names: HashMap<u32, String>,
}

// === impl Metric ===

impl Metric {
    /// The value of a counter or gauge; the number of values of a histogram.
    pub fn value(&self) -> u64 {
        match self {
            Self::Counter(value) | Self::Gauge(value) => *value,
            Self::Histogram(values) => values.len() as u64,
        }
    }

    fn new(kind: u32) -> Result<Self, Status> {
        match kind {
            0 => Ok(Self::Counter(0)),
            1 => Ok(Self::Gauge(0)),
            2 => Ok(Self::Histogram(Vec::new())),
            _ => Err(Status::BadArgument),
        }
    }
}

// === impl MetricStore ===

impl MetricStore {
    /// Every definition gets a new id, also that of a known name.
    pub(crate) fn define(&mut self, ids: &mut MetricIds, kind: u32, name: &str) -> Result<u32, Status> {
        let fresh = Metric::new(kind)?;
        self.by_name.entry(name.to_owned()).or_insert(fresh);
        let id = (u32::try_from(ids.names.len() + 1).expect("too many metrics") << TYPE_BITS) | kind;
        ids.names.insert(id, name.to_owned());
        Ok(id)
    }

    /// Adding nothing to a counter is refused, as is any increment of a histogram.
    pub(crate) fn increment(&mut self, ids: &MetricIds, id: u32, offset: i64) -> Outcome {
        if id & TYPE_MASK > 1 {
            return Err(Status::BadArgument);
        }
        match self.metric(ids, id)? {
            Metric::Counter(_) if offset <= 0 => Err(Status::BadArgument),
            Metric::Counter(value) | Metric::Gauge(value) => {
                *value = value.saturating_add_signed(offset);
                Ok(())
            }
            Metric::Histogram(_) => Err(Status::BadArgument),
        }
    }

    /// Adds to a counter, sets a gauge, adds a value to a histogram.
    pub(crate) fn record(&mut self, ids: &MetricIds, id: u32, value: u64) -> Outcome {
        match self.metric(ids, id)? {
            Metric::Counter(sum) => *sum += value,
            Metric::Gauge(current) => *current = value,
            Metric::Histogram(values) => values.push(value),
        }
        Ok(())
    }

    /// A histogram cannot be read.
    pub(crate) fn get(&mut self, ids: &MetricIds, id: u32) -> Result<u64, Status> {
        match self.metric(ids, id)? {
            Metric::Counter(value) | Metric::Gauge(value) => Ok(*value),
            Metric::Histogram(_) => Err(Status::BadArgument),
        }
    }

    pub(crate) fn all(&self) -> &BTreeMap<String, Metric> {
        &self.by_name
    }

    fn metric(&mut self, ids: &MetricIds, id: u32) -> Result<&mut Metric, Status> {
        ids.names
            .get(&id)
            .and_then(|name| self.by_name.get_mut(name))
            .ok_or(Status::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_metric_in_all_vms() {
        let mut store = MetricStore::default();
        let (mut a, mut b) = (MetricIds::default(), MetricIds::default());
        let in_a = store.define(&mut a, 0, "requests").unwrap();
        let in_b = store.define(&mut b, 0, "requests").unwrap();
        store.increment(&a, in_a, 1).unwrap();
        store.increment(&b, in_b, 2).unwrap();
        assert_eq!(store.all().get("requests"), Some(&Metric::Counter(3)));
    }

    #[test]
    fn adding_nothing_to_a_counter_is_refused() {
        let mut store = MetricStore::default();
        let mut ids = MetricIds::default();
        let counter = store.define(&mut ids, 0, "c").unwrap();
        let gauge = store.define(&mut ids, 1, "g").unwrap();
        assert_eq!(store.increment(&ids, counter, 0), Err(Status::BadArgument));
        assert_eq!(store.increment(&ids, gauge, 0), Ok(()));
    }

    #[test]
    fn an_unknown_id_is_not_found() {
        let mut store = MetricStore::default();
        assert_eq!(store.record(&MetricIds::default(), 4, 1), Err(Status::NotFound));
    }
}
