//! How many tokens a prompt is: its texts, counted, and what a provider wraps around them.
//!
//! The texts are counted by the caller's counter, which is exact for OpenAI's models. The wrapping is OpenAI's
//! published formula for its chat models (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken_for_api_calls>)
//! and, where no provider publishes one, what recorded exchanges show. What a provider adds by itself (search
//! results, stored context) cannot be known before the call.

use memchr::memmem;

use super::json_string::decode_in;
use super::prompt::{Media, MediaKind, Piece, PieceKind};
use super::request::Request;
use super::tool_text;
use super::{Dialect, Family};

/// How a family of models is given a prompt.
struct Wrapping {
    /// What the names of its models contain.
    marks: &'static [Mark],
    /// Tokens once.
    once: u64,
    /// Tokens for each message, its role included.
    message: u64,
    /// Tokens for each call of a tool and each result; negative where they are shown with less around them.
    call: i64,
    /// Tokens once where there are tools.
    tools: u64,
    /// As `tools`, where one of them must be called.
    tools_forced: u64,
    /// Tokens for each tool beside its definition; negative where a definition is shown with less around it.
    tool: i64,
    /// How a definition is shown to the model.
    definition: Definition,
    /// Tokens for 100 tokens of the answer's JSON schema.
    schema_percent: u64,
    /// Whether reasoning of earlier turns is kept.
    keeps_thinking: bool,
    /// What parts that are not text come to.
    media: MediaTokens,
}

/// A part of a model's name.
struct Mark {
    text: &'static str,
    bits: u64,
}

/// How a tool's definition is shown to a model.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Definition {
    /// As a TypeScript type.
    TypeScript,
    /// As JSON.
    Json,
}

/// Rules of thumb for parts that are not text, in tokens.
#[derive(Clone, Copy)]
struct MediaTokens {
    image: u64,
    image_low: u64,
    file: u64,
    video: u64,
}

/// <https://platform.openai.com/docs/guides/images-vision>: 85, and 170 a tile; four tiles for a square of 1024.
const OPENAI_MEDIA: MediaTokens = MediaTokens {
    image: 765,
    image_low: 85,
    file: 1_000,
    video: 3_000,
};
/// <https://docs.anthropic.com/en/docs/build-with-claude/vision>: (width × height) / 750, at most about 1,600.
const ANTHROPIC_MEDIA: MediaTokens = MediaTokens {
    image: 1_600,
    image_low: 1_600,
    file: 2_000,
    video: 3_000,
};
/// <https://ai.google.dev/gemini-api/docs/tokens>: 258 an image or a page of a document, 263 a second of video.
const GEMINI_MEDIA: MediaTokens = MediaTokens {
    image: 258,
    image_low: 258,
    file: 516,
    video: 2_630,
};
/// <https://ai.google.dev/gemini-api/docs/gemini-3>: 1,120 an image, 560 a page, 70 a frame.
const GEMINI_3_MEDIA: MediaTokens = MediaTokens {
    image: 1_120,
    image_low: 1_120,
    file: 1_120,
    video: 700,
};

const OTHER: Wrapping = Wrapping {
    marks: &[],
    once: 3,
    message: 4,
    call: 8,
    tools: 85,
    tools_forced: 85,
    tool: 0,
    definition: Definition::Json,
    schema_percent: 100,
    keeps_thinking: false,
    media: OPENAI_MEDIA,
};

/// The chat models before the reasoning ones: 3 a message, 1 for its role, 3 to prime the answer.
const GPT_4: Wrapping = Wrapping {
    once: 3,
    message: 4,
    call: 2,
    tools: 16,
    tools_forced: 16,
    tool: -4,
    definition: Definition::TypeScript,
    schema_percent: 47,
    ..OTHER
};

/// The reasoning models read <https://cookbook.openai.com/articles/openai-harmony>: one token less.
const GPT_5: Wrapping = Wrapping { once: 2, ..GPT_4 };

const CLAUDE: Wrapping = Wrapping {
    once: 3,
    message: 4,
    call: 20,
    tools: 496,
    tools_forced: 588,
    schema_percent: 240,
    media: ANTHROPIC_MEDIA,
    ..OTHER
};

const GEMINI: Wrapping = Wrapping {
    once: 0,
    message: 0,
    call: -8,
    tools: 0,
    tools_forced: 0,
    tool: -12,
    definition: Definition::Json,
    schema_percent: 0,
    media: GEMINI_MEDIA,
    ..OTHER
};

/// The first that fits, by the model's name.
const WRAPPINGS: &[Wrapping] = &[
    // <https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview>; later models have more.
    Wrapping {
        marks: &[
            Mark::new("claude-3"),
            Mark::new("-4-0"),
            Mark::new("sonnet-4-2025"),
            Mark::new("opus-4-2025"),
            Mark::new("opus-4-1"),
        ],
        tools: 346,
        tools_forced: 313,
        ..CLAUDE
    },
    Wrapping {
        marks: &[Mark::new("claude")],
        ..CLAUDE
    },
    Wrapping {
        marks: &[Mark::new("gemini-3")],
        media: GEMINI_3_MEDIA,
        ..GEMINI
    },
    Wrapping {
        marks: &[Mark::new("gemini"), Mark::new("gemma")],
        ..GEMINI
    },
    // The system message of the open models.
    Wrapping {
        marks: &[Mark::new("gpt-oss")],
        once: 66,
        tools: 0,
        tools_forced: 0,
        schema_percent: 100,
        ..GPT_5
    },
    Wrapping {
        marks: &[
            Mark::new("gpt-5"),
            Mark::new("o1"),
            Mark::new("o3"),
            Mark::new("o4"),
            Mark::new("codex"),
        ],
        ..GPT_5
    },
    Wrapping {
        marks: &[Mark::new("gpt-"), Mark::new("chatgpt")],
        ..GPT_4
    },
    Wrapping {
        marks: &[Mark::new("llama-4")],
        once: 10,
        tools: 640,
        tools_forced: 640,
        ..OTHER
    },
    // Llama 3's template has a date in the system message.
    Wrapping {
        marks: &[Mark::new("llama-3"), Mark::new("llama3")],
        once: 31,
        ..OTHER
    },
    Wrapping {
        marks: &[
            Mark::new("mistral"),
            Mark::new("mixtral"),
            Mark::new("ministral"),
            Mark::new("magistral"),
            Mark::new("codestral"),
        ],
        once: 1,
        message: 2,
        tools: 0,
        tools_forced: 0,
        tool: 10,
        keeps_thinking: true,
        ..OTHER
    },
];

/// Anthropic adds this where thinking is on.
const CLAUDE_THINKING: u64 = 29;
/// OpenAI's chat completions add this for tools of GPT-5 and later.
const GPT_5_CHAT_TOOLS: u64 = 84;

/// The tokens of a request's prompt, as `model` would count them. `count` counts one text for that model.
///
/// It is an estimate: within 10 % of what providers report for text over the recorded exchanges, exact for plain
/// chats with OpenAI's models.
pub fn count_prompt(request: &Request<'_>, model: &str, count: &dyn Fn(&str) -> u64) -> u64 {
    let bits = bits_of(model);
    let wrapping = WRAPPINGS
        .iter()
        .find(|wrapping| wrapping.marks.iter().any(|mark| mark.is_in(model, bits)))
        .unwrap_or(&OTHER);
    let mut buffer = Vec::new();
    let texts: u64 = request
        .pieces
        .iter()
        .map(|piece| wrapping.piece(piece, &mut buffer, count))
        .sum();
    let media: u64 = request.media.iter().map(|part| wrapping.media(*part)).sum();
    let plain = texts + media + request.token_ids;
    if matches!(request.dialect, Dialect::Embeddings | Dialect::Completions) {
        return plain;
    }
    let systems = u64::from(request.family == Family::OpenAi && has_instructions(request));
    let messages = (request.messages.len() as u64).max(1) + systems;
    plain
        + wrapping.once
        + wrapping.message * messages
        + request.messages.iter().filter(|message| message.named).count() as u64
        + wrapping.tools(request, model, count)
        + request
            .schema
            .map_or(0, |schema| count(schema) * wrapping.schema_percent / 100)
        + sealed(request, model)
        + thinking(request, model)
}

// === impl Mark ===

impl Mark {
    const fn new(text: &'static str) -> Self {
        Self {
            text,
            bits: bits_of(text),
        }
    }

    /// Whether a name with these bits has it in it. Most of its marks a name cannot have, by its letters; to look for one
    /// is what takes time, least by `memmem`, which prepares nothing for a short text.
    fn is_in(&self, name: &str, bits: u64) -> bool {
        self.bits & !bits == 0 && memmem::find(name.as_bytes(), self.text.as_bytes()).is_some()
    }
}

/// A bit for each byte that is in a text, of which two may share one.
const fn bits_of(text: &str) -> u64 {
    let mut bits = 0;
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        bits |= 1 << (*byte % 64);
        rest = behind;
    }
    bits
}

// === impl Wrapping ===

impl Wrapping {
    fn piece(&self, piece: &Piece<'_>, buffer: &mut Vec<u8>, count: &dyn Fn(&str) -> u64) -> u64 {
        match piece.kind {
            PieceKind::Thinking if !self.keeps_thinking => 0,
            PieceKind::Text | PieceKind::Name | PieceKind::Thinking => count(decode_in(piece.raw, buffer)),
            PieceKind::Arguments => count(decode_in(piece.raw, buffer)).saturating_add_signed(self.call),
            PieceKind::Json => json(piece.raw, count).saturating_add_signed(self.call),
            PieceKind::Unknown => piece.strings().map(|raw| count(decode_in(raw, buffer))).sum(),
        }
    }

    fn media(&self, part: Media) -> u64 {
        match part.kind {
            MediaKind::Image if part.low_detail => self.media.image_low,
            MediaKind::Image => self.media.image,
            MediaKind::File => self.media.file,
            MediaKind::Video => self.media.video,
            MediaKind::Audio => audio(part.inline_bytes),
        }
    }

    fn tools(&self, request: &Request<'_>, model: &str, count: &dyn Fn(&str) -> u64) -> u64 {
        if request.tools.is_empty() {
            return 0;
        }
        let definitions: u64 = request
            .tools
            .iter()
            .map(|tool| self.definition(tool, count))
            .sum();
        let once = if forces_tools(request) {
            self.tools_forced
        } else {
            self.tools
        };
        let chat = request.dialect == Dialect::ChatCompletions && model.contains("gpt-5");
        once + definitions + if chat { GPT_5_CHAT_TOOLS } else { 0 }
    }

    fn definition(&self, tool: &str, count: &dyn Fn(&str) -> u64) -> u64 {
        let shown = match self.definition {
            Definition::Json => count(tool),
            Definition::TypeScript => tool_text::typescript(tool).map_or(0, |text| count(&text)),
        };
        shown.saturating_add_signed(self.tool)
    }
}

/// JSON as a model sees it: providers write what they parsed, so most escapes are gone.
fn json(raw: &str, count: &dyn Fn(&str) -> u64) -> u64 {
    if raw.contains('\\') {
        count(&raw.replace("\\n", "\n").replace("\\\"", "\""))
    } else {
        count(raw)
    }
}

/// 32 tokens a second (Gemini), at 128 kbit a second in base64; 10 seconds where only a link is known.
fn audio(inline_bytes: usize) -> u64 {
    const BYTES_PER_TOKEN: u64 = 667;
    match inline_bytes as u64 {
        0 => 320,
        bytes => bytes.div_ceil(BYTES_PER_TOKEN),
    }
}

/// Whether the model must call a tool: OpenAI's `required` or a named function, Anthropic's `any` and `tool`.
fn forces_tools(request: &Request<'_>) -> bool {
    match request.parameter("tool_choice") {
        Ok(Some("\"auto\"" | "\"none\"") | None) | Err(_) => false,
        Ok(Some(choice)) => !choice.contains("\"auto\"") && !choice.contains("\"none\""),
    }
}

fn has_instructions(request: &Request<'_>) -> bool {
    request.dialect == Dialect::Responses
        && request
            .pieces
            .iter()
            .any(|piece| piece.message.is_none() && piece.role == super::Role::System)
}

/// Gemini 3 reads its signed thoughts, OpenAI its encrypted compactions.
fn sealed(request: &Request<'_>, model: &str) -> u64 {
    let bytes = request.sealed_bytes as u64;
    match request.family {
        Family::Gemini if model.contains("gemini-3") => bytes / 5,
        Family::OpenAi => bytes / 10,
        Family::Gemini | Family::Anthropic => 0,
    }
}

fn thinking(request: &Request<'_>, model: &str) -> u64 {
    if request.thinking_budget.is_some() && model.contains("claude") {
        CLAUDE_THINKING
    } else {
        0
    }
}

#[cfg(test)]
#[path = "prompt_tokens_tests.rs"]
mod tests;
