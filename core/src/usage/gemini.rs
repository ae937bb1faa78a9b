//! Gemini's generateContent: where things are in an answer, and what its usage metadata means.
//!
//! Its streams are server-sent events with `alt=sse`, and else one JSON array that grows: the same tree reads
//! both (<https://ai.google.dev/api/generate-content#UsageMetadata>).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::count::{Count, part};
use super::tree::{Node, Slot, Take};
use super::{PricedApart, Usage};
use crate::service_tier::ServiceTier;

/// An answer, or an array of them.
pub(super) static RESPONSE: Node = Node {
    take: Take::Pass,
    keys: KEYS,
    items: Some(&ELEMENT),
    unit: None,
};

static ELEMENT: Node = Node::object(KEYS);

static KEYS: &[(&str, &Node)] = &[
    ("candidates", &Node::array(&CANDIDATE)),
    ("usageMetadata", &Node::whole(Slot::Usage)),
    ("modelVersion", &Node::whole(Slot::Model)),
    ("error", &Node::whole(Slot::Error)),
    ("promptFeedback", &Node::object(&[("blockReason", &FINISH)])),
];

static FINISH: Node = Node::whole(Slot::Finish);

static CANDIDATE: Node = Node::object(&[
    ("content", &Node::object(&[("parts", &Node::array(&PART))])),
    ("finishReason", &FINISH),
]);

static PART: Node = Node::object(&[
    ("text", &COUNTED),
    ("functionCall", &COUNTED),
    ("executableCode", &COUNTED),
]);

static COUNTED: Node = Node::counted();

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reported<'a> {
    prompt_token_count: Count,
    tool_use_prompt_token_count: Count,
    candidates_token_count: Count,
    thoughts_token_count: Count,
    cached_content_token_count: Count,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    /// Vertex AI's name for it.
    #[serde(borrow)]
    traffic_type: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    candidates_tokens_details: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ModalityCount<'a> {
    #[serde(borrow)]
    modality: std::borrow::Cow<'a, str>,
    token_count: Count,
}

/// Reads usage metadata: what was used and the service tier, each `None` where nothing is reported.
pub(super) fn usage(json: &[u8]) -> (Option<Usage>, Option<ServiceTier>) {
    let reported: Reported<'_> = serde_json::from_slice(json).unwrap_or_default();
    let tier = reported.service_tier.or(reported.traffic_type);
    let told = tier.and_then(|raw| ServiceTier::told(raw.get().as_bytes()));
    (counts(&reported), told)
}

fn counts(reported: &Reported<'_>) -> Option<Usage> {
    // Thoughts are not in the candidates' count, results of tools not in the prompt's; both are billed.
    let input_tokens = reported.prompt_token_count.or_zero() + reported.tool_use_prompt_token_count.or_zero();
    let output_tokens = reported.candidates_token_count.or_zero() + reported.thoughts_token_count.or_zero();
    if input_tokens == 0 && output_tokens == 0 {
        return None;
    }
    Some(
        Usage {
            input_tokens,
            output_tokens,
            cached_input_tokens: reported.cached_content_token_count.or_zero(),
            reasoning_output_tokens: reported.thoughts_token_count.or_zero(),
            apart: PricedApart {
                audio_input_tokens: of_modality(reported.prompt_tokens_details, "AUDIO"),
                audio_output_tokens: of_modality(reported.candidates_tokens_details, "AUDIO"),
                image_output_tokens: of_modality(reported.candidates_tokens_details, "IMAGE"),
                ..PricedApart::default()
            },
            ..Usage::default()
        }
        .with_subsets_bounded(),
    )
}

fn of_modality(details: Option<&RawValue>, modality: &str) -> u64 {
    let counts: Vec<ModalityCount<'_>> = part(details);
    counts
        .iter()
        .filter(|count| count.modality == modality)
        .map(|count| count.token_count.or_zero())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_and_tool_results_are_included() {
        let (found, _) = usage(
            br#"{"promptTokenCount":100,"toolUsePromptTokenCount":20,"candidatesTokenCount":7,
                 "thoughtsTokenCount":30,"cachedContentTokenCount":40,"totalTokenCount":157}"#,
        );
        let found = found.unwrap();
        assert_eq!((found.input_tokens, found.output_tokens), (120, 37));
        assert_eq!(
            (found.cached_input_tokens, found.reasoning_output_tokens),
            (40, 30)
        );
    }

    #[test]
    fn modalities_with_a_price_of_their_own_are_kept() {
        let (found, _) = usage(
            br#"{"promptTokenCount":100,"candidatesTokenCount":1290,
                 "promptTokensDetails":[{"modality":"TEXT","tokenCount":10},{"modality":"AUDIO","tokenCount":90}],
                 "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}"#,
        );
        let found = found.unwrap();
        assert_eq!(
            (found.apart.audio_input_tokens, found.apart.image_output_tokens),
            (90, 1290)
        );
    }

    #[test]
    fn a_service_tier_is_read_under_either_name() {
        for (json, tier) in [
            (
                r#"{"promptTokenCount":1,"serviceTier":"priority"}"#,
                Some(ServiceTier::Priority),
            ),
            (
                r#"{"promptTokenCount":1,"trafficType":"ON_DEMAND_FLEX"}"#,
                Some(ServiceTier::Flex),
            ),
            (
                r#"{"promptTokenCount":1,"trafficType":"ON_DEMAND"}"#,
                Some(ServiceTier::OnDemand),
            ),
            (r#"{"promptTokenCount":1,"serviceTier":7}"#, None),
            (r#"{"promptTokenCount":1}"#, None),
        ] {
            let (found, told) = usage(json.as_bytes());
            assert_eq!((found.unwrap().input_tokens, told), (1, tier), "{json}");
        }
    }
}
