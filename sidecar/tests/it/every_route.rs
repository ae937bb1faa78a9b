//! Every route of the API's own description, and for each something new that it can be asked with.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::conversations::{KEEPING, hold};
use super::support::{Sidecar, event, expect};

pub(crate) const OWN: &str = "alpha";
pub(crate) const FOREIGN: &str = "beta";
pub(crate) const ROLES: [&str; 4] = ["viewer", "member", "admin", "owner"];

/// A route, as the description has it.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) role: usize,
    pub(crate) is_of_workspace: bool,
    pub(crate) scope: String,
    pub(crate) has_body: bool,
    pub(crate) is_by_workspace: bool,
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

    /// Whether its path names a workspace, which is there already.
    pub(crate) fn is_of_named_workspace(&self) -> bool {
        self.path.starts_with("/workspaces/{id}") && self.is_of_workspace
    }

    pub(crate) fn body(&self, workspace: &str, number: usize) -> Value {
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
pub(crate) struct World {
    pub(crate) sidecar: Sidecar,
    made: usize,
}

// === impl World ===

impl World {
    pub(crate) async fn new() -> Self {
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

    pub(crate) async fn routes(&self) -> Vec<Route> {
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

    pub(crate) async fn token(&self, body: Value) -> String {
        let made = self.sidecar.admin(Method::POST, "/admin/v1/tokens", &body).await;
        expect(made, StatusCode::CREATED).await["token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Asks for a route, with something new for it where its path names something.
    pub(crate) async fn ask(
        &mut self,
        route: &Route,
        token: Option<&str>,
        workspace: &str,
    ) -> (StatusCode, String) {
        self.ask_with(route, token, workspace, |body| body).await
    }

    /// The same with another body.
    pub(crate) async fn ask_with(
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
