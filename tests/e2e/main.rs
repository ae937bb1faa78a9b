//! End-to-end tests on the real Envoy, one module a behaviour.

mod check;
mod credentials;
mod hot_reload;
mod mock_provider;
mod quick_start;
mod sdks;
mod side_by_side;
