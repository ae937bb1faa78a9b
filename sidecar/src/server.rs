//! The sidecar as a server: its routes, what wraps them, how it starts and how it ends.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tollgate_core::wire::SIDECAR_HEADER;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::http::problem::Problem;
use crate::ledger::Ledger;
use crate::state::App;
use crate::verdict_log::VerdictLog;
use crate::webhook::Deliverer;
use crate::{admin, console, gateway, health, metrics, upkeep};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Serves until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// Where the ledger cannot be opened, the listener fails, or requests under way did not end in time.
pub async fn serve(listener: TcpListener, config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve_until(listener, config, Clock::system(), shutdown).await
}

/// Serves until `shutdown` ends, then drains: no new connections, requests under way end, what is queued is
/// written, the ledger is closed.
///
/// # Errors
/// As [`serve`].
pub async fn serve_until(
    listener: TcpListener,
    config: Config,
    clock: Clock,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let ledger = open_ledger(&config.database).await?;
    let patience = config.shutdown_timeout;
    let (verdicts, verdict_writer) = VerdictLog::start(ledger.clone());
    let app = App::new(config, ledger.clone(), clock, verdicts)?;
    // A ledger that was away must know it before a lease is asked for.
    let now = app.clock().now().into();
    ledger.beat(now).await?;
    ledger
        .declare_budgets(&app.config().budgets.defaults, now)
        .await?;
    let upkeep = upkeep::start(app.clone());
    let otel = app.otel().clone();
    let deliverer = Deliverer::new(ledger.clone(), app.clock().clone(), app.config().webhooks)?.start();
    let address = listener.local_addr().context("the listener has no address")?;
    tracing::info!(%address, version = VERSION, "listening");

    let (started, draining) = watch::channel(false);
    let drained_app = app.clone();
    let signalled = async move {
        shutdown.await;
        tracing::info!("draining");
        drained_app.drain();
        started.send_replace(true);
    };
    // Small answers on long-lived connections: without this each may wait for the gateway's delayed ACK.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let server = axum::serve(
        listener,
        router(app).into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(signalled);
    let ended = tokio::select! {
        served = server.into_future() => served.context("the server failed"),
        () = too_late(draining, patience) => {
            Err(anyhow::anyhow!(
                "requests under way did not end within {patience:?} and were cut off (`shutdown_timeout` in the configuration)"
            ))
        }
    };
    upkeep.abort();
    let ((), lost, ()) = tokio::join!(
        deliverer.finish(patience),
        verdict_writer.finish(patience),
        otel.finish(patience)
    );
    ledger.close().await;
    tracing::info!("stopped");
    ended.and(lost)
}

/// Opens the ledger, and brings it up to date.
///
/// # Errors
/// Where the database cannot be opened or migrated: which it is, and why.
pub(crate) async fn open_ledger(database: &Database) -> anyhow::Result<Ledger> {
    Ledger::open(database)
        .await
        .with_context(|| format!("cannot open the ledger, {database} (`database` in the configuration)"))
}

/// All routes.
pub fn router(app: App) -> Router {
    let version = HeaderValue::from_static(VERSION);
    let timeout = app.config().limits.request_timeout;
    Router::new()
        .nest("/v1", gateway::routes(&app))
        .nest("/admin/v1", admin::routes(&app))
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(console::routes())
        .fallback(async || Problem::not_found("no such path"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(axum::middleware::from_fn(
            move |request, next: axum::middleware::Next| async move {
                match tokio::time::timeout(timeout, next.run(request)).await {
                    Ok(response) => response,
                    Err(_) => Problem::timeout().into_response(),
                }
            },
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http())
        .layer(axum::middleware::from_fn_with_state(app.clone(), metrics::count))
        .layer(SetResponseHeaderLayer::overriding(
            HeaderName::from_static(SIDECAR_HEADER),
            version,
        ))
        .with_state(app)
}

/// Ends when shutdown began `patience` ago.
async fn too_late(mut draining: watch::Receiver<bool>, patience: Duration) {
    // The sender is gone only when the server has ended.
    if draining.wait_for(|draining| *draining).await.is_ok() {
        tokio::time::sleep(patience).await;
    } else {
        std::future::pending::<()>().await;
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let cause = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied());
    tracing::error!(cause, "a handler panicked");
    Problem::internal().into_response()
}
