//! From an ID token's claims to an operator of the ledger.

use serde_json::Value;
use sqlx::types::Json;

use super::StoredOperator;
use crate::config::Oidc;
use crate::http::problem::Problem;
use crate::ledger::audit::Actor;
use crate::ledger::change::Changed;
use crate::principal::Grants;
use crate::secret_key::new_id;
use crate::state::App;

/// Stands for everybody whom the provider knows.
const EVERYBODY: &str = "*";

/// Whom the provider means, and what their groups may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The issuer and its name for them: the only claims that stay the same (OpenID Connect Core 1.0 §5.7).
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) grants: Grants,
}

// === impl Identity ===

impl Identity {
    /// Of the claims of a verified ID token.
    ///
    /// # Errors
    /// 403 where a claim is missing, or nothing that the person is in has a role.
    pub(super) fn of(claims: &Value, config: &Oidc) -> Result<Self, Problem> {
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        let (Some(issuer), Some(sub)) = (text("iss"), text("sub")) else {
            return Err(Problem::forbidden("the ID token does not say whom it means"));
        };
        let Some(name) = text(&config.name_claim).filter(|name| !name.is_empty()) else {
            let claim = &config.name_claim;
            return Err(Problem::forbidden(format!(
                "the ID token has no claim `{claim}` to name you by (`oidc.name_claim`)"
            )));
        };
        let groups = claims.get(&config.groups_claim);
        let is_in = |group: &str| match groups {
            Some(Value::Array(groups)) => groups.iter().any(|one| one.as_str() == Some(group)),
            Some(Value::String(one)) => one == group,
            _ => false,
        };
        let mut grants = Grants::default();
        for given in &config.roles {
            if given.group == EVERYBODY || is_in(&given.group) {
                grants.add(&given.workspace, given.role);
            }
        }
        if grants.is_empty() {
            return Err(Problem::forbidden(
                "none of your groups has a role here: ask who runs this sidecar (`oidc.roles`)",
            ));
        }
        Ok(Self {
            subject: format!("{issuer} {sub}"),
            name: name.to_owned(),
            grants,
        })
    }

    /// The operator that this is, with the roles of today; a new one at the first sign-in.
    ///
    /// # Errors
    /// 403 where the operator is disabled; 409 where somebody else has the name.
    pub(super) async fn operator(self, app: &App, by: &Actor) -> Result<StoredOperator, Problem> {
        let now = app.clock().now();
        let Some(found) = app.ledger().operator_by_subject(&self.subject).await? else {
            let new = StoredOperator {
                id: new_id("op", now.into())?,
                name: self.name,
                password_hash: None,
                roles: Json(self.grants),
                status: "active".to_owned(),
                created_at: now.as_millisecond(),
                updated_at: now.as_millisecond(),
                version: 1,
                subject: Some(self.subject),
            };
            return if app.ledger().insert_operator(&new, by).await? {
                Ok(new)
            } else {
                Err(Problem::conflict(format!(
                    "an operator named {} is there already, who signs in another way: an admin can remove that one",
                    new.name
                )))
            };
        };
        if !found.is_active() {
            return Err(Problem::forbidden(
                "this operator is disabled: an admin can make it active again",
            ));
        }
        if found.roles.0 == self.grants {
            return Ok(found);
        }
        let grants = self.grants;
        let changed = app
            .ledger()
            .change_operator(&found.id, now.into(), by, |operator| {
                operator.roles = Json(grants);
                Ok::<(), Problem>(())
            });
        match changed.await? {
            Changed::Done(operator) => Ok(*operator),
            Changed::Missing => Err(Problem::forbidden(
                "this operator was just deleted: sign in again",
            )),
            Changed::Refused(problem) => Err(problem),
        }
    }
}
