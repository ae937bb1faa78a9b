use proptest::prelude::*;

use super::*;

fn post_to(path: &str) -> Endpoint<'_> {
    classify(b"POST", path.as_bytes()).unwrap_or_else(|_| panic!("{path} is unknown"))
}

fn is_unknown(method: &str, path: &str) -> bool {
    classify(method.as_bytes(), path.as_bytes()).is_err()
}

#[test]
fn any_prefix_may_stand_before_an_operation() {
    for (path, dialect) in [
        ("/v1/chat/completions", Dialect::ChatCompletions),
        ("/openai/v1/chat/completions", Dialect::ChatCompletions),
        ("/chat/completions", Dialect::ChatCompletions),
        ("/api/paas/v4/chat/completions", Dialect::ChatCompletions),
        (
            "/bin/content-type/application/json/chat/completions",
            Dialect::ChatCompletions,
        ),
        ("/v1beta/openai/chat/completions", Dialect::ChatCompletions),
        ("/v1/completions", Dialect::Completions),
        ("/completions", Dialect::Completions),
        ("/v1/responses", Dialect::Responses),
        ("/responses", Dialect::Responses),
        ("/v1/embeddings", Dialect::Embeddings),
        ("/v1/messages?beta=true", Dialect::Messages),
        ("/anthropic/v1/messages", Dialect::Messages),
        ("/v1/messages/count_tokens?beta=true", Dialect::CountTokens),
    ] {
        assert_eq!(post_to(path).dialect(), dialect, "{path}");
        assert_eq!(post_to(path).model(), None, "{path}");
    }
}

#[test]
fn azure_names_the_model_in_the_path() {
    for operation in ["chat/completions", "completions", "embeddings", "responses"] {
        let path = format!("/openai/deployments/gpt-4o/{operation}?api-version=2024-12-01-preview");
        assert_eq!(post_to(&path).model(), Some("gpt-4o"), "{path}");
    }
}

#[test]
fn a_path_that_only_resembles_a_deployment_is_unknown() {
    for path in [
        "/openai/Deployments/gpt-4o/chat/completions",
        "/OpenAI/deployments/gpt-4o/chat/completions",
        "/openai/deployments/gpt-4o/extensions/chat/completions",
        "/openai/deployments/chat/completions",
    ] {
        assert!(is_unknown("POST", path), "{path}");
    }
}

#[test]
fn gemini_names_model_and_streaming_in_the_path() {
    let vertex = "/v1beta1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash";
    for (path, model, stream) in [
        (
            format!("{vertex}:generateContent"),
            "gemini-2.5-flash",
            PathStream::Never,
        ),
        (
            format!("{vertex}:streamGenerateContent?alt=sse"),
            "gemini-2.5-flash",
            PathStream::Sse,
        ),
        (
            format!("{vertex}:streamGenerateContent"),
            "gemini-2.5-flash",
            PathStream::JsonArray,
        ),
        (
            "/v1beta/models/a:streamGenerateContent?key=x&alt=sse".into(),
            "a",
            PathStream::Sse,
        ),
        (
            "/v1beta/tunedModels/t:generateContent".into(),
            "t",
            PathStream::Never,
        ),
    ] {
        let endpoint = post_to(&path);
        assert_eq!(endpoint.dialect(), Dialect::GenerateContent, "{path}");
        assert_eq!(
            (endpoint.model(), endpoint.stream()),
            (Some(model), stream),
            "{path}"
        );
    }
    let count = post_to("/v1beta/models/a:countTokens");
    assert_eq!(
        (count.dialect(), count.family()),
        (Dialect::CountTokens, Family::Gemini)
    );
}

#[test]
fn a_query_that_hides_the_usage_from_us_is_unknown() {
    for query in [
        "fields=candidates",
        "%66ields=candidates",
        "$fields=candidates",
        "callback=f",
        "alt=proto",
        "alt=sse&alt=json",
        "$alt=media",
        "$httpMethod=GET",
        "$httpHeaders=x",
    ] {
        assert!(
            is_unknown("POST", &format!("/v1beta/models/a:generateContent?{query}")),
            "{query}"
        );
    }
}

#[test]
fn queries_of_google_clients_are_known() {
    for query in [
        "key=k",
        "alt=json",
        "$alt=json%3Benum-encoding%3Dint",
        "prettyPrint=false",
        "x=%20y",
    ] {
        let path = format!("/v1beta/models/a:generateContent?{query}");
        assert_eq!(post_to(&path).stream(), PathStream::Never, "{query}");
    }
}

#[test]
fn models_are_looked_up_with_get() {
    for (path, family) in [
        ("/v1/models", Family::OpenAi),
        ("/v1/models/gpt-4o", Family::OpenAi),
        ("/v1/models/ft:gpt-4o:org::Ab1", Family::OpenAi),
        ("/v1/models/llama3:8b", Family::OpenAi),
        ("/v1beta/models?pageSize=50", Family::Gemini),
        ("/v1beta/openai/models", Family::OpenAi),
    ] {
        let endpoint = classify(b"GET", path.as_bytes()).unwrap();
        assert_eq!(
            (endpoint.dialect(), endpoint.family()),
            (Dialect::Models, family),
            "{path}"
        );
        assert!(!endpoint.is_metered());
    }
}

#[test]
fn another_method_is_unknown() {
    for method in ["GET", "PUT", "post", "", "DELETE", "OPTIONS", "HEAD"] {
        assert!(is_unknown(method, "/v1/chat/completions"), "{method}");
    }
    for method in ["POST", "HEAD", "DELETE"] {
        assert!(is_unknown(method, "/v1/models/x"), "{method}");
    }
    assert!(is_unknown("GET", "/v1beta/models/a:generateContent"));
}

#[test]
fn other_operations_are_unknown() {
    for path in [
        "/",
        "",
        "/v1",
        "/v1/chat/completions/",
        "/v1/chat/completions/x",
        "/v1/Chat/completions",
        "/v1/chat/Completions",
        "/v1/agents/completions",
        "/v1/images/generations",
        "/v1/audio/speech",
        "/v1/responses/resp_1/cancel",
        "/v1/threads/thread_1/messages",
        "/v1/messages/batches",
        "/v1/messages/x/count_tokens",
        "/v1beta/models/a:embedContent",
        "/v1beta/models/a:batchGenerateContent",
        "/v1beta/models/:generateContent",
        "/v1beta/models/a:x:generateContent",
        "/v1beta/files/a:generateContent",
        "/model/m/converse",
    ] {
        assert!(is_unknown("POST", path), "{path}");
    }
}

#[test]
fn a_path_that_servers_may_read_differently_is_unknown() {
    for path in [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/./chat/completions",
        "/v1/../chat/completions",
        "/v1/%2e%2e/chat/completions",
        "/v1/%63hat/completions",
        "/v1/chat%2fcompletions",
        "/v1/x;y/chat/completions",
        "/v1/..;/chat/completions",
        "/v1\\chat/completions",
        "/v1/chat/completions#x",
        "/v1/chat/completions?x#y",
        "/v1/chat/completions?x y",
        "/v1/chat/completions\0",
        "/v1/chat/completions\u{e9}",
        "http://host/v1/chat/completions",
        "v1/chat/completions",
        "*",
    ] {
        assert!(is_unknown("POST", path), "{path}");
    }
    assert!(classify(b"POST", b"/v1\xff/chat/completions").is_err());
}

#[test]
fn an_unknown_path_wears_the_envelope_that_its_client_expects() {
    for (path, family) in [
        ("/v1/images/generations", Family::OpenAi),
        ("/v1/messages/batches", Family::Anthropic),
        ("/v1beta/models/a:embedContent", Family::Gemini),
        ("/v1beta/openai/audio", Family::OpenAi),
        ("", Family::OpenAi),
    ] {
        assert_eq!(
            classify(b"POST", path.as_bytes()).unwrap_err().family,
            family,
            "{path}"
        );
    }
}

#[test]
fn the_model_in_a_path_is_replaced_in_place() {
    let azure = post_to("/openai/deployments/gpt-4o/chat/completions?api-version=1");
    assert_eq!(
        azure.with_model("gpt-4o-mini").as_deref(),
        Some("/openai/deployments/gpt-4o-mini/chat/completions?api-version=1")
    );
    let gemini = post_to("/v1beta/models/a:generateContent");
    assert_eq!(
        gemini.with_model("b").as_deref(),
        Some("/v1beta/models/b:generateContent")
    );
}

#[test]
fn a_model_that_cannot_stand_in_a_path_is_not_put_there() {
    let gemini = post_to("/v1beta/models/a:generateContent");
    for model in ["", "a/b", "a?b", "..", "a:b", "a b"] {
        assert_eq!(gemini.with_model(model), None, "{model}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(method in any::<Vec<u8>>(), path in any::<Vec<u8>>()) {
        let _ = classify(&method, &path);
    }

    #[test]
    fn a_known_path_stays_known_after_normalisation(
        path in r"(/|//|\.\.|\.|%2e|%2f|v1|chat|completions|messages|models|a:generateContent|;|#|\?){1,12}"
    ) {
        if let Ok(endpoint) = classify(b"POST", path.as_bytes()) {
            prop_assert!(!endpoint.path().contains("//"));
            prop_assert!(!endpoint.path().contains('%'));
            prop_assert!(!endpoint.path().split('/').any(|segment| segment == "." || segment == ".."));
        }
    }
}
