-- Claims as the claims system tells of them, as they come: JSON lines in *.jsonl files, or a Kafka topic. A claim may be
-- told of several times; it counts once, at its report, with the greatest amount told until the windows of its report
-- are closed.
--
-- A line without a claim_id is a sign of life, as in submissions: nothing reported before its reported_at will come.
CREATE TABLE claim_events (
    claim_id       STRING COMMENT 'Key; empty in a sign of life, of which reported_at alone is given.',
    policy_id      STRING COMMENT 'Policy claimed on; key of policies.',
    store_id       STRING COMMENT 'Optional: store that sold the policy; without it the claim counts for no store.',
    repair_shop_id STRING COMMENT 'Optional: shop that repairs; without it the claim counts for no shop.',
    part_code      STRING COMMENT 'Part repaired or replaced.',
    fault_code     STRING COMMENT 'What happened.',
    occurred_on    STRING COMMENT 'Day of the damage.',
    reported_at    STRING COMMENT 'Instant of the report, RFC 3339 in UTC ending in Z; the same in every line of the claim.',
    incurred_minor BIGINT COMMENT 'Paid plus reserved, in minor units.',
    status         STRING COMMENT 'OPEN, PAID or DENIED.'
) COMMENT 'Claims as they are reported.' WITH (
    'connector' = 'filesystem',
    'path' = '${claims}',
    'format' = 'json'
);
