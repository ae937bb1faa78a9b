//! Many rows in one statement, each engine in the way that costs it least.
//!
//! PostgreSQL reads an array a column: its statement has the same words however many rows there are, so it is parsed and
//! planned once. SQLite has no arrays, and takes rows as values; they go in runs of a few fixed lengths, so that there
//! are a few statements in all, which stay prepared.

use std::borrow::Cow;
use std::fmt::Write as _;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres, Sqlite, SqliteConnection};

use super::LedgerError;

/// Values in one statement: SQLite takes 32,766.
const SQLITE_VALUES: usize = 32_000;
/// Rows in one statement of SQLite's, the longest run first.
const SQLITE_RUNS: [usize; 4] = [128, 32, 8, 1];

/// The values of one column, one a row.
#[derive(Debug, Clone, PartialEq)]
enum Column<'a> {
    Integers(Vec<Option<i64>>),
    Booleans(Vec<Option<bool>>),
    Texts(Vec<Option<Cow<'a, str>>>),
    /// JSON, as text.
    Json(Vec<Cow<'a, str>>),
    Bytes(Vec<Vec<u8>>),
}

/// Rows, column by column.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Rows<'a> {
    columns: Vec<Column<'a>>,
    count: usize,
}

/// A connection that takes many rows in one statement, which is made of what stands before them and what stands after
/// them.
pub(super) trait ManyRows: Sized {
    /// Runs a statement that answers nothing.
    async fn write_rows(
        conn: &mut Self,
        before: &str,
        rows: &Rows<'_>,
        after: &str,
    ) -> Result<(), LedgerError> {
        let nothing: Vec<()> = Self::query_rows(conn, before, rows, after).await?;
        debug_assert!(nothing.is_empty(), "a statement that answers is for `query_rows`");
        Ok(())
    }

    /// Runs a statement that answers rows of its own.
    async fn query_rows<R>(
        conn: &mut Self,
        before: &str,
        rows: &Rows<'_>,
        after: &str,
    ) -> Result<Vec<R>, LedgerError>
    where
        R: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin;
}

// === impl ManyRows ===

impl ManyRows for PgConnection {
    async fn query_rows<R>(
        conn: &mut Self,
        before: &str,
        rows: &Rows<'_>,
        after: &str,
    ) -> Result<Vec<R>, LedgerError>
    where
        R: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        if rows.count == 0 {
            return Ok(Vec::new());
        }
        let sql = rows.arrays(before, after);
        let found = rows
            .bind_arrays(sqlx::query(AssertSqlSafe(sql)))
            .fetch_all(conn)
            .await?;
        found.iter().map(|row| Ok(R::from_row(row)?)).collect()
    }
}

impl ManyRows for SqliteConnection {
    async fn query_rows<R>(
        conn: &mut Self,
        before: &str,
        rows: &Rows<'_>,
        after: &str,
    ) -> Result<Vec<R>, LedgerError>
    where
        R: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let mut all = Vec::new();
        for (from, count) in rows.runs() {
            let sql = rows.values(before, count, after);
            let found = rows
                .bind_values(sqlx::query(AssertSqlSafe(sql)), from, count)
                .fetch_all(&mut *conn)
                .await?;
            for row in &found {
                all.push(R::from_row(row)?);
            }
        }
        Ok(all)
    }
}

// === impl Rows ===

impl<'a> Rows<'a> {
    /// Adds a column. All columns have as many values.
    pub(super) fn integers<V: Into<Option<i64>>>(self, values: impl Iterator<Item = V>) -> Self {
        let values: Vec<_> = values.map(Into::into).collect();
        self.with(values.len(), Column::Integers(values))
    }

    pub(super) fn booleans<V: Into<Option<bool>>>(self, values: impl Iterator<Item = V>) -> Self {
        let values: Vec<_> = values.map(Into::into).collect();
        self.with(values.len(), Column::Booleans(values))
    }

    pub(super) fn texts(self, values: impl Iterator<Item = &'a str>) -> Self {
        self.maybe_texts(values.map(Some))
    }

    pub(super) fn maybe_texts(self, values: impl Iterator<Item = Option<&'a str>>) -> Self {
        let values: Vec<_> = values.map(|value| value.map(Cow::Borrowed)).collect();
        self.with(values.len(), Column::Texts(values))
    }

    /// Of what the database keeps as JSON, the text.
    pub(super) fn json(self, values: impl Iterator<Item = Cow<'a, str>>) -> Self {
        let values: Vec<_> = values.collect();
        self.with(values.len(), Column::Json(values))
    }

    pub(super) fn bytes(self, values: impl Iterator<Item = Vec<u8>>) -> Self {
        let values: Vec<_> = values.collect();
        self.with(values.len(), Column::Bytes(values))
    }

    fn with(mut self, count: usize, column: Column<'a>) -> Self {
        debug_assert!(
            self.columns.is_empty() || self.count == count,
            "columns of one length"
        );
        self.count = count;
        self.columns.push(column);
        self
    }

    /// A statement of PostgreSQL's: the same for any number of rows.
    fn arrays(&self, before: &str, after: &str) -> String {
        let mut sql = String::with_capacity(before.len() + after.len() + self.columns.len() * 32);
        sql.push_str(before);
        for (at, column) in self.columns.iter().enumerate() {
            let cast = match column {
                Column::Json(_) => "::JSONB",
                _ => "",
            };
            let separator = if at == 0 { "SELECT" } else { "," };
            // Writing to a string does not fail.
            let _ = write!(sql, "{separator} c{at}{cast}");
        }
        for (at, column) in self.columns.iter().enumerate() {
            let array = match column {
                Column::Integers(_) => "BIGINT",
                Column::Booleans(_) => "BOOLEAN",
                Column::Texts(_) | Column::Json(_) => "TEXT",
                Column::Bytes(_) => "BYTEA",
            };
            let separator = if at == 0 { " FROM UNNEST(" } else { ", " };
            let _ = write!(sql, "{separator}${}::{array}[]", at + 1);
        }
        sql.push_str(") AS many (");
        for at in 0..self.columns.len() {
            let separator = if at == 0 { "" } else { ", " };
            let _ = write!(sql, "{separator}c{at}");
        }
        sql.push(')');
        sql.push_str(after);
        sql
    }

    fn bind_arrays<'q>(
        &'q self,
        query: Query<'q, Postgres, PgArguments>,
    ) -> Query<'q, Postgres, PgArguments> {
        self.columns.iter().fold(query, |query, column| match column {
            Column::Integers(values) => query.bind(values),
            Column::Booleans(values) => query.bind(values),
            Column::Texts(values) => {
                let values: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
                query.bind(values)
            }
            Column::Json(values) => {
                let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
                query.bind(values)
            }
            Column::Bytes(values) => query.bind(values),
        })
    }

    /// Of which runs the rows are, for SQLite: where each begins, and how long it is.
    fn runs(&self) -> Vec<(usize, usize)> {
        let most = SQLITE_VALUES / self.columns.len().max(1);
        let mut runs = Vec::new();
        let mut from = 0;
        for run in SQLITE_RUNS.into_iter().filter(|run| *run <= most) {
            while self.count - from >= run {
                runs.push((from, run));
                from += run;
            }
        }
        runs
    }

    fn values(&self, before: &str, count: usize, after: &str) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(","));
        let mut sql = String::with_capacity(before.len() + after.len() + 8 + count * (row.len() + 1));
        sql.push_str(before);
        sql.push_str("VALUES ");
        for at in 0..count {
            if at > 0 {
                sql.push(',');
            }
            sql.push_str(&row);
        }
        sql.push_str(after);
        sql
    }

    fn bind_values<'q>(
        &'q self,
        query: Query<'q, Sqlite, SqliteArguments>,
        from: usize,
        count: usize,
    ) -> Query<'q, Sqlite, SqliteArguments> {
        let mut query = query;
        for row in from..from + count {
            for column in &self.columns {
                query = match column {
                    Column::Integers(values) => query.bind(values.get(row).copied().flatten()),
                    Column::Booleans(values) => query.bind(values.get(row).copied().flatten()),
                    Column::Texts(values) => query.bind(values.get(row).and_then(Option::as_deref)),
                    Column::Json(values) => query.bind(values.get(row).map(AsRef::<str>::as_ref)),
                    Column::Bytes(values) => query.bind(values.get(row).map(Vec::as_slice)),
                };
            }
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn postgresql_reads_an_array_a_column() {
        let rows = Rows::default()
            .integers([1, 2].into_iter())
            .json(["[]".into(), "[7]".into()].into_iter());
        assert_eq!(
            rows.arrays("INSERT INTO t (a, b) ", " RETURNING a"),
            "INSERT INTO t (a, b) SELECT c0, c1::JSONB FROM UNNEST($1::BIGINT[], $2::TEXT[]) AS many (c0, c1) RETURNING a"
        );
        assert_eq!(
            rows.values("INSERT INTO t (a, b) ", 2, " RETURNING a"),
            "INSERT INTO t (a, b) VALUES (?,?),(?,?) RETURNING a"
        );
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_run(count in 0_usize..3_000, columns in 1_usize..40) {
            let values = || (0..count).map(|at| i64::try_from(at).unwrap());
            let rows = (0..columns).fold(Rows::default(), |rows, _| rows.integers(values()));
            let mut at = 0;
            for (from, run) in rows.runs() {
                prop_assert_eq!(from, at);
                prop_assert!(run * columns <= SQLITE_VALUES);
                at += run;
            }
            prop_assert_eq!(at, count);
        }
    }
}
