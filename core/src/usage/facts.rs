//! What the documents of one answer have said so far, in whichever dialect.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::reader::{End, Outcome};
use super::tree::{Node, Sink, Slot};
use super::{Seen, Usage, UsageStatus, anthropic, gemini, openai};
use crate::dialect::Dialect;
use crate::service_tier::ServiceTier;
use crate::words::plain_len;

/// The longest model name that is kept, in bytes.
const MAX_MODEL: usize = 256;
/// The longest error code that is kept, in bytes.
const MAX_CODE: usize = 64;

/// The formats of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OpenAI: chat completions, completions.
    Completion,
    /// OpenAI: embeddings.
    Embeddings,
    /// OpenAI: Responses.
    Response,
    /// Anthropic.
    Message,
    /// Gemini.
    Gemini,
}

/// What is known of an answer.
#[derive(Debug)]
pub(super) struct Facts {
    protocol: Protocol,
    usage: Option<Usage>,
    message: anthropic::Tally,
    model: Option<String>,
    service_tier: Option<ServiceTier>,
    error: Option<String>,
    seen: Seen,
    /// Whether the answer's end was announced: `finish_reason`, `stop_reason`, `response.completed`, …
    announced: bool,
    /// Whether the stream's or the body's end was seen: `[DONE]`, `message_stop`, the last bracket.
    ended: bool,
    /// Whether `usage` came with the announced end, or after it.
    usage_is_final: bool,
    document: Document,
}

/// What is known of the current document: the body, or one event of a stream.
#[derive(Debug, Default)]
struct Document {
    text_bytes: u64,
    has_usage: bool,
    is_binary: bool,
    is_error: bool,
}

/// An error object in any dialect.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorObject<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
}

// === impl Protocol ===

impl Protocol {
    /// The format of a dialect's answers; `None` where they use nothing.
    pub(crate) const fn of(dialect: Dialect) -> Option<Self> {
        match dialect {
            Dialect::ChatCompletions | Dialect::Completions => Some(Self::Completion),
            Dialect::Embeddings => Some(Self::Embeddings),
            Dialect::Responses => Some(Self::Response),
            Dialect::Messages => Some(Self::Message),
            Dialect::GenerateContent => Some(Self::Gemini),
            Dialect::Models | Dialect::CountTokens => None,
        }
    }

    /// Where this format has what is looked for.
    pub(super) fn root(self) -> &'static Node {
        match self {
            Self::Completion | Self::Embeddings => &openai::COMPLETION,
            Self::Response => &openai::RESPONSE,
            Self::Message => &anthropic::MESSAGE,
            Self::Gemini => &gemini::RESPONSE,
        }
    }
}

// === impl Facts ===

impl Facts {
    pub(super) fn new(protocol: Protocol, readable: bool) -> Self {
        Self {
            protocol,
            usage: None,
            message: anthropic::Tally::default(),
            model: None,
            service_tier: None,
            error: None,
            seen: Seen {
                readable,
                ..Seen::default()
            },
            announced: false,
            ended: false,
            usage_is_final: false,
            document: Document::default(),
        }
    }

    /// So many more bytes of the body have passed.
    pub(super) fn saw(&mut self, bytes: usize) {
        self.seen.body_bytes = self.seen.body_bytes.saturating_add(bytes as u64);
    }

    /// OpenAI's end of a stream.
    pub(super) fn done(&mut self) {
        self.ended = true;
    }

    /// The end of an event; `whole` where its data was a complete document.
    pub(super) fn end_of_event(&mut self, whole: bool) {
        let document = std::mem::take(&mut self.document);
        if document.text_bytes > 0 && !document.is_binary {
            self.seen.text_bytes = self.seen.text_bytes.saturating_add(document.text_bytes);
            self.seen.deltas = self.seen.deltas.saturating_add(1);
        }
        if document.is_error && self.error.is_none() {
            self.error = Some("error".to_owned());
        }
        self.usage_is_final |= whole && self.announced && document.has_usage;
    }

    /// The end of a JSON body; `whole` where it was complete.
    pub(super) fn end_of_body(&mut self, whole: bool) {
        self.end_of_event(whole);
        self.ended = whole;
        self.announced = whole;
        self.usage_is_final = whole;
    }

    /// What is known in the end.
    pub(super) fn outcome(self, end: End) -> Outcome {
        let complete = self.usage_is_final
            || match self.protocol {
                // The usage comes last; many hosts leave out one of the things that end a stream.
                Protocol::Completion | Protocol::Embeddings => self.ended || end == End::Clean,
                // Each event has the counts so far.
                Protocol::Gemini => end == End::Clean,
                // What the first event reports is no more than a start.
                Protocol::Response | Protocol::Message => false,
            };
        let status = if complete {
            UsageStatus::Complete
        } else {
            UsageStatus::Partial
        };
        Outcome {
            usage: self.usage.map(|usage| Usage { status, ..usage }),
            response_model: self.model,
            service_tier: self.service_tier,
            seen: self.seen,
            finished: self.ended || self.announced,
            error: self.error,
        }
    }

    fn usage(&mut self, json: &[u8]) {
        if json == b"null" {
            return;
        }
        let found = match self.protocol {
            Protocol::Completion | Protocol::Response => openai::usage(json),
            Protocol::Embeddings => openai::embeddings_usage(json),
            Protocol::Message => {
                let says_something = self.message.merge(json);
                self.service_tier(self.message.service_tier());
                says_something.then(|| self.message.usage())
            }
            Protocol::Gemini => {
                let (found, tier) = gemini::usage(json);
                self.service_tier(tier);
                found
            }
        };
        if found.is_some() {
            self.usage = found;
            self.document.has_usage = true;
        }
    }

    /// The last that tells anything holds: a stream of Responses begins with what was asked for.
    fn service_tier(&mut self, told: Option<ServiceTier>) {
        if told.is_some_and(ServiceTier::is_telling) || self.service_tier.is_none() {
            self.service_tier = told;
        }
    }

    fn kind(&mut self, kind: &str) {
        match self.protocol {
            Protocol::Response if openai::is_last(kind) => {
                self.announced = true;
                self.ended = true;
            }
            Protocol::Response => self.document.is_binary |= openai::is_binary(kind),
            Protocol::Message if anthropic::is_last(kind) => self.ended = true,
            Protocol::Message | Protocol::Completion | Protocol::Embeddings | Protocol::Gemini => {}
        }
        self.document.is_error |= kind == "error";
    }
}

impl Sink for Facts {
    fn value(&mut self, slot: Slot, json: &[u8]) {
        match slot {
            Slot::Usage => self.usage(json),
            Slot::Model => {
                if self.model.is_none() {
                    self.model = string(json).filter(|model| model.len() <= MAX_MODEL);
                }
            }
            Slot::ServiceTier => self.service_tier(ServiceTier::told(json)),
            Slot::Kind => match serde_json::from_slice(json) {
                Ok(kind) => self.kind(kind),
                // It has an escape, or is no string.
                Err(_) => self.kind(&string(json).unwrap_or_default()),
            },
            Slot::Finish => self.announced |= json != b"null",
            Slot::Error if json == b"null" => {}
            Slot::Error => self.error = Some(error_code(json)),
            Slot::Index | Slot::ItemKind | Slot::Thought => {}
        }
    }

    fn text(&mut self, bytes: u64) {
        self.document.text_bytes = self.document.text_bytes.saturating_add(bytes);
    }
}

fn string(json: &[u8]) -> Option<String> {
    let inner = json.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    // Nearly all stand for themselves.
    match inner.filter(|text| plain_len(text) == text.len()) {
        Some(plain) => std::str::from_utf8(plain).ok().map(str::to_owned),
        None => serde_json::from_slice(json).ok(),
    }
}

/// The most telling code of an error, or `error` where none is given or it looks like prose.
fn error_code(json: &[u8]) -> String {
    let error: ErrorObject<'_> = serde_json::from_slice(json).unwrap_or_default();
    [error.code, error.status, error.kind]
        .into_iter()
        .flatten()
        .filter_map(|raw| serde_json::from_str::<String>(raw.get()).ok())
        .chain(error.code.map(|raw| raw.get().to_owned()))
        .find(|code| is_code(code))
        .unwrap_or_else(|| "error".to_owned())
}

fn is_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=MAX_CODE).contains(&text.len()) && text != "null" && text.bytes().all(plain)
}
