//! Prices that operators set: a part of the policy that gateways follow ([`super::policy`]), before those of their
//! configurations.

use serde_json::{Value, json};
use sqlx::QueryBuilder;
use tollgate_core::price::WrittenPrice;
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::change::Changed;
use super::policy::PolicyRows;
use super::{Ledger, LedgerError, number};

const INSERT: &str = "INSERT INTO prices (model, price, created_at, updated_at, version) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE prices SET price = $2, updated_at = $3, version = $4 WHERE model = $1";
const DELETE: &str = "DELETE FROM prices WHERE model = $1";
const BY_MODEL: &str = "SELECT * FROM prices WHERE model = $1";
const COUNT: &str = "SELECT COUNT(*) FROM prices";

/// A price as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredPrice {
    /// The model, as a catalogue names it.
    pub model: String,
    /// JSON, as it was written.
    pub price: String,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    pub updated_at: i64,
    /// Of the policy, at its last change.
    pub version: i64,
}

/// What setting a price came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is there.
    Done,
    /// The model has one already.
    Taken,
    /// There are as many as gateways are told of.
    Full,
}

on_engines! {
    /// Statements on prices.
    pub(super) trait PriceRows {
        async fn all_prices(conn) -> Vec<StoredPrice> {
            Ok(sqlx::query_as("SELECT * FROM prices ORDER BY model").fetch_all(conn).await?)
        }

        async fn price_of(conn, model: &str) -> Option<StoredPrice> {
            Ok(sqlx::query_as(BY_MODEL).bind(model).fetch_optional(conn).await?)
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Sets the price of a model that has none here, unless there are `most` already; its version is chosen here.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn insert_price(
        &self,
        new: &StoredPrice,
        most: i64,
        now: UnixMillis,
        by: &Actor,
    ) -> Result<Inserted, LedgerError> {
        transact!(self, conn => {
            let version = PolicyRows::take_policy_version(&mut *conn).await?;
            let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *conn).await?;
            if count >= most {
                return Ok(Inserted::Full);
            }
            let inserted = sqlx::query(INSERT)
                .bind(&new.model)
                .bind(&new.price)
                .bind(new.created_at)
                .bind(new.updated_at)
                .bind(number(version))
                .execute(&mut *conn)
                .await?;
            if inserted.rows_affected() == 0 {
                return Ok(Inserted::Taken);
            }
            let entry = AuditEntry::change(now, by, "price.create", &new.model).after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(Inserted::Done)
    }

    /// The price of exactly this model.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn price(&self, model: &str) -> Result<Option<StoredPrice>, LedgerError> {
        read!(self, conn => PriceRows::price_of(conn, model).await)
    }

    /// Prices in the order of their models, after one of them.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn prices(&self, after: &str, rows: u32) -> Result<Vec<StoredPrice>, LedgerError> {
        Ok(read!(self, conn => {
            let mut select = QueryBuilder::new("SELECT * FROM prices WHERE model > ");
            select.push_bind(after).push(" ORDER BY model LIMIT ").push_bind(i64::from(rows));
            select.build_query_as().fetch_all(conn).await?
        }))
    }

    /// Changes a price. A change that leaves it as it was takes no version.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn change_price<E>(
        &self,
        model: &str,
        now: UnixMillis,
        by: &Actor,
        change: impl FnOnce(&mut StoredPrice) -> Result<(), E>,
    ) -> Result<Changed<StoredPrice, E>, LedgerError> {
        transact!(self, conn => {
            let version = PolicyRows::take_policy_version(&mut *conn).await?;
            let Some(old) = PriceRows::price_of(&mut *conn, model).await? else {
                return Ok(Changed::Missing);
            };
            let mut new = old.clone();
            if let Err(refused) = change(&mut new) {
                return Ok(Changed::Refused(refused));
            }
            if new == old {
                return Ok(Changed::Done(Box::new(old)));
            }
            new.updated_at = number(now.0);
            new.version = number(version);
            sqlx::query(UPDATE)
                .bind(model)
                .bind(&new.price)
                .bind(new.updated_at)
                .bind(new.version)
                .execute(&mut *conn)
                .await?;
            let entry = AuditEntry::change(now, by, "price.edit", model)
                .before(old.audited())
                .after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(new)))
        })
    }

    /// Deletes a price: from then on the one of gateways' configurations holds again.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn delete_price<E>(
        &self,
        model: &str,
        now: UnixMillis,
        by: &Actor,
        may: impl FnOnce(&StoredPrice) -> Result<(), E>,
    ) -> Result<Changed<StoredPrice, E>, LedgerError> {
        transact!(self, conn => {
            PolicyRows::take_policy_version(&mut *conn).await?;
            let Some(old) = PriceRows::price_of(&mut *conn, model).await? else {
                return Ok(Changed::Missing);
            };
            if let Err(refused) = may(&old) {
                return Ok(Changed::Refused(refused));
            }
            sqlx::query(DELETE).bind(model).execute(&mut *conn).await?;
            let entry = AuditEntry::change(now, by, "price.delete", model).before(old.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(old)))
        })
    }
}

// === impl StoredPrice ===

impl StoredPrice {
    /// The price as gateways are told it.
    ///
    /// # Errors
    /// [`LedgerError::Foreign`] where it is no JSON, which no statement here writes.
    pub fn written(&self) -> Result<WrittenPrice, LedgerError> {
        serde_json::from_str(&self.price).map_err(|_| LedgerError::Foreign {
            table: "prices",
            id: self.model.clone(),
            column: "price",
        })
    }

    fn audited(&self) -> Value {
        json!({ "price": serde_json::from_str::<Value>(&self.price).unwrap_or_default() })
    }
}
