-- Rollups: sums over events by time and group, written in the transaction that writes the events.
INSERT INTO counters (name, value) VALUES ('rolled_up', 0); -- the last event that is in them

CREATE TABLE rollups (
    step          INTEGER NOT NULL, -- length in milliseconds: a minute, an hour or a day (UTC)
    dimension     TEXT NOT NULL,    -- by what events are grouped: total, workspace, user, key, model, provider, endpoint
    scope         TEXT NOT NULL,    -- of which workspace; '' for all, those without one included
    time          INTEGER NOT NULL, -- when it begins
    value         TEXT NOT NULL,    -- the group; '' where events have none
    requests      INTEGER NOT NULL,
    refusals      INTEGER NOT NULL,
    errors        INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_nanousd  INTEGER NOT NULL,
    latency       BLOB NOT NULL,    -- a sketch (ledger/rollups/sketch.rs)
    PRIMARY KEY (step, dimension, scope, time, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX events_by_time ON events (time, seq);
