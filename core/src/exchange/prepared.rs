//! A request that has been decided upon: on its way to the provider, or back.

use crate::budget::purse::Reservation;
use crate::config::Config;
use crate::conversation::PromptText;
use crate::dialect::OutputCaps;
use crate::edit::Edit;
use crate::event::{Event, Record};
use crate::exchange::Env;
use crate::exchange::fund::Tries;
use crate::journal::Slot;
use crate::limit::Receipt;
use crate::money::NanoUsd;
use crate::price::Price;
use crate::service_tier::{PricedTier, ServiceTier};
use crate::usage::{Outcome, Seen, Usage, UsageStatus, estimate};

/// What a model costs.
pub(super) struct Quoted {
    pub(super) price: Box<Price>,
    /// Whether it is the price of models that are not in the catalogue.
    pub(super) is_fallback: bool,
}

/// A request that may go on: everything that was decided, and the changes to its body.
pub(super) struct Prepared {
    /// The body as rules have changed it, where they have.
    pub(super) rewritten: Option<Vec<u8>>,
    /// Changes that are still to be made to it, beside those to its output caps.
    pub(super) edits: Vec<Edit>,
    /// What it is to say about how much output there may be, and for how many answers each.
    pub(super) output_caps: OutputCaps,
    pub(super) choices: u64,
    /// The path to send on, where the model stands in it and has an alias.
    pub(super) target: Option<String>,
    /// Whether a budget has lowered the output.
    pub(super) is_shrunk: bool,
    pub(super) tries: Tries,
    /// Whether the prompt has been moderated.
    pub(super) is_judged: bool,
    pub(super) released: Box<Released>,
}

/// A request on its way to the provider, and what its settlement needs.
pub(super) struct Released {
    /// The model that the provider is asked for.
    pub(super) model: String,
    /// What it costs.
    pub(super) quoted: Quoted,
    pub(super) prompt_tokens: u64,
    /// Output tokens that were reserved.
    pub(super) reserved_output: u64,
    /// The service tier that it asks for.
    pub(super) service_tier: Option<ServiceTier>,
    /// Whether the provider goes on with it when its first answer, or its stream, is over (`background`).
    pub(super) is_background: bool,
    pub(super) receipt: Receipt,
    /// What was reserved from budgets.
    pub(super) reservation: Option<Reservation>,
    /// Whether the usage event that Tollgate asked for must be kept from the client.
    pub(super) withhold_usage: bool,
    /// Its texts, where they are kept.
    pub(super) prompt: Option<Box<PromptText>>,
    /// Its open record in the journal, where there is one.
    pub(super) open: Option<Open>,
}

/// The open record of a request: its event as far as it is known, to be completed.
pub(super) struct Open {
    pub(super) slot: Slot,
    pub(super) event: Box<Event>,
    pub(super) record: Record,
}

/// What is left of a request that was about to be let go, for its event to undo.
#[derive(Default)]
pub(super) struct Withdrawn {
    /// Its open record in the journal.
    pub(super) slot: Option<Slot>,
    /// What was reserved from budgets.
    pub(super) reservation: Option<Reservation>,
}

// === impl Prepared ===

impl Prepared {
    /// The model that the provider is asked for.
    pub(super) fn model(&self) -> &str {
        &self.released.model
    }

    /// What it can cost at most with so much output.
    pub(super) fn cost_at_most(&self, output: u64) -> NanoUsd {
        let Released {
            quoted,
            prompt_tokens,
            service_tier,
            ..
        } = &*self.released;
        quoted.price.reserve(*prompt_tokens, output, *service_tier)
    }

    pub(super) const fn prompt_tokens(&self) -> u64 {
        self.released.prompt_tokens
    }

    /// Output tokens that are to be reserved, for all choices together.
    pub(super) const fn reserved_output(&self) -> u64 {
        self.released.reserved_output
    }

    /// Caps the output of each answer at the tokens that were reserved for it, unless it is capped to as many or
    /// fewer; says whether it was not.
    pub(super) fn cap_output(&mut self) -> bool {
        let per_choice = self.reserved_output() / self.choices.max(1);
        let is_open = self.output_caps.max().is_none_or(|cap| cap > per_choice);
        if is_open {
            self.output_caps.set(per_choice);
        }
        is_open
    }

    /// Whether the body must be at hand for its changes to be made.
    pub(super) fn needs_body(&self) -> bool {
        self.rewritten.is_none() && (!self.edits.is_empty() || self.output_caps.are_changed())
    }

    /// Lowers the output to what a budget can pay.
    pub(super) fn shrink_output(&mut self, tokens: u64) {
        self.is_shrunk = true;
        self.released.reserved_output = tokens;
    }

    pub(super) fn reserve(&mut self, reservation: Reservation) {
        self.released.reservation = Some(reservation);
    }

    /// The body as rules have changed it, or as it came.
    pub(super) fn body_or<'b>(&'b self, received: &'b [u8]) -> &'b [u8] {
        self.rewritten.as_deref().unwrap_or(received)
    }

    /// Makes changes that moderation asked for.
    pub(super) fn redact(&mut self, edits: Vec<Edit>) {
        if let Some(prompt) = &mut self.released.prompt {
            prompt.redact(&edits);
        }
        self.edits.extend(edits);
    }

    /// The request does not go on: what it took is given back.
    pub(super) fn cancel(self, config: &Config, env: &mut Env<'_>) {
        self.released.take_back(config, env);
    }
}

// === impl Released ===

impl Released {
    /// What it has used, as far as its answer tells. An answer with an error status used nothing. One that never came
    /// is charged for its prompt, which the provider has read. What the provider goes on with, nobody sees the end of:
    /// that is charged at its reservation.
    pub(super) fn used(&self, outcome: &Outcome, status: Option<u16>, is_stream: bool) -> Usage {
        let usage = match (status, outcome.usage) {
            (Some(200..=299) | None, _) => estimate(outcome, self.prompt_tokens, Seen::tokens_by_size),
            // Some hosts report what a failed answer used all the same.
            (Some(_), Some(usage)) => usage,
            (Some(_), None) => Usage::default(),
        };
        let is_open = matches!(usage.status, UsageStatus::Partial | UsageStatus::Estimated);
        let has_ended = is_stream && outcome.finished;
        if !(self.is_background && is_open) || has_ended {
            return usage;
        }
        Usage {
            output_tokens: usage.output_tokens.max(self.reserved_output),
            ..usage
        }
    }

    /// What usage of the model costs in the service tier that the answer tells, or else in the one that was asked for; and
    /// whether its price is a fallback.
    pub(super) fn cost(&self, usage: &Usage, told: Option<ServiceTier>) -> (NanoUsd, bool) {
        let Quoted { price, is_fallback } = &self.quoted;
        let tier = PricedTier::charged(self.service_tier, told);
        (price.cost(usage, tier), *is_fallback)
    }

    /// The request does not go on, and nothing is written of it: gives back what it took.
    pub(super) fn take_back(self, config: &Config, env: &mut Env<'_>) {
        let Withdrawn { reservation, .. } = self.withdraw(config, env);
        if let Some(reservation) = reservation {
            env.money.cancel(env.cells, reservation, env.now.millis());
        }
    }

    /// The request does not go on after all. Its open record charges what was reserved until its event is written:
    /// until then the reservation stands.
    pub(super) fn withdraw(self, config: &Config, env: &mut Env<'_>) -> Withdrawn {
        // Where the host refuses, what was taken refills by itself.
        let _ = config.limits.cancel(env.cells, self.receipt, env.now.millis());
        Withdrawn {
            slot: self.open.map(|open| open.slot),
            reservation: self.reservation,
        }
    }
}
