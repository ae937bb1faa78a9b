//! Connections that can be broken on request, which HTTP libraries do not offer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const OPEN: u8 = 0;
const CLOSING: u8 = 1;
const RESETTING: u8 = 2;

/// A listener whose connections can be broken, with Nagle's algorithm off: a small piece leaves at once.
#[derive(Debug)]
pub(crate) struct BreakableListener {
    inner: TcpListener,
    accepted: u64,
}

/// A connection, as its requests see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    state: Arc<State>,
}

/// A connection, as the HTTP library sees it.
#[derive(Debug)]
pub(crate) struct BreakableStream {
    inner: TcpStream,
    peer: Peer,
}

#[derive(Debug, Default)]
struct State {
    number: u64,
    requests: AtomicU64,
    fate: AtomicU8,
}

// === impl BreakableListener ===

impl BreakableListener {
    pub(crate) fn new(inner: TcpListener) -> Self {
        Self { inner, accepted: 0 }
    }
}

impl Listener for BreakableListener {
    type Io = BreakableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.inner).await;
        // Without it a piece may wait for the one before to be acknowledged: slower, not wrong.
        let _ = stream.set_nodelay(true);
        self.accepted += 1;
        let state = State {
            number: self.accepted,
            ..State::default()
        };
        (
            BreakableStream {
                inner: stream,
                peer: Peer {
                    state: Arc::new(state),
                },
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

// === impl Peer ===

impl Peer {
    /// 1 for the first connection of the process.
    pub(crate) fn number(&self) -> u64 {
        self.state.number
    }

    /// Counts a request: 1 for the connection's first.
    pub(crate) fn next_request(&self) -> u64 {
        self.state.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// From now on no byte is sent; the connection ends, with RST or with FIN.
    pub(crate) fn break_off(&self, reset: bool) {
        self.state
            .fate
            .store(if reset { RESETTING } else { CLOSING }, Ordering::Release);
    }

    /// The next end of this connection is a RST; what is already written is still sent, if it can be.
    pub(crate) fn is_broken(&self) -> bool {
        self.state.fate.load(Ordering::Acquire) != OPEN
    }
}

impl Connected<IncomingStream<'_, BreakableListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, BreakableListener>) -> Self {
        stream.io().peer.clone()
    }
}

// === impl BreakableStream ===

impl BreakableStream {
    fn broken(&self) -> Option<io::Error> {
        self.peer
            .is_broken()
            .then(|| io::Error::from(io::ErrorKind::ConnectionAborted))
    }
}

impl AsyncRead for BreakableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for BreakableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.broken() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.inner).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.peer.state.fate.load(Ordering::Acquire) == RESETTING {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Drop for BreakableStream {
    fn drop(&mut self) {
        if self.peer.state.fate.load(Ordering::Acquire) == RESETTING {
            // With zero linger the kernel answers a close with RST (socket(7)).
            let _ = self.inner.set_zero_linger();
        }
    }
}
