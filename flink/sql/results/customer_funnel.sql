-- How far customers come, by the channel and month of their applications.
CREATE TABLE customer_funnel (
    channel_id          STRING NOT NULL COMMENT 'Channel of the application; UNKNOWN where neither the order nor its store names one.',
    `month`             DATE   NOT NULL COMMENT 'First day of the calendar month of the first decision, UTC.',
    applications        BIGINT NOT NULL COMMENT 'Applications decided in the month.',
    customers           BIGINT NOT NULL COMMENT 'Different customers of those applications; applications without a customer reference add none, here and below.',
    routed_customers    BIGINT NOT NULL COMMENT 'Customers of whom an insurer was decided for at least one application.',
    submitted_customers BIGINT NOT NULL COMMENT 'Customers of whom at least one application was submitted to an insurer.',
    insured_customers   BIGINT NOT NULL COMMENT 'Customers of whom at least one application was insured.',
    claiming_customers  BIGINT NOT NULL COMMENT 'Customers with a claim, counted at the watermark, on the policy of at least one of those applications.',
    PRIMARY KEY (channel_id, `month`) NOT ENFORCED
) COMMENT 'From application to insurance to claim, by channel and month.';

CREATE VIEW customer_funnel_rows AS
SELECT
    channel_id, `month`,
    SUM(applications) AS applications,
    SUM(CASE WHEN customer_ref IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END) AS customers,
    SUM(CASE WHEN customer_ref IS NULL THEN CAST(0 AS BIGINT) ELSE routed END) AS routed_customers,
    SUM(CASE WHEN customer_ref IS NULL THEN CAST(0 AS BIGINT) ELSE submitted END) AS submitted_customers,
    SUM(CASE WHEN customer_ref IS NULL THEN CAST(0 AS BIGINT) ELSE insured END) AS insured_customers,
    SUM(CASE WHEN customer_ref IS NULL THEN CAST(0 AS BIGINT) ELSE claiming END) AS claiming_customers
FROM (
    SELECT
        o.channel_id, FLOOR(o.`day` TO MONTH) AS `month`, o.customer_ref,
        COUNT(*) AS applications,
        MAX(CASE WHEN o.insurer_id = 'NONE' THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END) AS routed,
        MAX(CASE WHEN o.attempts > 0 THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS submitted,
        MAX(CASE WHEN o.state = 'INSURED' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS insured,
        MAX(CASE WHEN k.application_id IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END) AS claiming
    FROM order_wide AS o
    LEFT JOIN (SELECT application_id FROM claim_wide WHERE application_id IS NOT NULL GROUP BY application_id) AS k
        ON o.application_id = k.application_id
    GROUP BY o.channel_id, FLOOR(o.`day` TO MONTH), o.customer_ref
)
GROUP BY channel_id, `month`;
