//! Prices: what tokens cost, exactly, in nano-dollars.

mod catalogue;
mod entry;
mod lookup;
mod rate;
mod rates;
#[cfg(feature = "schema")]
mod schema;
mod spec;
mod unknown;
mod written;

pub use self::catalogue::{Catalogue, InvalidCatalogue};
pub use self::entry::{Mode, Price, Unit};
pub use self::unknown::{Quote, UnknownModel};
pub use self::written::WrittenPrice;
