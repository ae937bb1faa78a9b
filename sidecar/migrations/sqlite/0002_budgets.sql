-- Budgets: what they are, their accounts, the leases of gateways, deposits, charges. Amounts are in the smallest
-- part of the budget's unit: nano-dollars, tokens, requests.
INSERT INTO counters (name, value) VALUES ('budget_version', 0), ('lease', 0), ('notification', 0);

CREATE TABLE budgets (
    id             TEXT PRIMARY KEY NOT NULL,
    name           TEXT NOT NULL,
    subject        TEXT NOT NULL,        -- its JSON, facets in a fixed order
    shape          INTEGER NOT NULL,     -- which facets it names, a bit each
    is_template    INTEGER NOT NULL,     -- makes a budget for each subject that is seen
    template_id    TEXT REFERENCES budgets (id), -- the template that made it
    unit           TEXT NOT NULL CHECK (unit IN ('usd', 'tokens', 'requests')),
    period         TEXT NOT NULL CHECK (period IN ('request', 'day', 'week', 'month', 'total')),
    start_day      INTEGER NOT NULL,
    time_zone      TEXT NOT NULL,
    amount         INTEGER NOT NULL,
    thresholds     TEXT NOT NULL,        -- JSON array of percentages
    enforcement    TEXT NOT NULL CHECK (enforcement IN ('hard', 'soft')),
    on_unavailable TEXT NOT NULL CHECK (on_unavailable IN ('deny', 'allow')),
    is_changed     INTEGER NOT NULL,     -- by an operator, since its template made it: it follows the template no more
    declared       TEXT,                 -- its JSON in the configuration that made it or last changed it
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    archived_at    INTEGER,
    made           INTEGER NOT NULL DEFAULT 0, -- live budgets, by this template
    version        INTEGER NOT NULL      -- of all budgets' definitions, when it was last changed
) STRICT;
CREATE INDEX budgets_by_subject ON budgets (subject) WHERE archived_at IS NULL;
CREATE INDEX budgets_by_shape ON budgets (shape) WHERE archived_at IS NULL AND template_id IS NULL;
CREATE UNIQUE INDEX budgets_made_once ON budgets (template_id, subject)
    WHERE archived_at IS NULL AND template_id IS NOT NULL;
CREATE INDEX budgets_by_template ON budgets (template_id, id) WHERE archived_at IS NULL AND template_id IS NOT NULL;

-- A budget in one window of its period. spent is the sum of its charges, leased what its leases may still spend.
CREATE TABLE budget_accounts (
    id           INTEGER PRIMARY KEY NOT NULL,
    budget_id    TEXT NOT NULL REFERENCES budgets (id),
    window_start INTEGER NOT NULL,
    window_end   INTEGER,              -- null where it has none
    amount       INTEGER NOT NULL,
    spent        INTEGER NOT NULL,
    leased       INTEGER NOT NULL,
    overrun      INTEGER NOT NULL,
    debt         INTEGER NOT NULL,
    told         TEXT NOT NULL,        -- JSON array of the thresholds that were told
    round        INTEGER NOT NULL,     -- how often a deposit made thresholds worth telling again
    UNIQUE (budget_id, window_start)
) STRICT;

-- A part of an account that one gateway process has.
CREATE TABLE leases (
    id         INTEGER PRIMARY KEY NOT NULL,
    account_id INTEGER NOT NULL REFERENCES budget_accounts (id),
    gateway_id TEXT NOT NULL,
    instance   TEXT NOT NULL,
    granted    INTEGER NOT NULL,
    settled    INTEGER NOT NULL,
    returned   INTEGER NOT NULL,
    used       INTEGER NOT NULL,
    need       INTEGER NOT NULL,
    opened_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    stage      TEXT NOT NULL CHECK (stage IN ('open', 'done', 'closed'))
) STRICT;
CREATE INDEX leases_not_closed ON leases (account_id) WHERE stage <> 'closed';

-- When the ledger was last alive, and since when without a break: one row.
CREATE TABLE ledger_clock (
    id      INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    last    INTEGER NOT NULL,
    resumed INTEGER NOT NULL
) STRICT;
INSERT INTO ledger_clock (id, last, resumed) VALUES (1, 0, 0);

CREATE TABLE deposits (
    budget_id       TEXT NOT NULL REFERENCES budgets (id),
    idempotency_key TEXT NOT NULL,
    id              TEXT NOT NULL UNIQUE,
    amount          INTEGER NOT NULL,
    budget_amount   INTEGER NOT NULL,  -- of the budget after it
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (budget_id, idempotency_key)
) STRICT, WITHOUT ROWID;

-- What events charged to budgets, written with the event:
--   SELECT a.spent, SUM(c.charged) FROM budget_accounts a JOIN charges c ON c.account_id = a.id GROUP BY a.id, a.spent
CREATE TABLE charges (
    event_id   TEXT NOT NULL,
    part       INTEGER NOT NULL,       -- of the event
    budget_id  TEXT NOT NULL,
    account_id INTEGER REFERENCES budget_accounts (id), -- null where the ledger has no such budget
    lease_id   INTEGER,                -- null where it was reserved without one
    reserved   INTEGER NOT NULL,
    charged    INTEGER NOT NULL,
    manner     TEXT NOT NULL CHECK (manner IN ('leased', 'late', 'debt', 'counted', 'unknown')),
    PRIMARY KEY (event_id, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX charges_by_account ON charges (account_id);

-- Notifications: what somebody is to be told of. Written in the transaction in which it happened, so that it is
-- there exactly if that is; whoever delivers them follows seq, which becomes visible in order.
CREATE TABLE notifications (
    seq        INTEGER PRIMARY KEY NOT NULL,
    id         TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,          -- budget.threshold, lease.reclaimed
    dedupe_key TEXT NOT NULL UNIQUE,   -- the same thing is told once
    created_at INTEGER NOT NULL,
    body       TEXT NOT NULL           -- JSON
) STRICT;
