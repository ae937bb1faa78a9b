-- Moderation policies that operators made, beside those of the configuration.
INSERT INTO counters (name, value) VALUES ('moderation_version', 0);

CREATE TABLE moderation_policies (
    name       TEXT PRIMARY KEY NOT NULL,
    spec       TEXT NOT NULL,    -- JSON, as the configuration would have it
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL  -- of all policies, when it was last changed
) STRICT, WITHOUT ROWID;

-- Prices that operators set: a part of the policy that gateways follow, before those of their configurations.
CREATE TABLE prices (
    model      TEXT PRIMARY KEY NOT NULL,
    price      TEXT NOT NULL,    -- JSON, as it was written
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL  -- of the policy, when it was last changed
) STRICT, WITHOUT ROWID;
