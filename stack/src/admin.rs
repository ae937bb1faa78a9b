//! The sidecar's admin API, as the demo and the tests use it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::http_client;

/// The demo's keys: name, workspace, and whether it is past its expiry or paused.
const DEMO_KEYS: [(&str, &str, bool, bool); 4] = [
    ("demo", "demo", false, false),
    ("unlimited", "unlimited", false, false),
    ("expired", "demo", true, false),
    ("paused", "demo", false, true),
];

/// A client of the admin API.
#[derive(Debug, Clone)]
pub struct Admin {
    base: String,
    token: String,
    http: reqwest::Client,
}

// === impl Admin ===

impl Admin {
    /// A client for the sidecar at `base`, e.g. `http://127.0.0.1:10002`.
    ///
    /// # Errors
    ///
    /// Where the system gives no client.
    pub fn new(base: &str, token: &str) -> Result<Self> {
        Ok(Self {
            base: base.to_owned(),
            token: token.to_owned(),
            http: http_client()?,
        })
    }

    /// Creates the demo's keys and returns them by name. Keys of those names from an earlier run are revoked:
    /// their secrets are gone.
    ///
    /// # Errors
    ///
    /// What the sidecar answers.
    pub async fn create_demo_keys(&self) -> Result<BTreeMap<String, String>> {
        let listed = self.get("/admin/v1/keys").await?;
        let old = listed
            .get("keys")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        for key in old.iter().filter(|key| is_demo(key)) {
            let id = key.get("id").and_then(Value::as_str).unwrap_or_default();
            self.post(&format!("/admin/v1/keys/{id}/revoke"), &json!({}))
                .await?;
        }
        let mut keys = BTreeMap::new();
        for (name, workspace, expired, paused) in DEMO_KEYS {
            let mut spec = json!({"name": name, "workspace": workspace});
            if let (true, Some(fields)) = (expired, spec.as_object_mut()) {
                fields.insert("expires_at".to_owned(), json!("2025-01-01T00:00:00Z"));
            }
            let (id, key) = self.create_key(&spec).await?;
            if paused {
                self.post(&format!("/admin/v1/keys/{id}/pause"), &json!({}))
                    .await?;
            }
            keys.insert(name.to_owned(), key);
        }
        Ok(keys)
    }

    /// Creates a key; returns its id and its secret.
    ///
    /// # Errors
    ///
    /// What the sidecar answers.
    pub async fn create_key(&self, spec: &Value) -> Result<(String, String)> {
        let created = self.post("/admin/v1/keys", spec).await?;
        let field = |name: &str| created.get(name).and_then(Value::as_str).map(str::to_owned);
        match (field("id"), field("key")) {
            (Some(id), Some(key)) => Ok((id, key)),
            _ => bail!("the sidecar's answer to a new key lacks `id` or `key`"),
        }
    }

    /// `GET` a path, e.g. `/admin/v1/events?limit=100`.
    ///
    /// # Errors
    ///
    /// Where there is no answer, or no 2xx.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// `POST` to a path.
    ///
    /// # Errors
    ///
    /// Where there is no answer, or no 2xx.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(self.http.post(format!("{}{path}", self.base)).json(body))
            .await
    }

    /// All events in the ledger that a query selects (`workspace=demo`, or nothing), oldest first.
    ///
    /// # Errors
    ///
    /// As for [`Self::get`].
    pub async fn events(&self, query: &str) -> Result<Vec<Value>> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = self
                .get(&format!("/admin/v1/events?limit=1000&{query}{after}"))
                .await?;
            let events = page
                .get("events")
                .and_then(Value::as_array)
                .context("no `events` in the answer")?;
            let cursor = match page.get("next") {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => String::new(),
                Some(other) => other.to_string(),
            };
            all.extend(events.iter().cloned());
            if events.len() < 1000 || cursor.is_empty() {
                return Ok(all);
            }
            after = format!("&after={cursor}");
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let response = request
            .bearer_auth(&self.token)
            .send()
            .await
            .context("the sidecar does not answer")?;
        let (status, url) = (response.status(), response.url().clone());
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{url} answered {status}: {text}");
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{url} answered no JSON: {text}"))
    }
}

fn is_demo(key: &Value) -> bool {
    let is = |field: &str, value: &str| key.get(field).and_then(Value::as_str) == Some(value);
    let demo = DEMO_KEYS
        .iter()
        .any(|(name, workspace, ..)| is("name", name) && is("workspace", workspace));
    demo && !is("status", "revoked")
}
