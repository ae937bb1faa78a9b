-- Webhooks: who is told of notifications, and each delivery until it is made or given up.
INSERT INTO counters (name, value) VALUES ('webhook_fan_out', 0); -- the last notification that has its deliveries

CREATE TABLE webhooks (
    id         TEXT PRIMARY KEY NOT NULL,
    url        TEXT NOT NULL,
    secret     TEXT NOT NULL,          -- whsec_ and base64: it signs, so it is kept as it is
    kinds      TEXT NOT NULL,          -- JSON array of kinds of notifications; empty for all
    status     TEXT NOT NULL CHECK (status IN ('active', 'paused')),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE webhook_deliveries (
    id              TEXT PRIMARY KEY NOT NULL,
    webhook_id      TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    notification_id TEXT NOT NULL REFERENCES notifications (id),
    state           TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts        INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    claimed_until   INTEGER NOT NULL,  -- a sidecar is at it until then
    last_status     INTEGER,           -- HTTP status of the last attempt; null where there was no answer
    last_error      TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    UNIQUE (webhook_id, notification_id)
) STRICT;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE state = 'pending';
