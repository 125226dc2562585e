-- Routers that watch, or watched when control stopped: after a start they are expected back.
CREATE TABLE routers (
    id  TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
