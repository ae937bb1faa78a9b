//! What Tollgate knows of a request, whatever its dialect.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use super::at::{At, Invalid};
use super::endpoint::{Endpoint, PathStream};
use super::fields::{self, Ambiguous, Index, is_string, present};
use super::json_string::decode;
use super::prompt::{Media, Piece, PieceKind, Role, Text};
use super::syntax::List;
use super::{Dialect, Family, Naming, scalar};
use crate::service_tier::ServiceTier;

/// A request body, read. It borrows from the body and from the path.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub(super) body: &'a str,
    /// The wire format.
    pub dialect: Dialect,
    /// Whose `count_tokens` it is, and whose envelope an error wears.
    pub family: Family,
    /// The model that will answer; absent for [`Dialect::Models`], and where a stored prompt brings its own.
    pub model: Option<Model<'a>>,
    /// The body's model where the path names one too: the provider ignores it, prices may want it (Azure's
    /// deployments have names of their own).
    pub body_model: Option<Cow<'a, str>>,
    /// Models that may answer in its place (OpenRouter's `models`): policy for models holds for them too.
    pub fallback_models: Vec<Cow<'a, str>>,
    /// Whether the client asked for a stream, in the path or in the body.
    pub stream: bool,
    /// How many answers are generated, each up to the output cap: `n`, `candidateCount`, or for legacy
    /// completions the larger of `n` and `best_of`, times the prompts. At least 1.
    pub choices: u64,
    /// What stands in `stream_options.include_usage`.
    pub include_usage: IncludeUsage,
    /// One for each message, input item or content, in order.
    pub messages: Vec<MessageHead<'a>>,
    /// Everything in the prompt that is text, in the order of the dialect's fields and then of the body.
    pub pieces: Vec<Piece<'a>>,
    /// Tool definitions, each as raw JSON.
    pub tools: Vec<&'a str>,
    /// The JSON schema that the answer must follow, as raw JSON: providers count it as input.
    pub schema: Option<&'a str>,
    /// Images, audio, video and files.
    pub media: Vec<Media>,
    /// Input that the client sent as token numbers (embeddings, legacy completions).
    pub token_ids: u64,
    /// What the body says about the session.
    pub hints: SessionHints<'a>,
    /// Whether the provider adds input that is not in the body (`previous_response_id`, `conversation`, a stored
    /// prompt, cached content): the prompt's count is a lower bound then.
    pub hidden_context: bool,
    /// Whether a Responses call only starts here (`background`): its first answer reports no usage.
    pub background: bool,
    /// The service tier that it asks for; [`ServiceTier::Other`] where nobody knows what it asks for.
    pub service_tier: Option<ServiceTier>,
    /// How long what only the provider can read is, in bytes of base64 (signed thoughts, encrypted compactions),
    /// where the provider counts it as input.
    pub sealed_bytes: usize,
    /// Anthropic's `thinking.budget_tokens`: an output cap must be larger.
    pub thinking_budget: Option<u64>,
    /// Where the output cap stands: empty where there is none, two where the client sent both of OpenAI's names.
    pub(super) caps: Vec<CapField>,
    pub(super) cap_place: CapPlace<'a>,
    pub(super) stream_options: Option<&'a str>,
    path: &'a str,
    /// All fields, once somebody has asked for one that this type does not name.
    index: OnceCell<Index<'a>>,
    /// The messages, where they came up when the body was read.
    list: Option<List<'a>>,
}

/// The model of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model<'a> {
    /// As the client wrote it.
    pub name: Cow<'a, str>,
    /// The JSON string in the body; `None` where the path names the model ([`Endpoint::with_model`]).
    pub span: Option<Range<usize>>,
}

/// One field that caps the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CapField {
    /// As the body spells it, e.g. `generationConfig.maxOutputTokens`.
    pub(super) param: &'static str,
    /// Tokens; `None` where the field is `null`.
    pub(super) value: Option<u64>,
    /// Its value in the body.
    pub(super) span: Range<usize>,
}

/// Where an output cap is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CapPlace<'a> {
    /// The dialect has none.
    Nowhere,
    /// A field of the body.
    Top(&'static str),
    /// `maxOutputTokens` in `generationConfig`, whose raw value is this.
    GenerationConfig(Option<&'a str>),
}

/// What stands in `stream_options.include_usage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncludeUsage {
    /// The dialect reports usage in every stream.
    Always,
    /// Not asked for.
    Absent,
    /// `false` or `null`, at this place.
    No(Range<usize>),
    /// Asked for.
    Yes,
}

/// What a message says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageHead<'a> {
    /// Its role as the client wrote it; `None` where the dialect needs none (a tool call in Responses).
    pub role: Option<Cow<'a, str>>,
    /// Whether it has a `name`.
    pub named: bool,
}

/// Values in the body by which clients name a session or a person; they prove nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionHints<'a> {
    /// OpenAI's `user`, or its successor `safety_identifier`.
    pub user: Option<Cow<'a, str>>,
    /// Anthropic's `metadata.user_id`; Claude Code writes its session into it.
    pub metadata_user_id: Option<Cow<'a, str>>,
    /// OpenAI's `prompt_cache_key`.
    pub prompt_cache_key: Option<Cow<'a, str>>,
}

// === impl Request ===

impl<'a> Request<'a> {
    pub(super) fn new(endpoint: &Endpoint<'a>) -> Self {
        let cap_place = match endpoint.dialect() {
            Dialect::ChatCompletions | Dialect::Completions | Dialect::Messages => {
                CapPlace::Top("max_tokens")
            }
            // A compaction has none.
            Dialect::Responses if endpoint.stream() == PathStream::Never => CapPlace::Nowhere,
            Dialect::Responses => CapPlace::Top("max_output_tokens"),
            Dialect::GenerateContent => CapPlace::GenerationConfig(None),
            Dialect::Embeddings | Dialect::Models | Dialect::CountTokens => CapPlace::Nowhere,
        };
        Self {
            body: "",
            dialect: endpoint.dialect(),
            family: endpoint.family(),
            model: endpoint.model().map(|name| Model {
                name: Cow::Borrowed(name),
                span: None,
            }),
            body_model: None,
            fallback_models: Vec::new(),
            stream: matches!(endpoint.stream(), PathStream::Sse | PathStream::JsonArray),
            choices: 1,
            include_usage: IncludeUsage::Always,
            messages: Vec::new(),
            pieces: Vec::new(),
            tools: Vec::new(),
            schema: None,
            media: Vec::new(),
            token_ids: 0,
            hints: SessionHints::default(),
            hidden_context: false,
            background: false,
            service_tier: None,
            sealed_bytes: 0,
            thinking_budget: None,
            caps: Vec::new(),
            cap_place,
            stream_options: None,
            path: endpoint.path(),
            index: OnceCell::new(),
            list: None,
        }
    }

    /// The body that was read.
    pub const fn body(&self) -> &'a str {
        self.body
    }

    /// The strings of the prompt, in order: what moderation reads, and what it may replace by
    /// [`Text::replace`]. Strings inside tool arguments and results are among them; names, identifiers,
    /// signatures and encoded data are not.
    pub fn texts(&self) -> impl Iterator<Item = Text<'a>> + '_ {
        self.pieces
            .iter()
            .filter(|piece| piece.kind != PieceKind::Name)
            .flat_map(|piece| piece.strings().map(|raw| self.text(piece, raw)))
    }

    /// Everything in the prompt that a person would read, in order: as [`Self::texts`], and names, and JSON as it
    /// stands in the body.
    pub fn spoken(&self) -> impl DoubleEndedIterator<Item = Text<'a>> + '_ {
        self.pieces.iter().flat_map(|piece| match piece.kind {
            PieceKind::Json => vec![Text {
                text: Cow::Borrowed(piece.raw),
                ..self.text(piece, piece.raw)
            }],
            _ => piece.strings().map(|raw| self.text(piece, raw)).collect(),
        })
    }

    /// The raw JSON of a parameter by its dotted name (`reasoning.effort`). `None` where it is absent or `null`, or
    /// where the path goes through something else than objects.
    ///
    /// # Errors
    /// The parameter is given twice or in another case, so that nobody knows which value the provider takes.
    pub fn parameter(&self, dotted: &str) -> Result<Option<&'a str>, Invalid> {
        let index = self.index.get_or_init(|| Index::of(self.body));
        let found = index.lookup(self.naming(), dotted);
        found.map_err(|Ambiguous| {
            Invalid::new(
                dotted,
                format!("{dotted} is given more than once, or in another case"),
            )
        })
    }

    /// Whether it goes to Vertex AI.
    pub(super) fn is_vertex(&self) -> bool {
        self.path.contains("/publishers/")
    }

    /// How the dialect spells its fields.
    const fn naming(&self) -> Naming {
        match self.family {
            Family::Gemini => Naming::Proto,
            Family::OpenAi | Family::Anthropic => Naming::Exact,
        }
    }

    /// The offsets of a part of the body.
    pub(super) fn span(&self, raw: &str) -> Range<usize> {
        let start = (raw.as_ptr() as usize).saturating_sub(self.body.as_ptr() as usize);
        start..start + raw.len()
    }

    fn text(&self, piece: &Piece<'a>, raw: &'a str) -> Text<'a> {
        Text {
            role: piece.role,
            kind: piece.kind,
            message: piece.message,
            text: decode(raw),
            span: self.span(raw),
        }
    }

    /// The values of the `names` in the body, which is read to its end here.
    pub(super) fn fields<const N: usize>(
        &mut self,
        names: &[&'static str; N],
    ) -> Result<[Option<&'a str>; N], Invalid> {
        let body = fields::body(self.body, self.naming(), names)?;
        self.index = body.index.map(OnceCell::from).unwrap_or_default();
        self.list = body.list;
        Ok(body.fields)
    }

    /// Calls `each` for every one of the messages `json`, which must all be objects, with the values of the `names` in it.
    pub(super) fn each_message<const N: usize>(
        &mut self,
        json: &'a str,
        names: &[&'static str; N],
        mut each: impl FnMut(&mut Self, usize, [Option<&'a str>; N], &At<'_>) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        let at = At::ROOT.field("messages");
        match self.list.take().filter(|list| list.is(json)) {
            Some(list) => fields::listed(&list, names, &at, |index, fields| {
                each(self, index, fields, &at.index(index))
            }),
            None => fields::objects(json, Naming::Exact, names, &at, |index, fields| {
                each(self, index, fields, &at.index(index))
            }),
        }
    }

    /// Takes the body's `model`, which must be there unless the path named one.
    pub(super) fn read_model(&mut self, json: Option<&'a str>) -> Result<(), Invalid> {
        if self.read_optional_model(json)? {
            return Ok(());
        }
        Err(At::ROOT.field("model").must("name a model"))
    }

    /// Takes the body's `model`; says whether it or the path named one.
    pub(super) fn read_optional_model(&mut self, json: Option<&'a str>) -> Result<bool, Invalid> {
        let at = At::ROOT.field("model");
        let name = scalar::string(json, &at)?.filter(|name| !name.is_empty());
        match (&self.model, name) {
            (Some(_), in_body) => self.body_model = in_body,
            (None, Some(name)) => {
                let span = json.map(|raw| self.span(raw));
                self.model = Some(Model { name, span });
            }
            (None, None) => return Ok(false),
        }
        Ok(true)
    }

    /// Takes the body's `stream`, unless the path decided.
    pub(super) fn read_stream(&mut self, json: Option<&'a str>) -> Result<(), Invalid> {
        self.stream = scalar::boolean(json, &At::ROOT.field("stream"))?.unwrap_or(false);
        Ok(())
    }

    /// Takes a cap on the output.
    pub(super) fn read_cap(&mut self, param: &'static str, json: Option<&'a str>) -> Result<(), Invalid> {
        let Some(raw) = json else {
            return Ok(());
        };
        let at = At::ROOT.field(param);
        let value = match self.family {
            Family::Gemini => scalar::proto_count(json, &at)?,
            Family::OpenAi => scalar::limit(json, &at)?,
            Family::Anthropic => scalar::count(json, &at)?,
        };
        let span = self.span(raw);
        self.caps.push(CapField { param, value, span });
        Ok(())
    }

    /// Adds a piece of text; an empty string is none.
    pub(super) fn push(&mut self, role: Role, kind: PieceKind, message: Option<usize>, raw: &'a str) {
        if raw != "\"\"" {
            self.pieces.push(Piece {
                role,
                kind,
                message,
                raw,
            });
        }
    }

    /// Adds what is a string or other JSON: a tool's arguments, a result.
    pub(super) fn push_value(&mut self, role: Role, message: Option<usize>, json: Option<&'a str>) {
        if let Some(raw) = present(json) {
            let kind = if is_string(raw) {
                PieceKind::Arguments
            } else {
                PieceKind::Json
            };
            self.push(role, kind, message, raw);
        }
    }

    /// Adds a name, where there is one.
    pub(super) fn push_name(&mut self, role: Role, message: Option<usize>, json: Option<&'a str>) {
        if let Some(raw) = json.filter(|raw| is_string(raw)) {
            self.push(role, PieceKind::Name, message, raw);
        }
    }
}
