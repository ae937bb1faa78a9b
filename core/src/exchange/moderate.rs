//! Moderation: the sidecar's verdict on the prompt before the call, and on a JSON answer after it.

use std::ops::Range;
use std::rc::Rc;

use crate::config::{Moderation, OnUnavailable};
use crate::dialect;
use crate::edit::Edit;
use crate::exchange::prepared::Prepared;
use crate::exchange::step::{Answer, Ask, Moderate, Step};
use crate::exchange::{Env, Exchange, Phase};
use crate::refusal::{Code, Refusal};
use crate::wire::{ModerationAction, ModerationPhase, ModerationRequest, ModerationVerdict};

/// A question to the sidecar that is not answered yet, and what the answer is about.
pub(super) struct Pending {
    on_unavailable: OnUnavailable,
    /// Where the texts stand in the body, in the order in which they were asked about.
    spans: Vec<Range<usize>>,
}

/// What a verdict means for a body.
enum Ruling {
    /// It may pass, with these changes.
    Pass(Vec<Edit>),
    /// It may not.
    Refuse(Refusal),
}

// === impl Exchange ===

impl Exchange {
    /// Asks the sidecar about the prompt, where policy wants it, and lets the request go.
    pub(super) fn judge_prompt(
        &mut self,
        mut prepared: Box<Prepared>,
        received: &[u8],
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        let config = Rc::clone(&self.config);
        let policy = self
            .facts(Some(prepared.model()))
            .and_then(|facts| config.moderation(&facts, self.identity.as_ref()?.moderation.as_deref()));
        self.response.moderation = policy.clone().filter(|policy| policy.output);
        let Some(policy) = policy.filter(|policy| policy.input) else {
            return self.release(*prepared, received, env);
        };
        let endpoint = self.endpoint(&self.request.target)?;
        let texts: Vec<(String, Range<usize>)> = dialect::parse(&endpoint, prepared.body_or(received))?
            .texts()
            .map(|text| (text.text.into_owned(), text.span))
            .collect();
        prepared.is_judged = true;
        if texts.is_empty() {
            return self.release(*prepared, received, env);
        }
        let (question, pending) = self.question(&policy, ModerationPhase::Input, texts, prepared.model());
        self.phase = Phase::ModeratingPrompt { prepared, pending };
        Ok(Step::Ask(question))
    }

    /// The verdict on the prompt has come, or none has.
    pub(super) fn prompt_judged(
        &mut self,
        answer: Answer<'_>,
        mut prepared: Box<Prepared>,
        pending: &Pending,
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        match pending.ruling(answer) {
            Ruling::Pass(edits) => {
                prepared.redact(edits);
                self.go_on(prepared, env)
            }
            Ruling::Refuse(refusal) => {
                prepared.cancel(&self.config, env);
                Err(refusal)
            }
        }
    }

    /// The whole held answer, asked for by [`Step::ReadBody`]: asks about it, or changes it as was asked.
    pub fn response_body(&mut self, body: &[u8]) -> Step {
        if !self.response.redactions.is_empty() {
            return self.release_response(Some(body));
        }
        let Some(policy) = self.response.moderation.take() else {
            return self.release_response(None);
        };
        let texts = dialect::answer_texts(body);
        if texts.is_empty() {
            return self.release_response(None);
        }
        let model = self.request.model.clone().unwrap_or_default();
        let (question, pending) = self.question(&policy, ModerationPhase::Output, texts, &model);
        self.response.judging = Some(pending);
        Step::Ask(question)
    }

    /// The verdict on the answer has come, or none has.
    pub(super) fn answer_judged(&mut self, answer: Answer<'_>) -> Result<Step, Refusal> {
        let Some(pending) = self.response.judging.take() else {
            return Ok(Step::Hold);
        };
        match pending.ruling(answer) {
            Ruling::Pass(edits) if edits.is_empty() => Ok(self.release_response(None)),
            Ruling::Pass(edits) => {
                self.response.redactions = edits;
                Ok(Step::ReadBody)
            }
            Ruling::Refuse(refusal) => Err(refusal),
        }
    }

    /// A held answer has outgrown what may be held before it could be judged.
    pub(super) fn too_large_to_judge(&mut self) -> Step {
        match self
            .response
            .moderation
            .take()
            .map(|policy| policy.on_unavailable)
        {
            Some(OnUnavailable::Deny) => self.refuse(Refusal::new(
                Code::ContentBlocked,
                format!(
                    "the answer is larger than the {} bytes that can be moderated; ask for less",
                    self.config.max_held_response_bytes
                ),
            )),
            Some(OnUnavailable::Allow) | None => self.release_early(),
        }
    }

    fn question(
        &self,
        policy: &Moderation,
        phase: ModerationPhase,
        texts: Vec<(String, Range<usize>)>,
        model: &str,
    ) -> (Ask, Pending) {
        let (texts, spans) = texts.into_iter().unzip();
        let identity = self.identity.as_ref();
        let request = ModerationRequest {
            policy: policy.policy.clone(),
            phase,
            request_id: self.ids.request.clone(),
            workspace: identity.map(|identity| identity.workspace.clone()),
            key_id: identity.and_then(|identity| identity.key_id.clone()),
            model: Some(model.to_owned()),
            texts,
        };
        let ask = Ask::Moderate(Box::new(Moderate {
            request,
            timeout: policy.timeout,
        }));
        (
            ask,
            Pending {
                on_unavailable: policy.on_unavailable,
                spans,
            },
        )
    }
}

// === impl Pending ===

impl Pending {
    fn ruling(&self, answer: Answer<'_>) -> Ruling {
        let Some(verdict) = verdict_in(answer).filter(|verdict| self.is_answered_by(verdict)) else {
            return match self.on_unavailable {
                OnUnavailable::Allow => Ruling::Pass(Vec::new()),
                OnUnavailable::Deny => Ruling::Refuse(Refusal::new(
                    Code::SidecarUnavailable,
                    "the content could not be checked because the sidecar is unavailable; try again shortly",
                )),
            };
        };
        match verdict.action {
            ModerationAction::Allow | ModerationAction::Flag => Ruling::Pass(Vec::new()),
            ModerationAction::Redact => Ruling::Pass(self.redactions(verdict.texts)),
            ModerationAction::Block => Ruling::Refuse(Refusal::new(
                Code::ContentBlocked,
                format!(
                    "the content was blocked by policy ({})",
                    verdict.categories.join(", ")
                ),
            )),
        }
    }

    /// A redaction must speak of every text: one that is missing would pass as it was.
    fn is_answered_by(&self, verdict: &ModerationVerdict) -> bool {
        verdict.action != ModerationAction::Redact || verdict.texts.len() == self.spans.len()
    }

    fn redactions(&self, texts: Vec<Option<String>>) -> Vec<Edit> {
        self.spans
            .iter()
            .zip(texts)
            .filter_map(|(span, text)| {
                Some(Edit {
                    span: span.clone(),
                    with: dialect::encode(&text?),
                })
            })
            .collect()
    }
}

/// The verdict in an answer, if it is one.
fn verdict_in(answer: Answer<'_>) -> Option<ModerationVerdict> {
    match answer {
        Answer::Answered { status: 200, body } => serde_json::from_slice(body).ok(),
        Answer::Answered { .. } | Answer::Unavailable => None,
    }
}
