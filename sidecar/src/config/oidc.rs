//! Single sign-on, compiled.

use openidconnect::{ClientId, ClientSecret, IssuerUrl, RedirectUrl, Scope};
use tollgate_core::config::Fault;

use super::spec::OidcSpec;
use crate::principal::{EVERYWHERE, Role};

/// Where the provider sends the browser back to, under the address that people see.
pub const CALLBACK: &str = "/admin/v1/session/oidc/callback";

/// How operators sign in by OpenID Connect.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// Who says who somebody is.
    pub issuer: IssuerUrl,
    /// Who we are to the provider.
    pub client_id: ClientId,
    /// How we prove it; none for a public client, which PKCE protects alone.
    pub client_secret: Option<ClientSecret>,
    /// Where the browser comes back to.
    pub redirect_url: RedirectUrl,
    /// What is asked for beside `openid`.
    pub scopes: Vec<Scope>,
    /// The claim that names an operator.
    pub name_claim: String,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// What groups may do. Never empty.
    pub roles: Vec<GroupRole>,
}

/// What a group may do where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRole {
    /// As the provider spells it; `*` for everybody whom it knows.
    pub group: String,
    /// `*` for every workspace.
    pub workspace: String,
    /// What they may do there.
    pub role: Role,
}

// === impl Oidc ===

impl Oidc {
    /// Compiles what is written, and tells every fault.
    pub(super) fn compile(spec: &OidcSpec, faults: &mut Vec<Fault>) -> Option<Self> {
        let before = faults.len();
        let issuer = IssuerUrl::new(spec.issuer.clone())
            .map_err(|_| faults.push(Fault::at("oidc.issuer", "expected the issuer's URL")))
            .ok();
        if spec.client_id.is_empty() {
            faults.push(Fault::at("oidc.client_id", "required"));
        }
        let redirect_url = RedirectUrl::new(spec.redirect_url.clone())
            .ok()
            .filter(|url| url.url().path() == CALLBACK);
        if redirect_url.is_none() {
            let message = format!("expected the URL of the page as people see it, and {CALLBACK} behind it");
            faults.push(Fault::at("oidc.redirect_url", message));
        }
        if spec.roles.is_empty() {
            let message = "required: without a role for a group nobody can sign in";
            faults.push(Fault::at("oidc.roles", message));
        }
        let roles = spec.roles.iter().map(|given| GroupRole {
            group: given.group.clone(),
            workspace: given.workspace.clone().unwrap_or_else(|| EVERYWHERE.to_owned()),
            role: given.role,
        });
        let compiled = Self {
            issuer: issuer?,
            client_id: ClientId::new(spec.client_id.clone()),
            client_secret: spec.client_secret.clone().map(ClientSecret::new),
            redirect_url: redirect_url?,
            scopes: spec.scopes.iter().cloned().map(Scope::new).collect(),
            name_claim: spec.name_claim.clone(),
            groups_claim: spec.groups_claim.clone(),
            roles: roles.collect(),
        };
        (faults.len() == before).then_some(compiled)
    }
}
