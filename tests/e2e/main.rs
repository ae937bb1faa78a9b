//! End-to-end tests on the real Envoy, one module a behaviour.
