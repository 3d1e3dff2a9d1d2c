-- Submissions with their event time, from the folder of Sluice's export, which is looked at every second.
CREATE TABLE submission_stream (
    event_time AS TO_TIMESTAMP(REPLACE(REPLACE(updated_at, 'T', ' '), 'Z', '')),
    WATERMARK FOR event_time AS event_time - INTERVAL '${out_of_order_seconds}' SECOND
) WITH (
    'connector' = 'filesystem',
    'path' = '${submissions}',
    'source.monitor-interval' = '1 s',
    'source.path.regex-pattern' = '.*\.jsonl',
    'format' = 'json',
    'json.ignore-parse-errors' = 'true'
) LIKE submissions (EXCLUDING OPTIONS);
