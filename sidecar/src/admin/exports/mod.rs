//! Exports: CSV for spreadsheets and for chargeback.

mod events;
mod focus;
mod stats;

use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Described, StatusCode};
use aide::operation::OperationOutput;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use self::events::events;
pub(super) use self::focus::focus;
pub(super) use self::stats::stats;
use super::stats::wrong;
use crate::http::problem::Problem;
use crate::http::reply::NO_STORE;
use crate::ledger::LedgerError;

const CSV: &str = "text/csv; charset=utf-8";
const DAY_MS: i64 = 86_400_000;

/// `?from=&to=&workspace=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportParams {
    /// By default thirty days before `to`.
    from: Option<Timestamp>,
    /// By default now.
    to: Option<Timestamp>,
    workspace: Option<String>,
}

/// Why a part of an export could not be made: the download then ends early, and is seen to.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("cannot write CSV: {0}")]
    Csv(#[from] csv::Error),
}

/// 200: a file of CSV, which is written as it is sent.
#[derive(Debug)]
pub(super) struct Download {
    name: &'static str,
    body: Body,
}

// === impl Download ===

impl Download {
    fn new(
        name: &'static str,
        parts: impl Stream<Item = Result<Vec<u8>, ExportError>> + Send + 'static,
    ) -> Self {
        Self {
            name,
            body: Body::from_stream(parts),
        }
    }
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        let disposition = format!("attachment; filename=\"{}\"", self.name);
        let disposition =
            HeaderValue::try_from(disposition).unwrap_or(HeaderValue::from_static("attachment"));
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(CSV)),
            (header::CONTENT_DISPOSITION, disposition),
            (header::CACHE_CONTROL, NO_STORE),
        ];
        (headers, self.body).into_response()
    }
}

impl OperationOutput for Download {
    type Inner = Self;

    fn inferred_responses(
        _ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<StatusCode>, Described)> {
        let described = Described {
            description: "OK".to_owned(),
            content: std::iter::once((CSV.to_owned(), MediaType::default())).collect(),
            ..Described::default()
        };
        vec![(Some(StatusCode::Code(200)), described)]
    }
}

// === impl ExportParams ===

impl ExportParams {
    /// From when to when: milliseconds since the Unix epoch.
    fn period(&self, now: Timestamp) -> Result<(i64, i64), Problem> {
        let to = self.to.unwrap_or(now).as_millisecond();
        let from = self
            .from
            .map_or(to.saturating_sub(30 * DAY_MS), Timestamp::as_millisecond);
        if from >= to {
            return Err(wrong("from", "must be before to"));
        }
        Ok((from, to))
    }
}

/// Rows as CSV, with a line of their fields' names where it is the first part.
fn csv_of(
    rows: impl IntoIterator<Item = impl Serialize>,
    header: Option<&[&str]>,
) -> Result<Vec<u8>, ExportError> {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    if let Some(header) = header {
        writer.write_record(header)?;
    }
    for row in rows {
        writer.serialize(row)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(bytes)
}

/// A text that clients choose, so that no spreadsheet takes it for a formula (as OWASP has it).
fn cell(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula() {
        assert_eq!(
            cell(Some("=HYPERLINK(\"http://x\")")),
            "'=HYPERLINK(\"http://x\")"
        );
        assert_eq!(cell(Some("gpt-4o")), "gpt-4o");
        assert_eq!(cell(None), "");
    }
}
