//! A sidecar of the test's own, and the calls that tests make.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tollgate_sidecar::Config;
use tollgate_sidecar::clock::Clock;

use crate::database::{self, Engine};

pub(crate) const ADMIN: &str = "test-admin-token";
pub(crate) const GATEWAY: &str = "test-gateway-token";

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running sidecar. Dropped, it ends with its test's runtime.
pub(crate) struct Sidecar {
    pub(crate) url: String,
    database: String,
    /// Holds the database where that is a file.
    _folder: Arc<TempDir>,
    /// What the configuration says beside the tokens and the database.
    more: String,
    clock: Clock,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<anyhow::Result<()>>>,
}

// === impl Sidecar ===

impl Sidecar {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts with more configuration (YAML) than the tokens and the database.
    pub(crate) async fn start_with(more: &str) -> Self {
        Self::start_at(Clock::system(), more).await
    }

    /// Starts with a clock of the test's own.
    pub(crate) async fn start_at(clock: Clock, more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let database = new_database(folder.path()).await;
        let mut sidecar = Self::not_running(database, Arc::new(folder), more, clock);
        sidecar.run().await;
        sidecar
    }

    /// Starts on a database that is there.
    pub(crate) async fn start_on(database: &str) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let mut sidecar = Self::not_running(database.to_owned(), folder, "", Clock::system());
        sidecar.run().await;
        sidecar
    }

    /// Another sidecar on the same database.
    pub(crate) async fn beside(&self) -> Self {
        self.beside_with(&[]).await
    }

    /// The same, with variables in its environment.
    pub(crate) async fn beside_with(&self, vars: &[(&str, &str)]) -> Self {
        let (database, folder) = (self.database.clone(), self._folder.clone());
        let mut other = Self::not_running(database, folder, &self.more, self.clock.clone());
        other.run_with(vars).await;
        other
    }

    /// Ends gracefully and starts again on the same database.
    pub(crate) async fn restart(&mut self) {
        self.shut_down().await;
        self.run().await;
    }

    /// Ends gracefully and starts again with another configuration.
    pub(crate) async fn restart_with(&mut self, more: &str) {
        more.clone_into(&mut self.more);
        self.restart().await;
    }

    pub(crate) async fn shut_down(&mut self) {
        self.begin_shutdown();
        self.task.take().unwrap().await.unwrap().unwrap();
    }

    pub(crate) fn begin_shutdown(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// What the configuration says under `database`.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// One number that the database answers.
    pub(crate) async fn sql(&self, select: &str) -> i64 {
        database::number(&self.database, select).await
    }

    fn not_running(database: String, folder: Arc<TempDir>, more: &str, clock: Clock) -> Self {
        Self {
            url: String::new(),
            database,
            _folder: folder,
            more: more.to_owned(),
            clock,
            client: reqwest::Client::new(),
            stop: None,
            task: None,
        }
    }

    async fn run(&mut self) {
        self.run_with(&[]).await;
    }

    async fn run_with(&mut self, vars: &[(&str, &str)]) {
        let vars = vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::from_yaml(&yaml(&self.database, &self.more), vars).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            let _ = stopped.await;
        };
        self.stop = Some(stop);
        self.task = Some(tokio::spawn(tollgate_sidecar::serve_until(
            listener,
            config,
            self.clock.clone(),
            shutdown,
        )));
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// `GET` on the admin API, which must succeed.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self
            .request(Method::GET, path)
            .bearer_auth(ADMIN)
            .send()
            .await
            .unwrap();
        expect(response, StatusCode::OK).await
    }

    /// `POST` on the admin API.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: &Value) -> Response {
        self.request(method, path)
            .bearer_auth(ADMIN)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// `POST` on the gateway API.
    pub(crate) async fn gateway(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path)
            .bearer_auth(GATEWAY)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn create_key(&self, body: &Value) -> Value {
        let response = self.admin(Method::POST, "/admin/v1/keys", body).await;
        expect(response, StatusCode::CREATED).await
    }

    pub(crate) async fn send_events(&self, events: &[Value]) -> Value {
        let response = self.gateway("/v1/events", &json!({ "events": events })).await;
        expect(response, StatusCode::OK).await
    }
}

/// What a configuration says under `database` for a new, empty one on this module's engine.
pub(crate) async fn new_database(folder: &Path) -> String {
    Engine::of(module_path!()).new_database(folder).await
}

/// The configuration of a test's sidecar, with `more` after it.
pub(crate) fn yaml(database: &str, more: &str) -> String {
    format!(
        "listen: 127.0.0.1:0\ndatabase: {database}\nadmin_token: {ADMIN}\ngateway_tokens: [{GATEWAY}]\n{more}"
    )
}

/// The body, where the status is the one expected.
pub(crate) async fn expect(response: Response, status: StatusCode) -> Value {
    let (got, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// A whole event, as a gateway sends it.
pub(crate) fn event(id: &str, workspace: &str) -> Value {
    json!({
        "event_id": id, "request_id": format!("req-{id}"), "time": "2026-01-02T03:04:05.678Z",
        "workspace": workspace, "key_id": format!("key-of-{workspace}"), "dialect": "chat_completions",
        "provider": "openai", "request_model": "gpt-4", "downgraded_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06", "stream": true, "status": 200, "input_tokens": 11, "output_tokens": 7, "cached_input_tokens": 5,
        "cache_creation_input_tokens": 0, "reasoning_output_tokens": 3, "usage_status": "complete",
        "cost_nanousd": 97_500, "latency_ms": 812, "time_to_first_token_ms": 95, "request_bytes": 130,
        "response_bytes": 2_048, "gateway_id": "gw-1", "region": "eu",
        "trace_id": "0af7651916cd43dd8448eb211c80319c", "parent_span_id": "b7ad6b7169203331", "trace_sampled": true,
        "request_service_tier": "auto", "response_service_tier": "priority"
    })
}

/// Follows the events in small pages until it has seen this many, each once.
pub(crate) async fn tail(sidecar: &Sidecar, events: usize) {
    let following = async {
        let (mut seen, mut after) = (HashSet::new(), String::new());
        while seen.len() < events {
            let page = sidecar
                .get(&format!("/admin/v1/events?limit=13&after={after}"))
                .await;
            for event in page["events"].as_array().unwrap() {
                let id = event["event_id"].as_str().unwrap().to_owned();
                assert!(seen.insert(id), "{event} was seen twice");
            }
            after = page["next"].as_str().unwrap().to_owned();
        }
    };
    tokio::time::timeout(PATIENCE, following).await.unwrap();
}

/// Asks until the answer is one that `is_good`.
pub(crate) async fn eventually<T, F: Future<Output = T>>(
    mut ask: impl FnMut() -> F,
    is_good: impl Fn(&T) -> bool,
) -> T {
    let asking = async {
        loop {
            let answer = ask().await;
            if is_good(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap()
}
