-- Each claim once, by the quarter minute of its report: a report's instant is the same in every line, so repeats meet here
-- or come too late to be counted again.
CREATE VIEW claim_once AS
SELECT
    claim_id, window_time AS claim_time,
    MAX(repair_shop_id) AS repair_shop_id, MAX(store_id) AS store_id, COALESCE(MAX(incurred_minor), 0) AS incurred_minor
FROM TABLE(TUMBLE(DATA => TABLE claim_stream, TIMECOL => DESCRIPTOR(event_time), SIZE => INTERVAL '15' SECOND))
WHERE claim_id IS NOT NULL
GROUP BY claim_id, window_start, window_end, window_time;

CREATE VIEW claim_by_entity AS
SELECT 'REPAIR_SHOP_CLAIMS' AS kind, repair_shop_id AS entity_id, incurred_minor, claim_time
FROM claim_once WHERE repair_shop_id IS NOT NULL
UNION ALL
SELECT 'STORE_CLAIMS', store_id, incurred_minor, claim_time
FROM claim_once WHERE store_id IS NOT NULL;

-- With each claim those of the same shop or store in the seven days up to it, itself included.
CREATE VIEW claim_with_history AS
SELECT
    kind, entity_id, incurred_minor, claim_time,
    COUNT(*) OVER week AS claims_of_week,
    MIN(CAST(TIMESTAMPDIFF(SECOND, TIMESTAMP '2000-01-01 00:00:00', CAST(claim_time AS TIMESTAMP(3))) AS BIGINT)) OVER week
        AS first_second
FROM claim_by_entity
WINDOW week AS (
    PARTITION BY kind, entity_id ORDER BY claim_time RANGE BETWEEN INTERVAL '7' DAY PRECEDING AND CURRENT ROW
);

CREATE VIEW claim_window_sums AS
SELECT
    kind, entity_id, window_start, window_end, window_time,
    COUNT(*) AS claims,
    SUM(incurred_minor) AS incurred_minor,
    MAX(claims_of_week) - COUNT(*) AS claims_before,
    CAST(TIMESTAMPDIFF(SECOND, TIMESTAMP '2000-01-01 00:00:00', window_start) AS BIGINT) - MIN(first_second) AS seconds_before
FROM TABLE(HOP(
    DATA => TABLE claim_with_history, TIMECOL => DESCRIPTOR(claim_time), SLIDE => INTERVAL '15' SECOND,
    SIZE => INTERVAL '30' MINUTE))
GROUP BY kind, entity_id, window_start, window_end, window_time;

-- One claim more than seen: who has had none in a day is not expected to have none for ever.
CREATE VIEW claim_window_rows AS
SELECT
    kind, entity_id, window_start, window_end, window_time, claims, incurred_minor,
    CASE WHEN seconds_before >= 21600 THEN (claims_before + 1) * 1800.0E0 / seconds_before END AS baseline_claims
FROM claim_window_sums;
