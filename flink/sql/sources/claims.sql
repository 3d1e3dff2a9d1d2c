-- One row a claim, with its state at the watermark.
CREATE TABLE claims (
    claim_id       STRING COMMENT 'Key.',
    policy_id      STRING COMMENT 'Policy claimed on; key of policies.',
    repair_shop_id STRING COMMENT 'Optional: shop that repaired; key of repair_shops.',
    part_code      STRING COMMENT 'Part repaired or replaced; key of parts.',
    fault_code     STRING COMMENT 'What happened.',
    occurred_on    DATE   COMMENT 'Day of the damage.',
    reported_at    STRING COMMENT 'Instant of the report, RFC 3339 in UTC ending in Z.',
    incurred_minor BIGINT COMMENT 'Paid plus reserved, in minor units; of a DENIED claim the amount asked.',
    status         STRING COMMENT 'OPEN, PAID or DENIED.'
) COMMENT 'Claims reported.' WITH (
    'connector' = 'filesystem',
    'path' = '${input}/claims',
    'format' = 'csv',
    'csv.null-literal' = ''
);
