//! Who may do what: every route, for every role, in the own and in a foreign workspace.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::every_route::{FOREIGN, OWN, ROLES, Route, World};
use super::support::ADMIN;

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

// === impl Asker ===

impl Asker {
    /// One of each role, for every workspace and for the own.
    async fn all(world: &World) -> Vec<Self> {
        let mut askers = Vec::new();
        for workspace in [None, Some(OWN)] {
            for (role, name) in ROLES.iter().enumerate() {
                let token = world
                    .token(json!({"name": name, "workspace": workspace, "role": name}))
                    .await;
                askers.push(Self {
                    token,
                    role,
                    workspace,
                });
            }
        }
        askers
    }

    /// What a route should answer them; none where that is whatever the thing itself makes of it.
    fn refusal(&self, route: &Route, workspace: &str) -> Option<StatusCode> {
        let is_here = self.workspace.is_none_or(|own| own == workspace);
        if self.role < route.role || (!route.is_of_workspace && self.workspace.is_some()) {
            return Some(StatusCode::FORBIDDEN);
        }
        match (route.is_of_workspace && !is_here, route.path.contains('{')) {
            (true, true) => Some(StatusCode::NOT_FOUND),
            (true, false) => Some(StatusCode::FORBIDDEN),
            (false, _) => None,
        }
    }
}

#[tokio::test]
async fn every_route_asks_for_its_role_in_the_workspace_of_the_thing() {
    let mut world = World::new().await;
    let askers = Asker::all(&world).await;
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
                match asker.refusal(&route, workspace) {
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
