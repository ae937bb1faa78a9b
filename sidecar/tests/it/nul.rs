//! The one character that PostgreSQL holds in no text and in no JSON.

use serde_json::{Value, json};

use super::every_route::{OWN, World};
use super::support::ADMIN;

/// The texts of a JSON document, by their pointers.
fn texts(json: &Value, at: &str, found: &mut Vec<String>) {
    match json {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(all) => all
            .iter()
            .enumerate()
            .for_each(|(nth, one)| texts(one, &format!("{at}/{nth}"), found)),
        Value::Object(all) => all
            .iter()
            .for_each(|(name, one)| texts(one, &format!("{at}/{name}"), found)),
        _ => {}
    }
}

#[tokio::test]
async fn no_text_of_a_request_breaks_on_it() {
    let mut world = World::new().await;
    let mut broken = Vec::new();
    for route in world.routes().await.iter().filter(|route| route.has_body) {
        let mut pointers = Vec::new();
        texts(&route.body(OWN, 0), "", &mut pointers);
        for pointer in pointers {
            let spoil = |mut body: Value| {
                let text = body.pointer(&pointer).and_then(Value::as_str).unwrap();
                let spoilt = format!("{text}\0");
                *body.pointer_mut(&pointer).unwrap() = json!(spoilt);
                body
            };
            let (status, text) = world.ask_with(route, Some(ADMIN), OWN, spoil).await;
            if status.is_server_error() {
                broken.push(format!("{} {pointer}: {status} {text}", route.id));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
