//! OpenAI's legacy completions (<https://platform.openai.com/docs/api-reference/completions/create>).

use super::at::{At, Invalid};
use super::chat_completions::{read_hints, read_stream_options};
use super::embeddings::read_input;
use super::prompt::{PieceKind, Role};
use super::request::Request;
use super::scalar;
use crate::service_tier::ServiceTier;

const BODY: [&str; 12] = [
    "model",
    "prompt",
    "suffix",
    "stream",
    "stream_options",
    "max_tokens",
    "n",
    "best_of",
    "user",
    "prompt_cache_key",
    "metadata",
    "service_tier",
];

pub(super) fn read(request: &mut Request<'_>) -> Result<(), Invalid> {
    let fields = request.fields(&BODY)?;
    let [
        model,
        prompt,
        suffix,
        stream,
        stream_options,
        max_tokens,
        n,
        best_of,
        user,
        cache_key,
        metadata,
        tier,
    ] = fields;
    request.read_model(model)?;
    request.read_stream(stream)?;
    request.read_cap("max_tokens", max_tokens)?;
    read_stream_options(request, stream_options)?;
    read_hints(request, user, cache_key, metadata);
    request.service_tier = ServiceTier::asked(tier);
    let prompts = read_input(request, prompt, &At::ROOT.field("prompt"))?;
    if let Some(text) = suffix.filter(|json| super::fields::is_string(json)) {
        request.push(Role::User, PieceKind::Text, None, text);
    }
    let answers = scalar::count(n, &At::ROOT.field("n"))?
        .max(scalar::count(best_of, &At::ROOT.field("best_of"))?)
        .unwrap_or(1);
    request.choices = answers.max(1).saturating_mul(prompts.max(1));
    Ok(())
}
