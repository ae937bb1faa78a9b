//! What every route shares: problems, extractors that answer with problems, bearer tokens, pages.

pub mod auth;
pub mod etag;
pub mod extract;
pub mod idempotency;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod replay;
pub mod reply;
