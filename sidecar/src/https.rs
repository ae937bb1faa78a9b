//! The HTTP client: for deliveries, for the provider of single sign-on, and for the command line.

use std::error::Error;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};

/// HTTP and HTTPS, no redirects: a receiver that moved is told by its operator, not by whoever answers there now.
pub(crate) type Client = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client that trusts the system's certificates.
///
/// # Errors
/// Where this build has no usable TLS.
pub(crate) fn client() -> Result<Client, rustls::Error> {
    let builder = match HttpsConnectorBuilder::new().with_provider_and_native_roots(default_provider()) {
        Ok(builder) => builder,
        Err(error) => {
            tracing::warn!(%error, "the system has no root certificates: nobody can be asked over https");
            let config = ClientConfig::builder_with_provider(default_provider().into())
                .with_safe_default_protocol_versions()?
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth();
            HttpsConnectorBuilder::new().with_tls_config(config)
        }
    };
    let connector = builder.https_or_http().enable_http1().build();
    Ok(legacy::Client::builder(TokioExecutor::new()).build(connector))
}

/// What caused an error, each cause after a colon.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
