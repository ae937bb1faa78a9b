//! Events in the ledger: one row each, whatever how often it is delivered.

use std::borrow::Cow;
use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use sqlx::QueryBuilder;
use sqlx::types::Json;
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::BudgetCharge;

use super::audit::{AuditEntry, AuditRows};
use super::log::{LogPage, Part};
use super::refusals::refusal;
use super::rollups::write::{EVENTS_AT_ONCE, RollupRows};
use super::rows::{ManyRows, Rows};
use super::settle::ChargeRows;
use super::{Counter, LAST, Ledger, LedgerError, Workspaces, number};

/// Events that are read at once where all of a period are.
const READ_AT_ONCE: i64 = 1_000;
/// How much of an event that could not be read is kept, in bytes.
const QUARANTINED_BYTES: usize = 16 * 1024;

/// [`TAKE`](super::TAKE), and the counter of what is in rollups.
const TAKE_EVENTS: &str = "UPDATE counters SET value = value + $1 WHERE name = $2 \
    RETURNING value, (SELECT value FROM counters WHERE name = $3)";
const INSERT: &str = "INSERT INTO events (seq, event_id, request_id, time, workspace, user_id, session, key_id, \
    dialect, provider, request_model, downgraded_model, response_model, stream, status, error_code, input_tokens, output_tokens, \
    cached_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, usage_status, cost_nanousd, \
    price_fallback, latency_ms, time_to_first_token_ms, request_bytes, response_bytes, gateway_id, region, \
    would_refuse, trace_id, parent_span_id, trace_sampled, request_service_tier, response_service_tier) ";
const IF_NEW: &str = " ON CONFLICT (event_id) DO NOTHING RETURNING seq";
const QUARANTINE: &str = "INSERT INTO quarantined_events (digest, received_at, reason, body) \
    VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

/// An event as the ledger keeps it, and as the admin API shows it: every field, null where it is unknown.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, JsonSchema)]
pub struct StoredEvent {
    /// Insertion order; chosen by the ledger.
    #[serde(skip)]
    pub seq: i64,
    /// Unique, chosen by the gateway.
    pub event_id: String,
    /// What the client saw as `x-tollgate-request-id`.
    pub request_id: String,
    /// When the request arrived: milliseconds since the Unix epoch, shown as RFC 3339.
    #[serde(serialize_with = "rfc3339")]
    #[schemars(with = "jiff::Timestamp")]
    pub time: i64,
    /// The trace that the request was part of (W3C Trace Context), in hex digits.
    pub trace_id: Option<String>,
    /// The span of it that the request was made in: Envoy's, or else the client's.
    pub parent_span_id: Option<String>,
    /// Whether whoever began the trace records it.
    pub trace_sampled: Option<bool>,
    /// Who paid.
    pub workspace: Option<String>,
    /// The person or service behind the key.
    #[sqlx(rename = "user_id")]
    pub user: Option<String>,
    /// The client's session.
    pub session: Option<String>,
    /// The key's stable id.
    pub key_id: Option<String>,
    /// The wire format.
    pub dialect: Option<String>,
    /// OpenTelemetry's `gen_ai.provider.name`.
    pub provider: Option<String>,
    /// The model that the client asked for.
    pub request_model: Option<String>,
    /// The model that stood in for it because a budget ran low.
    pub downgraded_model: Option<String>,
    /// The model that answered.
    pub response_model: Option<String>,
    /// The service tier that the client asked for.
    pub request_service_tier: Option<String>,
    /// The service tier by which the provider says that it was served.
    pub response_service_tier: Option<String>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// The HTTP status that the client saw.
    pub status: i64,
    /// Tollgate's own code for a refusal or an early end.
    pub error_code: Option<String>,
    /// Prompt tokens, cached ones included.
    pub input_tokens: i64,
    /// Generated tokens, reasoning included.
    pub output_tokens: i64,
    /// The part of the input read from the provider's cache.
    pub cached_input_tokens: i64,
    /// The part of the input written to the provider's cache.
    pub cache_creation_input_tokens: i64,
    /// The part of the output that was reasoning.
    pub reasoning_output_tokens: i64,
    /// `complete`, `partial`, `estimated` or `none`.
    pub usage_status: String,
    /// In nano-dollars.
    pub cost_nanousd: i64,
    /// Whether the price came from the fallback for unknown models.
    pub price_fallback: bool,
    /// Of the whole exchange.
    pub latency_ms: i64,
    /// Until the first byte of the answer's body.
    pub time_to_first_token_ms: Option<i64>,
    /// Size of the request body.
    pub request_bytes: i64,
    /// Size of the response body.
    pub response_bytes: i64,
    /// Which gateway.
    pub gateway_id: String,
    /// Where that gateway is.
    pub region: Option<String>,
    /// Limits in shadow mode that would have refused.
    #[schemars(with = "Vec<String>")]
    pub would_refuse: Json<Vec<String>>,
    /// What it was charged to.
    #[sqlx(skip)]
    pub charges: Vec<BudgetCharge>,
}

/// What came of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Added {
    /// Which of its events are new, by where they stand in it.
    pub new: Vec<usize>,
    /// Budgets to which money came back: who waits for it may try again.
    pub returned: Vec<String>,
}

/// What was sent as an event and cannot be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The text as it was sent.
    pub body: String,
    /// Why it is no event, and where.
    pub reason: String,
}

/// Which events a page shows.
#[derive(Debug, Clone, Copy)]
pub struct EventFilter<'a> {
    /// Only of these.
    pub workspaces: &'a Workspaces,
    /// Only of the key with this id.
    pub key: Option<&'a str>,
}

/// A place in the events by their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    time: i64,
    seq: i64,
}

// === impl StoredEvent ===

impl StoredEvent {
    /// Whether Tollgate refused the request, or its answer.
    pub fn is_refusal(&self) -> bool {
        self.status >= 400 && self.error_code.is_some()
    }

    /// Whether anything was used.
    pub fn has_usage(&self) -> bool {
        self.usage_status != "none"
    }
}

// === impl Moment ===

impl Moment {
    /// Before all events of this time.
    pub const fn before(time: i64) -> Self {
        Self { time, seq: 0 }
    }

    /// That of an event.
    pub const fn of(event: &StoredEvent) -> Self {
        Self {
            time: event.time,
            seq: event.seq,
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Adds a batch in one transaction, and its new events to what budgets are charged, and says what came of it. To
    /// rollups they are added later ([`Self::catch_up`]), unless many wait already.
    /// When this returns, it is on the disk. The unreadable ones are kept aside in the same transaction.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails: nothing of the batch is then kept.
    pub async fn add_events(
        &self,
        events: &[StoredEvent],
        unreadable: &[Unreadable],
        now: UnixMillis,
    ) -> Result<Added, LedgerError> {
        if events.is_empty() && unreadable.is_empty() {
            return Ok(Added::default());
        }
        let _turn = self.batch_turn().await?;
        retry!(self.try_add_events(events, unreadable, now))
    }

    async fn try_add_events(
        &self,
        events: &[StoredEvent],
        unreadable: &[Unreadable],
        now: UnixMillis,
    ) -> Result<Added, LedgerError> {
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        transact!(self, conn => {
            // How far rollups are is only roughly known where another transaction is about to say it.
            let (last, rolled_up): (i64, i64) = sqlx::query_as(TAKE_EVENTS)
                .bind(count)
                .bind(Counter::Event.name())
                .bind(Counter::RolledUp.name())
                .fetch_one(&mut *conn)
                .await?;
            let before = last - count;
            let rows = rows_of(events, before);
            let new: Vec<(i64,)> = ManyRows::query_rows(&mut *conn, INSERT, &rows, IF_NEW).await?;
            for one in unreadable {
                let digest: [u8; 32] = Sha256::digest(&one.body).into();
                sqlx::query(QUARANTINE)
                    .bind(digest.as_slice())
                    .bind(number(now.0))
                    .bind(&one.reason)
                    .bind(kept(&one.body))
                    .execute(&mut *conn)
                    .await?;
            }
            let positions = new.iter().filter_map(|(seq,)| usize::try_from(seq - before - 1).ok());
            let positions: Vec<usize> = positions.collect();
            let new: Vec<&StoredEvent> = positions.iter().filter_map(|at| events.get(*at)).collect();
            let returned = ChargeRows::settle(&mut *conn, &new, now).await?;
            if last - rolled_up >= EVENTS_AT_ONCE {
                RollupRows::catch_up(&mut *conn, last, now).await?;
            }
            let refused: Vec<AuditEntry> = new.iter().filter_map(|event| refusal(event)).collect();
            AuditRows::add_audit(&mut *conn, &refused).await?;
            Ok(Added { new: positions, returned })
        })
    }

    /// A part of the events, in insertion order.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn events(
        &self,
        filter: EventFilter<'_>,
        part: Part,
        rows: u32,
    ) -> Result<LogPage<StoredEvent>, LedgerError> {
        // The head is read first: what is written in between has a higher number, and waits for the next page.
        let head: i64 =
            read!(self, conn => sqlx::query_scalar(LAST).bind(Counter::Event.name()).fetch_one(conn).await?);
        let mut found: Vec<StoredEvent> = read!(self, conn => {
            let mut select = QueryBuilder::new("SELECT * FROM events WHERE seq > ");
            select.push_bind(part.after()).push(" AND seq <= ").push_bind(part.up_to(head));
            push_within!(select, filter.workspaces);
            if let Some(key) = filter.key {
                select.push(" AND key_id = ").push_bind(key);
            }
            select.push(part.order()).push_bind(i64::from(rows));
            select.build_query_as().fetch_all(conn).await?
        });
        let ids: Vec<&str> = found.iter().map(|event| event.event_id.as_str()).collect();
        let charges = read!(self, conn => ChargeRows::charges(conn, &ids).await?);
        let mut of_event: HashMap<String, Vec<BudgetCharge>> = HashMap::new();
        for charge in charges {
            of_event
                .entry(charge.event_id.clone())
                .or_default()
                .push(charge.into());
        }
        for event in &mut found {
            event.charges = of_event.remove(&event.event_id).unwrap_or_default();
        }
        Ok(LogPage::new(found, part, head, rows, |event| event.seq))
    }

    /// Some of the events after a moment and before `to`, by their time.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn events_between(
        &self,
        after: Moment,
        to: i64,
        workspace: Option<&str>,
    ) -> Result<Vec<StoredEvent>, LedgerError> {
        Ok(read!(self, conn => {
            let mut select = QueryBuilder::new("SELECT * FROM events WHERE (time, seq) > (");
            select.push_bind(after.time).push(", ").push_bind(after.seq).push(") AND time < ").push_bind(to);
            if let Some(workspace) = workspace {
                select.push(" AND workspace = ").push_bind(workspace);
            }
            select.push(" ORDER BY time, seq LIMIT ").push_bind(READ_AT_ONCE);
            select.build_query_as().fetch_all(conn).await?
        }))
    }

    /// How many unreadable events were kept aside.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn quarantined(&self) -> Result<i64, LedgerError> {
        const COUNT: &str = "SELECT COUNT(*) FROM quarantined_events";
        Ok(read!(self, conn => sqlx::query_scalar(COUNT).fetch_one(conn).await?))
    }
}

/// A batch as rows, numbered from the one after `before`. The columns are those of [`INSERT`].
fn rows_of(events: &[StoredEvent], before: i64) -> Rows<'_> {
    let all = || events.iter();
    let would_refuse = |event: &StoredEvent| match event.would_refuse.0.is_empty() {
        true => Cow::Borrowed("[]"),
        false => Cow::Owned(serde_json::Value::from(event.would_refuse.0.clone()).to_string()),
    };
    Rows::default()
        .integers(all().zip(before + 1..).map(|(_, seq)| seq))
        .texts(all().map(|event| event.event_id.as_str()))
        .texts(all().map(|event| event.request_id.as_str()))
        .integers(all().map(|event| event.time))
        .maybe_texts(all().map(|event| event.workspace.as_deref()))
        .maybe_texts(all().map(|event| event.user.as_deref()))
        .maybe_texts(all().map(|event| event.session.as_deref()))
        .maybe_texts(all().map(|event| event.key_id.as_deref()))
        .maybe_texts(all().map(|event| event.dialect.as_deref()))
        .maybe_texts(all().map(|event| event.provider.as_deref()))
        .maybe_texts(all().map(|event| event.request_model.as_deref()))
        .maybe_texts(all().map(|event| event.downgraded_model.as_deref()))
        .maybe_texts(all().map(|event| event.response_model.as_deref()))
        .booleans(all().map(|event| event.stream))
        .integers(all().map(|event| event.status))
        .maybe_texts(all().map(|event| event.error_code.as_deref()))
        .integers(all().map(|event| event.input_tokens))
        .integers(all().map(|event| event.output_tokens))
        .integers(all().map(|event| event.cached_input_tokens))
        .integers(all().map(|event| event.cache_creation_input_tokens))
        .integers(all().map(|event| event.reasoning_output_tokens))
        .texts(all().map(|event| event.usage_status.as_str()))
        .integers(all().map(|event| event.cost_nanousd))
        .booleans(all().map(|event| event.price_fallback))
        .integers(all().map(|event| event.latency_ms))
        .integers(all().map(|event| event.time_to_first_token_ms))
        .integers(all().map(|event| event.request_bytes))
        .integers(all().map(|event| event.response_bytes))
        .texts(all().map(|event| event.gateway_id.as_str()))
        .maybe_texts(all().map(|event| event.region.as_deref()))
        .json(all().map(would_refuse))
        .maybe_texts(all().map(|event| event.trace_id.as_deref()))
        .maybe_texts(all().map(|event| event.parent_span_id.as_deref()))
        .booleans(all().map(|event| event.trace_sampled))
        .maybe_texts(all().map(|event| event.request_service_tier.as_deref()))
        .maybe_texts(all().map(|event| event.response_service_tier.as_deref()))
}

/// Milliseconds since the Unix epoch as RFC 3339 in UTC.
pub fn rfc3339<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let time = jiff::Timestamp::from_millisecond(*ms).map_err(serde::ser::Error::custom)?;
    serializer.collect_str(&time)
}

/// The beginning of a text, without the one character that PostgreSQL cannot store.
fn kept(body: &str) -> String {
    let end = body.floor_char_boundary(QUARANTINED_BYTES);
    body.get(..end).unwrap_or_default().replace('\0', "\u{fffd}")
}
