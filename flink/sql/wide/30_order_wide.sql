-- Orders, one row an application: of several lines that of the last change. Orders are not cut at the watermark: the
-- newest state counts, and the day of the first decision says when.
CREATE VIEW order_checked AS
SELECT
    o.*,
    TO_TIMESTAMP(REPLACE(REPLACE(o.decided_at, 'T', ' '), 'Z', '')) AS decided_time,
    CASE
        WHEN o.application_id IS NULL OR o.product_code IS NULL OR o.product_line IS NULL OR o.state IS NULL
            OR o.premium_minor IS NULL OR o.currency IS NULL OR o.decided_at IS NULL OR o.updated_at IS NULL THEN 'MISSING_VALUE'
        WHEN TO_TIMESTAMP(REPLACE(REPLACE(o.decided_at, 'T', ' '), 'Z', '')) IS NULL
            OR TO_TIMESTAMP(REPLACE(REPLACE(o.updated_at, 'T', ' '), 'Z', '')) IS NULL THEN 'BAD_TIME'
        WHEN o.state NOT IN ('INSURED', 'REJECTED', 'ABNORMAL', 'PARKED', 'ROUTED', 'SUBMITTING', 'CANCELLED') THEN 'BAD_STATUS'
        WHEN o.premium_minor < 0 THEN 'BAD_AMOUNT'
    END AS reject_reason
FROM orders AS o;

CREATE VIEW order_wide AS
SELECT /*+ BROADCAST(c) */
    o.application_id, o.product_code, o.product_line, COALESCE(o.insurer_id, 'NONE') AS insurer_id, o.state, o.premium_minor,
    COALESCE(o.channel_id, c.channel_id, 'UNKNOWN') AS channel_id, o.store_id, o.customer_ref,
    CAST(o.decided_time AS DATE) AS `day`,
    COALESCE(o.attempts, 0) AS attempts,
    COALESCE(o.technical_failures, 0) AS technical_failures, COALESCE(o.rerouted, FALSE) AS rerouted
FROM (
    SELECT
        *,
        -- As text, without the Z: a TIMESTAMP of Flink's parser would lose the microseconds.
        ROW_NUMBER() OVER (
            PARTITION BY application_id
            ORDER BY REPLACE(updated_at, 'Z', '') DESC, COALESCE(attempts, 0) DESC, state
        ) AS line_rank
    FROM order_checked
    WHERE reject_reason IS NULL
) AS o
LEFT JOIN store_once AS c ON o.store_id = c.store_id
WHERE o.line_rank = 1;
