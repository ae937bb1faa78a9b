//! What must outlive the proxy: keys, ledger, moderation, admin API.
