//! The reference of the configurations, made from their types and the types' comments: a page for people and a JSON
//! schema for editors, for the filter and for the sidecar.

mod kind;
mod order;
mod page;
mod section;

use std::path::Path;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use tollgate_core::budget::{BudgetSpec, DowngradeSpec};
use tollgate_core::config::AccessLogSpec;
use tollgate_core::config::spec::{self as filter, ConfigSpec};
use tollgate_core::limit::{LimitSpec, MatchSpec};
use tollgate_core::validation::spec::{BoundsSpec, RulesSpec, SanitizeSpec};
use tollgate_sidecar::config::otlp_spec::{OtlpHeaderSpec, OtlpSpec};
use tollgate_sidecar::config::spec as sidecar;
use tollgate_sidecar::conversation::spec as conversation;
use tollgate_sidecar::moderation::spec as moderation;

use crate::order::Order;
use crate::page::Page;

/// A file of the reference.
#[derive(Debug, Clone)]
pub struct File {
    /// From the repository's root.
    pub path: &'static str,
    /// What it should hold.
    pub text: String,
}

/// The repository.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// All files of the reference, as they should be.
pub fn files() -> Vec<File> {
    let filter = schema::<ConfigSpec>("Tollgate: the filter's configuration");
    let sidecar = schema::<sidecar::Spec>("Tollgate: the sidecar's configuration");
    let (filter_page, sidecar_page) = (
        page::<ConfigSpec>(include_str!("filter.md"), &filter, &filter_order()),
        page::<sidecar::Spec>(include_str!("sidecar.md"), &sidecar, &sidecar_order()),
    );
    let file = |path, text| File { path, text };
    vec![
        file("docs/configuration.md", filter_page),
        file("docs/tollgate.schema.json", format!("{filter:#}\n")),
        file("docs/sidecar-configuration.md", sidecar_page),
        file("docs/sidecar.schema.json", format!("{sidecar:#}\n")),
    ]
}

fn page<T: JsonSchema>(intro: &'static str, schema: &Value, order: &Order) -> String {
    Page::new(intro, &T::schema_name(), schema, order).render()
}

/// In draft 7: the newest that the common editors understand whole.
fn schema<T: JsonSchema>(title: &str) -> Value {
    let mut schema = SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

fn filter_order() -> Order {
    Order::default()
        .of::<ConfigSpec>()
        .of::<filter::SidecarSpec>()
        .of::<filter::BreakerSpec>()
        .of::<filter::IdentitySpec>()
        .of::<filter::JwtSpec>()
        .of::<filter::KeySpec>()
        .of::<filter::KeyCacheSpec>()
        .of::<LimitSpec>()
        .of::<MatchSpec>()
        .of::<filter::ValidationSpec>()
        .of::<RulesSpec>()
        .of::<BoundsSpec>()
        .of::<SanitizeSpec>()
        .of::<filter::PricesSpec>()
        .of::<filter::BudgetsSpec>()
        .of::<DowngradeSpec>()
        .of::<filter::ModerationSpec>()
        .of::<filter::ConversationSpec>()
        .of::<filter::ProviderSpec>()
        .of::<filter::BodiesSpec>()
        .of::<filter::JournalSpec>()
        .of::<filter::MetricsSpec>()
        .of::<AccessLogSpec>()
}

fn sidecar_order() -> Order {
    Order::default()
        .of::<sidecar::Spec>()
        .of::<sidecar::LimitsSpec>()
        .of::<sidecar::WebhooksSpec>()
        .of::<sidecar::OidcSpec>()
        .of::<sidecar::GroupRoleSpec>()
        .of::<sidecar::LogSpec>()
        .of::<OtlpSpec>()
        .of::<OtlpHeaderSpec>()
        .of::<sidecar::BudgetsSpec>()
        .of::<sidecar::TiersSpec>()
        .of::<BudgetSpec>()
        .of::<moderation::ModerationSpec>()
        .of::<moderation::PolicySpec>()
        .of::<moderation::RuleSpec>()
        .of::<conversation::ConversationsSpec>()
}

#[cfg(test)]
mod tests;
