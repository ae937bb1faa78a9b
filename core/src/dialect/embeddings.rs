//! OpenAI's embeddings (<https://platform.openai.com/docs/api-reference/embeddings/create>).

use super::at::{At, Invalid};
use super::chat_completions::{read_hints, read_messages};
use super::content::{self, Voice};
use super::fields::{array, is_array, is_object, is_string, present};
use super::prompt::{PieceKind, Role};
use super::request::Request;

const BODY: [&str; 4] = ["model", "input", "messages", "user"];

pub(super) fn read(request: &mut Request<'_>) -> Result<(), Invalid> {
    let [model, input, messages, user] = request.fields(&BODY)?;
    request.read_model(model)?;
    read_hints(request, user, None, None);
    let at = At::ROOT.field("input");
    match (present(input), present(messages)) {
        (Some(_), _) => read_input(request, input, &at).map(|_| ()),
        // vLLM's chat embeddings.
        (None, Some(list)) => read_messages(request, list),
        (None, None) => Err(at.must("be a string or an array")),
    }
}

/// Reads a text, texts, token numbers, or arrays of those, and says how many inputs that is. Multimodal models
/// of other providers take objects.
pub(super) fn read_input<'a>(
    request: &mut Request<'a>,
    json: Option<&'a str>,
    at: &At<'_>,
) -> Result<u64, Invalid> {
    let Some(raw) = present(json) else {
        return Ok(0);
    };
    if !is_string(raw) && !is_array(raw) && !is_object(raw) {
        return Err(at.must("be a string or an array"));
    }
    if !is_array(raw) {
        content::read(request, Voice::new(Role::User, None), Some(raw), at)?;
        return Ok(1);
    }
    let (mut inputs, mut numbers) = (0_u64, 0_u64);
    array(raw, at, |index, element| {
        if is_string(element) {
            request.push(Role::User, PieceKind::Text, None, element);
            inputs += 1;
        } else if is_object(element) {
            content::read(
                request,
                Voice::new(Role::User, None),
                Some(element),
                &at.index(index),
            )?;
            inputs += 1;
        } else if is_array(element) {
            array(element, &at.index(index), |_, _| {
                request.token_ids += 1;
                Ok(())
            })?;
            inputs += 1;
        } else {
            numbers += 1;
        }
        Ok(())
    })?;
    request.token_ids += numbers;
    Ok(inputs + u64::from(numbers > 0))
}
