//! Verdicts on their way to the ledger: queued, so that no moderated call waits for the disk, in batches.
//!
//! The queue is bounded. When it is full, a call waits for room in it rather than have its verdict dropped.
//! A graceful shutdown writes what is queued; a crash may lose what was queued at that moment.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::http::problem::Problem;
use crate::ledger::Ledger;
use crate::ledger::verdicts::StoredVerdict;

const QUEUE: usize = 4096;
/// Rows in one transaction: 12 values each, and SQLite takes 32,766.
const BATCH: usize = 500;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// Where verdicts are handed in. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct VerdictLog {
    queue: mpsc::Sender<StoredVerdict>,
}

/// The task that writes them.
#[derive(Debug)]
pub struct VerdictWriter {
    finish: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

// === impl VerdictLog ===

impl VerdictLog {
    /// Starts the task that writes verdicts to the ledger.
    pub fn start(ledger: Ledger) -> (Self, VerdictWriter) {
        let (queue, queued) = mpsc::channel(QUEUE);
        let (finish, finishing) = oneshot::channel();
        let task = tokio::spawn(write_all(ledger, queued, finishing));
        (Self { queue }, VerdictWriter { finish, task })
    }

    /// Queues a verdict; waits while the queue is full.
    ///
    /// # Errors
    /// A [`Problem`] where the sidecar has shut down.
    pub async fn add(&self, verdict: StoredVerdict) -> Result<(), Problem> {
        self.queue
            .send(verdict)
            .await
            .map_err(|_| Problem::unavailable("shutting down"))
    }
}

// === impl VerdictWriter ===

impl VerdictWriter {
    /// Takes no more verdicts and writes what is queued.
    ///
    /// # Errors
    /// Where the ledger did not take them within `patience`.
    pub async fn finish(self, patience: Duration) -> anyhow::Result<()> {
        // A task that is gone already has nothing more to write.
        let _ = self.finish.send(());
        match tokio::time::timeout(patience, self.task).await {
            Ok(ended) => Ok(ended?),
            Err(_) => Err(anyhow::anyhow!(
                "queued verdicts could not be written within {patience:?}"
            )),
        }
    }
}

async fn write_all(
    ledger: Ledger,
    mut queued: mpsc::Receiver<StoredVerdict>,
    mut finishing: oneshot::Receiver<()>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let taken = tokio::select! {
            biased;
            taken = queued.recv_many(&mut batch, BATCH) => taken,
            _ = &mut finishing, if !queued.is_closed() => {
                queued.close();
                continue;
            }
        };
        if taken == 0 {
            return;
        }
        write(&ledger, &batch).await;
        batch.clear();
    }
}

/// Writes a batch, again until the ledger takes it.
async fn write(ledger: &Ledger, batch: &[StoredVerdict]) {
    let mut pause = FIRST_RETRY;
    while let Err(error) = ledger.add_verdicts(batch).await {
        tracing::error!(%error, verdicts = batch.len(), "verdicts cannot be written, trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
}
