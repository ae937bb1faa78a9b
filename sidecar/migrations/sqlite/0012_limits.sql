-- Limits of the admin API: with the resets, the policy that every gateway follows.
INSERT INTO counters (name, value) VALUES ('policy_version', 0);

CREATE TABLE limits (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    workspace  TEXT,                   -- the one that it is for, where that is one
    spec       TEXT NOT NULL,          -- JSON, as gateways compile it
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL        -- of the policy, at its last change
) STRICT;

-- What operators have given back, of these limits and of those of gateways' configurations.
CREATE TABLE limit_resets (
    generation INTEGER PRIMARY KEY NOT NULL, -- larger than that of any reset before it
    limit_name TEXT NOT NULL,
    subject    TEXT NOT NULL,                -- JSON; empty for everybody
    expires_at INTEGER NOT NULL
) STRICT;
