-- One row a policy, as the core insurance system knows it at the watermark.
-- Times are texts because Flink's CSV format cannot read RFC 3339; the wide tables parse and check them.
CREATE TABLE policies (
    policy_id      STRING COMMENT 'Key.',
    application_id STRING COMMENT 'Optional: the application routed by Sluice, where it was.',
    insurer_id     STRING COMMENT 'Underwriter.',
    product_code   STRING COMMENT 'Product sold.',
    product_line   STRING COMMENT 'Group of products, e.g. SCREEN.',
    device_id      STRING COMMENT 'Insured device; key of devices.',
    store_id       STRING COMMENT 'Store that sold it; key of channels.',
    customer_ref   STRING COMMENT 'Opaque customer reference.',
    sold_at        STRING COMMENT 'Instant of the sale, RFC 3339 in UTC ending in Z.',
    start_date     DATE   COMMENT 'First day of cover.',
    end_date       DATE   COMMENT 'Day after the last day of cover; at most 20 years after start_date.',
    cancelled_on   DATE   COMMENT 'Optional: first day without cover of a cancelled policy.',
    premium_minor  BIGINT COMMENT 'Premium written for the whole term, in minor units of the currency.',
    refund_minor   BIGINT COMMENT 'Premium given back, in minor units; 0 where nothing was; at most the premium.',
    currency       STRING COMMENT 'ISO 4217 code. One store holds one currency.',
    exposure_years DOUBLE COMMENT 'Optional: policy-years at risk where the source states them; else pro rata temporis.'
) COMMENT 'Policies sold.' WITH (
    'connector' = 'filesystem',
    'path' = '${input}/policies',
    'format' = 'csv',
    'csv.null-literal' = ''
);
