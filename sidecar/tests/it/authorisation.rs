//! Who may do what: every route of the API's own description, for every role, in the own and in a foreign workspace.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::conversations::{KEEPING, hold};
use super::support::{ADMIN, Sidecar, event, expect};

const OWN: &str = "alpha";
const FOREIGN: &str = "beta";
const ROLES: [&str; 4] = ["viewer", "member", "admin", "owner"];
const SCOPES: [&str; 21] = [
    "keys:read",
    "keys:write",
    "budgets:read",
    "budgets:write",
    "limits:read",
    "limits:write",
    "events:read",
    "stats:read",
    "moderations:read",
    "moderations:write",
    "conversations:read",
    "conversations:write",
    "audit:read",
    "workspaces:read",
    "workspaces:write",
    "prices:read",
    "prices:write",
    "webhooks:read",
    "webhooks:write",
    "operators:read",
    "operators:write",
];

/// Somebody who asks.
struct Asker {
    token: String,
    role: usize,
    /// None for everywhere.
    workspace: Option<&'static str>,
}

/// A route, as the description has it.
struct Route {
    method: Method,
    path: String,
    id: String,
    role: usize,
    is_of_workspace: bool,
    scope: String,
    has_body: bool,
    is_by_workspace: bool,
}

// === impl Route ===

impl Route {
    /// None where it is open to everyone.
    fn read(path: &str, method: &str, operation: &Value) -> Option<Self> {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        if operation["x-tollgate-open"] == true {
            return None;
        }
        let role = operation["x-tollgate-role"].as_str();
        let role = role.unwrap_or_else(|| panic!("{method} {path} has no rule"));
        let parameters = operation["parameters"].as_array();
        Some(Self {
            method: method.to_uppercase().parse().unwrap(),
            path: path.to_owned(),
            role: ROLES.iter().position(|known| *known == role).unwrap(),
            is_of_workspace: operation["x-tollgate-reach"] == "workspace",
            scope: operation["security"][0]["bearer"][0].as_str().unwrap().to_owned(),
            has_body: operation["requestBody"].is_object(),
            is_by_workspace: parameters.is_some_and(|all| all.iter().any(|one| one["name"] == "workspace")),
            id,
        })
    }

    /// What it should answer; none where that is whatever the thing itself makes of it.
    fn refusal(&self, asker: &Asker, workspace: &str) -> Option<StatusCode> {
        let is_here = asker.workspace.is_none_or(|own| own == workspace);
        if asker.role < self.role || (!self.is_of_workspace && asker.workspace.is_some()) {
            return Some(StatusCode::FORBIDDEN);
        }
        match (self.is_of_workspace && !is_here, self.path.contains('{')) {
            (true, true) => Some(StatusCode::NOT_FOUND),
            (true, false) => Some(StatusCode::FORBIDDEN),
            (false, _) => None,
        }
    }

    /// Whether its path names a workspace, which is there already.
    fn is_of_named_workspace(&self) -> bool {
        self.path.starts_with("/workspaces/{id}") && self.is_of_workspace
    }

    fn body(&self, workspace: &str, number: usize) -> Value {
        match self.id.as_str() {
            "createKey" => json!({"name": "k", "workspace": workspace}),
            "createBudget" => json!({
                "subject": {"workspace": workspace}, "unit": "usd", "period": "month", "amount": "1",
            }),
            "createLimit" => json!({
                "name": format!("limit-{number}"), "count": "requests", "amount": 1, "period": "1m",
                "match": {"workspaces": [workspace]},
            }),
            "editLimit" => json!({"amount": 2}),
            "createToken" => json!({"name": "t", "workspace": workspace, "role": "viewer"}),
            "createOperator" => json!({"name": format!("made-{number}"), "roles": {workspace: "viewer"}}),
            "createWebhook" => json!({"url": "https://example.com/hook"}),
            "createModerationPolicy" => json!({"id": format!("made-{number}"), "policy": policy(number)}),
            "editModerationPolicy" => json!({"policy": policy(number)}),
            "createPrice" => json!({"id": format!("made-{number}"), "price": {"input_cost_per_token": 1}}),
            "editPrice" => json!({"price": {"input_cost_per_token": number}}),
            "createWorkspace" => json!({"id": format!("made-{number}")}),
            "createUser" => json!({"workspace": workspace, "user": format!("made-{number}")}),
            "editWorkspace" | "editUser" => json!({"display_name": format!("renamed-{number}")}),
            "editKey" | "editBudget" => json!({"name": "renamed"}),
            "editOperator" | "editWebhook" | "resetLimit" | "resetLimitByName" => json!({}),
            "rotateKey" => json!({"grace_seconds": 60}),
            "importKeys" => {
                let sha256 = format!("{number:064x}");
                json!({"keys": [{"sha256": sha256, "name": "k", "workspace": workspace}]})
            }
            "deposit" => json!({"amount": "1"}),
            "raiseBudget" => {
                json!({"amount": "1", "until": jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1), "reason": "a trial"})
            }
            other => panic!("say here what {other} is sent"),
        }
    }
}

/// A moderation policy with another rule for each number.
fn policy(number: usize) -> Value {
    json!({"rules": [{"name": format!("rule-{number}"), "category": "c", "action": "flag", "words": ["w"]}]})
}

/// A sidecar with things of two workspaces.
struct World {
    sidecar: Sidecar,
    made: usize,
}

// === impl World ===

impl World {
    async fn new() -> Self {
        let sidecar = Sidecar::start_with(KEEPING).await;
        sidecar
            .send_events(&[event("own", OWN), event("foreign", FOREIGN)])
            .await;
        let mut world = Self { sidecar, made: 0 };
        for workspace in [OWN, FOREIGN] {
            for collection in ["/keys", "/budgets", "/limits", "/tokens", "/conversations"] {
                world.make(collection, workspace).await;
            }
        }
        world
    }

    async fn routes(&self) -> Vec<Route> {
        let request = self.sidecar.request(Method::GET, "/admin/v1/openapi.json");
        let document: Value = request.send().await.unwrap().json().await.unwrap();
        let paths = document["paths"].as_object().unwrap().clone();
        let mut routes = Vec::new();
        let mut open = Vec::new();
        for (path, methods) in &paths {
            for (method, operation) in methods.as_object().unwrap() {
                match Route::read(path, method, operation) {
                    Some(route) => routes.push(route),
                    None => open.push(format!("{method} {path}")),
                }
            }
        }
        open.sort();
        assert_eq!(
            open,
            [
                "delete /session",
                "get /session",
                "get /session/oidc",
                "get /session/oidc/callback",
                "post /session",
                "post /session/password"
            ],
            "open to everyone"
        );
        routes
    }

    /// Makes something new that a path can name: its id.
    async fn make(&mut self, collection: &str, workspace: &str) -> String {
        self.made += 1;
        if collection == "/conversations" {
            return hold(&self.sidecar, workspace, &format!("thread-{}", self.made)).await;
        }
        let body = match collection {
            "/keys" => json!({"name": "k", "workspace": workspace}),
            "/budgets" => json!({
                "subject": {"workspace": workspace}, "unit": "usd", "period": "total", "amount": "0",
            }),
            "/limits" => json!({
                "name": format!("limit-{}", self.made), "count": "requests", "amount": 1, "period": "1m",
                "match": {"workspaces": [workspace]},
            }),
            "/tokens" => json!({"name": "t", "workspace": workspace, "role": "viewer"}),
            "/operators" => {
                json!({"name": format!("operator-{}", self.made), "roles": {workspace: "viewer"}})
            }
            "/moderation/policies" => json!({"id": format!("policy-{}", self.made), "policy": policy(0)}),
            "/prices" => json!({"id": format!("model-{}", self.made), "price": {"output_cost_per_token": 1}}),
            "/workspaces" => json!({"id": format!("made-{}", self.made)}),
            "/users" => json!({"workspace": workspace, "user": format!("user-{}", self.made)}),
            "/webhooks" => json!({"url": "https://example.com/hook"}),
            other => panic!("say here how something of {other} is made"),
        };
        let path = format!("/admin/v1{collection}");
        let made = self.sidecar.admin(Method::POST, &path, &body).await;
        expect(made, StatusCode::CREATED).await["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn token(&self, body: Value) -> String {
        let made = self.sidecar.admin(Method::POST, "/admin/v1/tokens", &body).await;
        expect(made, StatusCode::CREATED).await["token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn askers(&self) -> Vec<Asker> {
        let mut askers = Vec::new();
        for workspace in [None, Some(OWN)] {
            for (role, name) in ROLES.iter().enumerate() {
                let token = self
                    .token(json!({"name": name, "workspace": workspace, "role": name}))
                    .await;
                askers.push(Asker {
                    token,
                    role,
                    workspace,
                });
            }
        }
        askers
    }

    /// Asks for a route, with something new for it where its path names something.
    async fn ask(&mut self, route: &Route, token: Option<&str>, workspace: &str) -> (StatusCode, String) {
        self.ask_with(route, token, workspace, |body| body).await
    }

    /// The same with another body.
    async fn ask_with(
        &mut self,
        route: &Route,
        token: Option<&str>,
        workspace: &str,
        change: impl FnOnce(Value) -> Value,
    ) -> (StatusCode, String) {
        let mut path = route.path.clone();
        if route.is_of_named_workspace() {
            path = path.replace("{id}", workspace);
        } else if path.contains("{id}") {
            let (collection, _) = path.split_once("/{").unwrap();
            let id = self.make(collection, workspace).await;
            path = path
                .replace("{id}", &id)
                .replace("{delivery}", "none")
                .replace("{raise}", "none");
        } else if path.contains("{name}") {
            path = path.replace("{name}", "of-a-configuration");
        } else if route.is_by_workspace {
            path = format!("{path}?workspace={workspace}");
        }
        if route.id == "deleteConversationsOfUser" {
            path += "&user=somebody";
        }
        assert!(!path.contains('{'), "say here what {path} is of");
        self.made += 1;
        let mut request = self
            .sidecar
            .request(route.method.clone(), &format!("/admin/v1{path}"))
            .header("idempotency-key", format!("trial-{}", self.made));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let body = route.has_body.then(|| change(route.body(workspace, self.made)));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

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
async fn no_text_has_a_character_that_a_database_cannot_hold() {
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

#[tokio::test]
async fn every_route_asks_for_its_role_in_the_workspace_of_the_thing() {
    let mut world = World::new().await;
    let askers = world.askers().await;
    for route in world.routes().await {
        for asker in &askers {
            for workspace in [OWN, FOREIGN] {
                let (status, text) = world.ask(&route, Some(&asker.token), workspace).await;
                let trial = format!(
                    "{} {} of {workspace} as {} of {}: {status} {text}",
                    route.method,
                    route.path,
                    ROLES[asker.role],
                    asker.workspace.unwrap_or("every workspace"),
                );
                match route.refusal(asker, workspace) {
                    Some(expected) => assert_eq!(status, expected, "{trial}"),
                    // There is no such dead letter, of a webhook that is there.
                    None if route.id == "retryDelivery" || route.id == "withdrawRaise" => {
                        assert_eq!(status, StatusCode::NOT_FOUND, "{trial}");
                    }
                    None => assert!(status.is_success(), "{trial}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn no_list_shows_what_is_of_a_foreign_workspace() {
    let world = World::new().await;
    let token = world
        .token(json!({"name": "t", "workspace": OWN, "role": "owner"}))
        .await;
    let routes = world.routes().await;
    let lists = routes
        .iter()
        .filter(|route| route.method == Method::GET && route.is_of_workspace && !route.path.contains('{'));
    let mut seen = 0;
    for route in lists {
        assert!(
            route.is_by_workspace,
            "{} cannot be asked for a workspace",
            route.path
        );
        let path = format!("/admin/v1{}", route.path);
        for (token, shows_foreign) in [(ADMIN, true), (token.as_str(), false)] {
            let request = world.sidecar.request(Method::GET, &path).bearer_auth(token);
            let text = request.send().await.unwrap().text().await.unwrap();
            assert!(shows_foreign || !text.contains(FOREIGN), "{path}: {text}");
            seen += usize::from(shows_foreign && text.contains(FOREIGN));
        }
    }
    assert!(seen >= 5, "only {seen} lists have something to hide");
}

#[tokio::test]
async fn every_route_asks_for_its_scope_and_for_somebody() {
    let mut world = World::new().await;
    for route in world.routes().await {
        assert!(
            SCOPES.contains(&route.scope.as_str()),
            "{} is a new scope",
            route.scope
        );
        let others: Vec<&str> = SCOPES.into_iter().filter(|scope| *scope != route.scope).collect();
        let without = world
            .token(json!({"name": "others", "role": "owner", "scopes": others}))
            .await;
        let alone = world
            .token(json!({"name": "alone", "role": "owner", "scopes": [route.scope]}))
            .await;
        let at = format!("{} {}", route.method, route.path);
        let (status, text) = world.ask(&route, Some(&without), OWN).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{at}: {text}");
        let (status, text) = world.ask(&route, Some(&alone), OWN).await;
        assert_ne!(status, StatusCode::FORBIDDEN, "{at}: {text}");
        let (status, text) = world.ask(&route, None, OWN).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{at}: {text}");
    }
}

#[tokio::test]
async fn who_may_only_look_changes_nothing() {
    for route in World::new().await.routes().await {
        let needs_more = route.role > 0 && !route.scope.ends_with(":read");
        assert!(
            route.method == Method::GET || needs_more,
            "{} {}",
            route.method,
            route.path
        );
    }
}

#[tokio::test]
async fn every_route_that_changes_something_is_in_the_audit_log() {
    let mut world = World::new().await;
    let routes = world.routes().await;
    // Nothing changes: the key is not paused, and there is no such dead letter.
    let changes_nothing =
        |route: &&Route| ["resumeKey", "retryDelivery", "withdrawRaise"].contains(&route.id.as_str());
    for route in routes
        .iter()
        .filter(|route| route.method != Method::GET && !changes_nothing(route))
    {
        // What a gateway sends is no change of an operator's.
        let is_sent = route.path.starts_with("/conversations");
        let made = usize::from(route.path.contains("{id}") && !route.is_of_named_workspace() && !is_sent);
        let before = world.sidecar.get("/admin/v1/audit").await["next"].clone();
        let (status, text) = world.ask(route, Some(ADMIN), OWN).await;
        assert!(status.is_success(), "{}: {text}", route.id);
        let after = format!("/admin/v1/audit?after={}", before.as_str().unwrap());
        let entries = world.sidecar.get(&after).await["entries"]
            .as_array()
            .unwrap()
            .clone();
        assert_eq!(entries.len(), made + 1, "{}: {entries:?}", route.id);
        let entry = entries.last().unwrap();
        assert!(
            entry["actor"] == "admin_token" && entry["target"].is_string(),
            "{entry}"
        );
        assert!(
            entry["detail"]["before"].is_object() || entry["detail"]["after"].is_object(),
            "{entry}"
        );
    }
}
