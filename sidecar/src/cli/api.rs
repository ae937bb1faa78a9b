//! The admin API, as the command line asks it.

use std::io::Write;

use axum::http::{Method, Request, Response, StatusCode, Uri, header, request};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use serde_json::Value;
use thiserror::Error;
use tollgate_core::time::UnixMillis;

use crate::https::{Client, client};

const DEFAULT_URL: &str = "http://127.0.0.1:10002";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Rows in one answer.
const PAGE: usize = 1_000;

/// Where the sidecar is, and how what it says is shown.
#[derive(Debug, Clone, Args)]
pub(super) struct ApiArgs {
    /// Where the sidecar answers.
    #[arg(long, env = "TOLLGATE_URL", default_value = DEFAULT_URL, global = true, help_heading = "Sidecar")]
    url: String,
    /// The admin token. Better as a variable: a command line is seen by others on the machine.
    #[arg(
        long,
        env = "TOLLGATE_ADMIN_TOKEN",
        hide_env_values = true,
        global = true,
        help_heading = "Sidecar"
    )]
    token: Option<String>,
    /// Show what the API answers, as JSON, and not a table.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// The admin API of one sidecar.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    url: String,
    token: String,
}

type Answer = Response<Incoming>;

/// Why something was not done. Each kind has an exit code.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// No answer.
    #[error("cannot reach the sidecar at {url}: {reason}; is it running, and is --url right?")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What is in the way.
        reason: String,
    },
    /// The sidecar will not.
    #[error("the sidecar refused ({status}): {detail}")]
    Refused {
        /// Of its answer.
        status: StatusCode,
        /// What it said.
        detail: String,
    },
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

// === impl Failure ===

impl Failure {
    /// What happened, and what that came from.
    pub(super) fn chain(&self) -> String {
        match self {
            Self::Other(error) => told(error.chain().map(ToString::to_string)),
            other => other.to_string(),
        }
    }

    /// What this process ends with.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable { .. } => 3,
            Self::Refused { .. } => 4,
        }
    }
}

// === impl Api ===

impl Api {
    pub(super) fn new(args: &ApiArgs) -> Result<Self, Failure> {
        let token = args.token.clone().ok_or_else(|| {
            Failure::Usage("no admin token: set TOLLGATE_ADMIN_TOKEN, or give --token".to_owned())
        })?;
        let url = args.url.trim_end_matches('/').to_owned();
        let is_good = url
            .parse::<Uri>()
            .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some());
        if !is_good {
            return Err(Failure::Usage(format!(
                "--url: expected http://… or https://…, got {url:?}"
            )));
        }
        let client = client().map_err(anyhow::Error::from)?;
        Ok(Self { client, url, token })
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Value, Failure> {
        self.json(self.open(path, query).await?).await
    }

    /// Calls with a JSON body.
    pub(super) async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.request(method, path, &[]);
        self.json(self.send(with_body(request, body)?).await?).await
    }

    /// Posts what is done once, however often it is tried with the same key; without one it is a new thing.
    pub(super) async fn post_once(
        &self,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        let key = match key {
            Some(key) => key.to_owned(),
            None => {
                let now = UnixMillis::from(jiff::Timestamp::now());
                crate::secret_key::new_id("once", now).map_err(anyhow::Error::from)?
            }
        };
        let request = self.request(Method::POST, path, &[]).header(IDEMPOTENCY_KEY, key);
        self.json(self.send(with_body(request, body)?).await?).await
    }

    /// Rows of a list that is read page by page, at most so many.
    pub(super) async fn list(
        &self,
        path: &str,
        field: &str,
        query: &[(&str, Option<String>)],
        most: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut rows = Vec::new();
        let mut after = None;
        while rows.len() < most {
            let mut page_query = query.to_vec();
            page_query.push(("limit", Some((most - rows.len()).min(PAGE).to_string())));
            page_query.push(("after", after));
            let mut page = self.get(path, &page_query).await?;
            let Some(Value::Array(found)) = page.get_mut(field).map(Value::take) else {
                break;
            };
            let is_empty = found.is_empty();
            rows.extend(found);
            after = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if is_empty || after.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    /// Writes a download as it comes.
    pub(super) async fn download(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
        to: &mut impl Write,
    ) -> Result<(), Failure> {
        let response = self.open(path, query).await?;
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.unreachable(&error))?;
            if let Some(data) = frame.data_ref() {
                to.write_all(data).map_err(anyhow::Error::from)?;
            }
        }
        to.flush().map_err(anyhow::Error::from)?;
        Ok(())
    }

    async fn open(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Answer, Failure> {
        let request = self.request(Method::GET, path, query).body(Full::default());
        self.send(request.map_err(anyhow::Error::from)?).await
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, Option<String>)]) -> request::Builder {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for (name, value) in query {
            if let Some(value) = value {
                pairs.append_pair(name, value);
            }
        }
        let query = pairs.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        Request::builder()
            .method(method)
            .uri(format!("{}/admin/v1/{path}{mark}{query}", self.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::ACCEPT, "application/json, text/csv;q=0.9")
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error: legacy::Error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.into_body().collect().await;
        let problem = body
            .ok()
            .and_then(|body| serde_json::from_slice::<Value>(&body.to_bytes()).ok());
        let detail = problem
            .as_ref()
            .and_then(|problem| problem.get("detail"))
            .and_then(Value::as_str);
        let mut detail = detail
            .unwrap_or("it gave no reason; is this address a sidecar's?")
            .to_owned();
        if status == StatusCode::UNAUTHORIZED {
            detail.push_str("; is TOLLGATE_ADMIN_TOKEN or --token that of this sidecar?");
        }
        Err(Failure::Refused { status, detail })
    }

    async fn json(&self, response: Answer) -> Result<Value, Failure> {
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let bytes = body.to_bytes();
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let parsed = serde_json::from_slice(&bytes);
        Ok(parsed.map_err(|error| {
            anyhow::anyhow!("the answer is not JSON ({error}); is this address a sidecar's?")
        })?)
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> Failure {
        let causes = std::iter::successors(Some(error), |error| error.source());
        Failure::Unreachable {
            url: self.url.clone(),
            reason: told(causes.map(ToString::to_string)),
        }
    }
}

/// What happened and what that came from. Some causes have told their own already: nothing is told twice.
fn told(causes: impl Iterator<Item = String>) -> String {
    causes
        .reduce(|told, cause| {
            if told.ends_with(&cause) {
                told
            } else {
                format!("{told}: {cause}")
            }
        })
        .unwrap_or_default()
}

fn with_body(request: request::Builder, body: &Value) -> Result<Request<Full<Bytes>>, Failure> {
    let request = request
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())));
    Ok(request.map_err(anyhow::Error::from)?)
}
