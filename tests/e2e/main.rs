//! End-to-end tests on the real Envoy, one module a behaviour.

// `cfg(test)` always holds here; it tells the lints that these modules, helpers included, are tests.
#[cfg(test)]
mod bad_configuration;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod check;
#[cfg(test)]
mod console;
#[cfg(test)]
mod conversations;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod hot_reload;
#[cfg(test)]
mod jwt;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod ledger_limits;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod metering;
#[cfg(test)]
mod mock_provider;
#[cfg(test)]
mod moderation;
#[cfg(test)]
mod observability;
#[cfg(test)]
mod otlp;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod quick_start;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sdks;
#[cfg(test)]
mod several;
#[cfg(test)]
mod side_by_side;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod validation;
