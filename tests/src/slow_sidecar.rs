//! A sidecar that answers when a test lets it: a proxy between Envoy and the real one.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

/// How long a question may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy that holds back the questions that contain one of some texts. It lives as long as the process.
#[derive(Debug)]
pub struct SlowSidecar {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
}

/// Questions that are held back until this value is dropped.
#[derive(Debug)]
pub struct Held {
    text: String,
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The real sidecar, once it is known.
    sidecar: Option<SocketAddr>,
    held: HashSet<String>,
    /// The held texts that have come.
    arrived: HashSet<String>,
}

// === impl SlowSidecar ===

impl SlowSidecar {
    /// Listens, on a thread of its own: tests that share it run on several runtimes.
    ///
    /// # Errors
    ///
    /// Where the system gives no port or no thread.
    pub fn start() -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(watch::Sender::new(State::default()));
        let shared = Arc::clone(&state);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("slow-sidecar".to_owned())
            .spawn(move || runtime.block_on(serve(listener, shared)))?;
        Ok(Self { address, state })
    }

    /// Puts it into Envoy's configuration, in front of the sidecar.
    pub fn stand_in(&self, envoy: &mut Value) {
        let clusters = envoy
            .pointer_mut("/static_resources/clusters")
            .and_then(Value::as_array_mut);
        let sidecar = clusters
            .into_iter()
            .flatten()
            .find(|cluster| cluster.get("name").and_then(Value::as_str) == Some("tollgate_sidecar"));
        let port = sidecar.and_then(|cluster| {
            cluster.pointer_mut(
                "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/port_value",
            )
        });
        if let Some(port) = port {
            *port = json!(self.address.port());
        }
    }

    /// Says where the real sidecar is; questions wait until then.
    ///
    /// # Errors
    ///
    /// Where the URL is none of a loopback address.
    pub fn in_front_of(&self, sidecar: &str) -> Result<()> {
        let address = sidecar.strip_prefix("http://").unwrap_or(sidecar);
        let address = address
            .parse()
            .with_context(|| format!("{sidecar}: no address"))?;
        self.state.send_modify(|state| state.sidecar = Some(address));
        Ok(())
    }

    /// Holds back the questions that contain a text from now on.
    pub fn hold(&self, text: &str) -> Held {
        self.state.send_modify(|state| {
            state.held.insert(text.to_owned());
        });
        Held {
            text: text.to_owned(),
            state: Arc::clone(&self.state),
        }
    }
}

// === impl Held ===

impl Held {
    /// Waits until such a question has come, and is held.
    ///
    /// # Errors
    ///
    /// Where none comes.
    pub async fn arrived(&self) -> Result<()> {
        let mut state = self.state.subscribe();
        let arrived = state.wait_for(|state| state.arrived.contains(&self.text));
        tokio::time::timeout(PATIENCE, arrived)
            .await
            .with_context(|| format!("no question with `{}` has come to the sidecar", self.text))??;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.state.send_modify(|state| {
            state.held.remove(&self.text);
            state.arrived.remove(&self.text);
        });
    }
}

async fn serve(listener: std::net::TcpListener, state: Arc<watch::Sender<State>>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    while let Ok((envoy, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        // A connection that breaks is Envoy's to notice.
        tokio::spawn(async move { pass(envoy, &state).await });
    }
}

async fn pass(envoy: TcpStream, state: &watch::Sender<State>) -> Result<()> {
    let known = state
        .subscribe()
        .wait_for(|state| state.sidecar.is_some())
        .await?
        .sidecar;
    let sidecar = TcpStream::connect(known.context("the sidecar is not known")?).await?;
    let (from_envoy, mut to_envoy) = envoy.into_split();
    let (mut from_sidecar, to_sidecar) = sidecar.into_split();
    tokio::select! {
        asked = ask(from_envoy, to_sidecar, state) => asked,
        answered = copy(&mut from_sidecar, &mut to_envoy) => Ok(answered.map(|_| ())?),
    }
}

/// Passes questions on. Envoy asks one at a time on a connection, so what has come since the last pause is one.
async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &watch::Sender<State>) -> Result<()> {
    let mut changes = state.subscribe();
    let mut question = Vec::new();
    let mut passed = 0;
    loop {
        if passed == question.len() || is_held(&question, state) {
            let before = question.len();
            tokio::select! {
                read = from.read_buf(&mut question) => if read? == 0 { return Ok(()) },
                changed = changes.changed() => changed?,
            }
            // A question begins with its method; the one before has been passed on whole.
            if passed == before
                && question
                    .get(before..)
                    .is_some_and(|new| new.starts_with(b"POST "))
            {
                question.drain(..before);
                passed = 0;
            }
        } else {
            to.write_all(question.get(passed..).unwrap_or_default()).await?;
            passed = question.len();
        }
    }
}

fn is_held(question: &[u8], state: &watch::Sender<State>) -> bool {
    let text = String::from_utf8_lossy(question);
    let held = state
        .borrow()
        .held
        .iter()
        .find(|held| text.contains(held.as_str()))
        .cloned();
    let Some(held) = held else { return false };
    state.send_if_modified(|state| state.arrived.insert(held));
    true
}
