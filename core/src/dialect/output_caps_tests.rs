use proptest::prelude::*;
use serde_json::{Value, json};

use super::OutputCaps;
use crate::dialect::{Request, classify, parse};
use crate::edit::apply;

/// What is done to the caps of a request.
#[derive(Debug, Clone, Copy)]
enum Act {
    Set(u64),
    Clamp(u64),
}

impl Act {
    fn on(self, caps: &mut OutputCaps) {
        match self {
            Self::Set(tokens) => caps.set(tokens),
            Self::Clamp(tokens) => {
                caps.clamp(tokens);
            }
        }
    }
}

fn reading<T>(path: &str, body: &str, read: impl FnOnce(&Request<'_>) -> T) -> T {
    let endpoint = classify(b"POST", path.as_bytes()).unwrap();
    read(&parse(&endpoint, body.as_bytes()).unwrap())
}

/// The plain way: the body is written and read again after each change.
fn one_by_one(path: &str, body: &str, acts: &[Act]) -> String {
    acts.iter().fold(body.to_owned(), |body, act| {
        reading(path, &body, |request| {
            let mut caps = request.output_caps();
            act.on(&mut caps);
            rewritten(&body, &caps, None)
        })
    })
}

fn rewritten(body: &str, caps: &OutputCaps, other: Option<crate::edit::Edit>) -> String {
    let mut edits: Vec<_> = other.into_iter().chain(caps.edits()).collect();
    String::from_utf8(apply(body.as_bytes(), &mut edits)).unwrap()
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![(1_u64..9).prop_map(Act::Set), (1_u64..9).prop_map(Act::Clamp)]
}

fn any_cap() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        (0_u64..9).prop_map(|cap| Some(json!(cap))),
        Just(Some(json!(7.0)))
    ]
}

fn any_request() -> impl Strategy<Value = (&'static str, Value)> {
    let chat = (any_cap(), any_cap(), any::<bool>()).prop_map(|(old, new, reasons)| {
        let model = if reasons { "o3" } else { "gpt-4o" };
        let mut body = json!({"model": model, "messages": [], "stream": true});
        set(&mut body, "max_tokens", old);
        set(&mut body, "max_completion_tokens", new);
        ("/v1/chat/completions", body)
    });
    let responses = any_cap().prop_map(|cap| {
        let mut body = json!({"model": "m", "input": "x"});
        set(&mut body, "max_output_tokens", cap);
        ("/v1/responses", body)
    });
    let gemini = (any_cap(), 0..4).prop_map(|(cap, shape)| {
        let mut config = json!({"topP": 1});
        if shape == 0 {
            config = json!({});
        }
        set(&mut config, "maxOutputTokens", cap);
        let mut body = json!({"contents": []});
        match shape {
            1 => {}
            2 => body["generationConfig"] = Value::Null,
            _ => body["generationConfig"] = config,
        }
        ("/v1beta/models/a:generateContent", body)
    });
    let embeddings = Just(("/v1/embeddings", json!({"model": "m", "input": "x"})));
    prop_oneof![4 => chat, 1 => responses, 3 => gemini, 1 => embeddings]
}

fn set(object: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[name] = value;
    }
}

proptest! {
    #[test]
    fn changes_that_are_written_once_come_to_the_same_as_one_by_one(
        (path, body) in any_request(),
        acts in prop::collection::vec(any_act(), 0..5),
        pretty in any::<bool>(),
    ) {
        let json = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        let plain = one_by_one(path, &json, &acts);
        reading(path, &json, |request| {
            let mut caps = request.output_caps();
            acts.iter().for_each(|act| act.on(&mut caps));
            let once = rewritten(&json, &caps, None);
            prop_assert_eq!(&once, &plain);
            prop_assert_eq!(caps.are_changed(), caps.edits().next().is_some());
            reading(path, &plain, |reread| {
                let again = reread.output_caps();
                prop_assert_eq!((caps.max(), caps.param()), (again.max(), again.param()));
                Ok(())
            })?;
            // A usage event is asked for in the same body at the same place.
            let both: Value = serde_json::from_str(&rewritten(&json, &caps, request.force_include_usage())).unwrap();
            let mut expected: Value = serde_json::from_str(&plain).unwrap();
            if path == "/v1/chat/completions" {
                expected["stream_options"] = json!({"include_usage": true});
            }
            prop_assert_eq!(both, expected);
            Ok(())
        })?;
    }
}
