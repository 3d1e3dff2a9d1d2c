-- Orders as Sluice exports them, finished or not: JSON lines in folders dt=YYYY-MM-DD. An order has a line for each state
-- in which it was seen, and a line is repeated rather than lost; order_wide keeps the one with the greatest updated_at.
CREATE TABLE orders (
    application_id     STRING  COMMENT 'Key.',
    product_code       STRING  COMMENT 'Product asked for.',
    product_line       STRING  COMMENT 'Group of products.',
    insurer_id         STRING  COMMENT 'Optional: insurer of the last decision.',
    state              STRING  COMMENT 'INSURED, REJECTED, ABNORMAL, PARKED, ROUTED, SUBMITTING or CANCELLED.',
    premium_minor      BIGINT  COMMENT 'Premium, in minor units.',
    currency           STRING  COMMENT 'ISO 4217 code.',
    device_model_id    STRING  COMMENT 'Optional: model of the device.',
    device_category    STRING  COMMENT 'Optional: category of the device.',
    store_id           STRING  COMMENT 'Optional: store that sells.',
    channel_id         STRING  COMMENT 'Optional: channel of the store.',
    customer_ref       STRING  COMMENT 'Optional: opaque customer reference.',
    decided_at         STRING  COMMENT 'Instant of the first decision, RFC 3339 in UTC ending in Z.',
    finished_at        STRING  COMMENT 'Optional: instant the order became final, RFC 3339 in UTC ending in Z.',
    policy_number      STRING  COMMENT 'Optional: number given by the insurer.',
    attempts           INT     COMMENT 'Submissions made.',
    technical_failures INT     COMMENT 'Submissions that failed technically or stayed unknown.',
    rerouted           BOOLEAN COMMENT 'Another insurer than the first decided one was used.',
    incident_id        STRING  COMMENT 'Optional: incident that affected the order.',
    updated_at         STRING  COMMENT 'Instant of the change that the line tells of, RFC 3339 in UTC ending in Z; the greatest holds.'
) COMMENT 'Orders routed by Sluice.' WITH (
    'connector' = 'filesystem',
    'path' = '${orders}',
    'source.path.regex-pattern' = '.*\.jsonl',
    'format' = 'json',
    'json.fail-on-missing-field' = 'false',
    'json.ignore-parse-errors' = 'false'
);
