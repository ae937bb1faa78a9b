-- Who may do what: operators, who sign in, and tokens of the API for programs.
CREATE TABLE operators (
    id            TEXT PRIMARY KEY NOT NULL,
    name          TEXT NOT NULL UNIQUE,
    password_hash TEXT,                  -- Argon2id, in PHC's form; null where there is no sign-in by password
    roles         JSONB NOT NULL,        -- JSON object: a role for each workspace, and for all with *
    status        TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL
);

CREATE TABLE api_tokens (
    id           TEXT PRIMARY KEY NOT NULL,
    sha256       BYTEA NOT NULL UNIQUE,
    prefix       TEXT NOT NULL,
    name         TEXT NOT NULL,
    workspace    TEXT,                   -- null for every one
    role         TEXT NOT NULL CHECK (role IN ('viewer', 'member', 'admin', 'owner')),
    scopes       JSONB,                  -- JSON array; null for all that the role may
    operator_id  TEXT REFERENCES operators (id) ON DELETE CASCADE, -- who made it, and can no more than they; null for the admin token
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT,
    created_at   BIGINT NOT NULL
);
CREATE INDEX api_tokens_by_workspace ON api_tokens (workspace, id);

-- Whose a budget is: the workspace that its subject names; * for templates, null where it names none.
ALTER TABLE budgets ADD COLUMN workspace TEXT GENERATED ALWAYS AS (subject::jsonb ->> 'workspace') STORED;
