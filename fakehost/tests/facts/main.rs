//! The host's behaviour, fact by fact, as it was measured on Envoy 1.40: with a probe filter that does exactly
//! what each test says.

mod bodies;
mod callouts;
mod headers;
mod lifecycle;
mod probe;
mod raw;
mod replies;
mod shared_data;
mod trailers;
