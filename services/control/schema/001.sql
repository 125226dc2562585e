-- The first schema. Applied in one transaction; user_version becomes 1.

-- One row, made by store.c.
CREATE TABLE state (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    database_id    TEXT NOT NULL,
    version        INTEGER NOT NULL,   -- grows with every change of anything; never repeats
    changes_floor  INTEGER NOT NULL    -- 'changes' is complete for versions above this
) STRICT;

-- Models (1), endpoint configs (2) and endpoints (3): what lists sort and filter by is a column, the rest one message.
CREATE TABLE resources (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
    name        TEXT NOT NULL,
    status      INTEGER NOT NULL,      -- pilotlight.v1.EndpointStatus; 0 for what has none
    created_ms  INTEGER NOT NULL,      -- since 1970 UTC
    updated_ms  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    body        BLOB NOT NULL,         -- pilotlight.v1.Model, pilotlight.v1.EndpointConfig, pilotlight.internal.v1.EndpointRecord
    UNIQUE (kind, name)
) STRICT;
CREATE INDEX resources_by_created ON resources (kind, created_ms, name);
CREATE INDEX resources_by_status ON resources (kind, status, name);

CREATE TABLE tags (
    resource_id  INTEGER NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    key          TEXT NOT NULL,
    value        TEXT NOT NULL,
    PRIMARY KEY (resource_id, key)
) STRICT, WITHOUT ROWID;

-- Answers to creates and updates that carried a request id, for as long as they may be asked for again.
CREATE TABLE requests (
    method       TEXT NOT NULL,
    request_id   TEXT NOT NULL,
    content      INTEGER NOT NULL,     -- digest of the request
    answered_ms  INTEGER NOT NULL,     -- since 1970 UTC
    answer       BLOB NOT NULL,
    PRIMARY KEY (method, request_id)
) STRICT;
CREATE INDEX requests_by_age ON requests (answered_ms);

-- What routers have to hear: at which version an endpoint or a host last changed or went. The oldest are trimmed.
CREATE TABLE changes (
    kind     INTEGER NOT NULL CHECK (kind IN (3, 4)),   -- endpoint, worker host
    name     TEXT NOT NULL,
    version  INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Worker hosts that hold a lease, or held one when control stopped.
CREATE TABLE hosts (
    id     TEXT PRIMARY KEY,
    epoch  INTEGER NOT NULL,
    body   BLOB NOT NULL               -- pilotlight.internal.v1.WorkerHost
) STRICT;
