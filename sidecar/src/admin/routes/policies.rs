//! What holds for requests: budgets, limits, prices, moderation policies.

use aide::axum::routing::{delete_with, get_with, patch_with, post_with};

use crate::access::{Guarded, Rule, Scope};
use crate::admin::{budgets, limits, moderation_policies, prices, raises};
use crate::http::openapi::{about, about_or_conflict};
use crate::principal::Role;

const READ_BUDGETS: Rule = Rule::workspace(Scope::BudgetsRead, Role::Viewer);
const WRITE_BUDGETS: Rule = Rule::workspace(Scope::BudgetsWrite, Role::Admin);
const READ_LIMITS: Rule = Rule::workspace(Scope::LimitsRead, Role::Viewer);
const WRITE_LIMITS: Rule = Rule::workspace(Scope::LimitsWrite, Role::Admin);
const WRITE_ALL_LIMITS: Rule = Rule::everywhere(Scope::LimitsWrite, Role::Admin);
const READ_POLICIES: Rule = Rule::everywhere(Scope::ModerationsRead, Role::Viewer);
const WRITE_POLICIES: Rule = Rule::everywhere(Scope::ModerationsWrite, Role::Admin);
const READ_PRICES: Rule = Rule::everywhere(Scope::PricesRead, Role::Viewer);
const WRITE_PRICES: Rule = Rule::everywhere(Scope::PricesWrite, Role::Admin);

pub(super) fn budgets_of(routes: Guarded) -> Guarded {
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

pub(super) fn limits_of(routes: Guarded) -> Guarded {
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

pub(super) fn prices_of(routes: Guarded) -> Guarded {
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

pub(super) fn moderation_policies_of(routes: Guarded) -> Guarded {
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
