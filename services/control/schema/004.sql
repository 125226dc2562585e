-- Variants that stood for instances before they had a field that says so (store_persistent.c).
UPDATE resources SET body = mark_persistent(kind, body) WHERE kind IN (2, 3);
