//! The body: may this request go on, what will it take, and how must it change?

use std::rc::Rc;

use crate::config::Config;
use crate::dialect::{self, Dialect, Endpoint, Invalid, OutputCaps, Request};
use crate::edit::{self, Edit};
use crate::exchange::fund::Tries;
use crate::exchange::model::requested_model;
use crate::exchange::prepared::{Prepared, Released};
use crate::exchange::step::Step;
use crate::exchange::{Env, Exchange};
use crate::limit::Demand;
use crate::refusal::{Code, Refusal};

/// What must change in a request.
#[derive(Default)]
struct Changes {
    edits: Vec<Edit>,
    target: Option<String>,
    /// Whether the provider is asked for a usage event that the client did not ask for.
    asks_for_usage: bool,
}

// === impl Exchange ===

impl Exchange {
    /// Decides about a request whose whole body has come, up to where it must wait for the sidecar.
    pub(super) fn decide(&mut self, received: &[u8], env: &mut Env<'_>) -> Result<Step, Refusal> {
        let config = Rc::clone(&self.config);
        // The endpoint borrows from it, and a request that is refused needs it no more.
        let target = std::mem::take(&mut self.request.target);
        let endpoint = self.endpoint(&target)?;
        self.request.bytes = received.len() as u64;
        let request = dialect::parse(&endpoint, received)?;
        let mut caps = request.output_caps();
        let rewritten = self.apply_rules(&config, &endpoint, &request, &mut caps)?;
        let mut prepared = match &rewritten {
            None => self.prepare(&config, &endpoint, &request, caps, env)?,
            Some(body) => self.prepare(&config, &endpoint, &dialect::parse(&endpoint, body)?, caps, env)?,
        };
        prepared.rewritten = rewritten;
        self.request.target = target;
        self.fund(Box::new(prepared), received, env)
    }

    /// The endpoint that the request's path and query were found to name when its headers came.
    pub(super) fn endpoint<'t>(&self, target: &'t str) -> Result<Endpoint<'t>, Refusal> {
        let meaning = self.request.meaning.clone();
        meaning
            .map(|meaning| Endpoint::meant_by(target, meaning))
            .ok_or_else(|| Refusal::new(Code::UnknownEndpoint, "the path is no endpoint of this gateway"))
    }

    /// Decides about a request that keeps the rules, in all but how it is paid for, and takes from its limits.
    fn prepare(
        &mut self,
        config: &Config,
        endpoint: &Endpoint<'_>,
        request: &Request<'_>,
        output_caps: OutputCaps,
        env: &mut Env<'_>,
    ) -> Result<Prepared, Refusal> {
        self.request.model = request
            .model
            .as_ref()
            .map(|model| model.name.clone().into_owned());
        self.request.stream = request.stream;
        // Vertex AI was asked in a header.
        self.request.service_tier = self.request.service_tier.or(request.service_tier);
        let (model, quoted) = self.choose_model(config, request, env)?;
        let changes = self.changes(endpoint, request, &model)?;
        let prompt_tokens = count_prompt(request, &model, config.exact_count_bytes);
        if let Some(facts) = self.facts(Some(&model)) {
            config
                .rules(&facts)
                .try_for_each(|rules| rules.check_prompt_tokens(request, prompt_tokens))?;
        }
        let reserved_output = output_to_reserve(request, &output_caps, config.default_output_reservation);
        let demand = Demand {
            input_tokens: prompt_tokens,
            output_tokens: reserved_output,
        };
        let prompt = self.prompt_to_keep(request, &model);
        let receipt = self.take_limits(Some(&model), demand, env)?;
        let released = Box::new(Released {
            model,
            quoted,
            prompt_tokens,
            reserved_output,
            service_tier: self.request.service_tier,
            is_background: request.background,
            receipt,
            reservation: None,
            withhold_usage: changes.asks_for_usage,
            prompt,
            open: None,
        });
        Ok(Prepared {
            rewritten: None,
            edits: changes.edits,
            output_caps,
            choices: request.choices,
            target: changes.target,
            is_shrunk: false,
            tries: Tries::default(),
            is_judged: false,
            released,
        })
    }

    /// The body of a request that waited is at hand again: it goes on where it stopped.
    pub(super) fn resume(
        &mut self,
        prepared: Box<Prepared>,
        body: &[u8],
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        if prepared.is_judged {
            self.release(*prepared, body, env)
        } else {
            self.fund(prepared, body, env)
        }
    }

    /// Holds the body against every rule for it, each seeing what those before have changed. The body as they have
    /// changed its texts, where they have; changes to its output caps are still to be written then, or not at all.
    fn apply_rules(
        &self,
        config: &Config,
        endpoint: &Endpoint<'_>,
        request: &Request<'_>,
        caps: &mut OutputCaps,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let mut changed: Option<Vec<u8>> = None;
        if !config.has_rules() {
            return Ok(changed);
        }
        let Some(facts) = self.facts(request.model.as_ref().map(|model| &*model.name)) else {
            return Ok(changed);
        };
        for rules in config.rules(&facts) {
            if caps.are_changed() && rules.look_at_parameters() {
                let body = changed.as_deref().unwrap_or(request.body().as_bytes());
                changed = Some(rewrite(endpoint, body, Vec::new(), caps)?);
            }
            let edits = match &changed {
                None => rules.check(request, caps)?,
                Some(body) => rules.check(&dialect::parse(endpoint, body)?, caps)?,
            };
            if !edits.is_empty() {
                let body = changed.as_deref().unwrap_or(request.body().as_bytes());
                changed = Some(rewrite(endpoint, body, edits, caps)?);
            }
        }
        Ok(changed)
    }

    /// What must change in the request for the provider to answer with this model and to report usage.
    fn changes(
        &self,
        endpoint: &Endpoint<'_>,
        request: &Request<'_>,
        model: &str,
    ) -> Result<Changes, Refusal> {
        let mut changes = Changes::default();
        let requested = requested_model(request);
        if model != requested {
            match request.replace_model(model) {
                Some(edit) => changes.edits.push(edit),
                None => {
                    let target = endpoint.with_model(model);
                    changes.target = Some(target.ok_or_else(|| bad_alias(requested, model))?);
                }
            }
        }
        let destination = self.request.destination.as_ref();
        if destination.is_some_and(|destination| destination.stream_usage)
            && let Some(edit) = request.force_include_usage()
        {
            changes.asks_for_usage = true;
            changes.edits.push(edit);
        }
        Ok(changes)
    }
}

/// The tokens of a prompt as the model counts them; of a very long one the rest is estimated, so that no body
/// blocks a worker.
fn count_prompt(request: &Request<'_>, model: &str, exact_bytes: usize) -> u64 {
    let counter = tollgate_tokens::Counter::for_model(model, exact_bytes);
    dialect::prompt_tokens::count_prompt(request, model, &|text| counter.count(text).tokens)
}

/// An alias for a model that cannot stand in a path: known only when a path names the alias.
fn bad_alias(requested: &str, model: &str) -> Refusal {
    Refusal::new(
        Code::ModelNotAllowed,
        format!(
            "`{requested}` stands for `{model}` here, which cannot stand in this path; name another model"
        ),
    )
    .at("model")
}

/// A body with changes to its texts and to its output caps, and where these stand in it then.
fn rewrite(
    endpoint: &Endpoint<'_>,
    body: &[u8],
    mut edits: Vec<Edit>,
    caps: &mut OutputCaps,
) -> Result<Vec<u8>, Invalid> {
    edits.extend(caps.edits());
    let changed = edit::apply(body, &mut edits);
    *caps = dialect::parse(endpoint, &changed)?.output_caps();
    Ok(changed)
}

/// The most output tokens that a request can use, as far as it says.
fn output_to_reserve(request: &Request<'_>, caps: &OutputCaps, default: u64) -> u64 {
    if request.dialect == Dialect::Embeddings {
        return 0;
    }
    caps.max().unwrap_or(default).saturating_mul(request.choices)
}
