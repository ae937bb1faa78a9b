//! The end: the exchange settles exactly once, whatever ended it.

use std::borrow::Cow;

use crate::budget::Amounts;
use crate::budget::purse::Reservation;
use crate::event::{Event, Record};
use crate::exchange::prepared::{Open, Released, Withdrawn};
use crate::exchange::{Env, Exchange, Phase};
use crate::journal::JournalError;
use crate::limit::Demand;
use crate::money::NanoUsd;
use crate::refusal::Code;
use crate::time::UnixNanos;
use crate::trace_context::TraceContext;
use crate::usage::{Outcome, Usage};
use crate::wire::SaidExchange;

/// What an event says of a client that left before the end.
const CLIENT_CLOSED: &str = "client_closed";

/// What an event says of a provider that Envoy has not waited for any longer.
const UPSTREAM_TIMEOUT: &str = "upstream_timeout";

/// The status with which Envoy answers then.
const GATEWAY_TIMEOUT: u16 = 504;

/// Envoy's details of an answer that is the provider's own.
const VIA_UPSTREAM: &str = "via_upstream";

/// Longest model name in an event, in characters.
const MAX_NAME_CHARS: usize = 256;

/// What Envoy knows when a stream is over.
#[derive(Debug, Clone, Default)]
pub struct Closing<'a> {
    /// The HTTP status that the client saw, if it saw one; asked for only where [`Exchange::needs_status`].
    pub status: Option<u16>,
    /// Envoy's `response.code_details`; asked for only where [`Exchange::needs_details`].
    pub details: Option<Cow<'a, str>>,
}

/// A finished exchange. Its event is in the journal; this is for metrics and the access log.
#[derive(Debug)]
pub struct Finished {
    /// The event.
    pub event: Box<Event>,
    /// The refusal's code, where there was one.
    pub refused: Option<Code>,
    /// Whether the event could not be kept.
    pub lost: bool,
    /// What Tollgate added to the time to the provider, in microseconds, where the request got there.
    pub added_latency_us: Option<u64>,
    /// What was said, where policy keeps it: for the sidecar, and for nobody else.
    pub said: Option<Box<SaidExchange>>,
}

// === impl Exchange ===

impl Exchange {
    /// Whether the exchange reached the provider, and it is of interest why it ended: the answer has not come to an end,
    /// or may be Envoy's own, which has waited for the provider's in vain.
    pub const fn needs_details(&self) -> bool {
        matches!(self.phase, Phase::Released(_))
            && (!self.response.ended || matches!(self.response.status, Some(GATEWAY_TIMEOUT)))
    }

    /// Whether the client may have seen another status than that of the answer which came: none did, or Envoy (or
    /// Tollgate) has cut it short or put its own in its place.
    pub const fn needs_status(&self) -> bool {
        let is_ours = matches!(self.phase, Phase::Refused { .. });
        !is_ours
            && (self.response.status.is_none() || !self.response.ended || self.response.refused.is_some())
    }

    /// The stream is over: settles and writes the event. `None` where that was done before.
    pub fn finish(&mut self, closing: &Closing<'_>, env: &mut Env<'_>) -> Option<Finished> {
        let mut error_code = Some(CLIENT_CLOSED);
        let (mut refused, mut withdrawn) = (None, None);
        match std::mem::replace(&mut self.phase, Phase::Finished) {
            Phase::Finished => return None,
            Phase::Released(released) => return Some(self.settle(released, closing, env)),
            Phase::Refused {
                refusal,
                withdrawn: left,
            } => {
                error_code = Some(refusal.code.as_str());
                refused = Some(refusal);
                withdrawn = left;
            }
            Phase::Unmetered { receipt } => {
                error_code = None;
                let (used, now) = (Demand::default(), env.now.millis());
                // Where the host refuses, what was taken stays counted until it refills.
                let _ = self.config.limits.settle(env.cells, receipt, used, now);
            }
            // The client left before its request went on: the provider has seen nothing.
            Phase::ModeratingPrompt { prepared, .. } | Phase::Decided(prepared) => {
                prepared.cancel(&self.config, env);
            }
            Phase::Funding(funding) => funding.abandon(&self.config, env),
            Phase::New | Phase::ResolvingKey { .. } | Phase::AwaitingBody => {}
        }
        let mut event = self.event();
        self.end(&mut event, closing, env.now);
        event.error_code = error_code.map(str::to_owned);
        if let Some(refusal) = &refused {
            event.status = refusal.status;
        }
        let Withdrawn { slot, reservation } = withdrawn.unwrap_or_default();
        let written = match slot {
            Some(slot) => env.journal.done(env.cells, slot, json(&event), env.now),
            None if self.config.sidecar.is_some() => env.journal.record(env.cells, json(&event), env.now),
            None => Ok(()),
        };
        Self::free(reservation, &Amounts::default(), written, env);
        Some(Finished {
            event,
            refused: refused.map(|refusal| refusal.code),
            lost: written.is_err(),
            added_latency_us: None,
            said: None,
        })
    }

    #[expect(clippy::boxed_local, reason = "out of its box it would be copied whole")]
    fn settle(&mut self, released: Box<Released>, closing: &Closing<'_>, env: &mut Env<'_>) -> Finished {
        let outcome = std::mem::take(self.response.outcome());
        // Where Envoy has not waited for the answer, the status is its own.
        let status = self.response.status.filter(|_| !self.has_timed_out(closing));
        let usage = released.used(&outcome, status, self.request.stream);
        let cost = released.cost(&usage, outcome.service_tier);
        let used = Demand {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
        };
        // Where the host refuses, what was reserved stays counted until it refills.
        let _ = self
            .config
            .limits
            .settle(env.cells, released.receipt, used, env.now.millis());
        let (mut event, open) = match released.open {
            Some(Open { slot, event, record }) => (event, Some((slot, record))),
            None => (self.event(), None),
        };
        self.end(&mut event, closing, env.now);
        event.error_code = self.error_code(&outcome, closing);
        event.response_model = outcome.response_model.as_deref().map(clip);
        event.response_service_tier = outcome.service_tier;
        event.usage = usage;
        (event.cost_nanousd, event.price_fallback) = cost;
        let amounts = Amounts {
            usd: event.cost_nanousd,
            tokens: usage.input_tokens.saturating_add(usage.output_tokens),
            requests: 1,
        };
        event.charges = released
            .reservation
            .as_ref()
            .map(|reservation| reservation.charges(&amounts))
            .unwrap_or_default();
        let written = open.map_or(Ok(()), |(slot, mut record)| {
            record.complete(&event);
            env.journal.done(env.cells, slot, record.into_json(), env.now)
        });
        Self::free(released.reservation, &amounts, written, env);
        let said = released.prompt.and_then(|prompt| self.said(*prompt, &event));
        Finished {
            refused: self.response.refused,
            lost: written.is_err(),
            added_latency_us: self.released_at.map(|at| at.since(self.arrived) / 1_000),
            said,
            event,
        }
    }

    /// Gives back what was reserved and not used. To be called after the event is written: a worker that dies in
    /// between leaves money locked, never counted as free. Where it could not be written the open record stands.
    fn free(
        reservation: Option<Reservation>,
        used: &Amounts,
        written: Result<(), JournalError>,
        env: &mut Env<'_>,
    ) {
        let Some(reservation) = reservation else { return };
        let now = env.now.millis();
        match written {
            Ok(()) => env.money.settle(env.cells, reservation, used, now),
            Err(_) => env.money.settle_in_full(env.cells, reservation, now),
        }
    }

    /// The event as far as it is known before the end.
    pub(super) fn event(&self) -> Box<Event> {
        let identity = self.identity.as_ref();
        let destination = self.request.destination.as_ref();
        Box::new(Event {
            event_id: self.ids.event.clone(),
            request_id: self.ids.request.clone(),
            time: self.arrived.millis().timestamp(),
            trace: self.request.trace.as_ref().map(TraceContext::parent),
            workspace: identity.map(|identity| identity.workspace.clone()),
            user: identity.and_then(|identity| identity.user.clone()),
            session: self.request.session.clone(),
            key_id: identity.and_then(|identity| identity.key_id.clone()),
            dialect: self.request.dialect,
            provider: destination.map(|destination| destination.provider.clone().into_owned()),
            request_model: self.request.model.as_deref().map(clip),
            downgraded_model: self.downgraded.as_deref().map(clip),
            response_model: None,
            request_service_tier: self.request.service_tier,
            response_service_tier: None,
            stream: self.request.stream,
            status: 0,
            error_code: None,
            usage: Usage::default(),
            cost_nanousd: NanoUsd::ZERO,
            price_fallback: false,
            latency_ms: 0,
            time_to_first_token_ms: None,
            request_bytes: self.request.bytes,
            response_bytes: 0,
            gateway_id: self.config.gateway_id.clone(),
            region: self.config.region.clone(),
            charges: Vec::new(),
            would_refuse: self.would_refuse.clone(),
        })
    }

    /// Takes into its event how the exchange went on.
    fn end(&self, event: &mut Event, closing: &Closing<'_>, now: UnixNanos) {
        let since_arrival = |at: UnixNanos| at.since(self.arrived) / 1_000_000;
        event.status = closing.status.or(self.response.status).unwrap_or(0);
        event.latency_ms = since_arrival(now);
        event.time_to_first_token_ms = self.response.first_byte.map(since_arrival);
        event.response_bytes = self.response.bytes;
    }

    /// Whether Envoy has answered itself, because the provider took too long: to the provider it is as if the client had
    /// left.
    fn has_timed_out(&self, closing: &Closing<'_>) -> bool {
        let is_envoys = closing
            .details
            .as_deref()
            .is_some_and(|details| details != VIA_UPSTREAM);
        self.response.ended && self.response.status == Some(GATEWAY_TIMEOUT) && is_envoys
    }

    /// What went wrong with an exchange that reached the provider, if anything did.
    fn error_code(&self, outcome: &Outcome, closing: &Closing<'_>) -> Option<String> {
        if let Some(code) = self.response.refused {
            return Some(code.as_str().to_owned());
        }
        if self.has_timed_out(closing) {
            return Some(UPSTREAM_TIMEOUT.to_owned());
        }
        if self.response.ended {
            return outcome.error.clone();
        }
        let details = closing.details.as_deref().unwrap_or_default();
        let code = if details.starts_with("downstream") {
            CLIENT_CLOSED
        } else {
            "upstream_closed"
        };
        Some(code.to_owned())
    }
}

/// A name that a client or a provider chose, not longer than a record of the journal may carry.
fn clip(name: &str) -> String {
    clip_to(name, MAX_NAME_CHARS)
}

/// As much of a text as so many characters.
pub(super) fn clip_to(text: &str, max_chars: usize) -> String {
    if text.len() <= max_chars {
        return text.to_owned();
    }
    text.chars().take(max_chars).collect()
}

/// An event as the ledger reads it.
fn json(event: &Event) -> Vec<u8> {
    let mut record = Record::begin(event);
    record.complete(event);
    record.into_json()
}
