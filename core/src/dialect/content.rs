//! Content: a string or parts with a `type`, as OpenAI's chat, OpenAI's Responses and Anthropic's messages have
//! it. Providers mix the three, so one reader takes the parts of all.

use super::at::{At, Invalid};
use super::fields::{array, is_array, is_object, is_string, object, present};
use super::json_string::decode;
use super::prompt::{Media, MediaKind, PieceKind, Role};
use super::request::Request;
use super::{Naming, nested};

/// How deep content may stand in content (a document in a tool's result is 2) before its parts are no longer
/// told apart.
const MAX_DEPTH: u8 = 6;

/// The fields of a part, of whatever type.
const PART: [&str; 16] = [
    "type",
    "text",
    "refusal",
    "thinking",
    "content",
    "source",
    "title",
    "context",
    "name",
    "input",
    "image_url",
    "file",
    "input_audio",
    "file_data",
    "data",
    "detail",
];

/// Whose content is read.
#[derive(Clone, Copy)]
pub(super) struct Voice {
    pub(super) role: Role,
    pub(super) message: Option<usize>,
    depth: u8,
}

// === impl Voice ===

impl Voice {
    pub(super) const fn new(role: Role, message: Option<usize>) -> Self {
        Self {
            role,
            message,
            depth: 0,
        }
    }

    const fn inside(self, role: Role) -> Self {
        Self {
            role,
            message: self.message,
            depth: self.depth.saturating_add(1),
        }
    }
}

/// Reads `content`: a string, parts, one part, or `null`.
pub(super) fn read<'a>(
    request: &mut Request<'a>,
    voice: Voice,
    json: Option<&'a str>,
    at: &At<'_>,
) -> Result<(), Invalid> {
    let Some(raw) = present(json) else {
        return Ok(());
    };
    if is_string(raw) {
        request.push(voice.role, PieceKind::Text, voice.message, raw);
        Ok(())
    } else if is_object(raw) {
        part(request, voice, raw, at)
    } else if is_array(raw) {
        array(raw, at, |index, element| {
            let place = at.index(index);
            if is_string(element) {
                request.push(voice.role, PieceKind::Text, voice.message, element);
                return Ok(());
            }
            part(request, voice, element, &place)
        })
    } else {
        Err(at.must("be a string or an array of parts"))
    }
}

fn part<'a>(request: &mut Request<'a>, voice: Voice, raw: &'a str, at: &At<'_>) -> Result<(), Invalid> {
    let Voice { role, message, depth } = voice;
    let fields = object(raw, Naming::Exact, &PART, at)?;
    let [
        kind,
        text,
        refusal,
        thinking,
        content,
        source,
        title,
        context,
        name,
        input,
        ..,
    ] = fields;
    let [.., image_url, file, input_audio, file_data, data, detail] = fields;
    if depth > MAX_DEPTH {
        request.push(role, PieceKind::Unknown, message, raw);
        return Ok(());
    }
    let kind_name = kind.filter(|json| is_string(json)).map(decode);
    let string = |json: Option<&'a str>| json.filter(|value| is_string(value));
    match kind_name.as_deref() {
        Some("text" | "input_text" | "output_text" | "summary_text" | "reasoning_text") | None
            if string(text).is_some() =>
        {
            push_string(request, voice, PieceKind::Text, text);
        }
        Some("refusal") => push_string(request, voice, PieceKind::Text, refusal),
        Some("thinking") => match present(thinking) {
            Some(parts) if is_array(parts) => {
                let at_thinking = at.field("thinking");
                read(request, voice.inside(role), thinking, &at_thinking)?;
            }
            _ => push_string(request, voice, PieceKind::Thinking, thinking),
        },
        Some("redacted_thinking") => {}
        Some("image" | "image_url" | "input_image") => {
            request.media.push(Media {
                kind: MediaKind::Image,
                inline_bytes: inline(image_url.or(source).or(data)),
                low_detail: [detail, image_url.and_then(|json| nested(json, &["detail"]))]
                    .contains(&Some("\"low\"")),
            });
        }
        Some("input_audio" | "audio" | "audio_url") => media(request, MediaKind::Audio, input_audio.or(data)),
        Some("video" | "video_url" | "input_video") => media(request, MediaKind::Video, data),
        Some("file" | "input_file" | "document_url" | "container_upload") => {
            media(request, MediaKind::File, file.or(file_data));
        }
        Some("document") => {
            document(request, voice, source, at)?;
            push_string(request, voice, PieceKind::Text, title);
            push_string(request, voice, PieceKind::Text, context);
        }
        Some("search_result") => {
            push_string(request, voice.inside(Role::Tool), PieceKind::Text, title);
            read(request, voice.inside(Role::Tool), content, &at.field("content"))?;
        }
        Some("tool_use" | "server_tool_use" | "mcp_tool_use") => {
            request.push_name(Role::Assistant, message, name);
            request.push_value(Role::Assistant, message, input);
        }
        Some("tool_result" | "mcp_tool_result") => {
            read(request, voice.inside(Role::Tool), content, &at.field("content"))?;
        }
        // Anthropic's compaction is text; OpenAI's is encrypted and has no `content`.
        Some("compaction") => push_string(request, voice, PieceKind::Text, content),
        _ => request.push(role, PieceKind::Unknown, message, raw),
    }
    Ok(())
}

/// A document's source: text, parts, or a file.
fn document<'a>(
    request: &mut Request<'a>,
    voice: Voice,
    source: Option<&'a str>,
    at_part: &At<'_>,
) -> Result<(), Invalid> {
    let Some(raw) = present(source).filter(|json| is_object(json)) else {
        return Ok(());
    };
    let at = at_part.field("source");
    let [kind, data, content] = object(raw, Naming::Exact, &["type", "data", "content"], &at)?;
    match kind {
        Some("\"text\"") => push_string(request, voice, PieceKind::Text, data),
        Some("\"content\"") => read(request, voice.inside(voice.role), content, &at.field("content"))?,
        _ => media(request, MediaKind::File, data),
    }
    Ok(())
}

fn push_string<'a>(request: &mut Request<'a>, voice: Voice, kind: PieceKind, json: Option<&'a str>) {
    if let Some(raw) = json.filter(|value| is_string(value)) {
        request.push(voice.role, kind, voice.message, raw);
    }
}

fn media(request: &mut Request<'_>, kind: MediaKind, json: Option<&str>) {
    request.media.push(Media {
        kind,
        inline_bytes: inline(json),
        low_detail: false,
    });
}

/// The length of what stands inline; a reference is short and counts as nothing.
fn inline(json: Option<&str>) -> usize {
    /// No URL that a provider takes is longer, no file worth its tokens is shorter.
    const REFERENCE_BYTES: usize = 256;
    let len = json.map_or(0, str::len);
    if len > REFERENCE_BYTES { len } else { 0 }
}
