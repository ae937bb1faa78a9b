//! How exports are sent: with the sidecar's own HTTP client.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{Request, Response};
use opentelemetry_http::{Bytes, HttpClient, HttpError, ResponseBodyTooLarge};
use tokio::runtime::Handle;

use crate::https::{self, Client};

/// Most of an answer that is read, in bytes: a collector says little.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The exporters call from threads of their own; the requests are made on the sidecar's runtime.
#[derive(Debug)]
pub(super) struct ExportClient {
    client: Client,
    runtime: Handle,
    timeout: Duration,
}

// === impl ExportClient ===

impl ExportClient {
    /// A client for exports that take no longer than `timeout`. To be made on the runtime.
    ///
    /// # Errors
    /// Where this build has no usable TLS.
    pub(super) fn new(timeout: Duration) -> Result<Self, rustls::Error> {
        Ok(Self {
            client: https::client()?,
            runtime: Handle::current(),
            timeout,
        })
    }
}

#[async_trait]
impl HttpClient for ExportClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, timeout) = (self.client.clone(), self.timeout);
        let call = async move {
            let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| match error.is::<LengthLimitError>() {
                true => HttpError::from(ResponseBodyTooLarge::new()),
                false => error,
            });
            Ok::<_, HttpError>(Response::from_parts(head, body?.to_bytes()))
        };
        self.runtime
            .spawn(async move { tokio::time::timeout(timeout, call).await })
            .await??
    }
}
