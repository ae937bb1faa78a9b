//! Rollups: sums over events by minute, hour and day, and by what operators ask for.
//!
//! They are written some thousands of events at a time ([`write`]), at the latest before they are read, so that they are
//! the events' sums whenever anybody looks; [`read`] puts statistics together from them. Each group has rows of its own, once for all workspaces and
//! once for its own workspace, so that a year by model is a few thousand rows, however many keys there are. Sums over a
//! period are put together from the longest rollups that fit into it ([`pieces`]): a year by key is a tenth of its days.

mod fold;
mod pieces;
pub mod read;
pub mod sketch;
pub(super) mod spend;
pub mod sums;
pub mod usage;
pub(super) mod write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::time::UnixMillis;

pub(super) use self::fold::CountedEvent;

/// Groups' names are kept up to this many bytes: an index of PostgreSQL takes no more than 2,704 bytes a row.
const GROUP_BYTES: usize = 512;

const NANOS: u64 = 1_000_000_000;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Rollups of this length nobody asks for by name. They have no latencies, for only what is told by interval has those.
const STRETCH_MS: i64 = 16 * DAY_MS;
/// All lengths that there are, each a multiple of the one before it.
const STEPS: [i64; 4] = [MINUTE_MS, HOUR_MS, DAY_MS, STRETCH_MS];

/// How long a rollup is, in UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Kept for two days.
    Minute,
    /// Kept for a hundred days.
    Hour,
    /// Kept for good.
    #[default]
    Day,
}

/// By what events are grouped.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// All together.
    #[default]
    #[serde(rename = "none")]
    Total,
    /// Who paid.
    Workspace,
    /// The person or service behind the key.
    User,
    /// The key's id.
    Key,
    /// The model that the client asked for.
    Model,
    /// OpenTelemetry's `gen_ai.provider.name`.
    Provider,
    /// The wire format, which stands for the endpoint: `chat_completions`, `messages`, …
    Endpoint,
}

// === impl Interval ===

impl Interval {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its length in milliseconds.
    pub const fn step(self) -> i64 {
        match self {
            Self::Minute => MINUTE_MS,
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }

    /// When the one begins in which a time is: milliseconds since the Unix epoch.
    pub const fn start(self, time: i64) -> i64 {
        start(time, self.step())
    }

    /// How far back it can be asked for, in milliseconds; none where it is kept for good.
    pub const fn kept(self) -> Option<i64> {
        match self {
            Self::Minute => Some(2 * DAY_MS),
            Self::Hour => Some(100 * DAY_MS),
            Self::Day => None,
        }
    }

    /// Whether it can be asked for from a time on.
    pub fn reaches(self, from: i64, now: UnixMillis) -> bool {
        self.kept()
            .is_none_or(|kept| from >= super::number(now.0).saturating_sub(kept))
    }
}

// === impl Dimension ===

impl Dimension {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Total,
        Self::Workspace,
        Self::User,
        Self::Key,
        Self::Model,
        Self::Provider,
        Self::Endpoint,
    ];

    /// As the ledger spells it.
    const fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Workspace => "workspace",
            Self::User => "user",
            Self::Key => "key",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Endpoint => "endpoint",
        }
    }
}

/// When the rollup of a length begins in which a time is.
const fn start(time: i64, step: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(step))
}

/// A group's name as rollups have it.
pub(super) fn group(name: &str) -> &str {
    let end = name.floor_char_boundary(GROUP_BYTES);
    name.get(..end).unwrap_or_default()
}
