-- The first schema. Never edited after a release; changes come as further files.
-- Times are milliseconds since 1970-01-01 UTC. A device is 'model/serial'.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE tickets (
    id           INTEGER NOT NULL PRIMARY KEY, -- the number of T-<number>
    version      INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    device       TEXT NOT NULL,
    model        TEXT NOT NULL,
    serial       TEXT NOT NULL,
    serial_lower TEXT NOT NULL,
    serial_tail  TEXT NOT NULL,                -- last four characters of serial_lower: what people read from the plate
    fault        TEXT NOT NULL,
    severity     TEXT NOT NULL,
    status       TEXT NOT NULL,
    closed       INTEGER NOT NULL,             -- 0 while open, so that open ones sort first
    assignee     TEXT,
    opened_at    INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    region       TEXT,
    lot          TEXT,
    ticket       TEXT NOT NULL                 -- the whole ticket as JSON
);
-- One ticket: at most one open ticket per device and fault.
CREATE UNIQUE INDEX tickets_one_open ON tickets (device, fault) WHERE closed = 0;
CREATE INDEX tickets_urgency ON tickets (closed, severity, opened_at, id);
CREATE INDEX tickets_opened ON tickets (opened_at, id);
CREATE INDEX tickets_updated ON tickets (updated_at, id);
CREATE INDEX tickets_device ON tickets (device);
CREATE INDEX tickets_serial ON tickets (serial_tail, serial_lower);

CREATE TABLE audit (
    seq        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    ticket     INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    change     TEXT NOT NULL,
    what       TEXT NOT NULL,
    by         TEXT,
    blob       TEXT,
    event_time INTEGER NOT NULL,
    changed    TEXT NOT NULL                   -- JSON object: the fields that changed, with their new values
);
CREATE UNIQUE INDEX audit_once ON audit (ticket, version);

CREATE TABLE rejected (
    position    INTEGER NOT NULL,
    item        INTEGER NOT NULL,              -- index in the batch; -1 when the whole message was refused
    received_at INTEGER NOT NULL,
    source      TEXT NOT NULL,
    topic       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    detail      TEXT NOT NULL,
    payload     BLOB NOT NULL,                 -- its first 4 KiB
    payload_len INTEGER NOT NULL,
    device      TEXT,
    replayed_at INTEGER,                       -- a later replay accepted it
    PRIMARY KEY (position, item)
);
CREATE INDEX rejected_device ON rejected (device, position);

CREATE TABLE devices (
    device       TEXT NOT NULL PRIMARY KEY,
    model        TEXT NOT NULL,
    serial       TEXT NOT NULL,
    serial_lower TEXT NOT NULL,
    first_seen   INTEGER NOT NULL,
    last_seen    INTEGER NOT NULL,
    online       INTEGER,
    identity     TEXT,                         -- JSON; NULL while nothing was told
    standing     TEXT,                         -- NULL: in service
    messages     INTEGER NOT NULL,
    rejected     INTEGER NOT NULL,
    duplicates   INTEGER NOT NULL,
    seq_restarts INTEGER NOT NULL
);
CREATE INDEX devices_model ON devices (model, device);

CREATE TABLE outbox (
    id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    channel  TEXT NOT NULL,
    key      TEXT NOT NULL UNIQUE,
    payload  TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due      INTEGER NOT NULL,                 -- not before; while leased, the end of the lease
    state    TEXT NOT NULL,                    -- 'pending' or 'dead'
    error    TEXT
);
CREATE INDEX outbox_due ON outbox (channel, state, due, id);

CREATE TABLE blobs (
    id     TEXT NOT NULL PRIMARY KEY,
    text   TEXT NOT NULL,
    erased INTEGER NOT NULL
);

CREATE TABLE actions (
    key         TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status      INTEGER NOT NULL,
    reply       TEXT NOT NULL,
    at          INTEGER NOT NULL
);
CREATE INDEX actions_at ON actions (at);
