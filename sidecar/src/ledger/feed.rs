//! Keys that gateways must hear of again, because what a key is of was changed and not the key itself.

use super::{Counter, TAKE};

const COUNT: &str =
    "SELECT COUNT(*) FROM keys WHERE workspace = $1 AND ($2 IS NULL OR user_id = $2) AND status <> 'revoked'";
const RENUMBER: &str = "UPDATE keys SET version = $1 + numbered.n FROM ( \
        SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS n FROM keys \
        WHERE workspace = $2 AND ($3 IS NULL OR user_id = $3) AND status <> 'revoked' \
    ) AS numbered WHERE keys.id = numbered.id";

on_engines! {
    /// Statements on the versions of keys.
    pub(super) trait FeedRows {
        /// Has all other changes of keys wait until this transaction ends. Before any row is read.
        async fn lock(conn) -> () {
            sqlx::query(TAKE).bind(0_i64).bind(Counter::KeyVersion.name()).execute(conn).await?;
            Ok(())
        }

        /// Gives new versions to the keys of a workspace, or of one user in it, that are not revoked. The transaction
        /// has begun with [`Self::lock`].
        async fn tell_again(conn, workspace: &str, user: Option<&str>) -> () {
            let count: i64 = sqlx::query_scalar(COUNT).bind(workspace).bind(user).fetch_one(&mut *conn).await?;
            let last: i64 = sqlx::query_scalar(TAKE)
                .bind(count)
                .bind(Counter::KeyVersion.name())
                .fetch_one(&mut *conn)
                .await?;
            sqlx::query(RENUMBER).bind(last - count).bind(workspace).bind(user).execute(conn).await?;
            Ok(())
        }
    }
}
