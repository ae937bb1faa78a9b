//! The response: bytes pass untouched while usage is read from them.

use crate::config::Moderation;
use crate::conversation::AnswerText;
use crate::edit::{self, Edit};
use crate::exchange::moderate::Pending;
use crate::exchange::reply::is_ours;
use crate::exchange::step::{Release, Step};
use crate::exchange::{Env, Exchange, Phase};
use crate::headers::{HeaderOp, Headers};
use crate::refusal::Code;
use crate::time::UnixNanos;
use crate::usage::{Coding, End, Outcome, Passed, Reader, Withhold};

/// What is known of the response so far.
#[derive(Default)]
pub(super) struct Response {
    pub(super) status: Option<u16>,
    /// When the first byte of its body came.
    pub(super) first_byte: Option<UnixNanos>,
    /// Bytes of the body, as the provider sent them.
    pub(super) bytes: u64,
    /// Whether the provider's last byte has come.
    pub(super) ended: bool,
    /// How the answer is moderated before it is passed on.
    pub(super) moderation: Option<Moderation>,
    /// The question about the answer that the sidecar has not answered yet.
    pub(super) judging: Option<Pending>,
    /// Changes to the answer that the verdict asked for.
    pub(super) redactions: Vec<Edit>,
    /// Set where the answer was kept from the client.
    pub(super) refused: Option<Code>,
    /// Reads its usage.
    reader: Option<Box<Reader>>,
    /// Takes its text, where that is kept.
    pub(super) text: Option<Box<AnswerText>>,
    /// What the reader has found, once it is done.
    outcome: Outcome,
    /// Finds the usage event that only Tollgate has asked for.
    withhold: Option<Withhold>,
    /// Changes to the provider's own headers, while these wait for the end of the body.
    held: Option<Vec<HeaderOp>>,
}

// === impl Response ===

impl Response {
    /// What the answer said about itself, as far as it has come.
    pub(super) fn outcome(&mut self) -> &mut Outcome {
        let end = if self.ended { End::Clean } else { End::Cut };
        if let Some(reader) = self.reader.take() {
            self.outcome = reader.finish(end);
        }
        &mut self.outcome
    }
}

// === impl Exchange ===

impl Exchange {
    /// The response's headers have come. A local reply of ours passes here too, and is left alone.
    pub fn response_headers(&mut self, headers: Headers<'_>, end: bool) -> Step {
        let (metered, withhold_usage) = match &self.phase {
            Phase::Released(released) => (self.request.dialect, released.withhold_usage),
            Phase::Unmetered { .. } => (None, false),
            _ => return Step::Pass,
        };
        self.response.status = headers.text(":status").and_then(|status| status.parse().ok());
        self.response.ended = end;
        let mut changes = keep_providers_own(headers);
        let Some(dialect) = metered.filter(|_| !end) else {
            self.tell_answer(&mut changes);
            return Step::Release(Release {
                headers: changes,
                body: None,
            });
        };
        let coding = Coding::of(headers.first("content-encoding"));
        self.response.reader = Some(Box::new(Reader::new(dialect, coding)));
        let is_success = self
            .response
            .status
            .is_some_and(|status| (200..300).contains(&status));
        if is_success && coding == Coding::Identity {
            self.response.text = self.answer_to_keep(dialect);
        }
        let is_json = headers
            .text("content-type")
            .is_some_and(|kind| kind.starts_with("application/json"));
        if is_success && is_json && coding == Coding::Identity && !self.request.stream {
            self.response.held = Some(changes);
            return Step::Hold;
        }
        self.tell_answer(&mut changes);
        if is_success && withhold_usage {
            self.response.withhold = Some(Withhold::new());
            // The answer becomes shorter than the provider may have said.
            changes.push(HeaderOp::Remove("content-length".to_owned()));
        }
        Step::Release(Release {
            headers: changes,
            body: None,
        })
    }

    /// Whether the response's bytes are of interest.
    pub const fn reads_response(&self) -> bool {
        matches!(self.phase, Phase::Released(_) | Phase::Unmetered { .. })
    }

    /// Whether a byte of the response's body has come: until then the time is of interest.
    pub const fn has_first_byte(&self) -> bool {
        self.response.first_byte.is_some()
    }

    /// A part of the response's body has come. Trailers count as the end.
    pub fn response_data(&mut self, fresh: &[u8], end: bool, env: &mut Env<'_>) -> Step {
        if !self.reads_response() || self.response.refused.is_some() {
            return Step::Pass;
        }
        if self.response.judging.is_some() {
            return Step::Hold;
        }
        if self.response.first_byte.is_none() && !fresh.is_empty() {
            self.response.first_byte = Some(env.now);
        }
        self.response.bytes += fresh.len() as u64;
        self.response.ended |= end;
        if let Some(reader) = &mut self.response.reader {
            reader.push(fresh);
        }
        if let Some(text) = &mut self.response.text {
            text.push(fresh);
        }
        if self.response.held.is_some() {
            return self.held_data(end);
        }
        self.passing_data(fresh, end)
    }

    /// More of a held response: it goes on at its end, or when it has grown past what may be held.
    fn held_data(&mut self, end: bool) -> Step {
        if end && self.response.moderation.is_some() {
            return Step::ReadBody;
        }
        if end {
            return self.release_response(None);
        }
        if self.response.bytes <= self.config.max_held_response_bytes {
            return Step::Hold;
        }
        if self.response.moderation.is_some() {
            return self.too_large_to_judge();
        }
        self.release_early()
    }

    /// Lets the headers of a response go before its end.
    pub(super) fn release_early(&mut self) -> Step {
        Step::Release(Release {
            headers: self.held_headers(),
            body: None,
        })
    }

    /// All changes to the headers of a held response, which goes now.
    fn held_headers(&mut self) -> Vec<HeaderOp> {
        let mut changes = self.response.held.take().unwrap_or_default();
        self.tell_answer(&mut changes);
        changes
    }

    /// More of a response that passes: all of it but the usage event that the client did not ask for.
    fn passing_data(&mut self, fresh: &[u8], end: bool) -> Step {
        let Some(mut withhold) = self.response.withhold.take() else {
            return Step::Pass;
        };
        let passed = withhold.push(fresh);
        if !end {
            self.response.withhold = Some(withhold);
            return match passed {
                Passed::AsIs => Step::Pass,
                Passed::Replaced(bytes) => Step::Replace(bytes),
            };
        }
        let rest = withhold.finish();
        match passed {
            Passed::AsIs if rest.is_empty() => Step::Pass,
            Passed::AsIs => Step::Replace([fresh, &rest].concat()),
            Passed::Replaced(bytes) => Step::Replace([bytes, rest].concat()),
        }
    }

    /// Lets a whole held response go, with what it cost in its headers.
    pub(super) fn release_response(&mut self, body: Option<&[u8]>) -> Step {
        let mut headers = self.held_headers();
        headers.extend(self.cost_header());
        let body = body.map(|body| edit::apply(body, &mut std::mem::take(&mut self.response.redactions)));
        if let Some(body) = &body {
            self.answer_was_changed(body);
            headers.push(HeaderOp::Set("content-length".into(), body.len().to_string()));
        }
        Step::Release(Release { headers, body })
    }

    fn cost_header(&mut self) -> Option<HeaderOp> {
        let status = self.response.status;
        let outcome = self.response.outcome();
        let Phase::Released(released) = &self.phase else {
            return None;
        };
        let usage = released.used(outcome, status, self.request.stream);
        let (cost, _) = released.cost(&usage, outcome.service_tier);
        Some(HeaderOp::Add("x-tollgate-cost".into(), cost.text().into_bytes()))
    }
}

/// Keeps a provider's headers of our names under `x-provider-`.
fn keep_providers_own(headers: Headers<'_>) -> Vec<HeaderOp> {
    let mut changes = Vec::new();
    for (name, value) in headers.iter().filter(|(name, _)| is_ours(name)) {
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        let bare = name.strip_prefix("x-").unwrap_or(name);
        changes.push(HeaderOp::Remove(name.to_owned()));
        changes.push(HeaderOp::Add(format!("x-provider-{bare}").into(), value.to_vec()));
    }
    changes
}
