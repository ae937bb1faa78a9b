//! An event as the journal keeps it: the JSON that the ledger reads.
//!
//! It is written twice, before the request goes to the provider and when the exchange is over, and most of it is the
//! same both times. So it is written by hand, in two parts: what is known before, once, and behind it what the end tells.

use jiff::fmt::temporal::DateTimePrinter;

use super::Event;
use crate::dialect::{Dialect, encode};
use crate::service_tier::ServiceTier;
use crate::wire::BudgetCharge;
use crate::words::plain_len;

/// What an event with three budgets takes.
const CAPACITY: usize = 1_024;

/// Writes times as [`jiff::Timestamp`] shows itself.
static TIME: DateTimePrinter = DateTimePrinter::new();

/// The name of a field behind others, as it stands before its value.
macro_rules! field {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// The same before a text, with the quote that begins it.
macro_rules! text_field {
    ($name:literal) => {
        concat!(field!($name), "\"")
    };
}

/// The JSON of one event.
#[derive(Debug, Clone)]
pub struct Record {
    json: Json,
    /// How long the part is that stays.
    known: usize,
}

#[derive(Debug, Clone)]
struct Json(Vec<u8>);

// === impl Record ===

impl Record {
    /// Writes what is known of an exchange when its request goes to the provider.
    pub fn begin(event: &Event) -> Self {
        let mut json = Json(Vec::with_capacity(CAPACITY));
        json.text("{\"event_id\":\"", &event.event_id);
        json.text(text_field!("request_id"), &event.request_id);
        json.raw(text_field!("time"));
        // Writing to memory does not fail.
        let _ = TIME.print_timestamp(&event.time, &mut json.0);
        json.raw("\"");
        if let Some(trace) = &event.trace {
            json.text(text_field!("trace_id"), &trace.trace_id.to_hex());
            json.text(text_field!("parent_span_id"), &trace.parent_span_id.to_hex());
            json.boolean(field!("trace_sampled"), trace.trace_sampled);
        }
        json.known_text(text_field!("workspace"), event.workspace.as_deref());
        json.known_text(text_field!("user"), event.user.as_deref());
        json.known_text(text_field!("session"), event.session.as_deref());
        json.known_text(text_field!("key_id"), event.key_id.as_deref());
        json.known_text(text_field!("dialect"), event.dialect.map(Dialect::as_str));
        json.known_text(text_field!("provider"), event.provider.as_deref());
        json.known_text(text_field!("request_model"), event.request_model.as_deref());
        json.known_text(text_field!("downgraded_model"), event.downgraded_model.as_deref());
        let asked = event.request_service_tier.map(ServiceTier::as_str);
        json.known_text(text_field!("request_service_tier"), asked);
        json.boolean(field!("stream"), event.stream);
        json.number(field!("request_bytes"), event.request_bytes);
        json.text(text_field!("gateway_id"), &event.gateway_id);
        json.known_text(text_field!("region"), event.region.as_deref());
        json.list(field!("would_refuse"), &event.would_refuse, |json, name| {
            json.text("\"", name);
        });
        let known = json.0.len();
        Self { json, known }
    }

    /// Writes the rest of the event, in place of what the rest was before. What [`begin`](Self::begin) has written must
    /// be the same still.
    pub fn complete(&mut self, event: &Event) -> &[u8] {
        let json = &mut self.json;
        json.0.truncate(self.known);
        json.known_text(text_field!("response_model"), event.response_model.as_deref());
        let told = event.response_service_tier.map(ServiceTier::as_str);
        json.known_text(text_field!("response_service_tier"), told);
        json.number(field!("status"), event.status.into());
        json.known_text(text_field!("error_code"), event.error_code.as_deref());
        let usage = &event.usage;
        json.number(field!("input_tokens"), usage.input_tokens);
        json.number(field!("output_tokens"), usage.output_tokens);
        json.number(field!("cached_input_tokens"), usage.cached_input_tokens);
        json.number(
            field!("cache_creation_input_tokens"),
            usage.cache_creation_input_tokens,
        );
        json.number(field!("reasoning_output_tokens"), usage.reasoning_output_tokens);
        json.text(text_field!("usage_status"), usage.status.as_str());
        json.number(field!("cost_nanousd"), event.cost_nanousd.0);
        if event.price_fallback {
            json.boolean(field!("price_fallback"), true);
        }
        json.number(field!("latency_ms"), event.latency_ms);
        if let Some(first_token) = event.time_to_first_token_ms {
            json.number(field!("time_to_first_token_ms"), first_token);
        }
        json.number(field!("response_bytes"), event.response_bytes);
        json.list(field!("charges"), &event.charges, Json::charge);
        json.raw("}");
        &self.json.0
    }

    /// The whole event, as it was completed last.
    pub fn into_json(self) -> Vec<u8> {
        self.json.0
    }
}

// === impl Json ===

impl Json {
    fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// A text behind all that stands before it, its first quote included.
    fn text(&mut self, before: &str, text: &str) {
        self.raw(before);
        if plain_len(text.as_bytes()) == text.len() {
            self.raw(text);
            self.0.push(b'"');
        } else {
            self.0.extend(encode(text).into_iter().skip(1));
        }
    }

    fn known_text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn number(&mut self, name: &str, number: u64) {
        self.raw(name);
        match u8::try_from(number) {
            // Of most kinds of tokens there are none.
            Ok(digit @ ..10) => self.0.push(b'0' + digit),
            _ => self.raw(itoa::Buffer::new().format(number)),
        }
    }

    fn boolean(&mut self, name: &str, value: bool) {
        self.raw(name);
        self.raw(if value { "true" } else { "false" });
    }

    /// A list, unless it is empty.
    fn list<T>(&mut self, name: &str, items: &[T], write: impl Fn(&mut Self, &T)) {
        if items.is_empty() {
            return;
        }
        self.raw(name);
        for (index, item) in items.iter().enumerate() {
            self.raw(if index == 0 { "[" } else { "," });
            write(self, item);
        }
        self.raw("]");
    }

    fn charge(&mut self, charge: &BudgetCharge) {
        self.text("{\"budget_id\":\"", &charge.budget_id);
        if let Some(lease) = charge.lease_id {
            self.number(field!("lease_id"), lease.0);
        }
        self.number(field!("reserved"), charge.reserved);
        self.number(field!("charged"), charge.charged);
        self.raw("}");
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
