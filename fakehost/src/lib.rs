//! Envoy's proxy-wasm host as a test double.
//!
//! The real filter is an ordinary library natively; what makes it a filter is that Envoy calls the SDK's
//! exports and answers its imports. This crate is that Envoy: it defines the imports of the ABI 0.2.1 as C
//! functions and drives the exports, with the phases, deferrals and losses that Envoy 1.40 was measured to
//! have. So ordering, faults and races are tested at the speed of plain tests; what Envoy really does is the
//! end-to-end tests' part.
//!
//! ```text
//! let host = Host::new(tollgate::start).config(config).workers(2).cluster("sidecar", Cluster::Up).boot()?;
//! let exchange = host.worker(0).send(Request::post("/v1/chat/completions").bearer(key).json(&body));
//! host.callout("/v1/keys/resolve").answer(Answer::json(200, &record));
//! exchange.respond(&Response::json(200, &answer));
//! assert_eq!(exchange.client().status(), 200);
//! host.assert_no_violation();
//! ```
//!
//! The SDK keeps its contexts in thread-local storage: a VM is a thread, and a panic in the filter ends the
//! process. Not modelled: routes, retries, other filters, connections, back-pressure, informational headers.

mod abi;
mod buffer;
mod builder;
mod call;
mod callout;
mod chain;
mod clock;
mod exchange;
mod faults;
mod half;
mod headers;
mod host;
mod lifecycle;
mod message;
mod metrics;
mod outlet;
mod process;
mod seen;
mod shared;
mod status;
mod stream;
mod vm;
mod worker;

pub use builder::{ConfigRefused, HostBuilder};
pub use call::{Call, CallCounts};
pub use callout::{Answer, Callout, CalloutRequest};
pub use exchange::Exchange;
pub use faults::Fault;
pub use headers::HeaderMap;
pub use host::Host;
pub use message::{Request, Response};
pub use metrics::Metric;
pub use process::{Cluster, LogLine};
pub use seen::{Callback, Client, Framing, Upstream};
pub use status::Status;
pub use worker::Worker;
