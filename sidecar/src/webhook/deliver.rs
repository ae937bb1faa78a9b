//! The task that makes deliveries: one in every sidecar, each delivery by one of them at a time.

use std::time::Duration;

use anyhow::Context as _;
use axum::http::StatusCode;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::attempt::{Outcome, attempt};
use super::schedule::Schedule;
use crate::clock::Clock;
use crate::https::{Client, client};
use crate::ledger::deliveries::{DueDelivery, Verdict};
use crate::ledger::{Ledger, LedgerError};

/// How often the ledger is looked at: how late a notification may be sent for the first time.
const EVERY: Duration = Duration::from_millis(500);
/// Deliveries that one sidecar makes at a time.
const AT_A_TIME: u32 = 16;
/// A claim outlasts its attempt by so much: then the sidecar that made it must be dead.
const CLAIM_MARGIN: Duration = Duration::from_secs(20);

/// Makes deliveries.
#[derive(Debug, Clone)]
pub struct Deliverer {
    ledger: Ledger,
    clock: Clock,
    schedule: Schedule,
    client: Client,
}

/// The running task.
#[derive(Debug)]
pub struct DelivererTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

// === impl Deliverer ===

impl Deliverer {
    /// A deliverer over a ledger.
    ///
    /// # Errors
    /// Where no HTTP client can be made.
    pub fn new(ledger: Ledger, clock: Clock, schedule: Schedule) -> anyhow::Result<Self> {
        let client = client().context("cannot make the HTTP client for webhooks")?;
        Ok(Self {
            ledger,
            clock,
            schedule,
            client,
        })
    }

    /// Starts the task.
    pub fn start(self) -> DelivererTask {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(self.run(stopped));
        DelivererTask { stop, task }
    }

    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut under_way = JoinSet::new();
        loop {
            while under_way.try_join_next().is_some() {}
            let free = AT_A_TIME.saturating_sub(u32::try_from(under_way.len()).unwrap_or(u32::MAX));
            match self.due(free).await {
                Ok(due) => {
                    for delivery in due {
                        let deliverer = self.clone();
                        under_way.spawn(async move { deliverer.deliver(&delivery).await });
                    }
                }
                Err(error) => tracing::warn!(%error, "webhook deliveries cannot be read, trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
        }
        // Attempts under way end by themselves, within their timeout.
        while under_way.join_next().await.is_some() {}
    }

    /// Deliveries to make now, claimed for this sidecar.
    async fn due(&self, most: u32) -> Result<Vec<DueDelivery>, LedgerError> {
        let now = self.clock.now();
        self.ledger.fan_out_notifications(now).await?;
        if most == 0 {
            return Ok(Vec::new());
        }
        let until = now + self.schedule.timeout + CLAIM_MARGIN;
        self.ledger.claim_deliveries(most, now, until).await
    }

    async fn deliver(&self, delivery: &DueDelivery) {
        let outcome = attempt(&self.client, delivery, self.schedule.timeout, self.clock.now()).await;
        let attempts = delivery.attempts.saturating_add(1);
        let verdict = self.verdict(outcome, attempts);
        match &verdict {
            Verdict::Delivered { .. } => {
                tracing::info!(delivery = %delivery.id, webhook = %delivery.webhook_id, attempts, "webhook delivered");
            }
            Verdict::Retry { error, .. } => {
                tracing::warn!(delivery = %delivery.id, webhook = %delivery.webhook_id, attempts, %error, "webhook not delivered, trying again");
            }
            Verdict::Dead { error, .. } => {
                tracing::error!(delivery = %delivery.id, webhook = %delivery.webhook_id, attempts, %error, "webhook given up, it is a dead letter");
            }
        }
        // Where the ledger fails the claim ends by itself, and the receiver recognises the repeated id.
        if let Err(error) = self
            .ledger
            .end_attempt(delivery, &verdict, self.clock.now())
            .await
        {
            tracing::warn!(%error, delivery = %delivery.id, "what came of a webhook cannot be written");
        }
    }

    fn verdict(&self, outcome: Outcome, attempts: u32) -> Verdict {
        let number = |status: StatusCode| i64::from(status.as_u16());
        match outcome {
            Outcome::Delivered(status) => Verdict::Delivered {
                status: number(status),
            },
            Outcome::Gone => Verdict::Dead {
                status: Some(410),
                error: "the receiver answered 410: it is gone for good".to_owned(),
            },
            Outcome::Failed {
                status,
                error,
                retry_after,
            } => {
                let status = status.map(number);
                let mut jitter = [0];
                // Without randomness attempts are not spread, and made all the same.
                let _ = getrandom::fill(&mut jitter);
                match self.schedule.pause(attempts, retry_after, jitter[0]) {
                    Some(pause) => Verdict::Retry {
                        status,
                        error,
                        at: self.clock.now() + pause,
                    },
                    None => Verdict::Dead { status, error },
                }
            }
        }
    }
}

// === impl DelivererTask ===

impl DelivererTask {
    /// Takes no more deliveries and waits for those under way.
    pub async fn finish(self, patience: Duration) {
        self.stop.send_replace(true);
        // What is left claimed is made by another sidecar, or by this one when it is back.
        let _ = tokio::time::timeout(patience, self.task).await;
    }
}
