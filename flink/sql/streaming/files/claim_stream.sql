CREATE TABLE claim_stream (
    event_time AS TO_TIMESTAMP(REPLACE(REPLACE(reported_at, 'T', ' '), 'Z', '')),
    WATERMARK FOR event_time AS event_time - INTERVAL '${out_of_order_seconds}' SECOND
) WITH (
    'connector' = 'filesystem',
    'path' = '${claims}',
    'source.monitor-interval' = '1 s',
    'source.path.regex-pattern' = '.*\.jsonl',
    'format' = 'json',
    'json.ignore-parse-errors' = 'true'
) LIKE claim_events (EXCLUDING OPTIONS);
