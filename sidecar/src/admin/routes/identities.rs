//! Who uses the gateway, and who runs it.

use aide::axum::routing::{delete_with, get_with, patch_with, post_with};

use crate::access::{Guarded, Rule, Scope};
use crate::admin::{keys, operators, tokens, users, workspaces};
use crate::http::openapi::{about, about_or_conflict};
use crate::principal::Role;

const READ_KEYS: Rule = Rule::workspace(Scope::KeysRead, Role::Viewer);
const WRITE_KEYS: Rule = Rule::workspace(Scope::KeysWrite, Role::Member);
const READ_WORKSPACES: Rule = Rule::workspace(Scope::WorkspacesRead, Role::Viewer);
const WRITE_WORKSPACES: Rule = Rule::workspace(Scope::WorkspacesWrite, Role::Admin);
const MAKE_WORKSPACES: Rule = Rule::everywhere(Scope::WorkspacesWrite, Role::Admin);
const READ_OPERATORS: Rule = Rule::everywhere(Scope::OperatorsRead, Role::Admin);
const WRITE_OPERATORS: Rule = Rule::everywhere(Scope::OperatorsWrite, Role::Admin);
const READ_TOKENS: Rule = Rule::workspace(Scope::OperatorsRead, Role::Admin);
const WRITE_TOKENS: Rule = Rule::workspace(Scope::OperatorsWrite, Role::Admin);

pub(super) fn keys_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("keys", id, summary);
    let or_conflict = |id, summary| about_or_conflict("keys", id, summary);
    let list = get_with(keys::list, about("listKeys", "List keys"));
    let create = post_with(
        keys::create,
        or_conflict("createKey", "Create a key, which is shown this once"),
    );
    let show = get_with(keys::show, about("getKey", "Show a key"));
    let edit = patch_with(
        keys::edit,
        or_conflict("editKey", "Change a key: what is absent stays, null clears"),
    );
    let pause = post_with(
        keys::pause,
        or_conflict("pauseKey", "Pause a key until it is resumed"),
    );
    let resume = post_with(keys::resume, or_conflict("resumeKey", "Resume a paused key"));
    let rotate = post_with(
        keys::rotate,
        or_conflict("rotateKey", "Give a key another secret, which is shown this once"),
    );
    let import = post_with(
        keys::import,
        or_conflict("importKeys", "Import keys by the hashes of their secrets"),
    );
    let revoke = post_with(keys::revoke, about("revokeKey", "Revoke a key, for good"));
    routes
        .on(READ_KEYS, "/keys", list)
        .once(WRITE_KEYS, "/keys", create)
        .on(READ_KEYS, "/keys/{id}", show)
        .on(WRITE_KEYS, "/keys/{id}", edit)
        .on(WRITE_KEYS, "/keys/{id}/pause", pause)
        .on(WRITE_KEYS, "/keys/{id}/resume", resume)
        .on(WRITE_KEYS, "/keys/{id}/revoke", revoke)
        .once(WRITE_KEYS, "/keys/{id}/rotate", rotate)
        .once(WRITE_KEYS, "/keys/import", import)
}

pub(super) fn workspaces_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("workspaces", id, summary);
    let or_conflict = |id, summary| about_or_conflict("workspaces", id, summary);
    let list = get_with(workspaces::list, about("listWorkspaces", "List workspaces"));
    let create = post_with(
        workspaces::create,
        or_conflict("createWorkspace", "Create a workspace"),
    );
    let show = get_with(workspaces::show, about("getWorkspace", "Show a workspace"));
    let edit = patch_with(
        workspaces::edit,
        or_conflict(
            "editWorkspace",
            "Change or pause a workspace: what is absent stays, null clears",
        ),
    );
    let delete = delete_with(
        workspaces::delete,
        or_conflict("deleteWorkspace", "Delete a workspace that has never been used"),
    );
    routes
        .on(READ_WORKSPACES, "/workspaces", list)
        .once(MAKE_WORKSPACES, "/workspaces", create)
        .on(READ_WORKSPACES, "/workspaces/{id}", show)
        .on(WRITE_WORKSPACES, "/workspaces/{id}", edit)
        .on(MAKE_WORKSPACES, "/workspaces/{id}", delete)
}

pub(super) fn users_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("users", id, summary);
    let or_conflict = |id, summary| about_or_conflict("users", id, summary);
    let list = get_with(users::list, about("listUsers", "List users of workspaces"));
    let create = post_with(
        users::create,
        or_conflict("createUser", "Create a user of a workspace"),
    );
    let show = get_with(users::show, about("getUser", "Show a user"));
    let edit = patch_with(
        users::edit,
        or_conflict(
            "editUser",
            "Change or pause a user: what is absent stays, null clears",
        ),
    );
    routes
        .on(READ_WORKSPACES, "/users", list)
        .once(WRITE_WORKSPACES, "/users", create)
        .on(READ_WORKSPACES, "/users/{id}", show)
        .on(WRITE_WORKSPACES, "/users/{id}", edit)
}

pub(super) fn operators_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("operators", id, summary);
    let or_conflict = |id, summary| about_or_conflict("operators", id, summary);
    let list = get_with(operators::list, about("listOperators", "List operators"));
    let create = post_with(
        operators::create,
        or_conflict("createOperator", "Create an operator"),
    );
    let show = get_with(operators::show, about("getOperator", "Show an operator"));
    let edit = about("editOperator", "Change an operator's password, roles or status");
    let edit = patch_with(operators::edit, edit);
    let delete = about("deleteOperator", "Delete an operator with their tokens");
    let delete = delete_with(operators::delete, delete);
    routes
        .on(READ_OPERATORS, "/operators", list)
        .once(WRITE_OPERATORS, "/operators", create)
        .on(READ_OPERATORS, "/operators/{id}", show)
        .on(WRITE_OPERATORS, "/operators/{id}", edit)
        .on(WRITE_OPERATORS, "/operators/{id}", delete)
}

pub(super) fn tokens_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("tokens", id, summary);
    let list = get_with(tokens::list, about("listTokens", "List tokens of this API"));
    let create = about(
        "createToken",
        "Create a token of this API, which is shown this once",
    );
    let create = post_with(tokens::create, create);
    let show = get_with(tokens::show, about("getToken", "Show a token of this API"));
    let revoke = about("revokeToken", "Revoke a token of this API, for good");
    let revoke = post_with(tokens::revoke, revoke);
    routes
        .on(READ_TOKENS, "/tokens", list)
        .once(WRITE_TOKENS, "/tokens", create)
        .on(READ_TOKENS, "/tokens/{id}", show)
        .on(WRITE_TOKENS, "/tokens/{id}/revoke", revoke)
}
