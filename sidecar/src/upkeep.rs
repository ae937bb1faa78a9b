//! What a sidecar does beside answering: it beats the ledger's clock, takes back what dead gateways held, looks whether
//! moderation policies have changed, sums up events, and forgets what is old.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::ledger::LedgerError;
use crate::state::App;

const BEAT_EVERY: Duration = Duration::from_secs(1);
/// In beats. Events that are few wait so long for each other, and whoever asks for what they come to does not.
const CATCH_UP_EVERY: u64 = 10;
/// In beats.
const FORGET_EVERY: u64 = 3_600;

/// Does it until the task is aborted. Every step is one transaction: nothing is lost when it ends.
pub fn start(app: App) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut beats = tokio::time::interval(BEAT_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0_u64.. {
            beats.tick().await;
            if let Err(error) = beat(&app, number).await {
                tracing::error!(%error, "the upkeep of the ledger failed and is tried again");
            }
        }
    })
}

/// What is done at one beat, by its number: one a second, from 0.
///
/// # Errors
/// [`LedgerError`] where the database fails.
pub async fn beat(app: &App, number: u64) -> Result<(), LedgerError> {
    let now = app.clock().now().into();
    app.ledger().beat(now).await?;
    let returned = app.ledger().reclaim(&app.config().budgets.leases, now).await?;
    app.returns().announce(&returned);
    app.made_policies().refresh(app.ledger()).await?;
    if number.is_multiple_of(CATCH_UP_EVERY) {
        app.ledger().catch_up(now).await?;
    }
    if number.is_multiple_of(FORGET_EVERY) {
        let forgotten = app.ledger().forget_old_leases(now).await?;
        tracing::debug!(forgotten, "old leases forgotten");
        let forgotten = app.ledger().forget_old_rollups(now).await?;
        tracing::debug!(forgotten, "old rollups forgotten");
        let retention_ms = app.config().conversations.as_ref().map(|kept| kept.retention_ms);
        let forgotten = app.ledger().forget_old_texts(retention_ms, now).await?;
        tracing::debug!(forgotten, "old texts forgotten");
    }
    Ok(())
}
