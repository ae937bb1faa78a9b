//! Requests that some provider takes, one for each habit of its clients: none is refused.

use super::{Dialect, Request, classify, parse};

fn read<R>(path: &str, body: &str, then: impl FnOnce(&Request<'_>) -> R) -> R {
    let endpoint = classify(b"POST", path.as_bytes()).unwrap_or_else(|_| panic!("{path} is unknown"));
    let request = parse(&endpoint, body.as_bytes())
        .unwrap_or_else(|invalid| panic!("{path}: {}: {invalid}\n{body}", invalid.param));
    then(&request)
}

fn all_pass(path: &str, bodies: &[&str]) {
    for body in bodies {
        read(path, body, |_| ());
    }
}

#[test]
fn chat_completions_of_many_clients_pass() {
    all_pass(
        "/v1/chat/completions",
        &[
            // Optional fields as null, as typed clients send them.
            r#"{"model":"m","messages":[{"role":"user","content":"a","name":null,"tool_calls":null}],"stream":null,
                "stream_options":null,"n":null,"max_tokens":null,"max_completion_tokens":null,"tools":null,
                "temperature":null,"user":null,"metadata":null,"response_format":null}"#,
            // All roles, and assistants that say nothing.
            r#"{"model":"m","messages":[{"role":"developer","content":"a"},{"role":"system","content":[{"type":"text",
                "text":"a","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":""},
                {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f",
                "arguments":"{}"}},{"id":"d","type":"custom","custom":{"name":"g","input":"x"}}]},
                {"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"b"}]},
                {"role":"function","name":"f","content":null},{"role":"assistant","refusal":"no"},
                {"role":"assistant","content":"","audio":{"id":"audio_1"}},{"role":"assistant"}]}"#,
            // Parts of every kind, and images in both spellings.
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},
                {"type":"image_url","image_url":{"url":"https://h/i.png","detail":"low"}},
                {"type":"image_url","image_url":"data:image/png;base64,iVBORw0KGgo="},
                {"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}},
                {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}},
                {"type":"video_url","video_url":{"url":"https://h/v.mp4"}},
                {"type":"document_url","document_url":"https://h/d.pdf"},{"type":"unheard_of","x":1}]}],
                "modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}}"#,
            // A tool's arguments as an object (Ollama, some of Mistral's clients), and legacy functions.
            r#"{"model":"m","messages":[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f",
                "arguments":{"a":1}}}]}],"functions":[{"name":"f","parameters":{}}],"function_call":"auto",
                "tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false}"#,
            // Thinking sent back: DeepSeek, OpenRouter, Mistral.
            r#"{"model":"m","messages":[{"role":"assistant","content":"a","reasoning_content":"b"},
                {"role":"assistant","content":"a","reasoning":null,"reasoning_details":[{"type":"reasoning.text",
                "text":"b","signature":null}]},{"role":"assistant","content":[{"type":"thinking","thinking":[
                {"type":"text","text":"b"}]},{"type":"text","text":"a"}],"prefix":true}]}"#,
            // Fields of other hosts.
            r#"{"model":"m","messages":[],"provider":{"order":["a"]},"transforms":[],"route":"fallback",
                "reasoning":{"effort":"high"},"thinking":{"type":"enabled"},"usage":{"include":true},
                "reasoning_format":"parsed","service_tier":"flex","safe_prompt":false,"random_seed":1,
                "search_settings":{},"extra_body":{},"documents":[{"text":"a"}],"guided_json":{},"top_k":5}"#,
            // "No limit" of llama.cpp and LM Studio.
            r#"{"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":-1}"#,
            r#"{"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":1024.0,"n":1.0}"#,
            // OpenRouter: a prompt in place of messages; models in place of a model.
            r#"{"model":"m","prompt":"a"}"#,
            r#"{"models":["a/b","c/d"],"messages":[{"role":"user","content":"a"}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":"a"}],"stream":false,"stream_options":{}}"#,
        ],
    );
}

#[test]
fn the_first_of_models_is_the_model_where_none_is_named() {
    let body = r#"{"models":["a/b","c/d"],"messages":[{"role":"user","content":"a"}]}"#;
    read("/api/v1/chat/completions", body, |request| {
        let model = request.model.as_ref().unwrap();
        assert_eq!(model.name, "a/b");
        assert_eq!(body.get(model.span.clone().unwrap()), Some("\"a/b\""));
        assert_eq!(request.fallback_models, ["a/b", "c/d"]);
    });
}

#[test]
fn a_negative_cap_is_none() {
    let body = r#"{"model":"m","messages":[],"max_tokens":-1}"#;
    read("/v1/chat/completions", body, |request| {
        assert_eq!(request.output_caps().max(), None);
        let mut caps = request.output_caps();
        assert!(caps.clamp(50));
        let edits: Vec<_> = caps.edits().collect();
        assert_eq!((edits.len(), edits[0].with.as_slice()), (1, &b"50"[..]));
        assert_eq!(body.get(edits[0].span.clone()), Some("-1"));
    });
}

#[test]
fn responses_of_many_clients_pass() {
    all_pass(
        "/v1/responses",
        &[
            r#"{"model":"m","input":[]}"#,
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a"},
                {"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo=","detail":"auto"},
                {"type":"input_image","file_id":"file_1"},{"type":"input_file","file_id":"file_1"},
                {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="},
                {"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]},
                {"type":"message","role":"assistant","id":"msg_1","status":"completed","phase":"final_answer",
                "content":[{"type":"output_text","text":"a","annotations":[],"logprobs":[]},{"type":"refusal",
                "refusal":"no"}]}]}"#,
            r#"{"model":"m","include":["reasoning.encrypted_content"],"input":[
                {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"}],"content":null,
                "encrypted_content":"gAAA","status":null},
                {"type":"reasoning","id":"rs_2","summary":[],"content":[{"type":"reasoning_text","text":"a"}]},
                {"type":"function_call","call_id":"c","name":"f","arguments":"{}","id":"fc_1","status":"completed"},
                {"type":"function_call_output","call_id":"c","output":"a"},
                {"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"a"},
                {"type":"input_image","image_url":"https://h/i.png"}]},
                {"type":"custom_tool_call","call_id":"c","name":"f","input":"x"},
                {"type":"custom_tool_call_output","call_id":"c","output":"y"},
                {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q",
                "sources":[]}},
                {"type":"file_search_call","id":"fs_1","queries":["q"],"status":"completed","results":null},
                {"type":"code_interpreter_call","id":"ci_1","code":"1","container_id":"cntr_1","outputs":null},
                {"type":"image_generation_call","id":"ig_1","result":null,"status":"completed"},
                {"type":"computer_call","id":"cu_1","call_id":"c","action":{"type":"click"},"pending_safety_checks":[]},
                {"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"u"}},
                {"type":"local_shell_call","id":"ls_1","call_id":"c","action":{"type":"exec","command":["ls"]}},
                {"type":"local_shell_call_output","id":"ls_1","output":"{}"},
                {"type":"shell_call","call_id":"c","action":{"commands":["ls"]}},
                {"type":"shell_call_output","call_id":"c","output":[{"stdout":"a","outcome":{"type":"exit"}}]},
                {"type":"apply_patch_call","call_id":"c","operation":{"type":"create_file"}},
                {"type":"apply_patch_call_output","call_id":"c","status":"completed","output":null},
                {"type":"mcp_list_tools","id":"mcpl_1","server_label":"s","tools":[{"name":"f","input_schema":{}}]},
                {"type":"mcp_approval_request","id":"mcpr_1","name":"f","arguments":"{}","server_label":"s"},
                {"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true},
                {"type":"mcp_call","id":"mcp_1","name":"f","arguments":"{}","output":"a","error":null},
                {"type":"tool_search_call","arguments":{"query":"q"}},{"type":"tool_search_output","tools":[]},
                {"type":"compaction","encrypted_content":"g"},{"type":"item_reference","id":"msg_1"},
                {"id":"msg_1"},{"type":"unheard_of","content":7}]}"#,
            r#"{"model":"m","instructions":null,"previous_response_id":"resp_1","input":"a","tools":[
                {"type":"web_search"},{"type":"file_search","vector_store_ids":["vs_1"]},{"type":"image_generation"},
                {"type":"code_interpreter","container":{"type":"auto"}},{"type":"mcp","server_label":"s",
                "server_url":"https://h"},{"type":"function","name":"f","parameters":null,"strict":true},
                {"type":"custom","name":"g","format":{"type":"grammar","syntax":"lark","definition":"d"}}],
                "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]},"reasoning":{"effort":"low",
                "summary":"auto"},"text":{"format":{"type":"text"},"verbosity":"low"},"truncation":"auto"}"#,
            // A stored prompt brings its model along.
            r#"{"prompt":{"id":"pmpt_1","version":"2","variables":{"city":"Berlin"}}}"#,
            r#"{"model":"m","conversation":{"id":"conv_1"},"background":true,"store":true,"max_output_tokens":null}"#,
        ],
    );
}

#[test]
fn messages_of_many_clients_pass() {
    all_pass(
        "/v1/messages?beta=true",
        &[
            r#"{"model":"m","max_tokens":8,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral",
                "ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"a","citations":null},
                {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},
                {"type":"image","source":{"type":"url","url":"https://h/i.png"}},
                {"type":"image","source":{"type":"file","file_id":"file_1"}},
                {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},
                "title":null,"context":null,"citations":{"enabled":true}},
                {"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"}]}},
                {"type":"search_result","source":"https://h","title":"t","content":[{"type":"text","text":"a"}]},
                {"type":"container_upload","file_id":"file_1"}]},
                {"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"s"},
                {"type":"redacted_thinking","data":"d"},{"type":"tool_use","id":"t","name":"f","input":{},
                "caller":{"type":"direct"}},{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1}},
                {"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result",
                "url":"https://h","title":"t","encrypted_content":"e","page_age":null}]},
                {"type":"web_search_tool_result","tool_use_id":"s","content":{"type":"web_search_tool_result_error",
                "error_code":"max_uses_exceeded"}},
                {"type":"code_execution_tool_result","tool_use_id":"s","content":{"type":"code_execution_result",
                "stdout":"a","stderr":"","return_code":0,"content":[]}},
                {"type":"bash_code_execution_tool_result","tool_use_id":"s","content":{"stdout":"a"}},
                {"type":"web_fetch_tool_result","tool_use_id":"s","content":{"type":"web_fetch_result","url":"u",
                "content":{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a"}}}},
                {"type":"tool_search_tool_result","tool_use_id":"s","content":{"tool_references":[]}},
                {"type":"mcp_tool_use","id":"m","name":"f","server_name":"s","input":{}},
                {"type":"mcp_tool_result","tool_use_id":"m","is_error":false,"content":[{"type":"text","text":"a"}]},
                {"type":"compaction","content":"a"},{"type":"unheard_of"}]},
                {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"a"},
                {"type":"tool_result","tool_use_id":"t"},{"type":"tool_result","tool_use_id":"t","content":[
                {"type":"tool_reference","tool_name":"f"},{"type":"image","source":{"type":"url","url":"u"}}]}]}],
                "thinking":{"type":"adaptive"},"metadata":{"user_id":null},"mcp_servers":[],"container":null,
                "context_management":{"edits":[]},"output_config":{"effort":"low"},"tools":[{"name":"f",
                "input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search","max_uses":1}]}"#,
            r#"{"model":"m","max_tokens":8,"system":"a","messages":[{"role":"user","content":"a"},
                {"role":"assistant","content":[]}],"thinking":{"type":"disabled"},"stop_sequences":null}"#,
            r#"{"model":"m","messages":[]}"#,
        ],
    );
}

#[test]
fn gemini_of_many_clients_passes() {
    all_pass(
        "/v1beta/models/gemini-2.5-flash:generateContent",
        &[
            r#"{"contents":{"parts":{"text":"a"}}}"#,
            r#"{"contents":[{"parts":[{"text":"a"}]}],"system_instruction":{"parts":{"text":"a"}},
                "generation_config":{"max_output_tokens":"100","candidate_count":null,"thinking_config":
                {"include_thoughts":true,"thinking_budget":-1}},"safety_settings":[]}"#,
            r#"{"contents":[{"role":"user","parts":[{"inline_data":{"mime_type":"image/png","data":"iVBORw0KGgo="},
                "videoMetadata":{"fps":1}},{"fileData":{"fileUri":"u","mimeType":"video/mp4"},
                "mediaResolution":{"level":"LOW"}}]},
                {"role":"model","parts":[{"text":"a","thought":true,"thoughtSignature":"cw=="},
                {"functionCall":{"id":null,"name":"f","args":null},"thoughtSignature":"cw=="},
                {"executableCode":{"language":"PYTHON","code":"1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK"}},
                {"toolCall":{"toolType":"GOOGLE_SEARCH_WEB","args":{}}},{"toolResponse":{"id":"x"}},{}]},
                {"role":"function","parts":[{"functionResponse":{"name":"f","response":{"result":[1]},"parts":[
                {"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}}]},{"role":"user","parts":[]},{}],
                "tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{}}]},{"googleSearch":{}},
                {"urlContext":{}},{"codeExecution":{}}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},
                "generationConfig":{"responseModalities":["TEXT","IMAGE"],"responseJsonSchema":{},"seed":1},
                "cachedContent":null,"labels":{"a":"b"},"modelArmorConfig":{},"serviceTier":"flex"}"#,
        ],
    );
}

#[test]
fn embeddings_and_completions_of_many_clients_pass() {
    all_pass(
        "/v1/embeddings",
        &[
            r#"{"model":"m","input":"a","encoding_format":"base64","dimensions":256,"user":null}"#,
            r#"{"model":"m","input":["a","b"],"input_type":"document","truncation":true,"output_dtype":"int8"}"#,
            r#"{"model":"m","input":[1,2,3]}"#,
            r#"{"model":"m","input":[[1,2],[3]]}"#,
            r#"{"model":"m","input":[{"text":"a"},{"image":"https://h/i.png"}],"task":"retrieval.query"}"#,
            r#"{"model":"m","input":[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":"u"}]}]}"#,
        ],
    );
    all_pass(
        "/v1/completions",
        &[
            r#"{"model":"m","prompt":"a","suffix":null,"max_tokens":16,"n":1,"best_of":null,"echo":true,"logprobs":5}"#,
            r#"{"model":"m","prompt":["a","b"],"stream":true,"stream_options":{"include_usage":false}}"#,
            r#"{"model":"m","prompt":[1,2]}"#,
            r#"{"model":"m"}"#,
        ],
    );
}

#[test]
fn other_doors_to_the_same_models_are_known() {
    let claude =
        "/v1/projects/p/locations/europe-west1/publishers/anthropic/models/claude-sonnet-4-5@20250929";
    for (path, body, dialect, model, stream) in [
        (
            format!("{claude}:rawPredict"),
            r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":8,"messages":[{"role":"user","content":"a"}]}"#,
            Dialect::Messages,
            "claude-sonnet-4-5@20250929",
            false,
        ),
        (
            format!("{claude}:streamRawPredict"),
            r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":8,"stream":true,"messages":[]}"#,
            Dialect::Messages,
            "claude-sonnet-4-5@20250929",
            true,
        ),
        (
            "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict".to_owned(),
            r#"{"model":"claude-sonnet-4-5","messages":[]}"#,
            Dialect::CountTokens,
            "claude-sonnet-4-5",
            false,
        ),
        (
            "/v1/responses/compact".to_owned(),
            r#"{"model":"gpt-5","input":"a"}"#,
            Dialect::Responses,
            "gpt-5",
            false,
        ),
        (
            "/v1/responses/input_tokens".to_owned(),
            r#"{"model":"gpt-5","input":"a"}"#,
            Dialect::CountTokens,
            "gpt-5",
            false,
        ),
        (
            "/openai/responses?api-version=2025-04-01-preview".to_owned(),
            r#"{"model":"gpt-5","input":"a"}"#,
            Dialect::Responses,
            "gpt-5",
            false,
        ),
        (
            "/hf-inference/models/Qwen/Qwen3-32B/v1/chat/completions".to_owned(),
            r#"{"model":"Qwen/Qwen3-32B","messages":[]}"#,
            Dialect::ChatCompletions,
            "Qwen/Qwen3-32B",
            false,
        ),
    ] {
        read(&path, body, |request| {
            let named = request.model.as_ref().unwrap();
            assert_eq!((request.dialect, &*named.name), (dialect, model), "{path}");
            assert_eq!(request.stream, stream, "{path}");
        });
    }
}

#[test]
fn a_compaction_takes_no_cap() {
    let body = r#"{"model":"gpt-5","input":"a"}"#;
    read("/v1/responses/compact", body, |request| {
        let mut caps = request.output_caps();
        caps.set(5);
        assert_eq!(
            (caps.param(), caps.are_changed(), caps.edits().count()),
            (None, false, 0)
        );
    });
}
