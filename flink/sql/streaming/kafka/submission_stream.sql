-- Submissions with their event time, from the topic that Sluice exports to. The offsets are part of the job's state; the
-- start is the topic's where there is no state yet. Each partition has a watermark of its own.
CREATE TABLE submission_stream (
    event_time AS TO_TIMESTAMP(REPLACE(REPLACE(updated_at, 'T', ' '), 'Z', '')),
    WATERMARK FOR event_time AS event_time - INTERVAL '${out_of_order_seconds}' SECOND
) WITH (
    'connector' = 'kafka',
    'topic' = '${submissions}',
    'properties.bootstrap.servers' = '${bootstrap}',
    'properties.group.id' = 'sluice-flink',
    ${kafka_properties}'scan.startup.mode' = 'earliest-offset',
    -- A reader without a partition would hold everybody's time back.
    'scan.parallelism' = '1',
    'format' = 'json',
    'json.ignore-parse-errors' = 'true'
) LIKE submissions (EXCLUDING OPTIONS);
