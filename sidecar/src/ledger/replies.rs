//! Answers to requests that may come again under the same idempotency key: once made, the same is answered for a day.
//!
//! An answer may hold a secret, so it is kept sealed with what only its caller knows ([`crate::http::replay`]).

use jiff::Timestamp;

use super::{Ledger, LedgerError};

/// For so long an answer is given again, in milliseconds.
const KEPT_MS: i64 = 24 * 3_600_000;

const FORGET: &str = "DELETE FROM replies WHERE created_at <= $1";
const BEGIN: &str =
    "INSERT INTO replies (id, fingerprint, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const BY_ID: &str = "SELECT fingerprint, sealed FROM replies WHERE id = $1";
const END: &str = "UPDATE replies SET sealed = $2 WHERE id = $1";
const DELETE: &str = "DELETE FROM replies WHERE id = $1";

/// How a request stands that came under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is new, and now begun.
    New,
    /// It came before, and is not answered yet.
    Running,
    /// Another one came under the same key.
    Other,
    /// It came before, and was answered: the answer, sealed.
    Answered(Vec<u8>),
}

#[derive(sqlx::FromRow)]
struct Row {
    fingerprint: Vec<u8>,
    sealed: Option<Vec<u8>>,
}

// === impl Row ===

impl Row {
    /// How it stands for whoever comes under its key.
    fn begun(self, fingerprint: &[u8; 32]) -> Begun {
        match self.sealed {
            _ if self.fingerprint != fingerprint => Begun::Other,
            Some(sealed) => Begun::Answered(sealed),
            None => Begun::Running,
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Begins a request, unless it came before. Those that came more than a day ago are forgotten.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn begin_reply(
        &self,
        id: &[u8; 32],
        fingerprint: &[u8; 32],
        now: Timestamp,
    ) -> Result<Begun, LedgerError> {
        loop {
            if let Some(begun) = retry!(self.try_begin_reply(id, fingerprint, now))? {
                return Ok(begun);
            }
        }
    }

    /// `None` where the one that came before was forgotten just now: it was refused, say. The turn is then free. Each
    /// round of this takes another request that has had its turn and given it up, so that nobody goes round for long.
    async fn try_begin_reply(
        &self,
        id: &[u8; 32],
        fingerprint: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Begun>, LedgerError> {
        let now = now.as_millisecond();
        transact!(self, conn => {
            sqlx::query(FORGET).bind(now.saturating_sub(KEPT_MS)).execute(&mut *conn).await?;
            let begun = sqlx::query(BEGIN)
                .bind(id.as_slice())
                .bind(fingerprint.as_slice())
                .bind(now)
                .execute(&mut *conn)
                .await?;
            if begun.rows_affected() == 0 {
                // PostgreSQL shows each statement what others have committed before it.
                let row: Option<Row> = sqlx::query_as(BY_ID).bind(id.as_slice()).fetch_optional(&mut *conn).await?;
                return Ok(row.map(|row| row.begun(fingerprint)));
            }
        });
        Ok(Some(Begun::New))
    }

    /// Keeps the answer, or forgets the request where there is none worth keeping: it may then be tried again.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn end_reply(&self, id: &[u8; 32], sealed: Option<&[u8]>) -> Result<(), LedgerError> {
        transact!(self, conn => {
            match sealed {
                Some(sealed) => sqlx::query(END).bind(id.as_slice()).bind(sealed).execute(&mut *conn).await?.rows_affected(),
                None => sqlx::query(DELETE).bind(id.as_slice()).execute(&mut *conn).await?.rows_affected(),
            }
        });
        Ok(())
    }
}
