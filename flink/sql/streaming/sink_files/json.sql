-- Sinks of a store without JDBC: JSON lines, whole and exactly once at each checkpoint, which the runner loads by key.

CREATE TABLE insurer_window_json WITH (
    'connector' = 'filesystem', 'path' = '${results}/insurer_window', 'format' = 'json',
    'sink.rolling-policy.rollover-interval' = '1 s', 'sink.rolling-policy.inactivity-interval' = '1 s',
    'sink.rolling-policy.check-interval' = '1 s'
) LIKE insurer_window;
INSERT INTO insurer_window_json
SELECT
    insurer_id, window_start, window_end, orders, unfinished, submissions, insured, rejected, technical_failures, `unknown`,
    caller_faults, latency_ms_sum, latency_count, latency_ms_max, latency_le_100, latency_le_300, latency_le_1000,
    latency_le_3000, latency_le_10000
FROM insurer_window_rows;

CREATE TABLE repair_shop_window_json WITH (
    'connector' = 'filesystem', 'path' = '${results}/repair_shop_window', 'format' = 'json',
    'sink.rolling-policy.rollover-interval' = '1 s', 'sink.rolling-policy.inactivity-interval' = '1 s',
    'sink.rolling-policy.check-interval' = '1 s'
) LIKE repair_shop_window;
INSERT INTO repair_shop_window_json
SELECT
    entity_id, window_start, window_end, claims, incurred_minor, baseline_claims
FROM claim_window_rows
WHERE kind = 'REPAIR_SHOP_CLAIMS';

CREATE TABLE store_window_json WITH (
    'connector' = 'filesystem', 'path' = '${results}/store_window', 'format' = 'json',
    'sink.rolling-policy.rollover-interval' = '1 s', 'sink.rolling-policy.inactivity-interval' = '1 s',
    'sink.rolling-policy.check-interval' = '1 s'
) LIKE store_window;
INSERT INTO store_window_json
SELECT
    entity_id, window_start, window_end, claims, incurred_minor, baseline_claims
FROM claim_window_rows
WHERE kind = 'STORE_CLAIMS';

CREATE TABLE stream_warning_json WITH (
    'connector' = 'filesystem', 'path' = '${results}/stream_warning', 'format' = 'json',
    'sink.rolling-policy.rollover-interval' = '1 s', 'sink.rolling-policy.inactivity-interval' = '1 s',
    'sink.rolling-policy.check-interval' = '1 s'
) LIKE stream_warning;
INSERT INTO stream_warning_json
SELECT
    kind, entity_id, window_end, `value`, baseline, threshold, detected_at
FROM insurer_warning_rows;
INSERT INTO stream_warning_json
SELECT
    kind, entity_id, window_end, `value`, baseline, threshold, detected_at
FROM claim_warning_rows;
