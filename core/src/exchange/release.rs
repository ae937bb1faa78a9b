//! The way to the provider: the request is written down in the journal, changed, and let go.

use crate::budget::purse::Reservation;
use crate::edit;
use crate::event::Record;
use crate::exchange::prepared::{Open, Prepared, Released};
use crate::exchange::step::{Release, Step};
use crate::exchange::{Env, Exchange, Phase};
use crate::headers::HeaderOp;
use crate::refusal::{Code, Refusal};
use crate::usage::{Usage, UsageStatus};

// === impl Exchange ===

impl Exchange {
    /// Lets a request go on, its changes made; the provider sees it from here on.
    pub(super) fn release(
        &mut self,
        prepared: Prepared,
        body: &[u8],
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        let Prepared {
            rewritten,
            mut edits,
            output_caps,
            target,
            mut released,
            ..
        } = prepared;
        match self.open_record(&released, env) {
            Ok(open) => released.open = open,
            Err(refusal) => {
                released.take_back(&self.config, env);
                return Err(refusal);
            }
        }
        let mut headers = self.request_changes();
        headers.extend(target.map(|target| HeaderOp::Set(":path".into(), target)));
        edits.extend(output_caps.edits());
        let changed = match rewritten {
            rewritten if edits.is_empty() => rewritten,
            rewritten => Some(edit::apply(rewritten.as_deref().unwrap_or(body), &mut edits)),
        };
        if let Some(changed) = &changed {
            // A stale length would smuggle the rest of the body into the next request of the connection.
            headers.push(HeaderOp::Set("content-length".into(), changed.len().to_string()));
        }
        self.released_at = Some(env.now);
        self.phase = Phase::Released(released);
        Ok(Step::Release(Release {
            headers,
            body: changed,
        }))
    }

    /// Lets a request go on after the sidecar's verdict; its body is needed again only where it changes.
    pub(super) fn go_on(&mut self, prepared: Box<Prepared>, env: &mut Env<'_>) -> Result<Step, Refusal> {
        if !prepared.needs_body() {
            return self.release(*prepared, &[], env);
        }
        self.phase = Phase::Decided(prepared);
        Ok(Step::ReadBody)
    }

    /// Writes down what the exchange owes should nothing more be heard of it: its reservation.
    fn open_record(&mut self, released: &Released, env: &mut Env<'_>) -> Result<Option<Open>, Refusal> {
        if self.config.sidecar.is_none() {
            return Ok(None);
        }
        let mut event = self.event();
        event.latency_ms = env.now.since(self.arrived) / 1_000_000;
        event.usage = Usage {
            input_tokens: released.prompt_tokens,
            output_tokens: released.reserved_output,
            status: UsageStatus::Estimated,
            ..Usage::default()
        };
        (event.cost_nanousd, event.price_fallback) = released.cost(&event.usage, None);
        event.charges = released
            .reservation
            .as_ref()
            .map(Reservation::charges_if_lost)
            .unwrap_or_default();
        event.error_code = Some("worker_lost".to_owned());
        let mut record = Record::begin(&event);
        match env.journal.open(env.cells, record.complete(&event), env.now) {
            Ok(slot) => Ok(Some(Open { slot, event, record })),
            Err(error) => Err(Refusal::new(
                Code::SidecarUnavailable,
                format!("the request could not be accounted for: {error}"),
            )),
        }
    }

    /// Changes to the headers of every request that goes on.
    pub(super) fn request_changes(&mut self) -> Vec<HeaderOp> {
        let withheld = std::mem::take(&mut self.request.withheld);
        // With room for the path and the length of a body that is changed.
        let mut changes = Vec::with_capacity(withheld.len() + 3);
        changes.extend(withheld.into_iter().map(HeaderOp::Remove));
        // Usage is read from the answer, so the answer must be readable.
        changes.push(HeaderOp::Set("accept-encoding".into(), "identity".to_owned()));
        changes
    }

    /// The host did not make the changes of a [`Step::Release`]: nothing goes on. A request with a stale length
    /// would smuggle, one with a client's key would leak.
    pub fn release_failed(&mut self, env: &mut Env<'_>) -> Step {
        let refusal = Refusal::new(
            Code::SidecarUnavailable,
            "the gateway could not rewrite the message; try again, and report it if it happens again",
        );
        if self.response.status.is_some() {
            return self.refuse(refusal);
        }
        let reply = self.reply(&refusal);
        let withdrawn = match std::mem::replace(&mut self.phase, Phase::Finished) {
            Phase::Released(released) => Some(released.withdraw(&self.config, env)),
            Phase::Unmetered { receipt } => {
                // Where the host refuses, what was taken refills by itself.
                let _ = self.config.limits.cancel(env.cells, receipt, env.now.millis());
                None
            }
            _ => None,
        };
        self.phase = Phase::Refused { refusal, withdrawn };
        Step::Refuse(reply)
    }
}
