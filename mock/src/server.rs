//! The mock's HTTP server: the control paths under `/__mock/`, and a provider everywhere else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::connection::{BreakableListener, Peer};
use crate::dialect::{Options, Route, Work, openai_error};
use crate::fault::{FAULT_HEADER, Faults};
use crate::plan::Plan;
use crate::record::{Received, Record, Served};
use crate::script::{SCRIPT_HEADER, ScriptSpec, Scripts};
use crate::send::send;

/// The largest request body that is read: more than any gateway in front should let through.
const MAX_BODY: usize = 256 << 20;

#[derive(Debug, Default)]
struct Mock {
    record: Arc<Record>,
    scripts: Scripts,
    /// Connections that brought a request; reset with the record.
    script_ids: AtomicU64,
}

/// Serves on a listener until the process ends.
///
/// # Errors
///
/// Where the listener fails.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let mock = Arc::new(Mock::default());
    let app = Router::new()
        .route("/__mock/ready", get(|| async { "ready\n" }))
        .route("/__mock/requests", get(requests))
        .route("/__mock/served", get(served))
        .route("/__mock/reset", post(reset))
        .route("/__mock/script", post(script))
        .fallback(provider)
        .with_state(mock);
    axum::serve(
        BreakableListener::new(listener),
        app.into_make_service_with_connect_info::<Peer>(),
    )
    .await
}

/// Binds an address with the backlog that a load test needs.
///
/// # Errors
///
/// Where the address is taken or not this machine's.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn requests(State(mock): State<Arc<Mock>>) -> Json<Vec<Received>> {
    Json(mock.record.requests())
}

async fn served(State(mock): State<Arc<Mock>>) -> Json<Served> {
    Json(mock.record.totals())
}

async fn reset(State(mock): State<Arc<Mock>>) -> StatusCode {
    mock.record.reset();
    mock.scripts.clear();
    StatusCode::NO_CONTENT
}

async fn script(State(mock): State<Arc<Mock>>, body: Bytes) -> Response {
    let fresh_id = mock.script_ids.fetch_add(1, Ordering::Relaxed) + 1;
    let added = serde_json::from_slice::<ScriptSpec>(&body)
        .map_err(|error| error.to_string())
        .and_then(|spec| mock.scripts.add(spec, fresh_id));
    match added {
        Ok(id) => Json(json!({"id": id})).into_response(),
        Err(message) => (StatusCode::BAD_REQUEST, Json(json!({"error": message}))).into_response(),
    }
}

async fn provider(
    State(mock): State<Arc<Mock>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let path_and_query = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let mut received = Received::new(
        head.method.to_string(),
        path_and_query,
        format!("{:?}", head.version),
        &head.headers,
    );
    received.connection = peer.number();
    received.nth_on_connection = peer.next_request();
    if received.nth_on_connection == 1 {
        mock.record.connected();
    }
    let number = mock.record.received(received);
    let Ok((bytes, trailers)) = read(body).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    mock.record.body(number, &bytes, trailers.as_ref());
    let query = head.uri.query().unwrap_or_default();
    let scripted = mock
        .scripts
        .find(header(&head.headers, SCRIPT_HEADER), head.uri.path());
    let plan = scripted.unwrap_or_else(|| {
        let route = Route::of(head.method.as_str(), head.uri.path(), query);
        answer(&mock.record, route, &head.headers, &bytes)
    });
    send(plan, peer, Arc::clone(&mock.record), number).await
}

fn answer(record: &Record, route: Option<Route>, headers: &HeaderMap, body: &[u8]) -> Plan {
    let faults = match Faults::parse(header(headers, FAULT_HEADER).unwrap_or_default()) {
        Ok(faults) => faults,
        Err(message) => {
            return failed(
                StatusCode::BAD_REQUEST,
                &openai_error(StatusCode::BAD_REQUEST, &message),
            );
        }
    };
    let Some(known) = route else {
        let status = StatusCode::NOT_FOUND;
        return failed(status, &openai_error(status, "unknown request URL"));
    };
    let mut plan = match (faults.status, known.read(body)) {
        (Some(status), _) => failed(status, &known.error(status, "the mock was asked to fail")),
        (None, Err(message)) => failed(
            StatusCode::BAD_REQUEST,
            &known.error(StatusCode::BAD_REQUEST, &message),
        ),
        (None, Ok(Work::Free(value))) => Plan::json(StatusCode::OK, &value),
        (None, Ok(Work::Call(ask))) => {
            let mut answer = ask.answer(faults.big);
            faults.amend(&mut answer.usage);
            record.served(&ask.model, &answer.usage);
            let options = Options {
                usage: !faults.no_usage,
                one_piece: faults.big.is_some(),
            };
            known.write(body, &ask, &answer, options)
        }
    };
    plan = plan.with_header("x-request-id", "req_mock");
    faults.apply(&mut plan);
    plan
}

fn failed(status: StatusCode, body: &Value) -> Plan {
    let plan = Plan::json(status, body);
    if status == StatusCode::TOO_MANY_REQUESTS {
        plan.with_header("retry-after", "1")
    } else {
        plan
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Reads a body and its trailers; an error where the client leaves before the end.
async fn read(mut body: Body) -> Result<(Bytes, Option<HeaderMap>), axum::Error> {
    let mut bytes = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await {
        match frame?.into_data() {
            Ok(data) if bytes.len() + data.len() > MAX_BODY => {
                return Err(axum::Error::new(std::io::Error::from(
                    std::io::ErrorKind::FileTooLarge,
                )));
            }
            Ok(data) => bytes.extend_from_slice(&data),
            Err(other) => trailers = other.into_trailers().ok(),
        }
    }
    Ok((bytes.freeze(), trailers))
}
