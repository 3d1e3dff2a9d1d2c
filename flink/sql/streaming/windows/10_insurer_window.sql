-- A window's rows are written once, when the watermark has passed its end. Lines are repeated rather than lost; repeats
-- change no figure, because a submission is brought to its newest state in each window before anything is counted.
CREATE VIEW submission_in_window AS
SELECT
    insurer_id, application_id, submission_id, window_start, window_end, window_time, latency_ms,
    COALESCE(outcome, settled_outcome) AS outcome,
    COALESCE(settled_outcome, outcome) AS standing
FROM (
    SELECT
        insurer_id, application_id, submission_id, window_start, window_end, window_time,
        MAX(latency_ms) AS latency_ms,
        -- How the call ended never changes; what was found out may, and the latest counts: 27 characters tell the instant.
        MAX(outcome) AS outcome,
        SUBSTRING(MAX(updated_at || settled_outcome) FROM 28) AS settled_outcome
    FROM TABLE(HOP(
        DATA => TABLE submission_stream, TIMECOL => DESCRIPTOR(event_time), SLIDE => INTERVAL '15' SECOND,
        SIZE => INTERVAL '30' MINUTE))
    WHERE submission_id IS NOT NULL AND insurer_id IS NOT NULL AND application_id IS NOT NULL
    GROUP BY insurer_id, application_id, submission_id, window_start, window_end, window_time
);

CREATE VIEW insurer_window_rows AS
SELECT
    insurer_id, window_start, window_end, window_time,
    COUNT(DISTINCT application_id) AS orders,
    COUNT(DISTINCT application_id)
        - COUNT(DISTINCT application_id) FILTER (WHERE standing IN ('SUCCESS', 'BUSINESS_REJECTION')) AS unfinished,
    COUNT(*) AS submissions,
    COUNT(*) FILTER (WHERE outcome = 'SUCCESS') AS insured,
    COUNT(*) FILTER (WHERE outcome = 'BUSINESS_REJECTION') AS rejected,
    COUNT(*) FILTER (WHERE outcome = 'TECHNICAL_FAILURE') AS technical_failures,
    COUNT(*) FILTER (WHERE outcome = 'UNKNOWN') AS `unknown`,
    COUNT(*) FILTER (WHERE outcome = 'CALLER_FAULT') AS caller_faults,
    COALESCE(SUM(latency_ms), 0) AS latency_ms_sum,
    COUNT(latency_ms) AS latency_count,
    COALESCE(MAX(latency_ms), 0) AS latency_ms_max,
    COUNT(*) FILTER (WHERE latency_ms <= 100) AS latency_le_100,
    COUNT(*) FILTER (WHERE latency_ms <= 300) AS latency_le_300,
    COUNT(*) FILTER (WHERE latency_ms <= 1000) AS latency_le_1000,
    COUNT(*) FILTER (WHERE latency_ms <= 3000) AS latency_le_3000,
    COUNT(*) FILTER (WHERE latency_ms <= 10000) AS latency_le_10000
FROM submission_in_window
GROUP BY insurer_id, window_start, window_end, window_time;
