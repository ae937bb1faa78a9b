//! The rows of the table: what is measured beside what.

mod bare;
mod ext_proc;
pub(crate) mod floor;
mod native;
mod peer;
mod proxy;
pub(crate) mod tollgate;

use std::net::SocketAddr;

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Serialize;
use tollgate_stack::Stack;

use self::peer::Peer;
use self::proxy::Proxy;
use crate::load::Target;

/// How many clients there are, each with a key of its own.
pub(crate) const KEYS: usize = 100;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Envoy without a policy
    Bare,
    /// Tollgate with everything on but moderation, which asks the sidecar about each request
    Tollgate,
    /// Another build of Tollgate's filter (`--against`)
    #[value(skip)]
    Another,
    /// A WebAssembly filter that reads and holds both sides, and decides nothing
    Floor,
    /// Envoy's own filters: api_key_auth, local_ratelimit, ai_protocol_manager (token usage)
    Native,
    /// ext_proc, all four phases buffered, and a server that does nothing
    ExtProc,
    /// LiteLLM's proxy (PyPI), installed into target/ when first asked for
    Litellm,
    /// litellm-rs (crates.io), installed into target/ when first asked for: minutes
    LitellmRs,
    /// Portkey's open gateway (npm), installed into target/ when first asked for; needs root
    Portkey,
}

/// A running row.
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    /// The proxy's process: the one whose time and memory count.
    pub(crate) pid: u32,
    running: Running,
}

/// What ends with the row.
enum Running {
    Stack(Box<Stack>),
    Proxy(#[expect(dead_code, reason = "its process ends with it")] Proxy),
    Peer(#[expect(dead_code, reason = "its process ends with it")] Peer),
}

// === impl Kind ===

impl Kind {
    pub(crate) const DEFAULT: [Self; 5] = [
        Self::Bare,
        Self::Tollgate,
        Self::Floor,
        Self::Native,
        Self::ExtProc,
    ];

    /// What the table calls it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Bare => "Envoy, no policy",
            Self::Tollgate => "**Tollgate, everything on**",
            Self::Another => "another build of its filter",
            Self::Floor => "a filter that only reads and holds",
            Self::Native => "Envoy's own filters",
            Self::ExtProc => "ext_proc, idle server",
            Self::Litellm => "LiteLLM 1.106.0",
            Self::LitellmRs => "litellm-rs 0.9.0",
            Self::Portkey => "Portkey 1.15.2",
        }
    }

    /// What it does to a request.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Bare => "HTTP connection manager and router only",
            Self::Tollgate => {
                "key from the sidecar (100 keys), 7 limits in 4 scopes, 3 budgets a request, validation, prompt tokens \
                 counted exactly, usage and cost from the answer, an event per request in the ledger, metrics"
            }
            Self::Another => "what Tollgate does, with the filter of `--against`",
            Self::Floor => {
                "a WebAssembly filter that reads the headers and holds the bodies of request and answer, reads both \
                 bodies, takes out three headers and adds eight, as every filter must that governs; it decides nothing"
            }
            Self::Native => {
                "api_key_auth (100 keys), local_ratelimit, ai_protocol_manager reading usage from the answer; no \
                 token limits, no budgets, no validation, no accounting"
            }
            Self::ExtProc => {
                "headers and buffered bodies of request and answer sent to a gRPC server on the other core, which \
                 changes nothing; the server's own time is not in the figures"
            }
            Self::Litellm => {
                "one worker, one key (the master key), requests and tokens a minute of its deployment, usage and \
                 cost; no database, so no budgets and no ledger"
            }
            Self::LitellmRs => {
                "one worker, nobody authenticated, no limits, no guardrails; prices its answers"
            }
            Self::Portkey => "nobody authenticated, no limits",
        }
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// What does not start, with the end of its log.
    pub(crate) async fn start(self, upstream: SocketAddr) -> Result<Row> {
        match self {
            Self::Bare => bare::start(upstream).await,
            Self::Tollgate => tollgate::start(upstream, tollgate::Settings::USUAL).await,
            Self::Another => bail!("another build of the filter is given by --against"),
            Self::Floor => floor::start(upstream, floor::Work::Everything).await,
            Self::Native => native::start(upstream).await,
            Self::ExtProc => ext_proc::start(upstream).await,
            Self::Litellm => peer::litellm::start(upstream).await,
            Self::LitellmRs => peer::litellm_rs::start(upstream).await,
            Self::Portkey => peer::portkey::start().await,
        }
    }
}

// === impl Row ===

impl Row {
    /// Waits until the row has done all that the load gave it to do: for Tollgate, until every event is with the
    /// sidecar.
    ///
    /// # Errors
    ///
    /// Where that does not come about.
    pub(crate) async fn settled(&self) -> Result<()> {
        match &self.running {
            Running::Stack(stack) => tollgate::settled(stack).await,
            Running::Proxy(_) | Running::Peer(_) => Ok(()),
        }
    }
}

/// Credentials of clients, where anything goes.
fn any_credentials() -> Vec<String> {
    (0..KEYS)
        .map(|number| format!("Bearer sk-bench-{number:032x}"))
        .collect()
}
