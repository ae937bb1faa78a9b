//! What is known of requests, and who is told of it.

use aide::axum::routing::{delete_with, get_with, patch_with, post_with};

use crate::access::{Guarded, Rule, Scope};
use crate::admin::{audit, conversations, events, exports, moderations, stats, webhooks};
use crate::http::openapi::about;
use crate::principal::Role;

const READ_AUDIT: Rule = Rule::workspace(Scope::AuditRead, Role::Viewer);
const READ_EVENTS: Rule = Rule::workspace(Scope::EventsRead, Role::Viewer);
const READ_STATS: Rule = Rule::workspace(Scope::StatsRead, Role::Viewer);
const READ_MODERATIONS: Rule = Rule::workspace(Scope::ModerationsRead, Role::Viewer);
const READ_CONVERSATIONS: Rule = Rule::workspace(Scope::ConversationsRead, Role::Admin);
const DELETE_CONVERSATIONS: Rule = Rule::workspace(Scope::ConversationsWrite, Role::Admin);
const READ_WEBHOOKS: Rule = Rule::everywhere(Scope::WebhooksRead, Role::Viewer);
const WRITE_WEBHOOKS: Rule = Rule::everywhere(Scope::WebhooksWrite, Role::Admin);

pub(super) fn logs_of(routes: Guarded) -> Guarded {
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

pub(super) fn conversations_of(routes: Guarded) -> Guarded {
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

pub(super) fn stats_of(routes: Guarded) -> Guarded {
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

pub(super) fn webhooks_of(routes: Guarded) -> Guarded {
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
