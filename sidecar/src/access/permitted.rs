//! What the rule of a route allows its caller.

use aide::OperationInput;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{Reach, Rule};
use crate::http::problem::{FieldError, Problem};
use crate::ledger::Workspaces;
use crate::principal::{Caller, Grants};

/// A caller who may use a route: everywhere, or for things of some workspaces.
#[derive(Debug, Clone)]
pub struct Permitted {
    rule: Rule,
    caller: Caller,
}

// === impl Permitted ===

impl Permitted {
    /// # Errors
    /// A [`Problem`] where the rule allows the caller nothing.
    pub(super) fn new(rule: Rule, caller: Caller) -> Result<Self, Problem> {
        let scope = rule.scope;
        if caller
            .scopes
            .as_ref()
            .is_some_and(|scopes| !scopes.contains(&scope))
        {
            return Err(Problem::forbidden(format!(
                "the token has not the scope {}: take one that has it, or one without scopes, which may what its role may",
                scope.as_str()
            )));
        }
        let workspaces = caller.grants.workspaces(rule.role);
        let is_allowed = match rule.reach {
            Reach::Workspace => workspaces != Workspaces::Only(Vec::new()),
            Reach::Everywhere => workspaces == Workspaces::All,
        };
        if !is_allowed {
            let role = rule.role.as_str();
            return Err(Problem::forbidden(match rule.reach {
                Reach::Workspace => format!("this needs the role {role} in a workspace"),
                Reach::Everywhere => format!("this needs the role {role} everywhere"),
            }));
        }
        Ok(Self { rule, caller })
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whose things a list may show: of the workspace that was asked for, or all that are allowed.
    ///
    /// # Errors
    /// 403 where the workspace is a foreign one.
    pub fn list(&self, asked: Option<String>) -> Result<Workspaces, Problem> {
        match asked {
            None => Ok(self.caller.grants.workspaces(self.rule.role)),
            Some(workspace) => {
                self.make(Some(&workspace))?;
                Ok(Workspaces::Only(vec![workspace]))
            }
        }
    }

    /// Whose numbers may be told together: those of the workspace that was asked for, or of all.
    ///
    /// # Errors
    /// 403 where the workspace is a foreign one, 422 where it is not said which of several.
    pub fn one(&self, asked: Option<String>) -> Result<Option<String>, Problem> {
        let asked = asked.filter(|name| !name.is_empty());
        match self.list(asked)? {
            Workspaces::All => Ok(None),
            Workspaces::Only(mut names) if names.len() == 1 => Ok(names.pop()),
            Workspaces::Only(_) => Err(Problem::invalid(vec![FieldError {
                pointer: "workspace".to_owned(),
                detail: "expected one: there is no role for all of them together".to_owned(),
            }])),
        }
    }

    /// Whether a thing of this workspace, or of none, may be used. What may not even be seen is not there.
    ///
    /// # Errors
    /// `missing` where it is a foreign one, 403 where the role is too weak.
    pub fn object(&self, workspace: Option<&str>, missing: impl FnOnce() -> Problem) -> Result<(), Problem> {
        match self.caller.grants.role_in(workspace) {
            None => Err(missing()),
            Some(role) if role < self.rule.role => Err(self.too_weak(workspace)),
            Some(_) => Ok(()),
        }
    }

    /// Whether a thing may be made in this workspace, or in none.
    ///
    /// # Errors
    /// 403 where it may not.
    pub fn make(&self, workspace: Option<&str>) -> Result<(), Problem> {
        self.object(workspace, || self.too_weak(workspace))
    }

    /// Whether these may be given to somebody: nobody gives more than they have.
    ///
    /// # Errors
    /// 403 where they may not.
    pub fn give(&self, grants: &Grants) -> Result<(), Problem> {
        if grants.are_within(&self.caller.grants) {
            return Ok(());
        }
        Err(Problem::forbidden("nobody gives a stronger role than their own"))
    }

    fn too_weak(&self, workspace: Option<&str>) -> Problem {
        let role = self.rule.role.as_str();
        Problem::forbidden(match workspace {
            Some(workspace) => format!("this needs the role {role} in the workspace {workspace:?}"),
            None => format!("this needs the role {role} everywhere, as it is of no workspace"),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Permitted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // A handler that is reached without its guard answers nobody.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(Problem::unauthorized)
    }
}

impl OperationInput for Permitted {}
