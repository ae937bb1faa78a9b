//! Webhooks: whoever subscribed is told of notifications (`budget.threshold`, `lease.reclaimed`, …) over HTTP.
//!
//! The form is that of Standard Webhooks (<https://www.standardwebhooks.com>): a JSON body with `id`, `type`,
//! `timestamp` and `data`; the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, an HMAC-SHA256
//! of all three parts. The id is the notification's and the same at every attempt, so that a receiver recognises
//! a repeated delivery.
//!
//! Deliveries are rows of the ledger: they survive a restart, any sidecar may make them, and one that is claimed
//! by a sidecar which then dies is claimed by another. What could not be delivered stays as a dead letter until
//! somebody sends it again.

mod attempt;
mod deliver;
mod schedule;
mod secret;

pub use self::deliver::{Deliverer, DelivererTask};
pub use self::schedule::Schedule;
pub use self::secret::{InvalidSecret, SigningSecret};
