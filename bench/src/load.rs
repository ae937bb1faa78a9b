//! The load: so many clients, each with a connection that it keeps, each sending its next request when the
//! answer to the last one is whole.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tollgate_bench_prompts::Prompts;

use crate::namespace::Namespace;

/// Longest latency that is told from longer ones.
const MAX_NANOS: u64 = 60_000_000_000;

/// Where the load goes, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    /// Values of `authorization`, used in turn.
    pub(crate) credentials: Vec<String>,
    /// Headers of every request beside those that all rows get.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The network that it is in, where that is another than ours.
    pub(crate) namespace: Option<Namespace>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    /// Nanoseconds.
    pub(crate) latencies: Histogram<u64>,
}

/// What all clients share.
struct Shared {
    target: Target,
    prompts: Rc<RefCell<Prompts>>,
    until: Instant,
    latencies: RefCell<Histogram<u64>>,
    requests: RefCell<u64>,
}

/// Sends requests for a time.
///
/// # Errors
///
/// The first answer that is no 200: a gateway that refuses is not measured.
pub(crate) async fn run(
    target: &Target,
    prompts: &Rc<RefCell<Prompts>>,
    clients: usize,
    span: Duration,
) -> Result<Load> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(connect(target).await?);
    }
    let began = Instant::now();
    let shared = Rc::new(Shared {
        target: target.clone(),
        prompts: Rc::clone(prompts),
        until: began + span,
        latencies: RefCell::new(histogram()?),
        requests: RefCell::new(0),
    });
    let mut tasks = JoinSet::new();
    for connection in connections {
        let shared = Rc::clone(&shared);
        tasks.spawn_local(async move { client(connection, &shared).await });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let shared = Rc::into_inner(shared).context("a client outlived its load")?;
    Ok(Load {
        requests: shared.requests.into_inner(),
        elapsed: began.elapsed(),
        latencies: shared.latencies.into_inner(),
    })
}

/// A connection of a client, kept open.
///
/// # Errors
///
/// Where nobody listens.
pub(crate) async fn connect(target: &Target) -> Result<SendRequest<Full<Bytes>>> {
    let address = target.address;
    let stream = match &target.namespace {
        None => TcpStream::connect(address).await.map_err(Into::into),
        Some(namespace) => namespace
            .within(|| {
                let stream = std::net::TcpStream::connect(address)?;
                stream.set_nonblocking(true)?;
                Ok(stream)
            })
            .and_then(|stream| Ok(TcpStream::from_std(stream)?)),
    };
    let stream = stream.with_context(|| format!("nobody listens on {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // What goes wrong with the connection, its requests tell.
    tokio::task::spawn_local(async move { connection.await.is_ok() });
    Ok(sender)
}

/// The body of the answer to a request, as it comes.
///
/// # Errors
///
/// An answer that is no 200: a gateway that refuses is not measured.
pub(crate) async fn ask(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Incoming> {
    let response = connection.send_request(request).await?;
    let status = response.status();
    let body = response.into_body();
    if status != StatusCode::OK {
        let text = body.collect().await?.to_bytes();
        anyhow::bail!("the answer was {status}: {}", String::from_utf8_lossy(&text));
    }
    Ok(body)
}

/// A histogram of times, in nanoseconds.
///
/// # Errors
///
/// Where its bounds are none.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, MAX_NANOS, 3)?)
}

async fn client(mut connection: SendRequest<Full<Bytes>>, shared: &Shared) -> Result<()> {
    while Instant::now() < shared.until {
        let number = shared.requests.replace_with(|count| *count + 1);
        let request = shared
            .target
            .request(number, shared.prompts.borrow_mut().next_body())?;
        let sent = Instant::now();
        let mut body = ask(&mut connection, request).await?;
        while let Some(frame) = body.frame().await {
            frame?;
        }
        let nanos = u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX);
        shared.latencies.borrow_mut().saturating_record(nanos);
    }
    Ok(())
}

// === impl Target ===

impl Target {
    /// The request of this number.
    ///
    /// # Errors
    ///
    /// Where a header is none.
    pub(crate) fn request(&self, number: u64, body: Bytes) -> Result<Request<Full<Bytes>>> {
        let turn = usize::try_from(number).unwrap_or(0) % self.credentials.len().max(1);
        let mut request = Request::post(self.path.as_str())
            .header(HOST, "bench.local")
            .header(CONTENT_TYPE, "application/json")
            .header("user-agent", "tollgate-bench");
        if let Some(credential) = self.credentials.get(turn) {
            request = request.header(AUTHORIZATION, credential);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        Ok(request.body(Full::new(body))?)
    }
}
