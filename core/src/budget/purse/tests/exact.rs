//! A worker without subleases: it reserves and settles everything in the cells, as others do where a lease is not ample.

use super::*;

impl Purse {
    pub(super) fn reserve(
        &self,
        cells: &MemoryCells,
        set: &BudgetSet,
        need: &Amounts,
        when_short: WhenShort,
        worker: WorkerTag,
        now: UnixMillis,
    ) -> Result<Reservation, NotReserved> {
        Subleases::none(worker).reserve(self, cells, set, need, when_short, now)
    }

    pub(super) fn settle(
        &self,
        cells: &MemoryCells,
        reservation: Reservation,
        used: &Amounts,
        now: UnixMillis,
    ) {
        Subleases::none(ME).settle(self, cells, reservation, used, now);
    }

    pub(super) fn cancel(&self, cells: &MemoryCells, reservation: Reservation, now: UnixMillis) {
        Subleases::none(ME).cancel(self, cells, reservation, now);
    }

    pub(super) fn standings<'a>(
        &self,
        cells: &MemoryCells,
        set: &'a BudgetSet,
    ) -> Result<Vec<Standing<'a>>, CellError> {
        Subleases::none(ME).standings(self, cells, set)
    }

    pub(super) fn left(
        &self,
        cells: &MemoryCells,
        set: &BudgetSet,
        now: UnixMillis,
    ) -> Result<Amounts, CellError> {
        Subleases::none(ME).left(self, cells, set, now)
    }
}
