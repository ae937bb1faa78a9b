//! Prices of models, as operators see and set them. They go before those of gateways' configurations.

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::price::WrittenPrice;

use super::key_spec::{check_name, unless_empty};
use crate::access::Permitted;
use crate::http::etag::{ETag, IfMatch, Tagged};
use crate::http::extract::{JsonBody, Params, PathId};
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::{FieldError, Problem};
use crate::http::reply::Created;
use crate::ledger::change::Changed;
use crate::ledger::prices::{Inserted, StoredPrice};
use crate::state::App;

/// Every gateway is told of all of them at once, in what a policy may have of bytes.
const MAX_PRICES: i64 = 500;
const MAX_PRICE_BYTES: usize = 2_048;

/// `POST /admin/v1/prices`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPrice {
    /// The model, as a catalogue names it: also for its dated versions that have no price of their own.
    #[schemars(length(min = 1, max = 128))]
    id: String,
    price: WrittenPrice,
}

/// `PATCH /admin/v1/prices/{id}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PricePatch {
    /// In place of the one before, all of it.
    price: WrittenPrice,
}

/// A price as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PriceView {
    id: String,
    price: WrittenPrice,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    /// Of the policy that gateways follow, when it was last changed.
    version: i64,
}

/// A page of prices.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PricePage {
    prices: Vec<PriceView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// `?after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceQuery {
    after: Option<String>,
    limit: Option<u32>,
}

/// `POST /admin/v1/prices`.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(new): JsonBody<NewPrice>,
) -> Result<Created<PriceView>, Problem> {
    let mut errors = Vec::new();
    check_name("id", &new.id, &mut errors);
    check_price(&new.price, &mut errors);
    unless_empty(errors)?;
    let now = app.clock().now();
    let stored = StoredPrice {
        model: new.id,
        price: new.price.get().to_owned(),
        created_at: now.as_millisecond(),
        updated_at: now.as_millisecond(),
        version: 0,
    };
    let by = permitted.caller().actor();
    match app
        .ledger()
        .insert_price(&stored, MAX_PRICES, now.into(), &by)
        .await?
    {
        Inserted::Done => {}
        Inserted::Taken => return Err(Problem::conflict("the model has a price already: change it")),
        Inserted::Full => {
            return Err(Problem::conflict(format!(
                "there are {MAX_PRICES} prices, and gateways are told of no more: put the others in their configurations"
            )));
        }
    }
    let location = format!(
        "{BASE}/prices/{}",
        utf8_percent_encode(&stored.model, NON_ALPHANUMERIC)
    );
    let stored = app.ledger().price(&stored.model).await?;
    let view = view(stored.ok_or_else(no_such_price)?)?;
    Ok(Created::at(location, view))
}

/// `GET /admin/v1/prices`.
pub(super) async fn list(
    State(app): State<App>,
    Params(query): Params<PriceQuery>,
) -> Result<Json<PricePage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let after = query.after.unwrap_or_default();
    let found = app.ledger().prices(&after, size.rows().saturating_add(1)).await?;
    let (prices, next) = size.cut(found, |price| price.model.clone());
    let prices = prices.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(Json(PricePage { prices, next }))
}

/// `GET /admin/v1/prices/{id}`.
pub(super) async fn show(State(app): State<App>, PathId(id): PathId) -> Result<Tagged<PriceView>, Problem> {
    let price = app.ledger().price(&id).await?;
    tagged(price.ok_or_else(no_such_price)?)
}

/// `PATCH /admin/v1/prices/{id}`.
pub(super) async fn edit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
    JsonBody(patch): JsonBody<PricePatch>,
) -> Result<Tagged<PriceView>, Problem> {
    let mut errors = Vec::new();
    check_price(&patch.price, &mut errors);
    unless_empty(errors)?;
    let change = |price: &mut StoredPrice| {
        if_match.check(&tag_of(price))?;
        patch.price.get().clone_into(&mut price.price);
        Ok(())
    };
    let now = app.clock().now().into();
    let by = permitted.caller().actor();
    tagged(done(app.ledger().change_price(&id, now, &by, change).await?)?)
}

/// `DELETE /admin/v1/prices/{id}`: the price of the gateways' configurations holds again.
pub(super) async fn delete(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<NoContent, Problem> {
    let may = |price: &StoredPrice| if_match.check(&tag_of(price));
    let now = app.clock().now().into();
    let by = permitted.caller().actor();
    done(app.ledger().delete_price(&id, now, &by, may).await?)?;
    Ok(NoContent)
}

/// By the code that gateways read it with.
fn check_price(price: &WrittenPrice, errors: &mut Vec<FieldError>) {
    if price.get().len() > MAX_PRICE_BYTES {
        let detail = format!("expected at most {MAX_PRICE_BYTES} bytes of JSON");
        errors.push(FieldError::at("price", detail));
        return;
    }
    if let Err(error) = price.price() {
        let field = error.path.trim_matches('.');
        let path = if field.is_empty() {
            "price".to_owned()
        } else {
            format!("price/{field}")
        };
        errors.push(FieldError::at(&path, error.reason));
    }
}

fn done(changed: Changed<StoredPrice, Problem>) -> Result<StoredPrice, Problem> {
    match changed {
        Changed::Done(price) => Ok(*price),
        Changed::Missing => Err(no_such_price()),
        Changed::Refused(problem) => Err(problem),
    }
}

fn tagged(price: StoredPrice) -> Result<Tagged<PriceView>, Problem> {
    let tag = tag_of(&price);
    Ok(Tagged {
        tag,
        view: view(price)?,
    })
}

fn tag_of(price: &StoredPrice) -> ETag {
    ETag::of(price.version, price.updated_at)
}

fn view(price: StoredPrice) -> Result<PriceView, Problem> {
    Ok(PriceView {
        price: price.written()?,
        id: price.model,
        created_at: Timestamp::from_millisecond(price.created_at).ok(),
        updated_at: Timestamp::from_millisecond(price.updated_at).ok(),
        version: price.version,
    })
}

fn no_such_price() -> Problem {
    Problem::not_found("no price of this API has this id: gateways' configurations may have one")
}
