//! What groups have spent since a day began: for lists that show it beside each.

use std::collections::{BTreeSet, HashMap};

use sqlx::{FromRow, QueryBuilder};

use super::sums::{Sums, TOTALS, TotalsRow};
use super::{Dimension, Interval, group};

#[derive(Debug, FromRow)]
struct SpendRow {
    scope: String,
    value: String,
    #[sqlx(flatten)]
    sums: TotalsRow,
}

on_engines! {
    /// Statements on rollups of days.
    pub(in crate::ledger) trait SpendRows {
        /// The cost of each of these groups, scope and value, in nano-dollars and in their order.
        async fn spend(conn, dimension: Dimension, groups: &[(&str, &str)], since: i64) -> Vec<u64> {
            if groups.is_empty() {
                return Ok(Vec::new());
            }
            let scopes: BTreeSet<&str> = groups.iter().map(|(scope, _)| group(scope)).collect();
            let values: BTreeSet<&str> = groups.iter().map(|(_, value)| group(value)).collect();
            let mut select = QueryBuilder::new("SELECT scope, value, ");
            select.push(TOTALS).push(" FROM rollups WHERE step = ").push_bind(Interval::Day.step());
            select.push(" AND dimension = ").push_bind(dimension.name()).push(" AND scope IN ");
            push_in!(select, scopes);
            select.push(" AND time >= ").push_bind(since).push(" AND value IN ");
            push_in!(select, values);
            select.push(" GROUP BY scope, value");
            let rows: Vec<SpendRow> = select.build_query_as().persistent(false).fetch_all(conn).await?;
            let costs: HashMap<(String, String), u64> = rows
                .into_iter()
                .map(|row| ((row.scope, row.value), Sums::from(row.sums).cost_nanousd))
                .collect();
            let cost = |(scope, value): &(&str, &str)| {
                let place = (group(scope).to_owned(), group(value).to_owned());
                costs.get(&place).copied().unwrap_or(0)
            };
            Ok(groups.iter().map(cost).collect())
        }
    }
}
