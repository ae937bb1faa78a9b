//! The ledger: what must not be lost, in SQLite or PostgreSQL.
//!
//! Both engines run the same statements. The statements are written once, with `$1` parameters and no
//! engine's own functions, inside [`read!`] or [`transact!`], which expand them for each engine's
//! connection; only the migrations differ (`migrations/sqlite`, `migrations/postgres`), so that each engine
//! has its own best types. Times are stored as integers: milliseconds since the Unix epoch, UTC.
//!
//! Order is never taken from a clock or from an engine's own row numbers: see [`Counter`].

//!
//! Budgets follow `tollgate_core::budget::ledger`, whose rules are values: a transaction here locks rows, calls
//! them, and writes what changed ([`accounts`]).

/// A list of values in parentheses, for `IN`.
macro_rules! push_in {
    ($builder:expr, $values:expr) => {{
        let builder = &mut $builder;
        builder.push("(");
        let mut list = builder.separated(", ");
        for value in $values {
            list.push_bind(value);
        }
        builder.push(")");
    }};
}

#[macro_use]
mod engine;
#[macro_use]
pub mod workspaces;
mod account_rows;
mod accounts;
pub mod admin;
pub mod api_tokens;
mod applying;
pub mod audit;
mod books;
pub mod budgets;
pub mod change;
mod clock;
mod conversation_deletions;
pub mod conversations;
mod declared;
pub mod deliveries;
pub mod deposits;
mod error;
pub mod events;
mod feed;
pub mod key_status;
pub mod keys;
pub mod leases;
pub mod limits;
pub mod log;
mod make;
pub mod moderation_policies;
pub mod notifications;
pub mod operators;
pub mod policy;
pub mod prices;
pub mod raises;
mod refusals;
pub mod replies;
pub mod rollups;
mod rows;
pub mod secrets;
mod seen;
pub mod sessions;
mod settle;
pub mod users;
pub mod verdicts;
pub mod webhooks;

use tollgate_core::time::UnixMillis;

pub use self::engine::Ledger;
pub use self::error::LedgerError;
pub use self::workspaces::Workspaces;

/// A number that is taken in the transaction that uses it, by writing the counter's row. The row stays
/// locked until that transaction commits, so numbers become visible in their order: whoever has seen *n* has
/// seen every number below it. This is what makes cursors and the feed of key changes miss nothing, with any
/// number of sidecars on one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counter {
    KeyVersion,
    BudgetVersion,
    PolicyVersion,
    Event,
    RolledUp,
    Verdict,
    ModerationVersion,
    Lease,
    Notification,
    WebhookFanOut,
    Audit,
    Conversation,
}

// === impl Counter ===

impl Counter {
    const fn name(self) -> &'static str {
        match self {
            Self::KeyVersion => "key_version",
            Self::BudgetVersion => "budget_version",
            Self::PolicyVersion => "policy_version",
            Self::Event => "event",
            Self::RolledUp => "rolled_up",
            Self::Verdict => "verdict",
            Self::ModerationVersion => "moderation_version",
            Self::Lease => "lease",
            Self::Notification => "notification",
            Self::WebhookFanOut => "webhook_fan_out",
            Self::Audit => "audit",
            Self::Conversation => "conversation",
        }
    }
}

/// Takes `$n` numbers from a counter; the last of them is the answer.
const TAKE: &str = "UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value";

/// The last number that was taken from a counter.
const LAST: &str = "SELECT value FROM counters WHERE name = $1";

/// Values in one list of a SELECT, and rows in one INSERT of a dozen values each: SQLite takes 32,766 values.
const LIST: usize = 2_000;

/// Keys in one condition: SQLite takes an expression of a thousand terms.
const KEYS: usize = 200;

/// A number as the database holds it; larger than that nothing is.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number from the database, where none is negative.
pub(crate) fn amount(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A time from the database.
fn millis(value: i64) -> UnixMillis {
    UnixMillis(amount(value))
}
