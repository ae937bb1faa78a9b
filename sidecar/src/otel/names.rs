//! What spans and metrics are called: by OpenTelemetry's semantic conventions, and `tollgate.*` for what has no name
//! there.
//!
//! The version is 1.41.0, the last one that has the conventions for generative AI. They live in a repository of their own
//! since (`open-telemetry/semantic-conventions-genai`), still change from release to release, and are marked as moved,
//! hence deprecated, in the crate of the conventions: so the names are spelled out here.

/// Where the version of the conventions is described.
pub(super) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";
/// Who made a span or a metric.
pub(super) const SCOPE: &str = "tollgate";

pub(super) const SERVICE_VERSION: &str = "service.version";

pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const HTTP_REQUEST_METHOD: &str = "http.request.method";
pub(super) const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
pub(super) const HTTP_ROUTE: &str = "http.route";
pub(super) const URL_PATH: &str = "url.path";
pub(super) const URL_SCHEME: &str = "url.scheme";
pub(super) const USER_ID: &str = "user.id";

pub(super) const CONVERSATION_ID: &str = "gen_ai.conversation.id";
pub(super) const OPERATION_NAME: &str = "gen_ai.operation.name";
pub(super) const PROVIDER_NAME: &str = "gen_ai.provider.name";
pub(super) const REQUEST_MODEL: &str = "gen_ai.request.model";
pub(super) const REQUEST_STREAM: &str = "gen_ai.request.stream";
pub(super) const RESPONSE_MODEL: &str = "gen_ai.response.model";
pub(super) const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
pub(super) const TOKEN_TYPE: &str = "gen_ai.token.type";
pub(super) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
pub(super) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
pub(super) const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
pub(super) const CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
pub(super) const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";

/// `allow`, or the code of a refusal or of an early end: as in the access log.
pub(super) const DECISION: &str = "tollgate.decision";
/// In nano-dollars.
pub(super) const COST: &str = "tollgate.cost_nanousd";
pub(super) const WORKSPACE: &str = "tollgate.workspace";
pub(super) const KEY_ID: &str = "tollgate.key_id";
pub(super) const EVENT_ID: &str = "tollgate.event_id";
pub(super) const REQUEST_ID: &str = "tollgate.request_id";
pub(super) const GATEWAY_ID: &str = "tollgate.gateway_id";
pub(super) const REGION: &str = "tollgate.region";
pub(super) const DOWNGRADED_MODEL: &str = "tollgate.downgraded_model";
pub(super) const USAGE_STATUS: &str = "tollgate.usage_status";

pub(super) const TOKEN_USAGE_METRIC: &str = "gen_ai.client.token.usage";
pub(super) const DURATION_METRIC: &str = "gen_ai.client.operation.duration";
pub(super) const REFUSALS_METRIC: &str = "tollgate.refusals";

/// The boundaries that the conventions name for [`TOKEN_USAGE_METRIC`].
pub(super) const TOKEN_BOUNDARIES: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// The boundaries that the conventions name for [`DURATION_METRIC`], in seconds.
pub(super) const DURATION_BOUNDARIES: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// What the tiers of service are called that a request asked for and was served by: the conventions have names for
/// OpenAI's only.
pub(super) fn service_tiers(dialect: Option<&str>) -> [&'static str; 2] {
    match dialect {
        Some("chat_completions" | "responses" | "completions" | "embeddings") => {
            ["openai.request.service_tier", "openai.response.service_tier"]
        }
        _ => ["tollgate.request_service_tier", "tollgate.response_service_tier"],
    }
}

/// What the conventions call the operation of a wire format. Those that generate nothing have none there, and keep
/// their own name.
pub(super) fn operation(dialect: Option<&str>) -> &str {
    match dialect {
        Some("chat_completions" | "responses" | "messages") => "chat",
        Some("completions") => "text_completion",
        Some(other) => other,
        None => "unknown",
    }
}
