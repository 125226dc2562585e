-- What was measured and served.

CREATE TABLE metrics (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    dimensions  TEXT NOT NULL,         -- sorted: metric_key.h
    last_ms     INTEGER NOT NULL,      -- start of the newest row
    UNIQUE (namespace, name, dimensions)
) STRICT;
CREATE INDEX metrics_by_age ON metrics (last_ms);

-- Statistics of the values of [start_s, start_s + resolution_s). A value is in one row at any time: retention.h.
CREATE TABLE points (
    metric_id     INTEGER NOT NULL REFERENCES metrics (id) ON DELETE CASCADE,
    resolution_s  INTEGER NOT NULL CHECK (resolution_s IN (1, 60, 300, 3600)),
    start_s       INTEGER NOT NULL,    -- since 1970 UTC; a multiple of resolution_s
    unit          INTEGER NOT NULL,    -- metric_key.c
    count         REAL NOT NULL CHECK (count > 0),
    sum           REAL NOT NULL,
    min           REAL NOT NULL,
    max           REAL NOT NULL,
    sketch        BLOB NOT NULL,       -- common/sketch; empty when it follows from min and max
    PRIMARY KEY (metric_id, resolution_s, start_s, unit)
) STRICT, WITHOUT ROWID;

-- The last batch of each reporter that is in the tables above and below: batches that come again are passed over.
CREATE TABLE reporters (
    id        TEXT PRIMARY KEY,
    epoch     INTEGER NOT NULL,
    sequence  INTEGER NOT NULL,
    seen_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- pilotlight.v1.Usage, in integers that only grow.
CREATE TABLE usage (
    day                    INTEGER NOT NULL,   -- days since 1970 UTC
    endpoint               TEXT NOT NULL,
    variant                TEXT NOT NULL,
    memory_size_mb         INTEGER NOT NULL,
    invocations            INTEGER NOT NULL,
    billed_ms              INTEGER NOT NULL,
    provisioned_billed_ms  INTEGER NOT NULL,
    provisioned_ms         INTEGER NOT NULL,
    cold_starts            INTEGER NOT NULL,
    cold_start_ms          INTEGER NOT NULL,
    bytes_in               INTEGER NOT NULL,
    bytes_out              INTEGER NOT NULL,
    PRIMARY KEY (day, endpoint, variant, memory_size_mb)
) STRICT, WITHOUT ROWID;

CREATE TABLE alarms (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    state       INTEGER NOT NULL,      -- pilotlight.v1.AlarmState
    body        BLOB NOT NULL,         -- pilotlight.v1.Alarm
    to_do       INTEGER NOT NULL       -- 1: the actions of its state have not been run yet
) STRICT;

CREATE TABLE alarm_history (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    alarm       TEXT NOT NULL,         -- its name; entries outlive it
    event       INTEGER NOT NULL,      -- pilotlight.v1.AlarmEvent
    at_ms       INTEGER NOT NULL,
    summary     TEXT NOT NULL,
    data        TEXT NOT NULL
) STRICT;
CREATE INDEX alarm_history_by_alarm ON alarm_history (alarm, id);
CREATE INDEX alarm_history_by_age ON alarm_history (at_ms);

CREATE TABLE scaling_targets (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint    TEXT NOT NULL,
    variant     TEXT NOT NULL,
    body        BLOB NOT NULL,         -- pilotlight.v1.ScalingTarget
    UNIQUE (endpoint, variant)
) STRICT;

-- Policies (1) and schedules (2) of a target.
CREATE TABLE scaling_rules (
    target_id   INTEGER NOT NULL REFERENCES scaling_targets (id) ON DELETE CASCADE,
    kind        INTEGER NOT NULL CHECK (kind IN (1, 2)),
    name        TEXT NOT NULL,
    body        BLOB NOT NULL,         -- pilotlight.v1.ScalingPolicy, pilotlight.v1.ScalingSchedule
    PRIMARY KEY (target_id, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE scaling_activities (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint    TEXT NOT NULL,
    variant     TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    body        BLOB NOT NULL          -- pilotlight.v1.ScalingActivity
) STRICT;
CREATE INDEX scaling_activities_by_variant ON scaling_activities (endpoint, variant, id);
CREATE INDEX scaling_activities_by_age ON scaling_activities (at_ms);
