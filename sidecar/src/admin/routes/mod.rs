//! Which paths there are, what each needs, and what it is called.

mod identities;
mod policies;
mod records;

use crate::access::Guarded;
use crate::state::App;

/// All that need to know who asks.
pub(super) fn guarded(app: &App) -> Guarded {
    let routes = identities::keys_of(Guarded::new(app));
    let routes = policies::budgets_of(routes);
    let routes = policies::limits_of(routes);
    let routes = records::logs_of(routes);
    let routes = records::conversations_of(routes);
    let routes = records::stats_of(routes);
    let routes = records::webhooks_of(routes);
    let routes = identities::operators_of(routes);
    let routes = identities::tokens_of(routes);
    let routes = identities::workspaces_of(routes);
    let routes = policies::moderation_policies_of(routes);
    let routes = policies::prices_of(routes);
    identities::users_of(routes)
}
