-- Workspaces and users: those that an operator made, and those that keys, budgets and events name.
CREATE TABLE workspaces (
    workspace     TEXT PRIMARY KEY NOT NULL,
    display_name  TEXT,
    status        TEXT NOT NULL CHECK (status IN ('active', 'paused')),
    moderation    TEXT,             -- a policy by name; null for the one of the sidecar's configuration
    first_seen_at BIGINT,           -- in events
    last_seen_at  BIGINT,
    created_at    BIGINT NOT NULL,  -- the row
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL   -- one more with each change of an operator
);

CREATE TABLE users (
    id            TEXT PRIMARY KEY NOT NULL,
    workspace     TEXT NOT NULL,
    name          TEXT NOT NULL,    -- what keys and events call them
    display_name  TEXT,
    status        TEXT NOT NULL CHECK (status IN ('active', 'paused')),
    first_seen_at BIGINT,           -- in events
    last_seen_at  BIGINT,
    created_at    BIGINT NOT NULL,  -- the row
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL   -- one more with each change of an operator
);
CREATE UNIQUE INDEX users_by_name ON users (workspace, name);

-- Longer names than an operator may give come in with their next event.
INSERT INTO workspaces (workspace, status, first_seen_at, last_seen_at, created_at, updated_at, version)
    SELECT workspace, 'active', MIN(first_seen_at), MAX(last_seen_at), MIN(created_at), MIN(created_at), 1 FROM (
        SELECT workspace, MIN(time) AS first_seen_at, MAX(time) AS last_seen_at, MIN(time) AS created_at
            FROM events WHERE length(workspace) BETWEEN 1 AND 128 GROUP BY workspace
        UNION ALL SELECT workspace, NULL::BIGINT, NULL::BIGINT, MIN(created_at) FROM keys GROUP BY workspace
        UNION ALL SELECT workspace, NULL::BIGINT, NULL::BIGINT, MIN(created_at) FROM budgets
            WHERE workspace <> '*' AND length(workspace) BETWEEN 1 AND 128 GROUP BY workspace
    ) AS known GROUP BY workspace;
INSERT INTO users (id, workspace, name, status, first_seen_at, last_seen_at, created_at, updated_at, version)
    SELECT 'usr_' || upper(replace(gen_random_uuid()::text, '-', '')), workspace, user_id, 'active',
        MIN(first_seen_at), MAX(last_seen_at),
        MIN(created_at), MIN(created_at), 1 FROM (
        SELECT workspace, user_id, MIN(time) AS first_seen_at, MAX(time) AS last_seen_at, MIN(time) AS created_at
            FROM events WHERE length(workspace) BETWEEN 1 AND 128 AND length(user_id) BETWEEN 1 AND 128
            GROUP BY workspace, user_id
        UNION ALL SELECT workspace, user_id, NULL::BIGINT, NULL::BIGINT, MIN(created_at) FROM keys
            WHERE user_id IS NOT NULL GROUP BY workspace, user_id
    ) AS known GROUP BY workspace, user_id;

-- Keys of a workspace, and of a user in it, are told of again when that is paused.
CREATE INDEX keys_by_user ON keys (workspace, user_id);
