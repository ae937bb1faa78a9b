//! Failures on demand: any host call can be made to return a status.

use crate::call::Call;
use crate::status::Status;

/// A failure that a test orders: which call fails, with what, when, how often.
#[derive(Debug, Clone)]
pub struct Fault {
    target: Target,
    status: Option<Status>,
    skip: u64,
    times: u64,
    key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    One(Call),
    /// Whatever call comes, of those that Envoy could fail.
    Any,
}

/// The failures that are still to come.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pending: Vec<Fault>,
    struck: Vec<(Call, Status)>,
}

// === impl Fault ===

impl Fault {
    /// The next such call returns `status`.
    pub const fn new(call: Call, status: Status) -> Self {
        Self {
            target: Target::One(call),
            status: Some(status),
            skip: 0,
            times: 1,
            key: None,
        }
    }

    /// The next call of any kind fails with [`Call::plausible_failure`]; calls without one do not count.
    pub const fn any() -> Self {
        Self {
            target: Target::Any,
            status: None,
            skip: 0,
            times: 1,
            key: None,
        }
    }

    /// Lets this many such calls succeed first.
    #[must_use]
    pub const fn after(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Fails this many calls in a row.
    #[must_use]
    pub const fn times(mut self, calls: u64) -> Self {
        self.times = calls;
        self
    }

    /// Fails every call from then on.
    #[must_use]
    pub const fn for_ever(self) -> Self {
        self.times(u64::MAX)
    }

    /// Only for keys (shared data), names (headers, properties, metrics) or clusters that begin so.
    #[must_use]
    pub fn on(mut self, prefix: &str) -> Self {
        self.key = Some(prefix.to_owned());
        self
    }

    fn strike(&mut self, call: Call, key: &[u8], impossible: Option<Status>) -> Option<Status> {
        let matches = self.target == Target::Any || self.target == Target::One(call);
        let status = self
            .status
            .or_else(|| call.plausible_failure())
            .filter(|status| Some(*status) != impossible)?;
        if !matches
            || self
                .key
                .as_ref()
                .is_some_and(|prefix| !key.starts_with(prefix.as_bytes()))
        {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times = self.times.checked_sub(1)?;
        Some(status)
    }
}

// === impl Faults ===

impl Faults {
    pub(crate) fn order(&mut self, fault: Fault) {
        self.pending.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.pending.clear();
    }

    /// The failures that came to pass, in order.
    pub(crate) fn struck(&self) -> &[(Call, Status)] {
        &self.struck
    }

    pub(crate) fn strike(&mut self, call: Call, key: &[u8], impossible: Option<Status>) -> Option<Status> {
        let status = self
            .pending
            .iter_mut()
            .find_map(|fault| fault.strike(call, key, impossible))?;
        self.pending.retain(|fault| fault.times > 0);
        self.struck.push((call, status));
        Some(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_strikes_and_is_spent() {
        let mut faults = Faults::default();
        faults.order(
            Fault::new(Call::SetSharedData, Status::CasMismatch)
                .after(1)
                .times(2),
        );
        let struck: Vec<bool> = (0..5)
            .map(|_| faults.strike(Call::SetSharedData, b"k", None).is_some())
            .collect();
        assert_eq!(struck, [false, true, true, false, false]);
    }

    #[test]
    fn a_fault_on_a_key_spares_others() {
        let mut faults = Faults::default();
        faults.order(Fault::new(Call::GetSharedData, Status::NotFound).on("limit:"));
        assert_eq!(faults.strike(Call::GetSharedData, b"key:1", None), None);
        assert_eq!(
            faults.strike(Call::GetSharedData, b"limit:1", None),
            Some(Status::NotFound)
        );
    }

    #[test]
    fn a_write_without_a_version_cannot_conflict() {
        let mut faults = Faults::default();
        faults.order(Fault::any());
        let impossible = Some(Status::CasMismatch);
        assert_eq!(faults.strike(Call::SetSharedData, b"k", impossible), None);
        assert_eq!(faults.strike(Call::SetSharedData, b"k", None), impossible);
    }

    #[test]
    fn any_call_means_any_that_envoy_could_fail() {
        let mut faults = Faults::default();
        faults.order(Fault::any());
        assert_eq!(faults.strike(Call::GetCurrentTimeNanoseconds, b"", None), None);
        assert_eq!(
            faults.strike(Call::GetHeaderMapPairs, b"", None),
            Some(Status::BadArgument)
        );
    }
}
