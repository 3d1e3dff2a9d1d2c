-- Submissions as Sluice exports them: JSON lines in folders dt=YYYY-MM-DD, or a Kafka topic. A submission has a line for
-- each state in which it was seen, and lines are repeated rather than lost: the one with the greatest updated_at holds.
--
-- A line without a submission_id is a sign of life: no change before its updated_at will be told any more. It moves the
-- streaming job's time on where no orders come.
CREATE TABLE submissions (
    submission_id   STRING COMMENT 'Key; empty in a sign of life, of which updated_at alone is given.',
    application_id  STRING COMMENT 'Application submitted; key of orders.',
    insurer_id      STRING COMMENT 'Insurer that was called.',
    product_code    STRING COMMENT 'Product asked for.',
    product_line    STRING COMMENT 'Group of products.',
    attempt         INT    COMMENT '1 for the first submission of the order.',
    kind            STRING COMMENT 'SUBMIT, RETRY, REPORTED (another team called) or CALLBACK (told by the insurer of its own accord).',
    outcome         STRING COMMENT 'Optional: how the call ended: SUCCESS, BUSINESS_REJECTION, TECHNICAL_FAILURE, UNKNOWN or CALLER_FAULT; empty while it is under way.',
    settled_outcome STRING COMMENT 'Optional: what was found out later.',
    error_code      STRING COMMENT 'Optional: code of the insurer or of the transport.',
    latency_ms      BIGINT COMMENT 'Optional: duration of the call, in milliseconds.',
    started_at      STRING COMMENT 'Instant at which the call began, RFC 3339 in UTC ending in Z.',
    finished_at     STRING COMMENT 'Optional: instant at which it ended, likewise.',
    settled_at      STRING COMMENT 'Optional: instant at which its outcome was found out, likewise.',
    incident_id     STRING COMMENT 'Optional: incident that affected the order.',
    updated_at      STRING COMMENT 'Instant of the latest of these events, with microseconds, likewise; the greatest holds.'
) COMMENT 'Optional: calls to insurers made by Sluice.' WITH (
    'connector' = 'filesystem',
    'path' = '${input}/submissions',
    'format' = 'csv',
    'csv.null-literal' = ''
);
