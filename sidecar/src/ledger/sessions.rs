//! Operators' sessions in the ledger, so that every sidecar on it knows them.

use jiff::Timestamp;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::{Ledger, LedgerError};

const INSERT: &str =
    "INSERT INTO sessions (id, principal, credential, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
const BY_ID: &str = "SELECT * FROM sessions WHERE id = $1";
const DELETE: &str = "DELETE FROM sessions WHERE id = $1 RETURNING principal";
const DELETE_EXPIRED: &str = "DELETE FROM sessions WHERE expires_at <= $1";

/// A session as the ledger keeps it. Its secret is nowhere but in the browser.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredSession {
    /// SHA-256 of the secret.
    pub id: Vec<u8>,
    /// Who is signed in.
    pub principal: String,
    /// Of what it was begun with: when that changes, the session ends.
    pub credential: Vec<u8>,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    pub expires_at: i64,
}

// === impl Ledger ===

impl Ledger {
    /// Adds a session in place of the one that the same browser had, and clears away those that are over.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn begin_session(
        &self,
        session: &StoredSession,
        earlier: Option<&[u8; 32]>,
        now: Timestamp,
        by: &Actor,
    ) -> Result<(), LedgerError> {
        transact!(self, conn => {
            sqlx::query(DELETE_EXPIRED).bind(now.as_millisecond()).execute(&mut *conn).await?;
            if let Some(earlier) = earlier {
                sqlx::query(DELETE).bind(earlier.as_slice()).execute(&mut *conn).await?;
            }
            sqlx::query(INSERT)
                .bind(&session.id)
                .bind(&session.principal)
                .bind(&session.credential)
                .bind(session.created_at)
                .bind(session.expires_at)
                .execute(&mut *conn)
                .await?;
            let entry = AuditEntry::change(now.into(), by, "session.begin", &session.principal);
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(())
    }

    /// The session with this id, be it over.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn session(&self, id: &[u8; 32]) -> Result<Option<StoredSession>, LedgerError> {
        Ok(read!(self, conn => sqlx::query_as(BY_ID).bind(id.as_slice()).fetch_optional(conn).await?))
    }

    /// Ends a session, on every sidecar.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn end_session(&self, id: &[u8; 32], now: Timestamp, by: &Actor) -> Result<(), LedgerError> {
        transact!(self, conn => {
            let ended: Option<String> =
                sqlx::query_scalar(DELETE).bind(id.as_slice()).fetch_optional(&mut *conn).await?;
            if let Some(principal) = ended {
                let entry = AuditEntry::change(now.into(), by, "session.end", &principal);
                AuditRows::add_audit(&mut *conn, &[entry]).await?;
            }
        });
        Ok(())
    }
}
