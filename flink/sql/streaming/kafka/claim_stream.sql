CREATE TABLE claim_stream (
    event_time AS TO_TIMESTAMP(REPLACE(REPLACE(reported_at, 'T', ' '), 'Z', '')),
    WATERMARK FOR event_time AS event_time - INTERVAL '${out_of_order_seconds}' SECOND
) WITH (
    'connector' = 'kafka',
    'topic' = '${claims}',
    'properties.bootstrap.servers' = '${bootstrap}',
    'properties.group.id' = 'sluice-flink',
    ${kafka_properties}'scan.startup.mode' = 'earliest-offset',
    -- A reader without a partition would hold everybody's time back.
    'scan.parallelism' = '1',
    'format' = 'json',
    'json.ignore-parse-errors' = 'true'
) LIKE claim_events (EXCLUDING OPTIONS);
