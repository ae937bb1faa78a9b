//! Conversations: kept only where both configurations say so, redacted before, for as long as is said, and deleted for
//! good.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::money::TestClock;
use super::support::{Sidecar, eventually, expect};

/// Has texts kept for thirty days, without addresses of mail.
pub(super) const KEEPING: &str = r"
conversations: {retention_days: 30, redact: [pii]}
moderation:
  policies:
    pii:
      rules:
        - {name: mail, category: pii, action: redact, regexes: ['\w+@\w+\.\w+']}
        - {name: bird, category: confidential, action: block, words: [nightingale]}
";
const SECRET: &str = "somebody@example.org";
const NOON: &str = "2026-01-15T12:00:00Z";

/// An exchange of a user's, as a gateway sends it.
fn said(id: &str, conversation: Option<&str>, user: &str, prompt: &str, answer: &str) -> Value {
    let part = |role: &str, text: &str| json!([{"index": 0, "role": role, "kind": "text", "text": text}]);
    let mut said = json!({
        "event_id": id, "request_id": format!("req-{id}"), "time": NOON, "workspace": "acme", "user": user,
        "session": "s", "key_id": "key_1", "model": "gpt-4o", "status": 200,
        "prompt": part("user", prompt), "answer": part("assistant", answer),
    });
    if let Some(name) = conversation {
        said["conversation"] = json!(name);
    }
    said
}

async fn send(sidecar: &Sidecar, exchanges: &[Value]) -> Value {
    let body = json!({ "exchanges": exchanges });
    expect(sidecar.gateway("/v1/conversations", &body).await, StatusCode::OK).await
}

async fn list(sidecar: &Sidecar, query: &str) -> Vec<Value> {
    let page = sidecar.get(&format!("/admin/v1/conversations?{query}")).await;
    page["conversations"].as_array().unwrap().clone()
}

async fn read(sidecar: &Sidecar, id: &str) -> Value {
    sidecar.get(&format!("/admin/v1/conversations/{id}")).await
}

async fn delete(sidecar: &Sidecar, path: &str) -> reqwest::Response {
    let path = format!("/admin/v1/conversations{path}");
    sidecar.admin(Method::DELETE, &path, &Value::Null).await
}

/// Has a conversation of this name kept in a workspace: its id.
pub(super) async fn hold(sidecar: &Sidecar, workspace: &str, name: &str) -> String {
    let mut exchange = said(&format!("evt-{name}"), Some(name), "u", "q", "a");
    exchange["workspace"] = json!(workspace);
    send(sidecar, &[exchange]).await;
    let found = list(sidecar, &format!("workspace={workspace}&name={name}")).await;
    found[0]["id"].as_str().unwrap().to_owned()
}

/// Rows in which a text stands, and bytes of the database's file that hold it, where it is one.
async fn traces(sidecar: &mut Sidecar, text: &str) -> usize {
    let select = format!(
        "SELECT COUNT(*) FROM conversation_exchanges WHERE prompt LIKE '%{text}%' OR answer LIKE '%{text}%'"
    );
    let rows = usize::try_from(sidecar.sql(&select).await).unwrap();
    sidecar.shut_down().await;
    let file = std::fs::read(sidecar.database()).unwrap_or_default();
    let in_file = file
        .windows(text.len())
        .filter(|window| *window == text.as_bytes())
        .count();
    rows + in_file
}

#[tokio::test]
async fn nothing_is_kept_unless_the_sidecar_is_told_to() {
    let sidecar = Sidecar::start().await;
    let body = json!({"exchanges": [said("e", None, "u", "q", "a")]});
    let refused = sidecar.gateway("/v1/conversations", &body).await;
    expect(refused, StatusCode::CONFLICT).await;
    assert_eq!(
        sidecar.sql("SELECT COUNT(*) FROM conversation_exchanges").await,
        0
    );
    let page = sidecar.get("/admin/v1/conversations").await;
    assert_eq!(page, json!({"conversations": [], "retention_days": null}));
}

#[tokio::test]
async fn a_secret_is_taken_out_before_anything_is_written() {
    let mut sidecar = Sidecar::start_with(KEEPING).await;
    let prompt = format!("write to {SECRET} of Nightingale");
    let mut exchange = said("e", Some("t"), "u", &prompt, &format!("done: {SECRET}"));
    let call = r#"{"to":"somebody\u0040example.org"}"#;
    exchange["answer"]
        .as_array_mut()
        .unwrap()
        .push(json!({"index": 0, "role": "assistant", "kind": "arguments", "text": call}));
    send(&sidecar, &[exchange]).await;
    let id = list(&sidecar, "").await[0]["id"].as_str().unwrap().to_owned();
    let found = read(&sidecar, &id).await["exchanges"][0].clone();
    assert_eq!(found["prompt"][0]["text"], "write to [REDACTED] of [REDACTED]");
    assert_eq!(found["answer"][0]["text"], "done: [REDACTED]");
    assert_eq!(found["answer"][1]["text"], r#"{"to":"[REDACTED]"}"#);
    assert_eq!(traces(&mut sidecar, "somebody").await, 0);
}

#[tokio::test]
async fn the_exchanges_of_a_conversation_are_read_in_their_order_and_one_users_name_is_nobody_elses() {
    let sidecar = Sidecar::start_with(KEEPING).await;
    let mut earlier = said("e5", Some("t"), "ann", "zero", "0");
    earlier["time"] = json!("2026-01-15T11:59:59Z");
    let sent = send(
        &sidecar,
        &[
            said("e1", Some("t"), "ann", "one", "1"),
            said("e2", Some("t"), "bob", "theirs", "x"),
            said("e3", None, "ann", "alone", "y"),
            said("e4", Some("t"), "ann", "two", "2"),
            earlier,
        ],
    )
    .await;
    assert_eq!(sent, json!({"stored": 5, "left_out": 0}));
    let found = list(&sidecar, "user=ann").await;
    let names: Vec<&Value> = found.iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [&json!("t"), &Value::Null], "the latest first");
    assert_eq!(found[0]["exchanges"], 3);
    let text = read(&sidecar, found[0]["id"].as_str().unwrap()).await;
    let said: Vec<&Value> = text["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|one| [&one["prompt"][0]["text"], &one["answer"][0]["text"]])
        .collect();
    assert_eq!(said, ["zero", "0", "one", "1", "two", "2"]);
    let expires = text["exchanges"][0]["expires_at"].as_str().unwrap();
    assert!(expires.parse::<jiff::Timestamp>().is_ok(), "{expires}");
}

#[tokio::test]
async fn lists_and_texts_come_in_pages() {
    let sidecar = Sidecar::start_with(KEEPING).await;
    let exchanges: Vec<Value> = (0..5)
        .map(|n| {
            said(
                &format!("e{n}"),
                Some(&format!("t{}", n % 3)),
                "u",
                "q",
                &n.to_string(),
            )
        })
        .collect();
    send(&sidecar, &exchanges).await;
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let page = sidecar
            .get(&format!("/admin/v1/conversations?limit=2&after={after}"))
            .await;
        let found = page["conversations"].as_array().unwrap().clone();
        names.extend(found.iter().map(|one| one["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!(names, ["t1", "t0", "t2"]);
    let id = list(&sidecar, "name=t1").await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let first = sidecar
        .get(&format!("/admin/v1/conversations/{id}?limit=1"))
        .await;
    let next = first["next"].as_str().unwrap();
    let second = sidecar
        .get(&format!("/admin/v1/conversations/{id}?limit=1&after={next}"))
        .await;
    assert_eq!(second["exchanges"][0]["answer"][0]["text"], "4");
    assert_eq!(second["next"], Value::Null);
}

#[tokio::test]
async fn what_comes_twice_is_kept_once_and_what_cannot_be_read_costs_nothing_else() {
    let sidecar = Sidecar::start_with(KEEPING).await;
    let exchange = said("e", Some("t"), "u", "q", "a");
    assert_eq!(send(&sidecar, std::slice::from_ref(&exchange)).await["stored"], 1);
    let sent = send(
        &sidecar,
        &[
            json!({"event_id": 7}),
            exchange,
            said("", None, "u", "q", "a"),
            said("f", Some("t"), "u", "r", "b"),
        ],
    )
    .await;
    assert_eq!(sent, json!({"stored": 1, "left_out": 3}));
    assert_eq!(list(&sidecar, "").await[0]["exchanges"], 2);
}

#[tokio::test]
async fn every_reading_is_in_the_audit_log_and_no_text_is() {
    let sidecar = Sidecar::start_with(KEEPING).await;
    let id = hold(&sidecar, "acme", "t").await;
    assert!(
        sidecar.get("/admin/v1/audit").await["entries"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    read(&sidecar, &id).await;
    let entries = sidecar.get("/admin/v1/audit").await["entries"].clone();
    assert_eq!(
        (
            &entries[0]["action"],
            &entries[0]["target"],
            &entries[0]["workspace"]
        ),
        (&json!("conversation.read"), &json!(id), &json!("acme"))
    );
    assert_eq!(
        entries[0]["detail"]["before"],
        json!({"user": "u", "name": "t", "exchanges": 1})
    );
}

#[tokio::test]
async fn what_a_user_said_is_deleted_for_good_and_does_not_come_back() {
    let clock = TestClock::at(NOON);
    let mut sidecar = Sidecar::start_at(clock.clock(), KEEPING).await;
    let of_ann = said("e1", Some("t"), "ann", "remember me", "I do");
    send(
        &sidecar,
        &[of_ann.clone(), said("e2", Some("t"), "bob", "q", "a")],
    )
    .await;
    let deleted = delete(&sidecar, "?workspace=acme&user=ann").await;
    assert_eq!(
        expect(deleted, StatusCode::OK).await,
        json!({"conversations": 1, "exchanges": 1})
    );
    let late = said("e3", Some("t"), "ann", "remember me", "late");
    assert_eq!(
        send(&sidecar, &[of_ann, late]).await,
        json!({"stored": 0, "left_out": 2}),
        "what was on its way is deleted too"
    );
    let left = list(&sidecar, "").await;
    assert_eq!((left.len(), &left[0]["user"]), (1, &json!("bob")));
    let mut anew = said("e4", Some("t"), "ann", "q", "a");
    anew["time"] = json!("2026-01-15T12:00:01Z");
    assert_eq!(
        send(&sidecar, &[anew]).await["stored"],
        1,
        "a user may begin anew"
    );
    let entries = sidecar.get("/admin/v1/audit").await["entries"].clone();
    assert_eq!(
        (&entries[0]["action"], &entries[0]["target"]),
        (&json!("conversation.delete_user"), &json!("ann"))
    );
    assert_eq!(traces(&mut sidecar, "remember me").await, 0);
}

#[tokio::test]
async fn a_conversation_is_deleted_for_good() {
    let sidecar = Sidecar::start_with(KEEPING).await;
    let id = hold(&sidecar, "acme", "t").await;
    assert_eq!(
        delete(&sidecar, &format!("/{id}")).await.status(),
        StatusCode::NO_CONTENT
    );
    expect(delete(&sidecar, &format!("/{id}")).await, StatusCode::NOT_FOUND).await;
    let again = said("evt-t", Some("t"), "u", "q", "a");
    assert_eq!(send(&sidecar, &[again]).await["stored"], 0);
    assert_eq!(
        sidecar.sql("SELECT COUNT(*) FROM conversation_exchanges").await,
        0
    );
}

#[tokio::test]
async fn texts_are_deleted_when_their_days_are_over_or_fewer_are_allowed() {
    let clock = TestClock::at(NOON);
    let mut sidecar = Sidecar::start_at(clock.clock(), KEEPING).await;
    send(
        &sidecar,
        &[
            said("e1", Some("t"), "u", "q", "a"),
            said("e2", None, "u", "q", "a"),
        ],
    )
    .await;
    clock.pass(20 * 86_400_000);
    send(&sidecar, &[said("e3", Some("t"), "u", "r", "b")]).await;
    clock.pass(11 * 86_400_000);
    sidecar.restart().await;
    let left = eventually(|| list(&sidecar, ""), |left| left.len() == 1).await;
    assert_eq!(
        (&left[0]["name"], &left[0]["exchanges"]),
        (&json!("t"), &json!(1))
    );
    let fewer = KEEPING.replace("retention_days: 30", "retention_days: 7");
    sidecar.restart_with(&fewer).await;
    eventually(|| list(&sidecar, ""), Vec::is_empty).await;
    send(&sidecar, &[said("e4", Some("t"), "u", "q", "a")]).await;
    clock.pass(8 * 86_400_000);
    sidecar.restart_with("").await;
    eventually(|| list(&sidecar, ""), Vec::is_empty).await;
}

#[tokio::test]
async fn a_configuration_that_cannot_redact_as_it_says_is_refused() {
    for (yaml, path) in [
        (
            "conversations: {retention_days: 0}",
            "conversations.retention_days",
        ),
        (
            "conversations: {retention_days: 30, redact: [nowhere]}",
            "conversations.redact[0]",
        ),
        ("conversations: {redact: []}", "retention_days"),
    ] {
        let text = super::support::yaml("x.db", yaml);
        let refused = tollgate_sidecar::Config::from_yaml(&text, [])
            .unwrap_err()
            .to_string();
        assert!(refused.contains(path), "{refused}");
    }
}
