//! Many requests at once, over many connections.

use anyhow::Result;
use serde_json::Value;
use tokio::task::JoinSet;
use tollgate_stack::Stack;

use crate::{Answer, send};

/// The same request again and again.
#[derive(Debug, Clone)]
pub struct Rush<'a> {
    /// Where to.
    pub path: &'a str,
    /// With which key.
    pub key: &'a str,
    /// The faults that the mock is asked for, if any.
    pub fault: &'a str,
    /// What is sent.
    pub body: Value,
    /// How many connections there are.
    pub connections: usize,
    /// How many requests each of them sends, one after the other.
    pub each: usize,
}

// === impl Rush ===

impl Rush<'_> {
    /// Sends all; every connection begins at once and stays open. Returns the answers, in no order.
    ///
    /// # Errors
    ///
    /// Where a request gets no answer.
    pub async fn send(&self, stack: &Stack) -> Result<Vec<Answer>> {
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            let http = reqwest::Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(1)
                .build()?;
            let requests: Vec<_> = (0..self.each)
                .map(|_| {
                    http.post(format!("{}{}", stack.gateway, self.path))
                        .bearer_auth(self.key)
                        .header("x-mock-fault", self.fault)
                        .json(&self.body)
                })
                .collect();
            connections.spawn(async move {
                let mut answers = Vec::new();
                for request in requests {
                    answers.push(send(request).await?);
                }
                anyhow::Ok(answers)
            });
        }
        let mut answers = Vec::new();
        while let Some(sent) = connections.join_next().await {
            answers.extend(sent??);
        }
        Ok(answers)
    }
}
