//! Conversations: what is said in an exchange is kept where policy says so, and is nothing to an exchange elsewhere.

use crate::conversation::{self, AnswerText, HEADER, MAX_NAME_BYTES, PromptText};
use crate::dialect::{Dialect, Request};
use crate::event::Event;
use crate::exchange::{Exchange, Phase};
use crate::headers::Headers;
use crate::refusal::{Code, Refusal};
use crate::wire::{CUT_MARGIN, SaidExchange};

// === impl Exchange ===

impl Exchange {
    /// What the client calls its conversation. Where nothing is kept the header is not looked at.
    pub(super) fn conversation(&self, headers: Headers<'_>) -> Result<Option<String>, Refusal> {
        if !self.config.keeps_conversations() {
            return Ok(None);
        }
        let invalid = |message: String| Refusal::new(Code::InvalidRequest, message).at(HEADER);
        let name = headers
            .single(HEADER)
            .map_err(|_| invalid(format!("the header {HEADER} came more than once; send it once")))?;
        let Some(name) = name else {
            return Ok(None);
        };
        let text = std::str::from_utf8(name)
            .ok()
            .filter(|_| conversation::is_name(name));
        text.map(|text| Some(text.to_owned())).ok_or_else(|| {
            invalid(format!(
                "the header {HEADER} must be 1 to {MAX_NAME_BYTES} letters, digits or any of `.`, `_`, `:`, `-`"
            ))
        })
    }

    /// The texts of a request to this model, where they are kept.
    pub(super) fn prompt_to_keep(&self, request: &Request<'_>, model: &str) -> Option<Box<PromptText>> {
        let max_bytes = self.kept_bytes(model)?;
        Some(Box::new(PromptText::of(request, max_bytes)))
    }

    /// What takes the text of the answer, where it is kept.
    pub(super) fn answer_to_keep(&self, dialect: Dialect) -> Option<Box<AnswerText>> {
        let Phase::Released(released) = &self.phase else {
            return None;
        };
        released.prompt.as_ref()?;
        let max_bytes = self.kept_bytes(&released.model)?;
        AnswerText::new(dialect, max_bytes).map(Box::new)
    }

    /// The client gets this answer in place of the one that came.
    pub(super) fn answer_was_changed(&mut self, body: &[u8]) {
        if let Some(text) = &mut self.response.text {
            text.restart();
            text.push(body);
        }
    }

    /// What was said in an exchange that is over, if anything was. An answer that was kept from the client was not.
    pub(super) fn said(&mut self, prompt: PromptText, event: &Event) -> Option<Box<SaidExchange>> {
        let text = self.response.text.take();
        let answer = text.filter(|_| self.response.refused.is_none());
        let (prompt, prompt_cut) = prompt.into_parts();
        let said = SaidExchange {
            event_id: event.event_id.clone(),
            request_id: event.request_id.clone(),
            conversation: self.request.conversation.take(),
            time: event.time,
            workspace: event.workspace.clone()?,
            user: event.user.clone(),
            session: event.session.clone(),
            key_id: event.key_id.clone(),
            model: event
                .response_model
                .clone()
                .or_else(|| event.request_model.clone()),
            status: event.status,
            error_code: event.error_code.clone(),
            prompt,
            prompt_cut,
            answer: answer.map(|text| text.finish()).unwrap_or_default(),
        };
        (!said.is_empty()).then(|| Box::new(said))
    }

    /// How many bytes are kept of a prompt to this model, with the margin that redaction needs.
    fn kept_bytes(&self, model: &str) -> Option<usize> {
        if !self.config.keeps_conversations() {
            return None;
        }
        let facts = self
            .facts(Some(model))
            .filter(|facts| facts.dialect != Dialect::Embeddings)?;
        Some(self.config.kept_bytes(&facts)? + CUT_MARGIN)
    }
}
