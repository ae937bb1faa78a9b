//! Which paths there are, what each needs, and what it is called.

use aide::axum::routing::{delete_with, get_with, patch_with, post_with};

use super::{
    audit, budgets, conversations, events, exports, keys, limits, moderation_policies, moderations,
    operators, prices, raises, stats, tokens, users, webhooks, workspaces,
};
use crate::access::{Guarded, Rule, Scope};
use crate::http::openapi::{about, about_or_conflict};
use crate::principal::Role;
use crate::state::App;

const READ_KEYS: Rule = Rule::workspace(Scope::KeysRead, Role::Viewer);
const WRITE_KEYS: Rule = Rule::workspace(Scope::KeysWrite, Role::Member);
const READ_BUDGETS: Rule = Rule::workspace(Scope::BudgetsRead, Role::Viewer);
const WRITE_BUDGETS: Rule = Rule::workspace(Scope::BudgetsWrite, Role::Admin);
const READ_LIMITS: Rule = Rule::workspace(Scope::LimitsRead, Role::Viewer);
const WRITE_LIMITS: Rule = Rule::workspace(Scope::LimitsWrite, Role::Admin);
const WRITE_ALL_LIMITS: Rule = Rule::everywhere(Scope::LimitsWrite, Role::Admin);
const READ_AUDIT: Rule = Rule::workspace(Scope::AuditRead, Role::Viewer);
const READ_EVENTS: Rule = Rule::workspace(Scope::EventsRead, Role::Viewer);
const READ_STATS: Rule = Rule::workspace(Scope::StatsRead, Role::Viewer);
const READ_MODERATIONS: Rule = Rule::workspace(Scope::ModerationsRead, Role::Viewer);
const READ_POLICIES: Rule = Rule::everywhere(Scope::ModerationsRead, Role::Viewer);
const WRITE_POLICIES: Rule = Rule::everywhere(Scope::ModerationsWrite, Role::Admin);
const READ_PRICES: Rule = Rule::everywhere(Scope::PricesRead, Role::Viewer);
const WRITE_PRICES: Rule = Rule::everywhere(Scope::PricesWrite, Role::Admin);
const READ_WORKSPACES: Rule = Rule::workspace(Scope::WorkspacesRead, Role::Viewer);
const WRITE_WORKSPACES: Rule = Rule::workspace(Scope::WorkspacesWrite, Role::Admin);
const MAKE_WORKSPACES: Rule = Rule::everywhere(Scope::WorkspacesWrite, Role::Admin);
const READ_CONVERSATIONS: Rule = Rule::workspace(Scope::ConversationsRead, Role::Admin);
const DELETE_CONVERSATIONS: Rule = Rule::workspace(Scope::ConversationsWrite, Role::Admin);
const READ_WEBHOOKS: Rule = Rule::everywhere(Scope::WebhooksRead, Role::Viewer);
const WRITE_WEBHOOKS: Rule = Rule::everywhere(Scope::WebhooksWrite, Role::Admin);
const READ_OPERATORS: Rule = Rule::everywhere(Scope::OperatorsRead, Role::Admin);
const WRITE_OPERATORS: Rule = Rule::everywhere(Scope::OperatorsWrite, Role::Admin);
const READ_TOKENS: Rule = Rule::workspace(Scope::OperatorsRead, Role::Admin);
const WRITE_TOKENS: Rule = Rule::workspace(Scope::OperatorsWrite, Role::Admin);

/// All that need to know who asks.
pub(super) fn guarded(app: &App) -> Guarded {
    let routes = keys_of(Guarded::new(app));
    let routes = budgets_of(routes);
    let routes = limits_of(routes);
    let routes = logs_of(routes);
    let routes = conversations_of(routes);
    let routes = stats_of(routes);
    let routes = webhooks_of(routes);
    let routes = operators_of(routes);
    let routes = tokens_of(routes);
    let routes = workspaces_of(routes);
    let routes = policies_of(routes);
    let routes = prices_of(routes);
    users_of(routes)
}

fn keys_of(routes: Guarded) -> Guarded {
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

fn budgets_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("budgets", id, summary);
    let or_conflict = |id, summary| about_or_conflict("budgets", id, summary);
    let list = get_with(budgets::list, about("listBudgets", "List budgets"));
    let create = post_with(
        budgets::create,
        or_conflict("createBudget", "Create a budget, or a template of budgets"),
    );
    let show = get_with(budgets::show, about("getBudget", "Show a budget"));
    let edit = patch_with(
        budgets::edit,
        or_conflict("editBudget", "Change a budget: what is absent stays"),
    );
    let archive = about("archiveBudget", "Archive a budget, for good");
    let archive = delete_with(budgets::archive, archive);
    let deposit = post_with(
        budgets::deposit,
        or_conflict("deposit", "Add to a prepaid balance"),
    );
    let raises = get_with(raises::list, about("listRaises", "List a budget's raises"));
    let raise = post_with(
        raises::create,
        or_conflict("raiseBudget", "Raise a budget for a while"),
    );
    let withdraw = about("withdrawRaise", "End a raise before its time");
    let withdraw = delete_with(raises::withdraw, withdraw);
    routes
        .on(READ_BUDGETS, "/budgets", list)
        .once(WRITE_BUDGETS, "/budgets", create)
        .on(READ_BUDGETS, "/budgets/{id}", show)
        .on(WRITE_BUDGETS, "/budgets/{id}", edit)
        .on(WRITE_BUDGETS, "/budgets/{id}", archive)
        .on(WRITE_BUDGETS, "/budgets/{id}/deposits", deposit)
        .on(READ_BUDGETS, "/budgets/{id}/raises", raises)
        .once(WRITE_BUDGETS, "/budgets/{id}/raises", raise)
        .on(WRITE_BUDGETS, "/budgets/{id}/raises/{raise}", withdraw)
}

fn limits_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("limits", id, summary);
    let or_conflict = |id, summary| about_or_conflict("limits", id, summary);
    let list = get_with(limits::list, about("listLimits", "List limits"));
    let create = post_with(
        limits::create,
        or_conflict("createLimit", "Create a limit for every gateway"),
    );
    let show = get_with(limits::show, about("getLimit", "Show a limit"));
    let edit = patch_with(
        limits::edit,
        or_conflict("editLimit", "Change a limit: what is absent stays, null clears"),
    );
    let delete = delete_with(limits::delete, about("deleteLimit", "Delete a limit"));
    let reset = about(
        "resetLimit",
        "Give back what a limit has counted, to one or to all",
    );
    let reset = post_with(limits::reset, reset);
    let by_name = about(
        "resetLimitByName",
        "Give back what a limit of gateways' configurations has counted",
    );
    let by_name = post_with(limits::reset_by_name, by_name);
    routes
        .on(READ_LIMITS, "/limits", list)
        .once(WRITE_LIMITS, "/limits", create)
        .on(READ_LIMITS, "/limits/{id}", show)
        .on(WRITE_LIMITS, "/limits/{id}", edit)
        .on(WRITE_LIMITS, "/limits/{id}", delete)
        .on(WRITE_LIMITS, "/limits/{id}/reset", reset)
        .on(WRITE_ALL_LIMITS, "/limits/by-name/{name}/reset", by_name)
}

fn logs_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("logs", id, summary);
    let audit = get_with(audit::list, about("listAuditEntries", "Read the audit log"));
    let events = get_with(events::list, about("listEvents", "Read events"));
    let moderations = about("listModerations", "Read moderation's verdicts");
    let moderations = get_with(moderations::list, moderations);
    routes
        .on(READ_AUDIT, "/audit", audit)
        .on(READ_EVENTS, "/events", events)
        .on(READ_MODERATIONS, "/moderations", moderations)
}

fn conversations_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("conversations", id, summary);
    let list = about("listConversations", "List conversations, the latest first");
    let list = get_with(conversations::list, list);
    let show = about("readConversation", "Read what was said, which is audited");
    let show = get_with(conversations::show, show);
    let delete = about("deleteConversation", "Delete a conversation, for good");
    let delete = delete_with(conversations::delete, delete);
    let of_user = about(
        "deleteConversationsOfUser",
        "Delete all that a user has said, for good",
    );
    let of_user = delete_with(conversations::delete_of_user, of_user);
    routes
        .on(READ_CONVERSATIONS, "/conversations", list)
        .on(DELETE_CONVERSATIONS, "/conversations", of_user)
        .on(READ_CONVERSATIONS, "/conversations/{id}", show)
        .on(DELETE_CONVERSATIONS, "/conversations/{id}", delete)
}

fn stats_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("stats", id, summary);
    let show = get_with(stats::show, about("getStats", "Read statistics"));
    let projection = about("getProjection", "Say where the month leads");
    let projection = get_with(stats::projection, projection);
    let as_csv = about("exportStats", "Download statistics as CSV");
    let as_csv = get_with(exports::stats, as_csv);
    let events = get_with(exports::events, about("exportEvents", "Download events as CSV"));
    let focus = get_with(
        exports::focus,
        about("exportFocus", "Download costs in FOCUS 1.2"),
    );
    routes
        .on(READ_STATS, "/stats", show)
        .on(READ_STATS, "/stats/projection", projection)
        .on(READ_STATS, "/exports/stats.csv", as_csv)
        .on(READ_EVENTS, "/exports/events.csv", events)
        .on(READ_STATS, "/exports/focus.csv", focus)
}

fn webhooks_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("webhooks", id, summary);
    let list = get_with(webhooks::list, about("listWebhooks", "List webhooks"));
    let create = about(
        "createWebhook",
        "Create a webhook, whose secret is shown this once",
    );
    let create = post_with(webhooks::create, create);
    let show = get_with(webhooks::show, about("getWebhook", "Show a webhook"));
    let edit = about("editWebhook", "Change a webhook: what is absent stays");
    let edit = patch_with(webhooks::edit, edit);
    let delete = about("deleteWebhook", "Delete a webhook with its deliveries");
    let delete = delete_with(webhooks::delete, delete);
    let deliveries = about("listDeliveries", "List a webhook's deliveries and dead letters");
    let deliveries = get_with(webhooks::deliveries, deliveries);
    let retry = post_with(
        webhooks::retry,
        about("retryDelivery", "Send a dead letter again"),
    );
    routes
        .on(READ_WEBHOOKS, "/webhooks", list)
        .once(WRITE_WEBHOOKS, "/webhooks", create)
        .on(READ_WEBHOOKS, "/webhooks/{id}", show)
        .on(WRITE_WEBHOOKS, "/webhooks/{id}", edit)
        .on(WRITE_WEBHOOKS, "/webhooks/{id}", delete)
        .on(READ_WEBHOOKS, "/webhooks/{id}/deliveries", deliveries)
        .on(
            WRITE_WEBHOOKS,
            "/webhooks/{id}/deliveries/{delivery}/retry",
            retry,
        )
}

fn operators_of(routes: Guarded) -> Guarded {
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

fn tokens_of(routes: Guarded) -> Guarded {
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

fn workspaces_of(routes: Guarded) -> Guarded {
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

fn users_of(routes: Guarded) -> Guarded {
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

fn policies_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("moderation", id, summary);
    let or_conflict = |id, summary| about_or_conflict("moderation", id, summary);
    let list = about("listModerationPolicies", "List moderation policies");
    let list = get_with(moderation_policies::list, list);
    let create = post_with(
        moderation_policies::create,
        or_conflict("createModerationPolicy", "Create a moderation policy"),
    );
    let show = about("getModerationPolicy", "Show a moderation policy");
    let show = get_with(moderation_policies::show, show);
    let edit = patch_with(
        moderation_policies::edit,
        or_conflict(
            "editModerationPolicy",
            "Put another policy in the place of one that this API made",
        ),
    );
    let delete = delete_with(
        moderation_policies::delete,
        or_conflict(
            "deleteModerationPolicy",
            "Delete a moderation policy that nothing has",
        ),
    );
    routes
        .on(READ_POLICIES, "/moderation/policies", list)
        .once(WRITE_POLICIES, "/moderation/policies", create)
        .on(READ_POLICIES, "/moderation/policies/{id}", show)
        .on(WRITE_POLICIES, "/moderation/policies/{id}", edit)
        .on(WRITE_POLICIES, "/moderation/policies/{id}", delete)
}

fn prices_of(routes: Guarded) -> Guarded {
    let about = |id, summary| about("prices", id, summary);
    let or_conflict = |id, summary| about_or_conflict("prices", id, summary);
    let list = get_with(
        prices::list,
        about("listPrices", "List prices that operators set"),
    );
    let create = post_with(
        prices::create,
        or_conflict("createPrice", "Set the price of a model"),
    );
    let show = get_with(prices::show, about("getPrice", "Show a price"));
    let edit = about("editPrice", "Put another price in the place of one");
    let edit = patch_with(prices::edit, edit);
    let delete = about(
        "deletePrice",
        "Delete a price: that of gateways' configurations holds again",
    );
    let delete = delete_with(prices::delete, delete);
    routes
        .on(READ_PRICES, "/prices", list)
        .once(WRITE_PRICES, "/prices", create)
        .on(READ_PRICES, "/prices/{id}", show)
        .on(WRITE_PRICES, "/prices/{id}", edit)
        .on(WRITE_PRICES, "/prices/{id}", delete)
}
