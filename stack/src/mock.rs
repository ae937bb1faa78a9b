//! The mock provider's control paths: what it received, what it served, what it shall answer.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::http_client;

/// A client of a mock provider.
#[derive(Debug, Clone)]
pub struct Mock {
    base: String,
    http: reqwest::Client,
}

// === impl Mock ===

impl Mock {
    /// A client for the mock at `base`, e.g. `http://127.0.0.1:10003`.
    ///
    /// # Errors
    ///
    /// Where the system gives no client.
    pub fn new(base: &str) -> Result<Self> {
        Ok(Self {
            base: base.to_owned(),
            http: http_client()?,
        })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Every request that it received: method, path, headers, body, connection, outcome.
    ///
    /// # Errors
    ///
    /// Where the mock does not answer.
    pub async fn requests(&self) -> Result<Vec<Value>> {
        let response = self
            .http
            .get(format!("{}/__mock/requests", self.base))
            .send()
            .await?;
        response.json().await.context("the mock's answer is no list")
    }

    /// Totals of what it served.
    ///
    /// # Errors
    ///
    /// Where the mock does not answer.
    pub async fn served(&self) -> Result<Value> {
        let response = self
            .http
            .get(format!("{}/__mock/served", self.base))
            .send()
            .await?;
        response.json().await.context("the mock's answer is no JSON")
    }

    /// Forgets requests, totals and scripts.
    ///
    /// # Errors
    ///
    /// Where the mock does not answer.
    pub async fn reset(&self) -> Result<()> {
        self.http
            .post(format!("{}/__mock/reset", self.base))
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// Adds a script (see the mock's `script.rs`) and returns its id, for the header `x-mock-script`.
    ///
    /// # Errors
    ///
    /// Where the mock refuses it.
    pub async fn script(&self, script: &Value) -> Result<String> {
        let response = self
            .http
            .post(format!("{}/__mock/script", self.base))
            .json(script)
            .send()
            .await?;
        let answer: Value = response.error_for_status()?.json().await?;
        let id = answer.get("id").and_then(Value::as_str);
        id.map(str::to_owned).context("the mock's answer names no script")
    }
}
