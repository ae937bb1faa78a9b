//! The purse: the leases of one Envoy, in the cells that its workers share.
//!
//! A request's way through it:
//!
//! 1. [`BudgetSets::get`] (or [`SharedSets::read`]) says which budgets apply, [`Subleases::reserve`] reserves from all of them or from none.
//! 2. [`NotReserved::Short`] (or no set known): [`Purse::ask`] makes the question for the ledger,
//!    [`Purse::install`] takes its answer in, and the request reserves again, with less output where that is all
//!    there is ([`Subleases::left`], [`affordable_output`]). It asks again where other requests were faster, a few
//!    times at most. [`Purse::stop_waiting`] ends it in every case.
//! 3. The open record goes to the journal with [`Reservation::charges_if_lost`]; only then the provider is called.
//! 4. The event goes to the journal with [`Reservation::charges`], and after that [`Subleases::settle`] frees what was
//!    not used. In this order: a worker that dies between the two leaves money locked, never counted as free.
//!
//! Where a lease has plenty, most requests take the same way in a worker's own memory: [`Subleases`] are what it has
//! reserved beside, and it writes down on its tick what became of that.
//!
//! One worker of each Envoy reports on its tick, [`Purse::report`] and [`Purse::reported`]; a report too many does
//! no harm. When the journal finds a worker dead, and before it adopts its records, [`Purse::worker_lost`] frees its
//! part here.

mod entry;
mod held;
mod recent;
mod reservation;
mod reserve;
mod set;
mod shared_sets;
mod shelf;
mod standing;
mod sublease;
mod talk;

pub use held::WorkerTag;
pub use reservation::Reservation;
pub use reserve::{NotReserved, WhenShort};
pub use set::{BudgetSet, BudgetSets, affordable_output};
pub use shared_sets::{SharedSet, SharedSets};
pub use standing::Standing;
pub use sublease::Subleases;
pub use talk::Waiting;

use self::shelf::Shelf;
use crate::cells::{CellError, Cells, Update, Version, update};

/// Changes with the layout of entries: cells of another layout are another purse, and another instance.
const FORMAT: u8 = 3;

/// The leases of one Envoy.
#[derive(Debug)]
pub struct Purse {
    shelf: Shelf,
    instance_key: String,
    version_key: String,
    reservation_ttl_ms: u64,
}

// === impl Purse ===

impl Purse {
    /// A purse in the cells `prefix/…`, with room for the leases of `max_budgets`. No exchange lasts longer than
    /// `reservation_ttl_ms`: what is reserved by then is taken for spent.
    pub fn new(prefix: &str, max_budgets: u32, reservation_ttl_ms: u64) -> Self {
        let prefix = format!("{prefix}/b{FORMAT}");
        Self {
            shelf: Shelf::new(format!("{prefix}/s"), max_budgets),
            instance_key: format!("{prefix}/i"),
            version_key: format!("{prefix}/v"),
            reservation_ttl_ms,
        }
    }

    /// The name of this Envoy process towards the ledger: the first worker's `random`, for all of them, for as
    /// long as the cells live. It must be as old as the leases are: a new process has none.
    ///
    /// # Errors
    /// The host's.
    pub fn instance<C>(&self, cells: &C, random: u128) -> Result<String, CellError>
    where
        C: Cells + ?Sized,
    {
        let known = cells.get(&self.instance_key)?;
        if let Some(name) = instance_name(&known.bytes) {
            return Ok(name);
        }
        match cells.set(&self.instance_key, &random.to_le_bytes(), Version::ABSENT) {
            Ok(()) | Err(CellError::Conflict) => {}
            Err(CellError::Unavailable) => return Err(CellError::Unavailable),
        }
        // Another worker may have been first.
        let known = cells.get(&self.instance_key)?;
        instance_name(&known.bytes).ok_or(CellError::Unavailable)
    }

    /// The version of the budgets' definitions, as any worker has last heard it: for
    /// [`BudgetSets::forget_older`], on every worker's tick.
    ///
    /// # Errors
    /// The host's.
    pub fn version<C>(&self, cells: &C) -> Result<u64, CellError>
    where
        C: Cells + ?Sized,
    {
        Ok(read_version(&cells.get(&self.version_key)?.bytes))
    }

    /// As [`Purse::version`]; `None` before any worker has heard one.
    ///
    /// # Errors
    /// The host's.
    pub fn known_version<C>(&self, cells: &C) -> Result<Option<u64>, CellError>
    where
        C: Cells + ?Sized,
    {
        let cell = cells.get(&self.version_key)?;
        Ok((!cell.bytes.is_empty()).then(|| read_version(&cell.bytes)))
    }

    /// Keeps a version that the ledger told, if it is newer.
    ///
    /// # Errors
    /// The host's.
    pub fn learn_version<C>(&self, cells: &C, version: u64) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        update(cells, &self.version_key, |bytes| {
            if !bytes.is_empty() && read_version(bytes) >= version {
                return Update::Keep(());
            }
            Update::Write(version.to_le_bytes().to_vec(), ())
        })
    }
}

fn instance_name(bytes: &[u8]) -> Option<String> {
    let random: [u8; 16] = bytes.try_into().ok()?;
    Some(hex::encode(random))
}

fn read_version(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests;
